//! From a search to a network that is used: the commands of the README, one after the other, as small as
//! they can be.

use std::fs;

use serde_json::Value;

use crate::command::{TINY, TRAIN, run};

#[test]
fn search_select_train_test_export() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();

    // As R-DARTS: one search for each strength of the regularisation.
    for (out, strength) in [("--out=weak", "0.0003"), ("--out=strong", "0.0081")] {
        let decay = format!("--set=weights.weight_decay={strength}");
        run(here, &[TINY, &[out, &decay]].concat()).done();
    }

    let select = [&["select", "weak", "strong"], TRAIN, &["--out=chosen"]].concat();
    let outcome = run(here, &select).done();
    for words in ["sdarts-rs in s2, seed 2, weights.weight_decay = 0.0003", "✓", "test error"] {
        assert!(outcome.stdout.contains(words), "{words:?} is not in {}", outcome.stdout);
    }
    let report = fs::read_to_string(here.join("chosen/report.html")).unwrap();
    for words in ["What it was chosen from", "1  weak", "Training of"] {
        assert!(report.contains(words), "the report lacks {words:?}");
    }
    run(here, &["report", "chosen"]).done();

    // What the paper reports: a mean over seeds.
    let train = [&["train", "chosen", "--seeds=2", "--out=net"], TRAIN].concat();
    assert!(run(here, &train).done().stdout.contains(" over 2 seeds"));

    let tested = run(here, &["test", "chosen", "--device=cpu", "--json"]).done().stdout;
    let tested: Value = serde_json::from_str(&tested).unwrap();
    assert_eq!(tested["images"], 1000);

    run(here, &["export", "chosen", "--to=onnx", "--out=net.onnx"]).done();
    let graph = fs::read(here.join("net.onnx")).unwrap();
    assert!(graph.windows(6).any(|bytes| bytes == b"logits"));
}
