//! The story of the page: the recorded searches of `native/repro/collapse` agree with each other and
//! bear out every claim that the page makes with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Rows of a CSV file, by the names of their columns.
type Table = Vec<BTreeMap<String, String>>;

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

fn table(name: &str) -> Table {
    let text = text(&format!("native/repro/collapse/results/{name}"));
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap();
    lines.map(|line| head.iter().cloned().zip(line).collect()).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap()
}

/// The course of every run: method, seed → its epochs.
fn runs() -> BTreeMap<(String, String), Table> {
    let mut runs: BTreeMap<_, Table> = BTreeMap::new();
    for row in table("course.csv") {
        runs.entry((row["method"].clone(), row["seed"].clone())).or_default().push(row);
    }
    runs
}

/// A number of every seed of a method.
fn of(method: &str, read: impl Fn(&Table) -> f64) -> Vec<f64> {
    let runs = runs();
    runs.iter().filter(|((name, _), _)| name == method).map(|(_, run)| read(run)).collect()
}

fn last(column: &'static str) -> impl Fn(&Table) -> f64 {
    move |run| number(run.last().unwrap(), column)
}

fn best(run: &Table) -> f64 {
    run.iter().map(|row| number(row, "test_accuracy_percent")).fold(0.0, f64::max)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_course_that_the_page_replays_is_that_of_the_kept_tables() {
    let runs = runs();
    let ends = table("runs.csv");
    assert_eq!(runs.len(), ends.len());
    for row in &ends {
        let run = &runs[&(row["method"].clone(), row["seed"].clone())];
        let end = run.last().unwrap();
        assert_eq!(run.len(), 50);
        assert_eq!(end["architecture"], row["architecture"]);
        let differs = |a: f64, b: f64| (a - b).abs() > 1e-3;
        assert!(!differs(number(row, "test_accuracy_percent"), last("test_accuracy_percent")(run)));
        assert!(!differs(number(row, "best_on_the_way_percent"), best(run)));
    }
    for (name, column, read) in [
        ("anytime.csv", "test_error_percent_mean", "test_accuracy_percent"),
        ("hessian.csv", "spectral_norm_mean", "spectral_norm"),
    ] {
        for row in table(name) {
            let at = |run: &Table| run.iter().find(|one| one["epoch"] == row["epoch"]).cloned();
            let values = of(&row["method"], |run| number(&at(run).unwrap(), read));
            let found = if read == "spectral_norm" { mean(&values) } else { 100.0 - mean(&values) };
            assert!((found - number(&row, column)).abs() < 1e-3, "{name}: {row:?}");
        }
    }
}

#[test]
fn the_shares_of_every_edge_are_a_distribution_whose_largest_is_kept() {
    let names = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];
    for row in table("course.csv") {
        let shares: Vec<f64> =
            row["probabilities_permille"].split(' ').map(|share| share.parse().unwrap()).collect();
        let kept = row["architecture"].split(['|', '+']).filter(|edge| !edge.is_empty());
        let kept: Vec<&str> = kept.map(|edge| edge.split('~').next().unwrap()).collect();
        assert_eq!((shares.len(), kept.len()), (30, 6));
        for (edge, kept) in shares.chunks(5).zip(kept) {
            assert!((edge.iter().sum::<f64>() - 1000.0).abs() <= 3.0, "{row:?}");
            let largest = edge.iter().copied().fold(0.0, f64::max);
            let index = names.iter().position(|name| *name == kept).unwrap();
            assert!(edge[index] >= largest - 1.0, "{row:?}");
        }
    }
}

/// The mean drop of the accuracy within distance 1 around the end of every seed of a method.
fn drops(method: &str) -> Vec<f64> {
    let mut points: BTreeMap<String, Table> = BTreeMap::new();
    for row in table("landscape.csv").into_iter().filter(|row| row["method"] == method) {
        points.entry(row["seed"].clone()).or_default().push(row);
    }
    let distance = |row: &BTreeMap<_, _>| number(row, "x").hypot(number(row, "y"));
    let drop = |rows: &Table| {
        let middle = rows.iter().find(|row| distance(row) < 1e-6).unwrap();
        let near = rows.iter().filter(|row| (1e-6..=1.0 + 1e-6).contains(&distance(row)));
        let drops = near.map(|row| number(middle, "accuracy") - number(row, "accuracy"));
        mean(&drops.collect::<Vec<_>>())
    };
    points.values().map(drop).collect()
}

#[test]
fn every_recorded_run_has_its_landscape() {
    let measured: BTreeSet<(String, String)> = table("landscape.csv")
        .iter()
        .map(|row| (row["method"].clone(), row["seed"].clone()))
        .collect();
    assert_eq!(measured, runs().into_keys().collect());
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// What the page says, and whether the runs bear it out.
fn claims() -> BTreeMap<&'static str, bool> {
    let end = last("test_accuracy_percent");
    let norm = last("spectral_norm");
    let first = |run: &Table| number(&run[0], "spectral_norm");
    let (darts, smooth) = ("darts", ["sdarts-rs", "sdarts-adv"]);
    let worse = |method| {
        let falls = of(method, |run| best(run) - end(run));
        (falls.iter().filter(|&&fall| fall > 1.0).count(), falls.len())
    };
    let (fallen, all) = [darts, smooth[0], smooth[1]]
        .iter()
        .map(|method| worse(method))
        .fold((0, 0), |(fallen, all), (some, of)| (fallen + some, all + of));
    let sharper = |by: f64| {
        let grown = of(darts, |run| norm(run) / first(run));
        let flattest = least(&of(darts, &norm));
        least(&grown) > 5.0
            && smooth.iter().all(|method| flattest > by * most(&of(method, &norm)))
            && smooth.iter().all(|method| least(&drops(darts)) > most(&drops(method)))
    };
    let all_runs = runs();
    let differences: Vec<f64> = all_runs
        .iter()
        .filter(|((method, _), _)| method != darts)
        .map(|((_, seed), run)| end(run) - end(&all_runs[&(darts.to_owned(), seed.clone())]))
        .collect();
    BTreeMap::from([
        ("spoils", fallen * 2 > all),
        ("norm", sharper(2.0)),
        ("mixed", least(&differences) < -1.0 && most(&differences) > 1.0),
        ("unsafe", smooth.iter().any(|method| least(&of(method, &end)) < 85.0)),
    ])
}

#[test]
fn every_claim_of_the_page_is_borne_out_by_its_runs() {
    let page = text("web/www/index.html");
    let made: BTreeSet<&str> =
        page.split("data-claim=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let claims = claims();
    assert_eq!(made, claims.keys().copied().collect(), "every claim has its condition");
    for (name, holds) in claims {
        assert!(holds, "{name}");
    }
}
