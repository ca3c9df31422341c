//! Several runs beside each other.

use std::path::Path;

use native::compare::Comparison;
use smoothdarts::config::Config;
use smoothdarts::draw::compare::{self, Run, Spread};
use smoothdarts::draw::history::History;
use smoothdarts::draw::landscape::Range;

use super::{HOSTILE, landscapes, sound, story, xml};

/// A made-up run: `better` is added to every validation accuracy.
fn run(method: &str, seed: u64, better: f64) -> Run {
    let mut history = History::from_iter(story::measured(4));
    let config = &mut history.started.as_mut().unwrap().config;
    config.search.method = method.to_owned();
    config.search.space = "s2".to_owned();
    config.data.name = "cifar10".to_owned();
    config.seed = seed;
    config.run.threads = seed as usize;
    history.epochs.iter_mut().for_each(|epoch| epoch.valid_accuracy += better);
    Run { name: format!("runs/{method}-{seed}"), history, landscape: None }
}

fn runs() -> Vec<Run> {
    vec![
        run("darts", 0, 0.0),
        run("sdarts-rs", 0, 0.01),
        run("darts", 1, 0.02),
        run("sdarts-rs", 1, 0.05),
    ]
}

#[test]
fn runs_that_differ_in_nothing_but_the_seed_are_one_group() {
    let groups = compare::groups(&runs());
    let found: Vec<_> =
        groups.iter().map(|group| (group.name.as_str(), group.runs.clone())).collect();
    assert_eq!(found, [("darts", vec![0, 2]), ("sdarts-rs", vec![1, 3])]);
    let settings: Vec<String> =
        compare::differences(&runs()).into_iter().map(|row| row.setting).collect();
    assert_eq!(settings, ["seed", "search.method", "run.threads"]);
}

#[test]
fn groups_of_one_method_are_named_by_what_differs() {
    let mut runs = runs();
    runs.truncate(3);
    let config = &mut runs[2].history.started.as_mut().unwrap().config;
    config.search.channels = 8;
    let names: Vec<String> = compare::groups(&runs).into_iter().map(|group| group.name).collect();
    assert_eq!(
        names,
        ["darts, search.channels=16", "sdarts-rs, search.channels=16", "darts, search.channels=8"]
    );
}

/// `--method darts --perturbation random` is what `--method sdarts-rs` is.
#[test]
fn a_perturbation_by_setting_and_one_by_name_are_one_experiment() {
    let mut runs = [run("darts", 0, 0.0), run("sdarts-rs", 1, 0.0), run("darts-es", 2, 0.0)];
    let perturbed = |run: &mut Run, kind: &str| {
        let config = &mut run.history.started.as_mut().unwrap().config;
        config.perturbation.kind = kind.to_owned();
    };
    perturbed(&mut runs[0], "random");
    perturbed(&mut runs[2], "adversarial");
    let groups = compare::groups(&runs);
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["sdarts-rs", "darts-es-adv"]);
    let summaries = compare::summaries(&groups, &runs);
    assert_eq!(summaries[0].published.unwrap().method, "sdarts-rs");
    assert!(summaries[1].published.is_none(), "the paper has no such method");
}

#[test]
fn bands_are_mean_and_sample_standard_deviation_over_seeds() {
    let runs = runs();
    let charts = compare::charts(&compare::groups(&runs), &runs);
    let names: Vec<&str> = charts.iter().map(|curves| curves.figure.name).collect();
    assert_eq!(names, ["accuracy", "anytime", "hessian", "parameter-free"]);
    let series = &charts[0].chart.series[0];
    let (one, other) = (&runs[0].history.epochs[2], &runs[2].history.epochs[2]);
    let mean = (one.valid_accuracy + other.valid_accuracy) / 2.0;
    let deviation = (other.valid_accuracy - one.valid_accuracy) / 2.0_f64.sqrt();
    assert!((series.points[2].1 - mean).abs() < 1e-12 && series.points[2].0 == 3.0);
    assert!((series.band[2].1 - (mean - deviation)).abs() < 1e-12);
    assert!((series.band[2].2 - (mean + deviation)).abs() < 1e-12);
}

#[test]
fn a_single_run_has_no_deviation_and_no_run_no_mean() {
    assert_eq!(Spread::of(&[0.5]), Some(Spread { mean: 0.5, deviation: None }));
    assert_eq!(Spread::of(&[]), None);
}

#[test]
fn a_summary_sets_the_numbers_of_the_paper_beside_ours() {
    let runs = runs();
    let summaries = compare::summaries(&compare::groups(&runs), &runs);
    assert_eq!(summaries[0].seeds, [0, 1]);
    assert_eq!(summaries[0].published.unwrap().test_error, 4.85);
    assert_eq!(summaries[1].published_parameter_free, Some(0.375));
    let last = runs[3].history.epochs[3].valid_accuracy;
    assert_eq!(summaries[1].best_valid_accuracy, Some(last));
    let sharp = runs[0].history.hessians[3].spectral_norm();
    assert_eq!(summaries[0].spectral_norm, Some(Spread { mean: sharp, deviation: Some(0.0) }));
}

#[test]
fn settings_that_make_another_method_of_darts_find_its_numbers() {
    let error = |change: &dyn Fn(&mut Config)| {
        let mut run = run("darts", 0, 0.0);
        change(&mut run.history.started.as_mut().unwrap().config);
        let runs = [run];
        let published = compare::summaries(&compare::groups(&runs), &runs)[0].published;
        published.map(|it| it.test_error)
    };
    assert_eq!(error(&|_| {}), Some(4.85));
    assert_eq!(error(&|config| config.search.drop_path = 0.2), Some(3.48));
    assert_eq!(error(&|config| config.weights.weight_decay = 0.0081), Some(3.31));
    assert_eq!(error(&|config| config.search.method = "darts-es".to_owned()), Some(3.26));
    let simulated = |config: &mut Config| {
        config.search.method = "darts-es".to_owned();
        config.early_stop.simulate = true;
    };
    assert_eq!(error(&simulated), Some(4.85), "it went on as DARTS");
    assert_eq!(error(&|config| config.search.method = "darts-hessian".to_owned()), None);
}

/// Two runs of one group and one of another with landscapes; the third is the steepest.
fn mountainous() -> Vec<Run> {
    let mut runs = runs();
    for (run, steepness) in runs.iter_mut().zip([0.6, 1.0, 0.8]) {
        let mut hill = landscapes::hill(5);
        hill.samples.iter_mut().for_each(|sample| sample.accuracy *= steepness);
        run.landscape = Some(hill);
    }
    runs
}

#[test]
fn landscapes_are_drawn_from_their_numbers_on_one_scale() {
    let runs = mountainous();
    let views = compare::landscapes(&runs);
    assert_eq!(views.iter().map(|view| view.0).collect::<Vec<_>>(), [0, 1, 2]);
    let Range(low, high) = views[0].1.frame.range;
    assert!(views.iter().all(|view| view.1.frame == views[0].1.frame));
    let all = runs.iter().filter_map(|run| run.landscape.as_ref());
    let heights: Vec<f64> = all.flat_map(|it| &it.samples).map(|it| it.accuracy).collect();
    assert_eq!(low, heights.iter().copied().fold(1.0, f64::min));
    assert_eq!(high, heights.iter().copied().fold(0.0, f64::max));

    let folder = tempfile::tempdir().unwrap();
    Comparison::of(runs).write(folder.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let page = read("compare.html");
    let legend = |picture: &str| {
        let labels = picture.split("<text").filter(|text| text.contains("x=\"492\""));
        labels.map(str::to_owned).collect::<Vec<_>>()
    };
    let (first, second) = (read("landscape-1-contour.svg"), read("landscape-2-contour.svg"));
    assert!(legend(&first).len() > 1);
    assert_eq!(legend(&first), legend(&second));
    for picture in [&first, &second, &read("landscape-3-surface.svg")] {
        sound(picture);
        assert!(page.contains(picture.trim_end()), "the page has the same picture");
    }
    assert!(!folder.path().join("landscape-4-contour.svg").exists(), "it has none");
    assert_eq!(read("flatness.csv").lines().count(), 4);
    assert_eq!(read("landscape-3.csv").lines().count(), 26);
    assert!(page.contains("download=\"landscape-3.csv\""), "the page saves it by its name");
}

#[test]
fn flatness_is_told_of_every_run_and_as_a_mean_of_every_group() {
    let mut runs = mountainous();
    let flatness = compare::flatness(&runs);
    let drops: Vec<f64> = flatness.iter().map(|row| row.flatness.mean_drop).collect();
    assert!(compare::comparable(&flatness));
    let summaries = |runs: &[Run]| compare::summaries(&compare::groups(runs), runs);
    assert_eq!(summaries(&runs)[0].mean_drop, Spread::of(&[drops[0], drops[2]]));
    assert_eq!(summaries(&runs)[1].mean_drop, Spread::of(&[drops[1]]));
    let page = |runs: &[Run]| Comparison::of(runs.to_vec()).render(Path::new("out")).unwrap();
    assert!(!page(&runs).contains("not measured in the same way"));
    runs[2].landscape.as_mut().unwrap().images = 12;
    assert_eq!(summaries(&runs)[0].mean_drop, None, "no mean over unlike measurements");
    assert!(page(&runs).contains("not measured in the same way"));
}

#[test]
fn a_comparison_needs_nothing_but_itself_and_gives_away_its_numbers() {
    let comparison = Comparison::of(runs());
    let page = comparison.render(Path::new("compare")).unwrap();
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!["http:", "https:", "url("].iter().any(|address| elsewhere.contains(address)));
    let elements = xml::elements(&page);
    let count = |name: &str| elements.iter().filter(|element| element.name == name).count();
    // Four charts; two cells of each of two groups.
    assert_eq!((count("figure"), count("svg"), count("script")), (8, 8, 0));
    let links = elements.iter().filter(|element| element.name == "a");
    assert!(links.clone().all(|link| link.get("href").starts_with("data:text/csv")));
    assert_eq!(links.count(), count("figure") + 2, "and of the summary and the settings");
    let command = "sdarts compare runs/darts-0 runs/sdarts-rs-0 runs/darts-1 runs/sdarts-rs-1 \
                   --out compare";
    let commands = elements.iter().filter(|it| it.name == "code" && it.text == command);
    assert_eq!(commands.count(), count("figure") + 1);
}

#[test]
fn a_comparison_leaves_every_figure_as_svg_and_csv() {
    let folder = tempfile::tempdir().unwrap();
    Comparison::of(runs()).write(folder.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for name in
        ["accuracy", "anytime", "hessian", "parameter-free", "cell-1-normal", "cell-2-reduce"]
    {
        sound(&read(&format!("{name}.svg")));
        assert!(read(&format!("{name}.csv")).lines().count() > 1, "{name}");
    }
    let summary = read("summary.csv");
    assert!(summary.starts_with("group,seeds,valid_accuracy_mean,valid_accuracy_std,"));
    assert!(summary.contains("\ndarts,0 1,"), "{summary}");
    assert!(read("settings.csv").contains("search.method,darts,sdarts-rs,darts,sdarts-rs\n"));
    assert!(folder.path().join("compare.html").exists());
}

#[test]
fn text_from_outside_stays_text_in_a_comparison() {
    let mut runs = runs();
    for run in &mut runs {
        run.name = HOSTILE.to_owned();
    }
    runs[1].history.started.as_mut().unwrap().config.search.method = HOSTILE.to_owned();
    let comparison = Comparison::of(runs);
    let page = comparison.render(Path::new(HOSTILE)).unwrap();
    assert!(xml::elements(&page).iter().all(|element| element.name != "script"));
}
