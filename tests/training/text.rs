//! The training of a recurrent genotype on a text: SGD, ASGD and the way back from numbers that are none.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;

use burn::tensor::Device;
use pollster::block_on;
use serde_json::Value;
use smoothdarts::cell::published;
use smoothdarts::config::{Config, Lengths};
use smoothdarts::data::Batches as _;
use smoothdarts::data::text::{Text, TextLoader};
use smoothdarts::event::{Event, TrainEpoch, WarningCode};
use smoothdarts::net::{DerivedRecurrent, Dropout, LanguageShape, Network as _};
use smoothdarts::rng::{Stream, Streams, uniform};
use smoothdarts::run::checkpoint::{Checkpoint, CheckpointError};
use smoothdarts::run::train::Kind;
use smoothdarts::run::{RunError, TextTraining};

use super::command::{same_events, same_files};
use crate::command::{Outcome, run, sdarts};

/// A text of sentences that a small network can learn.
pub fn text(words: usize) -> Text {
    let vocabulary = ["<eos>", "a", "cat", "dog", "sees", "hears", "no", "bird"].map(str::to_owned);
    let mut rng = Streams::new(4).at(Stream::Split, 0);
    let mut sentences = Vec::new();
    for draw in uniform(&mut rng, 2 * words, 0.0, 1.0).chunks(2) {
        let (subject, verb) = (2 + (2.0 * draw[0]) as u32, 4 + (2.0 * draw[1]) as u32);
        sentences.extend([1, subject, verb, 6, 7, 0]);
    }
    let part = |from: usize, to: usize| sentences[from..to].to_vec();
    Text {
        name: "small".to_owned(),
        train: part(0, words),
        valid: part(words, words + 120),
        test: part(words + 120, words + 200),
        vocabulary: vocabulary.to_vec(),
    }
}

/// The same, with words without any order to be evaluated on: the more is learnt, the larger their loss.
fn text_against(words: usize) -> Text {
    let mut rng = Streams::new(4).at(Stream::Split, 1);
    let valid = uniform(&mut rng, 120, 0.0, 8.0).into_iter().map(|word| word as u32).collect();
    Text { valid, ..text(words) }
}

/// Four epochs; ASGD begins as soon as a loss rises.
fn config() -> Config {
    let mut config = Config::default();
    config.train.genotype = "penn_pgd".to_owned();
    (config.train.epochs, config.train.batch_size) = (4, 4);
    (config.train.learning_rate, config.train.clip) = (20.0, 0.25);
    (config.train.momentum, config.train.weight_decay) = (0.0, 8e-7);
    config.train.nonmonotone = 0;
    let recurrent = &mut config.recurrent;
    (recurrent.hidden, recurrent.bptt, recurrent.lengths) = (6, 9, Lengths::Jittered);
    recurrent.evaluation_batch = 3;
    recurrent.dropout_word = 0.1;
    config
}

fn training(config: &Config, text: Text) -> (TextTraining, TextLoader) {
    let loader = TextLoader::for_training(text, config).unwrap();
    let steps = loader.steps(0);
    (TextTraining::new(config, loader.text(), steps, &Device::flex()).unwrap(), loader)
}

fn rest(training: &mut TextTraining, loader: &mut TextLoader) -> Result<Vec<Event>, RunError> {
    let mut events = Vec::new();
    while let Some(event) = block_on(training.advance(loader))? {
        events.push(event);
    }
    Ok(events)
}

fn epochs(events: &[Event]) -> Vec<TrainEpoch> {
    let epoch = |event: &'_ Event| match event {
        Event::TrainEpoch(epoch) => Some(epoch.clone()),
        _ => None,
    };
    events.iter().filter_map(epoch).collect()
}

#[test]
fn a_network_of_the_paper_has_23_million_weights() {
    let shape = LanguageShape {
        vocabulary: 10_000,
        hidden: 850,
        dropout: Dropout::default(),
        last_word_rests: true,
    };
    for name in ["DARTS_V1", "DARTS_V2", "penn_random", "penn_pgd"] {
        let genotype = published::find_recurrent(name).unwrap().genotype();
        let network = DerivedRecurrent::new(&genotype, shape).unwrap();
        assert_eq!(network.layout().weight_count(), 22_960_000, "{name}");
    }
    let of_images = published::find("DARTS_V2").unwrap().genotype();
    let error = DerivedRecurrent::new(&of_images, shape).err().unwrap().to_string();
    assert!(error.contains("a text is read by a recurrent cell"), "{error}");
}

#[test]
fn a_training_restored_after_any_event_equals_an_uninterrupted_one_bit_for_bit() {
    let mut config = config();
    // Steps so long that the loss cannot fall steadily.
    (config.train.learning_rate, config.train.clip) = (60.0, 1.0);
    let (mut whole, mut loader) = training(&config, text(240));
    let events = rest(&mut whole, &mut loader).unwrap();
    let last = block_on(whole.checkpoint()).unwrap();
    assert!(last.arrays.contains_key("asgd.average"), "ASGD has begun");
    let last = last.to_bytes().unwrap();
    let weights = |run: &TextTraining, kind| block_on(run.job().weights(kind)).unwrap().unwrap();
    for stop in 1..events.len() {
        let (mut first, mut loader) = training(&config, text(240));
        let mut said = Vec::new();
        while said.len() < stop {
            said.extend(block_on(first.advance(&mut loader)).unwrap());
        }
        let saved = block_on(first.checkpoint()).unwrap().to_bytes().unwrap();
        let (mut second, _) = training(&config, text(240));
        second.restore(&Checkpoint::from_bytes(&saved).unwrap()).unwrap();
        said.extend(rest(&mut second, &mut loader).unwrap());
        assert_eq!(said, events, "stopped after event {stop}");
        assert!(block_on(second.checkpoint()).unwrap().to_bytes().unwrap() == last);
        for kind in [Kind::Final, Kind::Best] {
            assert!(weights(&second, kind) == weights(&whole, kind), "{kind:?}");
        }
    }
}

#[test]
fn a_training_learns_says_perplexities_and_tests_the_best_weights() {
    let mut config = config();
    (config.train.epochs, config.recurrent.hidden) = (6, 16);
    let recurrent = &mut config.recurrent;
    (recurrent.dropout, recurrent.dropout_hidden, recurrent.dropout_input) = (0.1, 0.0, 0.1);
    (recurrent.dropout_embedding, recurrent.dropout_word) = (0.0, 0.0);
    let (mut run, mut loader) = training(&config, text(1200));
    let events = rest(&mut run, &mut loader).unwrap();
    let epochs = epochs(&events);
    let perplexities: Vec<f64> = epochs.iter().map(|epoch| epoch.perplexity.unwrap()).collect();
    assert!(epochs.iter().all(|epoch| epoch.perplexity == Some(epoch.loss.exp())));
    // Every other word has no choice: the best is 2^(1/3), and 8 is to know nothing.
    assert!(perplexities[5] < 2.0, "{perplexities:?}");
    let Some(Event::Trained(trained)) = events.last() else { panic!("no end") };
    let best = perplexities.iter().copied().fold(f64::MAX, f64::min);
    assert_eq!(trained.perplexity, Some(best));
    assert_eq!(perplexities[trained.best_epoch], best);
    assert!(trained.test_perplexity.is_some_and(|it| it < 2.0), "{trained:?}");
}

/// When SGD becomes ASGD, and that the average is what is evaluated then.
#[test]
fn averaged_sgd_begins_when_the_loss_is_worse_than_before_the_last_epochs() {
    let begins = |nonmonotone: usize| {
        let mut config = config();
        (config.train.nonmonotone, config.train.epochs) = (nonmonotone, 8);
        let (mut run, mut loader) = training(&config, text_against(240));
        let events = rest(&mut run, &mut loader).unwrap();
        let losses: Vec<f64> = epochs(&events).iter().map(|epoch| epoch.loss).collect();
        let averaged: Vec<bool> = epochs(&events).iter().map(|epoch| epoch.averaged).collect();
        (losses, averaged)
    };
    for nonmonotone in [0, 2] {
        let (losses, averaged) = begins(nonmonotone);
        let worse = |epoch: &usize| {
            let counted = epoch.saturating_sub(nonmonotone);
            losses[..counted].iter().any(|&before| losses[*epoch] > before)
        };
        let first = (0..losses.len()).find(worse);
        let expected = (0..losses.len()).map(|epoch| first.is_some_and(|first| epoch > first));
        assert!(averaged.iter().copied().eq(expected), "{losses:?}: {averaged:?}");
        assert!(first.is_some(), "{losses:?}");
    }
    assert!(begins(8).1.iter().all(|averaged| !averaged), "epochs that do not count are many");
}

#[test]
fn a_number_that_is_none_leads_back_to_the_best_epoch_and_not_to_the_end() {
    let config = config();
    let (mut run, mut loader) = training(&config, text(240));
    let mut said = Vec::new();
    while epochs(&said).len() < 2 {
        said.extend(block_on(run.advance(&mut loader)).unwrap());
    }
    // A checkpoint whose weights end every loss in infinity, as a step that was too long does.
    let mut saved = block_on(run.checkpoint()).unwrap();
    saved.arrays.get_mut("weights").unwrap().values.fill(1e38);
    let (mut run, _) = training(&config, text(240));
    run.restore(&saved).unwrap();
    let events = rest(&mut run, &mut loader).unwrap();
    let warned: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Warning(it) if it.code == WarningCode::Reloaded => Some(it.message.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("goes on from the weights of epoch"), "{}", warned[0]);
    assert!(epochs(&events).iter().all(|epoch| epoch.loss.is_finite()));
    assert!(matches!(events.last(), Some(Event::Trained(_))));
    // Before the first epoch there is nothing to go back to.
    let mut config = config;
    (config.train.learning_rate, config.train.clip) = (1e38, 0.0);
    let (mut run, mut loader) = training(&config, text(240));
    let error = rest(&mut run, &mut loader).unwrap_err();
    assert!(matches!(error, RunError::Diverged { epoch: 0, .. }), "{error}");
}

#[test]
fn a_checkpoint_of_another_vocabulary_is_refused_and_nothing_is_changed() {
    let config = config();
    let (mut run, _) = training(&config, text(240));
    let saved = block_on(run.checkpoint()).unwrap();
    let mut other = text(240);
    other.vocabulary.swap(2, 3);
    let (mut run, _) = training(&config, other);
    let error = run.restore(&saved).unwrap_err();
    let RunError::Checkpoint(CheckpointError::OtherVocabulary { saved, found }) = &error else {
        panic!("{error}")
    };
    assert!(saved.starts_with("8 words") && found.starts_with("8 words") && saved != found);
    assert_eq!(run.position(), (0, 0));
}

#[test]
fn evaluation_is_deterministic_and_reads_on_where_a_batch_ended() {
    let (mut first, mut loader) = training(&config(), text(240));
    let (mut second, mut again) = training(&config(), text(240));
    let [one, other] =
        [rest(&mut first, &mut loader).unwrap(), rest(&mut second, &mut again).unwrap()];
    assert_eq!(one, other);
    // With shorter batches the same words are read on the same way, so that nothing changes but rounding.
    let loss = |bptt: usize| {
        let mut config = config();
        (config.train.epochs, config.train.learning_rate) = (1, 0.0);
        config.recurrent.bptt = bptt;
        let (mut run, mut loader) = training(&config, text(240));
        let events = rest(&mut run, &mut loader).unwrap();
        epochs(&events)[0].loss
    };
    assert!((loss(9) - loss(40)).abs() < 1e-5, "{} {}", loss(9), loss(40));
}

/// A text as a folder has it.
pub fn write(folder: &Path, text: &Text) {
    let word = |&word: &u32| text.vocabulary[word as usize].replace("<eos>", "\n") + " ";
    let words = |part: &[u32]| part.iter().map(word).collect::<String>();
    fs::create_dir_all(folder).unwrap();
    for (name, part) in [("train", &text.train), ("valid", &text.valid), ("test", &text.test)] {
        fs::write(folder.join(format!("{name}.txt")), words(part)).unwrap();
    }
}

/// Flags of a training of a second.
pub fn flags<'a>(genotype: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let small = [
        "train",
        genotype,
        "--preset=train-ptb-quick",
        "--set=data.name=text",
        "--set=data.dir=words",
        "--set=run.device=cpu",
        "--set=recurrent.hidden=8",
        "--set=train.batch_size=4",
        "--set=recurrent.bptt=12",
        "--set=recurrent.evaluation_batch=2",
        "--set=train.nonmonotone=0",
        "--set=run.checkpoint_seconds=0",
    ];
    [&small, more].concat()
}

#[test]
fn a_training_on_a_text_is_tested_to_what_it_said_itself_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(&here.join("words"), &text(360));
    let outcome = run(here, &flags("DARTS_V2", &["--epochs=3", "--out=net"])).done();
    assert!(outcome.stdout.contains("perplexity"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("paper: perplexity 58.1"), "{}", outcome.stderr);
    let outcome = run(here, &["test", "net", "--device=cpu", "--json"]).done();
    let tested: Value = serde_json::from_str(outcome.stdout.trim()).unwrap();
    let events = fs::read_to_string(here.join("net/events.jsonl")).unwrap();
    let last: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    for (name, said) in [("valid_perplexity", "perplexity"), ("test_perplexity", "test_perplexity")]
    {
        let (found, said) = (tested[name].as_f64().unwrap(), last[said].as_f64().unwrap());
        assert!((found / said - 1.0).abs() < 1e-6, "{name}: {found} {said}");
    }
    let report = fs::read_to_string(here.join("net/report.html")).unwrap();
    for words in ["<title>Recurrent cell", "Perplexity of the network", "penn_DARTS_V2"] {
        assert!(report.contains(words), "the report lacks {words:?}");
    }
    let derived = run(here, &["derive", "net", "--python"]).done().stdout;
    assert!(derived.starts_with("Genotype(recurrent=[('sigmoid', 0)"), "{derived}");
    let stats = run(here, &["stats", "net", "--json"]).done().stdout;
    assert!(stats.contains("22960000") && stats.contains("58.1"), "{stats}");
    run(here, &flags("penn_random", &["--epochs=1", "--out=other"])).done();
    let compared = run(here, &["compare", "net", "other", "--json"]).done().stdout;
    let compared: Value = serde_json::from_str(&compared).unwrap();
    let groups = compared["groups_summary"].as_array().unwrap();
    assert_eq!(groups[0]["published_perplexities"]["test"], 55.7);
    assert!(groups[1]["valid_perplexity"]["mean"].is_number());

    // Another text, or the same with other words.
    let mut cows = text(360);
    cows.vocabulary[2] = "cow".to_owned();
    write(&here.join("words"), &cows);
    let outcome = run(here, &["test", "net", "--device=cpu"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("but others"), "{}", outcome.stderr);
    let outcome = run(here, &flags("DARTS_V2", &["--epochs=3", "--out=net"]));
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("another vocabulary"), "{}", outcome.stderr);
    write(&here.join("words"), &text(360));
    let again = run(here, &flags("DARTS_V2", &["--epochs=3", "--out=net"])).done();
    assert!(again.stderr.contains("was finished before"), "nothing is lost: {}", again.stderr);
}

/// The moments depend on the speed of the machine.
#[test]
fn a_training_on_a_text_that_is_killed_eight_times_ends_like_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(&here.join("words"), &text_against(360));
    let flags = |out| flags("penn_pgd", &[out, "--epochs=6"]);
    run(here, &flags("--out=whole")).done();
    let said = fs::read_to_string(here.join("whole/events.jsonl")).unwrap();
    assert!(said.contains("\"averaged\":true"), "ASGD is a part of it");
    let mut rng = Streams::new(2).at(Stream::Split, 1);
    for _ in 0..8 {
        let chance = uniform(&mut rng, 2, 0.0, 1.0);
        let mut child =
            sdarts(here, &[flags("--out=run"), vec!["--json"]].concat()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..4 + (6.0 * chance[0]) as usize {
            lines.next();
        }
        std::thread::sleep(Duration::from_secs_f32(0.02 * chance[1]));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run(here, &flags("--out=run")).done();
    same_events(&here.join("run"), &here.join("whole"));
    let files = ["genotype.json", "weights.safetensors", "weights-last.safetensors", "curves.csv"];
    same_files(&here.join("run"), &here.join("whole"), &files);
    same_files(&here.join("run"), &here.join("whole"), &["vocabulary.txt"]);
}

#[test]
fn what_cannot_be_trained_on_a_text_is_refused_in_one_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(&here.join("words"), &text(360));
    for (name, bytes) in [("latin1", &b"\xe9t\xe9\n"[..]), ("empty", b""), ("short", b"a b\n")] {
        write(&here.join(name), &text(360));
        fs::write(here.join(name).join("valid.txt"), bytes).unwrap();
    }
    let refused = |genotype: &str, more: &[&str], code: i32, words: &str| {
        let Outcome { code: found, stderr, .. } =
            run(here, &flags(genotype, &[more, &["--out=net"]].concat()));
        assert_eq!(found, Some(code), "{genotype} {more:?}: {stderr}");
        assert!(stderr.contains(words), "{words:?} is not in {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(!here.join("net").exists(), "{genotype} {more:?} made a run directory");
    };
    refused("c10_s5_pgd", &[], 2, "a text is read by a recurrent cell");
    refused("DARTS_V2", &["--data-dir=latin1"], 3, "UTF-8");
    refused("DARTS_V2", &["--data-dir=empty"], 3, "no word at all");
    refused("DARTS_V2", &["--data-dir=short", "--set=recurrent.evaluation_batch=9"], 3, "too few");
    refused("DARTS_V2", &["--set=train.batch_size=300"], 3, "too few");
    refused("DARTS_V2", &["--data=ptb"], 3, "this is not ptb");
    refused("DARTS_V2", &["--data-dir=nowhere"], 3, "is not there");
    let on_images = ["train", "penn_pgd", "--data=fashion-mnist", "--out=net"];
    let outcome = run(here, &on_images);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("a recurrent cell reads a text"), "{}", outcome.stderr);
    assert!(!here.join("net").exists());
}

#[test]
fn a_dry_run_of_the_paper_tells_its_network() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(&here.join("words"), &text(360));
    let dry = run(here, &flags("ENAS", &["--dry-run", "--json"])).done().stdout;
    let dry: Value = serde_json::from_str(&dry).unwrap();
    // 8 words; W0 has 16², each of the 11 nodes 8·16.
    assert_eq!(dry["parameters"], 8 * 8 + 8 + 16 * 16 + 11 * 8 * 16);
    assert_eq!(fs::read_dir(here).unwrap().count(), 1);
}
