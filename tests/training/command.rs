//! `sdarts train`, as a user runs it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use smoothdarts::rng::{Stream, Streams, uniform};

use crate::command::{Outcome, TINY, TRAIN, run, sdarts};

pub const RESULTS: [&str; 4] =
    ["genotype.json", "weights.safetensors", "weights-best.safetensors", "curves.csv"];

pub fn train<'a>(genotype: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", genotype], TRAIN, more].concat()
}

fn events(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let mut events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &mut events {
        for key in ["seconds", "crc32c"] {
            event.as_object_mut().unwrap().remove(key);
        }
    }
    events
}

pub fn same_events(found: &Path, expected: &Path) {
    assert_eq!(events(found), events(expected));
}

pub fn same_files(found: &Path, expected: &Path, names: &[&str]) {
    for name in names {
        let bytes = |run: &Path| fs::read(run.join(name)).unwrap();
        assert!(bytes(found) == bytes(expected), "{name} differs");
    }
}

fn same(found: &Path, expected: &Path) {
    same_events(found, expected);
    same_files(found, expected, &RESULTS);
}

#[test]
fn a_finished_training_is_tested_to_what_it_said_itself_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(here, &train("c10_s5_pgd", &["--epochs=1", "--out=net"])).done();
    let outcome = run(here, &["test", "net", "--device=cpu", "--json"]).done();
    let tested: Value = serde_json::from_str(outcome.stdout.trim()).unwrap();
    let events = events(&here.join("net"));
    let trained = events.iter().find(|event| event["type"] == "trained").unwrap();
    assert_eq!(tested["accuracy"], trained["accuracy"]);
    assert_eq!(tested["top5"], trained["top5"]);
    // Which class is taken for which is what the test says, too.
    let counts: Vec<Vec<u64>> = serde_json::from_value(trained["confusion"].clone()).unwrap();
    let right: u64 = (0..10).map(|class| counts[class][class]).sum();
    let all: u64 = counts.iter().flatten().sum();
    assert_eq!(right as f64 / all as f64, trained["accuracy"].as_f64().unwrap());
    assert_eq!(events[0]["classes"].as_array().unwrap().len(), 10);
    let csv = fs::read_to_string(here.join("net/test/confusion.csv")).unwrap();
    let first: Vec<u64> =
        csv.lines().nth(1).unwrap().split(',').skip(4).map(|it| it.parse().unwrap()).collect();
    assert_eq!(first, counts[0]);

    for name in ["weights.safetensors", "genotype.json", "config.toml"] {
        let path = here.join("net").join(name);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&path, damaged).unwrap();
        let outcome = run(here, &["test", "net", "--device=cpu", "--json"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn search_then_train_then_report_and_compare() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    Outcome::of(sdarts(here, &[TINY, &["--out=found"]].concat())).done();
    let outcome = run(here, &train("found", &["--out=net"])).done();
    assert!(outcome.stdout.contains("test error"), "{}", outcome.stdout);
    let genotype = |run: &str| fs::read(here.join(run).join("genotype.json")).unwrap();
    assert!(genotype("found") == genotype("net"));
    for name in ["config.toml", "manifest.json", "report.html", "checkpoints/last.safetensors"] {
        assert!(here.join("net").join(name).exists(), "{name}");
    }
    let report = fs::read_to_string(here.join("net/report.html")).unwrap();
    for words in [
        "Training of",
        "The course of the training",
        "Probability of drop-path",
        "Top-5 accuracy of the network",
        "Confusion of 1000 images",
        "Ankle boot taken for",
    ] {
        assert!(report.contains(words), "the report lacks {words:?}");
    }
    // Both cells are drawn, without probabilities, which the genotype of a training has none of.
    for words in ["<title>Normal cell", "<title>Reduction cell", "Dashed: without weights"] {
        assert!(report.contains(words), "the report lacks {words:?}");
    }
    assert!(!report.contains("more probable"));
    let events = events(&here.join("net"));
    assert_eq!(
        (&events[0]["type"], &events[0]["schema"]),
        (&"started".into(), &smoothdarts::event::SCHEMA.into())
    );
    let kinds = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((kinds("train_step"), kinds("train_epoch"), kinds("trained")), (12, 2, 1));

    // What is measured of a search is not of a training.
    for command in ["hessian", "landscape"] {
        let outcome = run(here, &[command, "net"]);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("is a training"), "{}", outcome.stderr);
    }
    let derived = run(here, &["derive", "net", "--json"]).done().stdout;
    let derived: Value = serde_json::from_str(&derived).unwrap();
    assert_eq!(derived, serde_json::from_slice::<Value>(&genotype("net")).unwrap());
    assert!(run(here, &["stats", "net", "--json"]).done().stdout.contains("normal_width"));

    // Again: nothing is left to do; from its config: the same; from its genotype file, too.
    let again = run(here, &train("found", &["--out=net"])).done();
    assert!(again.stderr.contains("was finished before"), "{}", again.stderr);
    run(here, &["train", "--config=net/config.toml", "--out=repeated"]).done();
    same(&here.join("repeated"), &here.join("net"));
    run(here, &train("found/genotype.py.txt", &["--out=file"])).done();
    same(&here.join("file"), &here.join("net"));

    run(here, &train("c10_s5_pgd", &["--out=published"])).done();
    let compared = run(here, &["compare", "net", "published", "--json"]).done().stdout;
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let groups = compared["groups_summary"].as_array().unwrap();
    assert_eq!(groups[0]["group"], "the genotype of net");
    assert_eq!(groups[1]["group"], "c10_s5_pgd");
    assert_eq!(groups[1]["published"]["test_error"], 2.61);
    assert!(groups[0]["test_accuracy"]["mean"].is_number());
    assert!(here.join("compare/training-accuracy.csv").exists());

    // Two cells that nobody published are two experiments; two seeds of one are one.
    let other = "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0)], normal_concat=[2], \
                 reduce=[('max_pool_3x3', 1), ('skip_connect', 0)], reduce_concat=[2])";
    run(here, &train(other, &["--out=other"])).done();
    run(here, &train(other, &["--out=seed", "--seed=3"])).done();
    let compared = run(here, &["compare", "net", "other", "seed", "--json"]).done().stdout;
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let groups = compared["groups_summary"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[1]["seeds"], serde_json::json!([2, 3]));
}

#[test]
fn several_seeds_give_a_mean_and_a_deviation_beside_the_paper() {
    let folder = tempfile::tempdir().unwrap();
    let flags = train("DARTS_V2", &["--out=seeds", "--seeds=2", "--set=train.ema=0.9"]);
    let stdout = run(folder.path(), &flags).done().stdout;
    assert!(stdout.contains(" over 2 seeds"), "{stdout}");
    assert!(stdout.contains("paper: 2.76 ± 0.09 %"), "{stdout}");
    for seed in ["seed-2", "seed-3"] {
        let run = folder.path().join("seeds").join(seed);
        assert!(run.join("weights-ema.safetensors").exists(), "{seed}");
    }
    // The same command has nothing left to do, and says the same.
    let json = run(folder.path(), &[flags, vec!["--json"]].concat()).done().stdout;
    let last: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((&last["seeds"], &last["paper"]["test_error"]), (&2.into(), &2.76.into()));
    assert!(stdout.contains(&format!("{:.2} ±", last["mean_error"].as_f64().unwrap())));
}

/// The moments depend on the speed of the machine.
#[test]
fn a_training_that_is_killed_eight_times_ends_like_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let flags = |out| train("c10_s5_pgd", &[out, "--set=train.ema=0.9", "--epochs=3"]);
    run(here, &flags("--out=whole")).done();
    let mut rng = Streams::new(2).at(Stream::Split, 0);
    for _ in 0..8 {
        let chance = uniform(&mut rng, 2, 0.0, 1.0);
        let mut child =
            sdarts(here, &[flags("--out=run"), vec!["--json"]].concat()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..2 + (2.0 * chance[0]) as usize {
            lines.next();
        }
        std::thread::sleep(Duration::from_secs_f32(0.05 * chance[1]));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run(here, &flags("--out=run")).done();
    same(&here.join("run"), &here.join("whole"));
}

#[test]
fn what_cannot_be_trained_is_refused_with_the_documented_code() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let future = "Genotype(normal=[('sep_conv_3x3', 5), ('skip_connect', 0)], normal_concat=[2], \
                  reduce=[('sep_conv_3x3', 1), ('skip_connect', 0)], reduce_concat=[2])";
    let unknown = future.replace("sep_conv_3x3', 5", "sep_conv_9x9', 1");
    let refused = |arguments: &[&str], code: i32, words: &str| {
        let outcome = run(here, arguments);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{words:?} is not in {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        assert!(!here.join("net").exists(), "{arguments:?} made a run directory");
    };
    let out = "--out=net";
    refused(&train("c10_s5_pdg", &[out]), 2, "c10_s5_pdg");
    refused(&train(future, &[out]), 2, "state 5");
    refused(&train(&unknown, &[out]), 2, "sep_conv_9x9");
    refused(&["train", out], 2, "say what to train");
    refused(&["train", "DARTS_V2", "--preset=quick", out], 2, "train-quick");
    refused(&["search", "--preset=train-quick", out], 2, "is of a training");
    refused(&["search", "--set=train.genotype=DARTS_V2", out], 2, "sdarts train");
    refused(&train("DARTS_V2", &[out, "--set=train.portion=0"]), 2, "train.portion");
    refused(&train("DARTS_V2", &[out, "--set=train.batch_size=95"]), 3, "single image");
    refused(&train("DARTS_V2", &[out, "--data=cifar10", "--data-dir=nowhere"]), 3, "nowhere");
}

#[test]
fn a_dry_run_tells_the_network_and_what_it_would_take_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let dry = |more: &[&str]| run(here, &[&["train", "c10_s5_pgd", "--dry-run"], more].concat());
    let found = |more: &[&str]| -> Value {
        serde_json::from_str(&dry(&[more, &["--json"]].concat()).done().stdout).unwrap()
    };
    // The paper's network without its data: 3.3 million weights (Table 1), timed by a part of its batch.
    let paper = ["--preset=train-cifar10", "--device=cpu"];
    let whole = found(&paper);
    assert_eq!(whole["parameters"], 3_344_806);
    assert_eq!((&whole["epochs"], &whole["steps_per_epoch"]), (&600.into(), &521.into()));
    assert_eq!(whole["extrapolated"], true);
    let millions = whole["multiply_adds"].as_f64().unwrap() / 1e6;
    assert!((500.0..600.0).contains(&millions), "{millions}");
    assert!(whole["memory_bytes"].as_u64().unwrap() > 500_000_000, "{whole}");

    let small = found(TRAIN);
    assert_eq!((&small["extrapolated"], &small["steps_per_epoch"]), (&false.into(), &6.into()));
    let (epoch, all) = (small["seconds_per_epoch"].as_f64(), small["seconds"].as_f64());
    assert_eq!(2.0 * epoch.unwrap(), all.unwrap());
    let text = dry(&[TRAIN, &["--seeds=3"]].concat()).done().stdout;
    for words in ["network     3 cells, 4 channels", "million multiply-adds", "3 seeds"] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    assert_eq!(fs::read_dir(here).unwrap().count(), 0);
}
