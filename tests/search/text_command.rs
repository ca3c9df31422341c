//! `sdarts search` on text, as a user runs it, and the commands that measure and show such a run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use smoothdarts::rng::{Stream, Streams, uniform};

use crate::command::{run, sdarts};
use crate::training::command::{same_events, same_files};

/// A search of a second or two, on the text that comes with the program.
const TEXT: &[&str] = &[
    "search",
    "--preset=ptb-quick",
    "--set=search.epochs=2",
    "--set=run.device=cpu",
    "--set=search.batch_size=16",
    "--set=recurrent.hidden=8",
    "--set=recurrent.bptt=12",
    "--set=recurrent.train_words=1600",
    "--set=recurrent.evaluation_batch=40",
    "--set=data.vocabulary_limit=50",
    "--set=run.checkpoint_seconds=0",
];

fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [TEXT, more].concat()
}

const RESULTS: [&str; 3] = ["genotype.json", "weights.safetensors", "curves.csv"];

fn same(found: &Path, expected: &Path) {
    same_events(found, expected);
    same_files(found, expected, &RESULTS);
}

/// The moments depend on the speed of the machine.
#[test]
fn a_search_of_text_that_is_killed_eight_times_ends_like_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(here, &flags(&["--out=whole"])).done();
    let mut rng = Streams::new(5).at(Stream::Split, 0);
    for _ in 0..8 {
        let chance = uniform(&mut rng, 2, 0.0, 1.0);
        let mut child = sdarts(here, &flags(&["--out=run", "--json"])).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..2 + (2.0 * chance[0]) as usize {
            lines.next();
        }
        std::thread::sleep(Duration::from_secs_f32(0.05 * chance[1]));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run(here, &flags(&["--out=run"])).done();
    let curves = fs::read_to_string(here.join("run/curves.csv")).unwrap();
    assert!(curves.lines().next().unwrap().contains("valid_perplexity"), "{curves}");
    same(&here.join("run"), &here.join("whole"));
}

#[test]
fn a_search_of_text_is_told_shown_and_measured_in_perplexities() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let told = run(here, &flags(&["--out=one"])).done().stderr;
    assert!(told.contains("perplexity") && !told.contains("accuracy"), "{told}");
    run(here, &flags(&["--out=two", "--set=seed=4"])).done();

    let report = fs::read_to_string(here.join("one/report.html")).unwrap();
    assert!(report.contains("validation perplexity of the supernet"));
    assert!(report.contains("Perplexity of the supernet"));
    let compared = run(here, &["compare", "one", "two", "--out=both"]).done().stdout;
    assert!(compared.contains("perplexity"), "{compared}");

    let hessian = run(here, &["hessian", "one", "--json"]).done().stdout;
    let hessian: Value = serde_json::from_str(&hessian).unwrap();
    assert!(hessian["spectral_norm"].as_f64().unwrap() > 0.0, "{hessian}");
    let landscape = ["landscape", "one", "--grid=3", "--images=300"];
    let landscape = run(here, &landscape).done().stdout;
    assert!(landscape.contains("perplexity in the middle"), "{landscape}");
    assert!(here.join("one/landscape-contour.svg").exists());
    let derived = run(here, &["derive", "one", "--python"]).done().stdout;
    assert!(derived.contains("recurrent=[("), "{derived}");
    run(here, &["stats", "one"]).done();
}

#[test]
fn a_dry_run_knows_the_paper_s_search_without_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "search",
        "--preset=ptb-darts",
        "--dry-run",
        "--json",
        "--set=run.device=cpu",
        "--set=recurrent.hidden=16",
    ];
    let told = run(folder.path(), &flags).done().stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["parameters"], 10_000 * 17 + 20 * 16 * 16);
    assert_eq!(told["alphas"][0]["edges"], 36);
    let steps = told["steps_per_epoch"].as_u64().unwrap();
    assert!((100..120).contains(&steps), "3,631 rows in sequences of 35, some of 17: {steps}");
}

#[test]
fn what_does_not_fit_together_is_refused_in_one_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let refused = |arguments: &[&str], code: i32, words: &str| {
        let outcome = run(here, arguments);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{words:?} is not in {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        assert!(!here.join("net").exists(), "{arguments:?} made a run directory");
    };
    let out = "--out=net";
    refused(&flags(&[out, "--data=fashion-mnist"]), 3, "fashion-mnist has images");
    refused(&["search", "--preset=quick", "--data=shakespeare", out], 2, "is a text");
    refused(&flags(&[out, "--set=search.method=gdas"]), 2, "does not search text");
    refused(&flags(&[out, "--set=search.batch_size=9000"]), 3, "search.batch_size");
    refused(&flags(&[out, "--set=recurrent.bptt=1"]), 2, "recurrent.bptt");
    refused(&flags(&[out, "--set=recurrent.dropout=1"]), 2, "recurrent.dropout");
}
