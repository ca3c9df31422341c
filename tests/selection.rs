//! `sdarts select`: who is chosen, and that neither test images nor interruptions have a part in it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use native::selection::{Candidate, Measured, Selection};
use serde_json::Value;
use smoothdarts::cell::published;
use smoothdarts::config::Config;
use smoothdarts::rng::{Stream, Streams, uniform};

use crate::command::{Outcome, TINY, TRAIN, run, sdarts};

const NB201: &str =
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|";

fn select<'a>(candidates: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["select"], candidates, TRAIN, more].concat()
}

fn measured(results: &[(f64, usize)]) -> Selection {
    let candidate = |(index, &(accuracy, parameters)): (usize, &(f64, usize))| Candidate {
        number: index + 1,
        name: format!("runs/{index}"),
        also: Vec::new(),
        origin: String::new(),
        genotype: published::ALL[index].genotype(),
        result: Some(Measured { accuracy, perplexity: None, parameters }),
        rank: None,
    };
    let candidates = results.iter().enumerate().map(candidate).collect();
    Selection { config: Config::default(), candidates, chosen: None }
}

fn ranks(selection: &Selection) -> Vec<Option<usize>> {
    selection.candidates.iter().map(|it| it.rank).collect()
}

#[test]
fn the_highest_accuracy_wins_then_the_fewest_parameters_then_the_first() {
    let mut all = measured(&[(0.5, 10), (0.75, 30), (0.75, 20), (0.75, 20)]);
    all.decide();
    assert_eq!(all.chosen, Some(3));
    assert_eq!(ranks(&all), [4, 3, 1, 2].map(Some));
}

#[test]
fn on_a_text_the_lowest_perplexity_wins_whatever_the_accuracy() {
    let mut all = measured(&[(0.30, 10), (0.29, 10), (0.28, 10)]);
    for (candidate, perplexity) in all.candidates.iter_mut().zip([120.5, 98.25, 99.0]) {
        candidate.result.as_mut().unwrap().perplexity = Some(perplexity);
    }
    all.decide();
    assert_eq!(all.chosen, Some(2));
    assert_eq!(ranks(&all), [3, 1, 2].map(Some));
    let table = all.table().text();
    assert!(table.contains("valid. perplexity") && table.contains("98.25"), "{table}");
}

#[test]
fn nothing_is_decided_before_all_have_been_trained() {
    let mut all = measured(&[(0.5, 10), (0.75, 30)]);
    all.candidates[0].result = None;
    all.decide();
    assert_eq!((all.chosen, ranks(&all)), (None, vec![None, None]));
    assert!(all.winner(Path::new("out")).is_err());
}

#[test]
fn what_was_written_of_a_selection_is_read_to_the_bit_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = measured(&[(1.0 / 3.0, 10), (0.1 + 0.2, 30)]);
    all.decide();
    all.write(folder.path()).unwrap();
    assert_eq!(Selection::read(folder.path()).unwrap(), Some(all));
    assert_eq!(Selection::read(&folder.path().join("nothing")).unwrap(), None);
    let file = folder.path().join("selection.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("0.33", "0.99", 1)).unwrap();
    let error = format!("{:#}", Selection::read(folder.path()).unwrap_err());
    assert!(error.contains("selection.json is not as it was written"), "{error}");
}

/// Two files of IDX with images of 8×8 pixels, which differ by class.
fn write_part(folder: &Path, part: &str, count: u32) {
    let header = |magic: u32, sizes: &[u32]| -> Vec<u8> {
        [magic].iter().chain(sizes).flat_map(|it| it.to_be_bytes()).collect()
    };
    let labels: Vec<u8> = (0..count).map(|index| (index % 10) as u8).collect();
    let pixels = labels.iter().flat_map(|label| (0..64).map(move |place| label * 20 + place % 7));
    let images = header(0x0803, &[count, 8, 8]).into_iter().chain(pixels).collect::<Vec<u8>>();
    fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
    let labels = [header(0x0801, &[count]), labels].concat();
    fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
}

#[test]
fn no_test_image_is_read_before_the_winner_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let (here, data) = (folder.path(), folder.path().join("data"));
    fs::create_dir(&data).unwrap();
    write_part(&data, "train", 96);
    let data_set = ["--data=mnist", "--data-dir=data", "--out=out"];
    let all = select(&["c10_s5_pgd", "DARTS_V2"], &data_set);
    let of_candidate = || fs::read(here.join("out/candidates/1/manifest.json")).unwrap();

    let absent = run(here, &all);
    assert_eq!(absent.code, Some(3), "{}", absent.stderr);
    for words in ["the winner is chosen (out/selection.json)", "t10k-images-idx3-ubyte is missing"]
    {
        assert!(absent.stderr.contains(words), "{words:?} is not in {}", absent.stderr);
    }
    let chosen = Selection::read(&here.join("out")).unwrap().unwrap();
    assert!(chosen.chosen().is_some() && ranks(&chosen).iter().all(Option::is_some));
    let first = of_candidate();

    write_part(&data, "t10k", 32);
    let images = data.join("t10k-images-idx3-ubyte");
    let whole = fs::read(&images).unwrap();
    fs::write(&images, &whole[..whole.len() - 1]).unwrap();
    let damaged = run(here, &all);
    assert_eq!(damaged.code, Some(3), "{}", damaged.stderr);
    assert!(damaged.stderr.contains("t10k-images-idx3-ubyte"), "{}", damaged.stderr);
    assert!(!here.join("out/config.toml").exists(), "the training of the winner has begun");

    fs::write(&images, whole).unwrap();
    let done = run(here, &all).done();
    assert!(done.stdout.contains("test error"), "{}", done.stdout);
    assert!(done.stderr.contains("c10_s5_pgd (genotype) was trained before"), "{}", done.stderr);
    assert_eq!(Selection::read(&here.join("out")).unwrap(), Some(chosen));
    assert!(of_candidate() == first, "a finished candidate was touched");
}

#[test]
fn events_of_candidates_and_winner_are_one_stream() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = published::find("DARTS_V2").unwrap().genotype();
    fs::write(here.join("cell.json"), serde_json::to_string(&text).unwrap()).unwrap();
    let all = select(&["DARTS_V2", "c10_s5_pgd", "cell.json"], &["--out=out", "--json"]);
    let outcome = run(here, &all).done();
    let said = "cell.json has the genotype of DARTS_V2: it is trained once";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    let lines: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|it| it["type"] == kind).collect::<Vec<_>>();
    let places = |kind| lines.iter().position(|line| line["type"] == kind).unwrap();
    assert_eq!(of("candidate").len(), 2);
    assert_eq!(of("candidate")[0]["name"], "DARTS_V2");
    let trained = of("trained");
    let on: Vec<&Value> = trained.iter().map(|it| &it["evaluated_on"]).collect();
    assert_eq!(on, ["valid", "valid", "test"]);
    assert!(places("selection") > places("trained"));
    let selection = of("selection")[0];
    assert_eq!(selection["candidates"][0]["also"], serde_json::json!(["cell.json"]));
    for (candidate, trained) in selection["candidates"].as_array().unwrap().iter().zip(trained) {
        assert_eq!(candidate["result"]["accuracy"], trained["accuracy"]);
    }
    let chosen = selection["chosen"].as_u64().unwrap() as usize - 1;
    let winner = &selection["candidates"][chosen]["genotype"];
    let derived = run(here, &["derive", "out", "--json"]).done().stdout;
    assert_eq!(winner, &serde_json::from_str::<Value>(&derived).unwrap());

    // Each trains on a half of the images, for a sixth of the epochs.
    let config = fs::read_to_string(here.join("out/candidates/1/config.toml")).unwrap();
    for line in ["portion = 0.5  # selection", "epochs = 1  # selection"] {
        assert!(config.contains(line), "{line} is not in {config}");
    }
    let config = fs::read_to_string(here.join("out/config.toml")).unwrap();
    assert!(config.contains("epochs = 2  # flag") && config.contains("portion = 1.0  # default"));
}

/// Starts the program and waits until it has said so many lines.
fn begun(here: &Path, arguments: &[&str], lines: usize) -> Child {
    let mut child = sdarts(here, arguments).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..lines {
        said.next();
    }
    child
}

/// The moments depend on the speed of the machine.
#[test]
fn a_selection_that_is_killed_anywhere_ends_like_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let candidates = ["c10_s5_pgd", "DARTS_V2"];
    let all = |out| select(&candidates, &[out, "--set=select.epochs=2", "--json"]);
    run(here, &all("--out=whole")).done();
    let mut rng = Streams::new(3).at(Stream::Split, 0);
    for _ in 0..6 {
        let chance = uniform(&mut rng, 2, 0.0, 1.0);
        let mut child = begun(here, &all("--out=run"), 2 + (8.0 * chance[0]) as usize);
        std::thread::sleep(Duration::from_secs_f32(0.05 * chance[1]));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run(here, &all("--out=run")).done();
    for name in [
        "selection.json",
        "weights.safetensors",
        "weights-best.safetensors",
        "curves.csv",
        "candidates/1/weights.safetensors",
        "candidates/2/weights.safetensors",
    ] {
        let [found, whole] = ["run", "whole"].map(|it| fs::read(here.join(it).join(name)).unwrap());
        // Seconds of an epoch stand at the end of each line.
        let [found, whole] = match name {
            "curves.csv" => [found, whole].map(|it| without_seconds(&it)),
            _ => [found, whole],
        };
        assert!(found == whole, "{name} differs");
    }
}

fn without_seconds(csv: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(csv.to_vec()).unwrap();
    let seconds = text.lines().next().unwrap().split(',').position(|it| it == "seconds");
    let kept = text.lines().map(|line| {
        let columns = line.split(',').enumerate().filter(|(place, _)| Some(*place) != seconds);
        columns.map(|(_, value)| value).collect::<Vec<_>>().join(",")
    });
    kept.collect::<Vec<_>>().join("\n").into_bytes()
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_selection_with_its_code_and_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let all = select(&["c10_s5_pgd", "DARTS_V2"], &["--out=out", "--json"]);
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let child = begun(here, &all, 3);
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(here.join("out/candidates/1/checkpoints/last.safetensors").exists());
        assert!(!here.join("out/config.toml").exists());
    }
    run(here, &[all, vec!["--resume=must"]].concat()).done();
}

#[test]
fn a_selection_that_only_chooses_leaves_the_training_to_train() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let all = select(&["c10_s5_pgd", "DARTS_V2"], &["--out=out", "--choose-only"]);
    let table = run(here, &all).done().stdout;
    for words in ["candidate", "valid. accuracy", "1  c10_s5_pgd", "2  DARTS_V2", "✓"] {
        assert!(table.contains(words), "{words:?} is not in {table}");
    }
    assert!(!here.join("out/config.toml").exists());
    let report = run(here, &["report", "out"]);
    assert_eq!(report.code, Some(2), "{}", report.stderr);
    assert!(report.stderr.contains("does not train its winner yet"), "{}", report.stderr);
    let winner = run(here, &["derive", "out", "--python"]).done().stdout;
    run(here, &[&["train", "out", "--out=net"], TRAIN].concat()).done();
    assert_eq!(run(here, &["derive", "net", "--python"]).done().stdout, winner);
}

#[test]
fn a_dry_run_of_a_selection_adds_up_its_trainings() {
    let folder = tempfile::tempdir().unwrap();
    let flags = select(&["c10_s5_pgd", "DARTS_V2"], &["--dry-run", "--json"]);
    let found: Value = serde_json::from_str(&run(folder.path(), &flags).done().stdout).unwrap();
    let seconds = |part: &Value| part["seconds"].as_f64().unwrap();
    let (short, full) = (&found["short"], &found["full"]);
    assert_eq!((&short["steps_per_epoch"], &full["steps_per_epoch"]), (&3.into(), &6.into()));
    assert_eq!(seconds(&found), 2.0 * seconds(short) + seconds(full));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_selected_is_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let refused = |arguments: &[&str], words: &[&str]| {
        let outcome = run(here, arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        for words in words {
            assert!(outcome.stderr.contains(words), "{words:?} is not in {}", outcome.stderr);
        }
    };
    let out = "--out=out";
    refused(&["select", out], &["RUN"]);
    refused(
        &select(&["DARTS_V2", NB201], &[out]),
        &["of darts", "of nasbench201", "do not compare"],
    );
    refused(&select(&["DARTS_V9"], &[out]), &["DARTS_V9"]);
    refused(&select(&["DARTS_V2"], &[out, "--set=select.portion=1"]), &["select.portion"]);
    refused(&["select", "DARTS_V2", out, "--preset=quick"], &["is of a search"]);
    refused(&select(&["DARTS_V2"], &[out, "--resume=must"]), &["no selection to continue"]);
    let nowhere = select(&["DARTS_V2"], &[out, "--data=cifar10", "--data-dir=nowhere"]);
    assert_eq!(run(here, &nowhere).code, Some(3));
    assert!(!here.join("out").exists());

    let chosen = run(here, &select(&["DARTS_V2", "c10_s5_pgd"], &[out, "--choose-only"])).done();
    assert!(!chosen.stdout.contains("paper:"), "a test error beside that of validation images");
    let before = fs::read(here.join("out/selection.json")).unwrap();
    refused(
        &select(&["DARTS_V2", "DARTS_V1"], &[out, "--set=select.epochs=3"]),
        &["candidate 2: c10_s5_pgd there, DARTS_V1 now", "select.epochs: 0 there, 3 now"],
    );
    refused(&select(&["DARTS_V2"], &[out]), &["candidate 2: c10_s5_pgd there, none now"]);
    refused(&select(&["DARTS_V2", "c10_s5_pgd"], &[out, "--resume=never"]), &["has a selection"]);
    assert!(fs::read(here.join("out/selection.json")).unwrap() == before);
    run(here, &[TINY, &["--out=run"]].concat()).done();
    refused(&select(&["DARTS_V2"], &["--out=run"]), &["a run that is no selection"]);
}
