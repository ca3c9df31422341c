//! Settings of any size: an answer within ten seconds, and no panic, no abort, no kill for memory.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use smoothdarts::config::layers::settings;
use smoothdarts::config::{Config, Setting};
use smoothdarts::rng::{Stream, Streams, uniform};
use smoothdarts::{method, space};

use crate::command::{Outcome, TINY, run, sdarts};

/// Runs `sdarts` and fails if it takes more than a minute: no second would do beside a build.
#[track_caller]
fn quick(folder: &Path, arguments: &[&str]) -> Outcome {
    let (began, mut child) = (Instant::now(), sdarts(folder, arguments).spawn().unwrap());
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{arguments:?} takes too long");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Outcome::from(child.wait_with_output().unwrap())
}

#[test]
fn what_cannot_fit_the_machine_is_refused_with_the_estimate_and_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, remedy) in [
        ("search.stem_multiplier=1000000", "search.stem_multiplier"),
        ("search.channels=100000", "search.channels"),
        ("search.channels=10000000000000", "search.channels"),
        ("search.cells=1000000000000", "search.cells"),
    ] {
        for dry in [true, false] {
            let set = format!("--set={setting}");
            let arguments = [TINY, &["--out=run", "--memory-limit=8GB", &set]].concat();
            let dry: &[&str] = if dry { &["--dry-run"] } else { &[] };
            let outcome = quick(folder.path(), &[&arguments, dry].concat());
            assert_eq!(outcome.code, Some(2), "{setting}: {}", outcome.stderr);
            for said in [remedy, "this run would take about"] {
                assert!(outcome.stderr.contains(said), "{setting}: {}", outcome.stderr);
            }
            assert!(!folder.path().join("run").exists());
        }
    }
    let big =
        ["--set=data.image_size=1024", "--set=search.channels=64", "--set=data.train_images=0"];
    let outcome = quick(
        folder.path(),
        &[TINY, &big, &["--set=search.batch_size=200", "--memory-limit=8GB"]].concat(),
    );
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    let limited = quick(folder.path(), &[TINY, &["--memory-limit=10MB"]].concat());
    assert_eq!(limited.code, Some(2), "{}", limited.stderr);
    assert!(limited.stderr.contains("--force"), "{}", limited.stderr);
    run(folder.path(), &[TINY, &["--memory-limit=10MB", "--force", "--dry-run"]].concat()).done();
    let most = quick(folder.path(), &[TINY, &["--threads=100000"]].concat());
    assert_eq!(most.code, Some(2), "{}", most.stderr);
    assert!(most.stderr.contains("at most 256"), "{}", most.stderr);
}

#[test]
fn a_dry_run_is_quick_and_says_what_it_extrapolates() {
    let folder = tempfile::tempdir().unwrap();
    for more in [
        &["--set=search.cells=10000"][..],
        &["--method=sdarts-adv", "--set=perturbation.steps=100000000"],
        &[
            "--space=s5",
            "--set=search.cells=8",
            "--set=search.channels=16",
            "--set=data.image_size=32",
            "--set=search.batch_size=48",
        ],
    ] {
        let outcome = quick(folder.path(), &[TINY, more, &["--dry-run", "--json"]].concat()).done();
        let found: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(found["extrapolated"], true, "{more:?}");
        assert!(found["seconds_per_step"].as_f64().unwrap() > 0.0);
    }
    // A preset of the paper, whose images are not there.
    let paper = ["search", "--preset=s3", "--device=cpu", "--dry-run", "--json"];
    let outcome = quick(folder.path(), &paper).done();
    assert!(outcome.stderr.contains("its sizes are known"), "{}", outcome.stderr);
    let found: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(found["steps_per_epoch"], 391, "25,000 images in batches of 64");
    let outcome = run(folder.path(), &[TINY, &["--dry-run"]].concat()).done();
    assert!(!outcome.stdout.contains("extrapolated"), "{}", outcome.stdout);
}

/// Several settings together: numbers over the whole range of their types beside ordinary ones, switches,
/// spaces and methods. What fits each alone need not fit together.
#[test]
fn no_settings_together_make_a_search_panic_hang_or_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Streams::new(9).at(Stream::Split, 0);
    let config = Config::default();
    let drawn: Vec<&Setting> = settings()
        .filter(|setting| {
            let value = setting.value(&config);
            let named = ["search.space", "search.method"].contains(&setting.name().as_str());
            value.is_number() || value.is_boolean() || named
        })
        .collect();
    for _ in 0..40 {
        let draws = uniform(&mut rng, 24, 0.0, 1.0);
        let pick = |draw: f32, count: usize| ((draw * count as f32) as usize).min(count - 1);
        let sets: Vec<String> = draws[..3 * (2 + pick(draws[23], 5))]
            .chunks_exact(3)
            .map(|draw| {
                let setting = drawn[pick(draw[0], drawn.len())];
                // One of three anywhere in the range, else as people set it.
                let (wild, at) = (draw[1] < 1.0 / 3.0, f64::from(draw[2]));
                let text = match (setting.name().as_str(), setting.value(&config)) {
                    ("search.space", _) => {
                        space::ALL[pick(draw[2], space::ALL.len())].name.to_owned()
                    }
                    ("search.method", _) => {
                        method::ALL[pick(draw[2], method::ALL.len())].name.to_owned()
                    }
                    (_, Value::Bool(_)) => (at < 0.5).to_string(),
                    (_, Value::Number(number)) if number.is_u64() && wild => {
                        (2f64.powf(63.0 * at) as u64).to_string()
                    }
                    (_, Value::Number(number)) if number.is_u64() => (8.0 * at).round().to_string(),
                    _ if wild => format!("1e{:.0}", 600.0 * at - 300.0),
                    _ => format!("{at:.3}"),
                };
                format!("--set={}={text}", setting.name())
            })
            .collect();
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let outcome = quick(folder.path(), &[TINY, &["--dry-run"], &sets].concat());
        let said = &outcome.stderr;
        assert!(matches!(outcome.code, Some(0 | 2 | 5)), "{sets:?}: {:?}, {said}", outcome.code);
        assert!(!said.contains("panicked"), "{sets:?}: {said}");
    }
}

/// Every number of the settings, over the whole range of its type.
#[test]
fn no_number_makes_a_search_panic_hang_or_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = Streams::new(8).at(Stream::Split, 0);
    let config = Config::default();
    for setting in settings() {
        let value = setting.value(&config);
        let Some(number) = value.as_number() else { continue };
        let texts: Vec<String> = if number.is_u64() {
            let draws = uniform(&mut rng, 1, 0.0, 63.0);
            let drawn = draws.iter().map(|bits| 2f64.powf(f64::from(*bits)) as u64);
            drawn.chain([0, i64::MAX as u64]).map(|number| number.to_string()).collect()
        } else {
            let draws = uniform(&mut rng, 1, -300.0, 300.0);
            draws
                .iter()
                .map(|digits| format!("1e{digits:.0}"))
                .chain(["1e308".to_owned()])
                .collect()
        };
        for text in texts {
            let set = format!("--set={}={text}", setting.name());
            let outcome = quick(folder.path(), &[TINY, &["--dry-run", &set]].concat());
            let said = &outcome.stderr;
            assert!(matches!(outcome.code, Some(0 | 2 | 5)), "{set}: {:?}, {said}", outcome.code);
            assert!(!said.contains("panicked"), "{set}: {said}");
        }
    }
}
