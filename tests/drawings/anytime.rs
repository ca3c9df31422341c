//! Figures 3 to 5: the Hessian norm and the anytime test error of many runs, with gaps where a table lacks a
//! cell and without a Hessian where a method has no alpha.

use native::compare::Comparison;
use smoothdarts::draw::compare::{self, Curves, Run};
use smoothdarts::draw::figures::{self, Picture as _};
use smoothdarts::draw::history::History;
use smoothdarts::draw::{chart, csv};
use smoothdarts::event::Anytime;

use super::{sound, story};

/// Every method of the figures.
const METHODS: [&str; 9] =
    ["darts", "sdarts-rs", "sdarts-adv", "pc-darts", "gdas", "nasp", "snas", "enas", "random-ws"];

/// A made-up run in a one-shot space, whose table knows no rank and lacks the cells after these epochs.
fn run(method: &str, space: &str, seed: u64, lacks: &[usize]) -> Run {
    let mut history = History::from_iter(story::measured(6));
    let config = &mut history.started.as_mut().unwrap().config;
    config.search.method = method.to_owned();
    config.search.space = space.to_owned();
    config.seed = seed;
    let place = METHODS.iter().position(|it| *it == method).unwrap();
    if place >= 7 {
        history.hessians.clear();
    }
    for hessian in &mut history.hessians {
        hessian.smallest *= 1.0 + 0.2 * place as f64 + 0.1 * seed as f64;
    }
    for look in &mut history.anytime {
        let worse = 0.3 * place as f64 + 0.2 * seed as f64;
        let accuracy = look.test_accuracy.map(|accuracy| accuracy - worse);
        let regret = look.regret.map(|regret| regret + worse);
        let (epoch, architecture) = (look.epoch, look.architecture.clone());
        let mut found = Anytime { epoch, architecture, cells: 95, ..Anytime::default() };
        if !lacks.contains(&epoch) {
            found.test_accuracy = accuracy;
            found.valid_accuracy = accuracy.map(|accuracy| accuracy + 0.5);
            found.regret = regret;
        }
        *look = found;
    }
    Run { name: format!("runs/{space}-{method}-{seed}"), history, landscape: None }
}

fn charts(runs: &[Run]) -> Vec<Curves> {
    compare::charts(&compare::groups(runs), runs)
}

fn named<'a>(charts: &'a [Curves], name: &str) -> &'a Curves {
    charts.iter().find(|curves| curves.figure.name == name).unwrap()
}

#[test]
fn the_anytime_errors_of_a_run_leave_gaps_where_the_table_lacks_the_cell() {
    let Run { history, .. } = run("darts", "oneshot-1", 0, &[1, 4]);
    let chart = figures::anytime(&history).unwrap();
    assert!(chart.description.ends_with(
        "After 2 of 6 epochs the table does not tell the test error of that cell: gaps."
    ));
    let picture = chart::draw(&chart);
    sound(&picture);
    insta::with_settings!({ snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("anytime_gaps", picture);
        insta::assert_snapshot!("anytime_gaps_curves", csv::curves(&history));
    });
    let rows = csv::chart(&chart);
    assert_eq!(rows.matches("\ntest error,2,\n").count(), 1, "{rows}");
    let best: Vec<f64> = chart.series[1].points.iter().map(|point| point.1).collect();
    assert!(best.iter().all(|error| (error - 0.0563).abs() < 1e-12), "{best:?}");
}

#[test]
fn a_table_that_has_none_of_the_derived_cells_gives_a_chart_that_says_so() {
    let Run { history, .. } = run("darts", "oneshot-1", 0, &[0, 1, 2, 3, 4, 5]);
    let chart = figures::anytime(&history).unwrap();
    assert_eq!(chart.series.len(), 1);
    let elements = sound(&chart::draw(&chart));
    assert!(elements.iter().any(|element| element.text == "nothing to show yet"));
    let header = csv::curves(&history);
    assert!(header.lines().all(|line| line.ends_with(",,,,") || line.ends_with("valid_accuracy")));
}

#[test]
fn anytime_errors_over_seeds_are_of_those_runs_whose_cell_the_table_has() {
    let runs = [
        run("random-ws", "oneshot-1", 0, &[2, 3]),
        run("random-ws", "oneshot-1", 1, &[3, 4]),
        run("random-ws", "oneshot-1", 2, &[3]),
    ];
    let charts = charts(&runs);
    assert!(charts.iter().all(|curves| curves.figure.name != "hessian"), "it has no alpha");
    let curves = named(&charts, "anytime");
    let (line, counts) = (&curves.chart.series[0], &curves.counts[0]);
    assert_eq!(*counts, [3, 3, 2, 0, 2, 3]);
    let errors = |epoch: usize| -> Vec<f64> {
        runs.iter().filter_map(|run| run.history.anytime[epoch].test_error()).collect()
    };
    for epoch in [0, 2, 4] {
        let errors = errors(epoch);
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        assert!((line.points[epoch].1 - mean).abs() < 1e-12);
        assert!(line.band[epoch].1 < mean && mean < line.band[epoch].2);
    }
    assert!(line.points[3].1.is_nan() && line.band[3].1.is_nan(), "none has a cell there");
    insta::with_settings!({ snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("compare_gaps", curves.svg());
        insta::assert_snapshot!("compare_gaps_csv", curves.csv());
    });
}

#[test]
fn one_run_with_a_cell_has_a_mean_and_no_band() {
    let runs = [run("nasp", "oneshot-1", 0, &[]), run("nasp", "oneshot-1", 1, &[0, 1, 2, 3, 4])];
    let charts = charts(&runs);
    let curves = named(&charts, "anytime");
    assert_eq!(curves.counts[0], [1, 1, 1, 1, 1, 2]);
    let line = &curves.chart.series[0];
    assert!(line.points.iter().all(|point| point.1.is_finite()));
    let finite = line.band.iter().filter(|edges| edges.1.is_finite()).count();
    assert_eq!(finite, 1);
    let elements = sound(&curves.svg());
    let bands = elements.iter().filter(|element| element.has_class("sd-band")).count();
    assert_eq!(bands, 0, "the only deviation is a line");
}

#[test]
fn a_summary_says_of_how_many_seeds_the_table_knows_the_last_cell() {
    let runs = [0, 1, 2].map(|seed| run("gdas", "oneshot-1", seed, &[5 * (seed as usize % 2)]));
    let comparison = Comparison::of(runs.to_vec());
    let summary = &comparison.groups_summary[0];
    assert_eq!((summary.seeds.len(), summary.tested), (3, 2));
    let folder = tempfile::tempdir().unwrap();
    let page = std::fs::read_to_string(comparison.write(folder.path()).unwrap()).unwrap();
    assert!(page.contains("% (2 of 3)"));
    let csv = std::fs::read_to_string(folder.path().join("summary.csv")).unwrap();
    let [header, row] = [0, 1].map(|line| csv.lines().nth(line).unwrap().split(','));
    let runs: Vec<_> = header.zip(row).filter(|(name, _)| *name == "test_accuracy_runs").collect();
    assert_eq!(runs, [("test_accuracy_runs", "2")]);
}

#[test]
fn every_method_has_a_line_of_its_own_and_those_without_alpha_no_hessian() {
    let runs: Vec<Run> = METHODS
        .iter()
        .flat_map(|method| [0, 1].map(|seed| run(method, "oneshot-1", seed, &[seed as usize])))
        .collect();
    let charts = charts(&runs);
    let (anytime, hessian) = (named(&charts, "anytime"), named(&charts, "hessian"));
    let names: Vec<&str> = anytime.chart.series.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, METHODS);
    assert!(hessian.caption().ends_with("Nothing is known of: enas, random-ws."));
    let texts = |curves: &Curves| {
        let elements = sound(&curves.svg());
        elements.into_iter().map(|element| element.text).collect::<Vec<_>>()
    };
    for method in METHODS {
        assert!(texts(anytime).contains(&method.to_owned()), "{method}");
        let has_alpha = !["enas", "random-ws"].contains(&method);
        assert_eq!(texts(hessian).contains(&method.to_owned()), has_alpha, "{method}");
        assert_eq!(hessian.csv().contains(&format!("\n{method},")), has_alpha, "{method}");
    }
    insta::with_settings!({ snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("compare_methods_anytime", anytime.svg());
        insta::assert_snapshot!("compare_methods_hessian", hessian.svg());
    });
}

#[test]
fn runs_in_several_spaces_have_a_chart_for_each_space() {
    let runs: Vec<Run> = ["oneshot-1", "oneshot-3"]
        .iter()
        .flat_map(|space| ["darts", "enas"].map(|method| run(method, space, 0, &[])))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    Comparison::of(runs).write(folder.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for space in ["oneshot-1", "oneshot-3"] {
        let picture = read(&format!("anytime-{space}.svg"));
        sound(&picture);
        assert!(
            picture.contains(&format!("Anytime test error of the derived cell, space {space}"))
        );
        let lines = read(&format!("anytime-{space}.csv"));
        assert!(lines.starts_with("series,epochs trained,test error,runs\n\"darts, "), "{lines}");
        assert_eq!(lines.lines().count(), 1 + 2 * 6);
        assert_eq!(read(&format!("hessian-{space}.csv")).lines().count(), 1 + 6);
        assert!(read("compare.html").contains(&format!("download=\"anytime-{space}.csv\"")));
    }
    assert!(!folder.path().join("anytime.svg").exists());
}
