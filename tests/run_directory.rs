//! What a run directory promises: whatever kills a search, and whenever, the run goes on from its
//! last checkpoint and ends as if nothing had happened.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Outcome, TINY, run, sdarts};

/// A tiny run in `folder`/run.
fn tiny(folder: &Path, more: &[&str]) -> Command {
    sdarts(folder, &[TINY, &["--out=run"], more].concat())
}

/// Events without the fields that differ between repeated runs.
fn events(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("run/events.jsonl")).unwrap();
    assert!(text.ends_with('\n'), "the last line is torn");
    let mut events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &mut events {
        for key in ["seconds", "crc32c"] {
            event.as_object_mut().unwrap().remove(key);
        }
    }
    events
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join("run").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn same_result(folder: &Path, expected: &Path) {
    assert_eq!(events(folder), events(expected));
    for name in ["genotype.json", "genotype.py.txt", "weights.safetensors"] {
        assert!(bytes(folder, name) == bytes(expected, name), "{name} differs");
    }
}

/// An uninterrupted run to compare with.
fn reference() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Outcome::of(tiny(folder.path(), &[])).done();
    folder
}

/// Starts a run and waits until it has said `count` events.
fn started(folder: &Path, count: usize, more: &[&str]) -> (Child, BufReader<impl std::io::Read>) {
    let mut child = tiny(folder, &[more, &["--json"]].concat()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..count {
        line.clear();
        if stdout.read_line(&mut line).unwrap() == 0 {
            break;
        }
    }
    (child, stdout)
}

#[test]
fn a_finished_run_has_every_file() {
    let folder = reference();
    for name in [
        "config.toml",
        "events.jsonl",
        "checkpoints/last.safetensors",
        "checkpoints/previous.safetensors",
        "genotype.json",
        "genotype.py.txt",
        "weights.safetensors",
        "curves.csv",
        "report.html",
        "manifest.json",
    ] {
        assert!(!bytes(folder.path(), name).is_empty(), "{name} is empty");
    }
    let curves = String::from_utf8(bytes(folder.path(), "curves.csv")).unwrap();
    assert_eq!(curves.lines().count(), 1 + 2);
    let manifest: Value = serde_json::from_slice(&bytes(folder.path(), "manifest.json")).unwrap();
    assert_eq!((&manifest["mode"], &manifest["seed"]), (&"faithful".into(), &2.into()));
    assert_eq!(manifest["libraries"][0]["name"], "burn");
    assert!(manifest["wall_seconds"].as_f64().unwrap() > 0.0);

    let derived = run(folder.path(), &["derive", "run", "--json"]).done().stdout;
    let derived: Value = serde_json::from_str(&derived).unwrap();
    let saved: Value = serde_json::from_slice(&bytes(folder.path(), "genotype.json")).unwrap();
    assert_eq!(derived, saved);
    let python = run(folder.path(), &["derive", "run/checkpoints/last.safetensors", "--python"]);
    assert_eq!(python.done().stdout.into_bytes(), bytes(folder.path(), "genotype.py.txt"));

    fs::remove_file(folder.path().join("run/report.html")).unwrap();
    run(folder.path(), &["report", "run"]).done();
    assert!(!bytes(folder.path(), "report.html").is_empty());
}

#[test]
fn config_toml_repeats_the_run_bit_for_bit() {
    let (folder, expected) = (tempfile::tempdir().unwrap(), reference());
    let config = expected.path().join("run/config.toml");
    let config = format!("--config={}", config.display());
    run(folder.path(), &["search", &config, "--out=run", "--threads=1"]).done();
    for name in ["genotype.json", "weights.safetensors"] {
        assert!(bytes(folder.path(), name) == bytes(expected.path(), name), "{name} differs");
    }
}

#[test]
fn a_run_of_other_settings_is_refused_with_the_difference() {
    let folder = reference();
    let other = Outcome::of(tiny(folder.path(), &["--epochs=3", "--set=search.cells=4"]));
    assert_eq!(other.code, Some(2));
    for difference in ["search.epochs: 2 there, 3 now", "search.cells: 3 there, 4 now"] {
        assert!(other.stderr.contains(difference), "{}", other.stderr);
    }
    // Where a search computes is no other search.
    Outcome::of(tiny(folder.path(), &["--threads=1"])).done();
    let never = Outcome::of(tiny(folder.path(), &["--resume=never"]));
    assert_eq!(never.code, Some(2), "{}", never.stderr);
}

#[test]
fn a_second_process_in_the_directory_is_refused_and_disturbs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let long = ["--epochs=1000"];
    let (mut first, stdout) = started(folder.path(), 4, &long);
    let second = Outcome::of(tiny(folder.path(), &long));
    first.kill().unwrap();
    let id = first.id();
    first.wait().unwrap();
    drop(stdout);
    assert_eq!(second.code, Some(6), "{}", second.stderr);
    assert!(cfg!(windows) || second.stderr.contains(&format!("process {id}")), "{}", second.stderr);
    // The lock of a dead process is no lock.
    run(folder.path(), &["derive", "run"]).done();
    let (mut third, _stdout) = started(folder.path(), 2, &long);
    third.kill().unwrap();
    let third = Outcome::from(third.wait_with_output().unwrap());
    assert!(third.stderr.contains("continues in run"), "{}", third.stderr);
}

#[test]
fn a_torn_last_event_is_cut_off_on_resume() {
    let (folder, expected) = (tempfile::tempdir().unwrap(), reference());
    let (mut child, stdout) = started(folder.path(), 6, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdout);
    let path = folder.path().join("run/events.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"{\"type\":\"step\",\"epo").unwrap();
    Outcome::of(tiny(folder.path(), &["--resume=must"])).done();
    same_result(folder.path(), expected.path());
}

#[test]
fn a_damaged_last_checkpoint_falls_back_to_the_one_before() {
    let (folder, expected) = (tempfile::tempdir().unwrap(), reference());
    let (mut child, stdout) = started(folder.path(), 8, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdout);
    let last = folder.path().join("run/checkpoints/last.safetensors");
    let whole = fs::read(&last).unwrap();
    fs::write(&last, &whole[..whole.len() / 2]).unwrap();
    let outcome = Outcome::of(tiny(folder.path(), &[])).done();
    assert!(outcome.stderr.contains("the one before is used"), "{}", outcome.stderr);
    same_result(folder.path(), expected.path());
}

#[test]
fn a_run_whose_checkpoints_are_all_damaged_is_refused_and_left_alone() {
    let folder = reference();
    for name in ["last", "previous"] {
        let path = folder.path().join(format!("run/checkpoints/{name}.safetensors"));
        fs::write(path, "damaged").unwrap();
    }
    let outcome = Outcome::of(tiny(folder.path(), &[]));
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("last.safetensors"), "{}", outcome.stderr);
    assert_eq!(bytes(folder.path(), "checkpoints/last.safetensors"), b"damaged");
}

#[cfg(unix)]
#[test]
fn signals_end_a_search_with_a_checkpoint_to_go_on_from() {
    let expected = reference();
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129), ("-USR1", 75)] {
        let folder = tempfile::tempdir().unwrap();
        let (child, mut stdout) = started(folder.path(), 4, &[]);
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("checkpoint written"), "{}", outcome.stderr);
        Outcome::of(tiny(folder.path(), &["--resume=must"])).done();
        same_result(folder.path(), expected.path());
    }
}

#[test]
fn a_finished_run_trains_on_when_it_is_extended() {
    let folder = reference();
    let refused = Outcome::of(tiny(folder.path(), &["--epochs=3"]));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("train on with --extend"), "{}", refused.stderr);
    let other = ["--epochs=3", "--seed=9", "--extend"];
    assert_eq!(Outcome::of(tiny(folder.path(), &other)).code, Some(2), "another seed");
    let before = events(folder.path());
    Outcome::of(tiny(folder.path(), &["--epochs=3", "--extend"])).done();
    let after = events(folder.path());
    assert_eq!(after[..before.len()], before, "the history is kept");
    let began = &after[before.len()];
    assert_eq!(
        (&began["type"], &began["config"]["search"]["epochs"]),
        (&"started".into(), &3.into())
    );
    let third = after.iter().find(|it| it["type"] == "epoch_started" && it["epoch"] == 2).unwrap();
    // The schedule of three epochs, as a search that is as long from its start has it.
    let long = tempfile::tempdir().unwrap();
    Outcome::of(tiny(long.path(), &["--epochs=3"])).done();
    let expected = events(long.path());
    assert!(expected.contains(third), "{third}");
    assert_eq!(after.last().unwrap()["epochs"], 3);
    // From then on it is a run of three epochs.
    let again = Outcome::of(tiny(folder.path(), &["--epochs=3"])).done();
    assert!(again.stderr.contains("was finished before"), "{}", again.stderr);
    run(folder.path(), &["report", "run"]).done();
    let none = Outcome::of(sdarts(folder.path(), &[TINY, &["--out=none", "--extend"]].concat()));
    assert_eq!(none.code, Some(2), "{}", none.stderr);
}

#[test]
fn an_extended_run_can_keep_the_last_values_of_its_schedules() {
    let folder = reference();
    let before = events(folder.path());
    let frozen = ["--epochs=4", "--extend", "--extend-schedule=frozen"];
    Outcome::of(tiny(folder.path(), &frozen)).done();
    let after = events(folder.path());
    assert_eq!(after[..before.len()], before, "the history is kept");
    let search = &after[before.len()]["config"]["search"];
    assert_eq!((&search["epochs"], &search["schedule_epochs"]), (&4.into(), &2.into()));
    let of = |epoch: u64| {
        let started =
            after.iter().find(|it| it["type"] == "epoch_started" && it["epoch"] == epoch).unwrap();
        (started["learning_rate"].as_f64().unwrap(), started["epsilon"].as_f64().unwrap())
    };
    assert!(of(0) != of(1));
    assert_eq!((of(1), of(1)), (of(2), of(3)));
    // The same command has nothing left to do, and one that is longer keeps them, too.
    let again = Outcome::of(tiny(folder.path(), &frozen)).done();
    assert!(again.stderr.contains("was finished before"), "{}", again.stderr);
    let longer = ["--epochs=5", "--extend", "--extend-schedule=frozen"];
    Outcome::of(tiny(folder.path(), &longer)).done();
    let last = events(folder.path()).into_iter().rfind(|it| it["type"] == "epoch_started").unwrap();
    assert_eq!((&last["epoch"], last["learning_rate"].as_f64()), (&4.into(), Some(of(1).0)));
    // Without --extend the flag means nothing.
    let alone = Outcome::of(tiny(folder.path(), &["--extend-schedule=frozen"]));
    assert_eq!(alone.code, Some(2), "{}", alone.stderr);
}

#[cfg(unix)]
#[test]
fn a_search_in_stages_is_extended_in_its_first_stage_alone() {
    let staged = |more: &[&'static str]| {
        let stages = ["--set=stages.cells=[2, 2]", "--set=stages.operations=[8, 5]"];
        let rates = ["--set=stages.skip_dropout=[0, 0]"];
        [&["--set=search.space=darts", "--method=p-darts"], &stages[..], &rates, more].concat()
    };
    let ended = tempfile::tempdir().unwrap();
    Outcome::of(tiny(ended.path(), &staged(&["--epochs=4"]))).done();
    let refused = Outcome::of(tiny(ended.path(), &staged(&["--epochs=6", "--extend"])));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("start a new search"), "{}", refused.stderr);

    // Killed in one of the first of 30 epochs.
    let folder = tempfile::tempdir().unwrap();
    for flags in [&["--epochs=60"][..], &["--epochs=64", "--extend"]] {
        let (child, _) = started(folder.path(), 2, &staged(flags));
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(130), "{}", outcome.stderr);
    }
    let starts = events(folder.path()).into_iter().filter(|it| it["type"] == "started");
    let lengths: Vec<Value> = starts.map(|it| it["config"]["search"]["epochs"].clone()).collect();
    assert_eq!(lengths, [60, 64]);
}

/// `sdarts search --json | head -1`
#[test]
fn a_reader_that_goes_away_ends_the_printing_and_not_the_search() {
    let (folder, expected) = (tempfile::tempdir().unwrap(), reference());
    let (child, stdout) = started(folder.path(), 1, &[]);
    drop(stdout);
    let outcome = Outcome::from(child.wait_with_output().unwrap()).done();
    assert!(outcome.stderr.contains("nobody reads the events any more"), "{}", outcome.stderr);
    same_result(folder.path(), expected.path());
}
