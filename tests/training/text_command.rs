//! The commands around trainings on a text: what is chosen by, what a run would take, and what is refused.

use std::fs;

use native::estimate::Estimate;
use serde_json::Value;
use smoothdarts::config::Config;

use super::text::{flags, text, write};
use crate::command::run;

#[test]
fn a_selection_on_a_text_ranks_by_perplexity_and_reads_no_test_word_before_the_choice() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(&here.join("words"), &text(360));
    let mut select = flags("penn_pgd", &["--epochs=6", "--set=select.epochs=2", "--out=chosen"]);
    // DARTS_V1 is the recurrent cell of this name, as a text is read.
    select[0] = "select";
    select.insert(2, "DARTS_V1");
    let outcome = run(here, &select).done();
    assert!(outcome.stdout.contains("valid. perplexity"), "{}", outcome.stdout);
    let selection = fs::read_to_string(here.join("chosen/selection.json")).unwrap();
    let selection: Value = serde_json::from_str(&selection).unwrap();
    let candidates = selection["candidates"].as_array().unwrap();
    let perplexity = |it: &Value| it["result"]["perplexity"].as_f64().unwrap();
    let best = candidates.iter().map(perplexity).fold(f64::MAX, f64::min);
    let chosen = candidates.iter().find(|it| it["number"] == selection["chosen"]).unwrap();
    assert_eq!((candidates.len(), perplexity(chosen)), (2, best));
    for number in 1..=2 {
        let events = here.join(format!("chosen/candidates/{number}/events.jsonl"));
        let events = fs::read_to_string(events).unwrap();
        let last: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
        assert!(last["perplexity"].is_number() && last["test_perplexity"].is_null(), "{last}");
    }
    let events = fs::read_to_string(here.join("chosen/events.jsonl")).unwrap();
    assert!(events.lines().last().unwrap().contains("test_perplexity"));
    let report = fs::read_to_string(here.join("chosen/report.html")).unwrap();
    assert!(report.contains("valid. perplexity"));

    select.extend(["--dry-run", "--json"]);
    let dry: Value = serde_json::from_str(&run(here, &select).done().stdout).unwrap();
    assert_eq!(dry["candidates"], 2);
    assert!(dry["short"]["vocabulary"] == 8 && dry["full"]["epochs"] == 6, "{dry}");
}

/// Of `sdarts train --dry-run --json` on the CPU: cell, units, columns, words of the vocabulary, bytes.
const MEASURED: [(&str, usize, usize, usize, f64); 5] = [
    ("penn_pgd", 64, 32, 2_000, 88e6),
    ("penn_pgd", 64, 256, 2_000, 336e6),
    ("ENAS", 64, 256, 2_000, 406e6),
    ("penn_pgd", 850, 16, 10_000, 962e6),
    ("ENAS", 850, 16, 10_000, 1_141e6),
];

#[test]
fn the_estimate_of_a_training_on_a_text_is_within_a_factor_of_two_of_what_it_takes() {
    for (genotype, hidden, columns, vocabulary, bytes) in MEASURED {
        let mut config = Config::default();
        config.train.genotype = genotype.to_owned();
        (config.recurrent.hidden, config.train.batch_size) = (hidden, columns);
        let estimate = Estimate::of_text_training(&config, vocabulary, false).unwrap().bytes();
        let ratio = estimate / bytes;
        assert!((0.5..2.0).contains(&ratio), "{genotype} {hidden} {columns}: {ratio}");
    }
}

#[test]
fn what_no_memory_or_no_network_is_there_for_is_refused_in_one_line_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(&here.join("words"), &text(360));
    let refused = |arguments: &[&str], code: i32, words: &str| {
        let outcome = run(here, arguments);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{words:?} is not in {}", outcome.stderr);
        assert!(!here.join("net").exists());
    };
    let small = flags("penn_pgd", &["--memory-limit=50MB", "--out=net"]);
    refused(&small, 2, "set a smaller");
    // Of what has to be fetched first nobody should hear before.
    let on_images = ["train", "penn_pgd", "--preset=train-cifar10", "--device=cpu", "--out=net"];
    refused(&on_images, 2, "no images; train it with");
    refused(&["search", "--space=recurrent", "--out=net"], 3, "--preset ptb-quick");
    let mut search = flags("", &["--set=search.batch_size=4", "--epochs=1", "--out=found"]);
    search.retain(|flag| !flag.is_empty() && !flag.starts_with("--preset"));
    search.splice(..1, ["search", "--preset=ptb-quick"]);
    run(here, &search).done();
    refused(&["test", "found", "--device=cpu"], 2, "train what it found with `sdarts train found`");
    let dry = ["train", "penn_pgd", "--preset=train-ptb", "--set=recurrent.hidden=8", "--dry-run"];
    let dry = run(here, &[&dry[..], &["--json", "--device=cpu"]].concat()).done().stdout;
    let dry: Value = serde_json::from_str(&dry).unwrap();
    assert_eq!(dry["vocabulary"], 10_000, "of a text that is not there the sizes are known");
}
