//! A clock that jumps in the middle of a run, as that of a machine does that slept or was set.
//!
//! `libfaketime` (Debian: `faketime`) makes it jump; with `SDARTS_REQUIRE_FAKETIME` these tests fail where
//! there is none.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use native::run_dir::{self, read_checkpoint};
use native::sweep::plan::Run;
use native::sweep::standing::{Standing, State};
use serde_json::Value;
use smoothdarts::config::Config;
use tempfile::tempdir;

use super::works::{SEARCH, TRAINING, Work};
use crate::command::Outcome;

const DAY: Duration = Duration::from_secs(86_400);

/// The jumps, each after so many events of a process.
const JUMPS: [(usize, &str); 4] = [(3, "-40d"), (5, "+400d"), (7, "-15000d"), (9, "+0")];

fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let files = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    let found = files.into_iter().find(|file| file.exists());
    if found.is_none() {
        let missing = "there is no libfaketime (Debian: faketime); left out";
        assert!(std::env::var_os("SDARTS_REQUIRE_FAKETIME").is_none(), "{missing}");
        eprintln!("{missing}");
    }
    found
}

/// Sets the clock in one step.
fn set(folder: &Path, clock: &str) {
    fs::write(folder.join("clock.new"), clock).unwrap();
    fs::rename(folder.join("clock.new"), folder.join("clock")).unwrap();
}

/// A run whose clock jumps, and with `all` also the one that durations are taken by.
fn jumping(work: &Work, library: &Path, folder: &Path, all: bool) -> Outcome {
    set(folder, "+0");
    let mut command = work.command(folder, &["--json"]);
    command.env("LD_PRELOAD", library).env("FAKETIME_NO_CACHE", "1");
    command.env("FAKETIME_TIMESTAMP_FILE", folder.join("clock"));
    if !all {
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for (count, _) in lines.enumerate() {
        for (_, clock) in JUMPS.into_iter().filter(|(after, _)| *after == count) {
            set(folder, clock);
        }
    }
    Outcome::from(child.wait_with_output().unwrap()).done()
}

/// All numbers of seconds that a run has noted.
fn seconds(run: &Path) -> Vec<f64> {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let events = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let of_events = events.lines().filter_map(|line| json(line)["seconds"].as_f64());
    let manifest = json(&fs::read_to_string(run.join("manifest.json")).unwrap());
    of_events.chain(manifest["wall_seconds"].as_f64()).collect()
}

fn torture(work: &Work) {
    let Some(library) = faketime() else { return };
    let expected = work.undisturbed(&[]);
    for all in [false, true] {
        let folder = tempdir().unwrap();
        let began = Instant::now();
        let outcome = jumping(work, &library, folder.path(), all);
        let longest = began.elapsed().as_secs_f64();
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        super::works::must_equal(folder.path(), expected.path(), "jumps of the clock");
        let found = seconds(&folder.path().join("run"));
        assert!(found.len() >= 3, "{found:?}");
        for seconds in found {
            assert!(seconds >= 0.0, "{seconds} s");
            assert!(all || seconds <= longest, "{seconds} s of {longest} s");
        }
    }
}

#[test]
fn a_search_whose_clock_jumps_ends_like_one_whose_clock_does_not() {
    torture(&SEARCH);
}

#[test]
fn a_training_whose_clock_jumps_ends_like_one_whose_clock_does_not() {
    torture(&TRAINING);
}

/// The newer checkpoint gets the older time, as after a clock that was set back.
#[test]
fn a_run_goes_on_from_the_checkpoint_with_more_steps_whatever_its_time() {
    for work in [SEARCH, TRAINING] {
        let (folder, expected) = (tempdir().unwrap(), work.undisturbed(&[]));
        let mut child = work.started(folder.path(), 8);
        child.kill().unwrap();
        child.wait().unwrap();
        let run = folder.path().join("run");
        let [last, previous] =
            ["last", "previous"].map(|name| run.join(format!("checkpoints/{name}.safetensors")));
        let newest = run_dir::newest_checkpoint(&run).unwrap().unwrap();
        assert!(newest.events() > read_checkpoint(&previous).unwrap().events());
        let now = SystemTime::now();
        for (file, time) in [(&last, now - 400 * DAY), (&previous, now + 400 * DAY)] {
            File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
        }
        assert_eq!(run_dir::newest_checkpoint(&run).unwrap(), Some(newest));
        work.end(folder.path(), expected.path(), "a clock that was set back");
    }
}

/// A clock that was set forward after the last checkpoint made the sweep believe that the run had worked for
/// all that time.
#[test]
fn the_seconds_of_a_run_that_works_are_bounded_by_how_often_it_writes() {
    let folder = tempdir().unwrap();
    let mut config = Config::default();
    config.run.checkpoint_seconds = 60;
    let run = Run {
        name: "seed=1".to_owned(),
        point: Vec::new(),
        arguments: Vec::new(),
        config: config.clone(),
        largest: config,
    };
    let directory = folder.path().join("seed=1");
    fs::create_dir(&directory).unwrap();
    let written = SEARCH.undisturbed(&[]);
    let manifest = directory.join("manifest.json");
    fs::copy(written.path().join("run/manifest.json"), &manifest).unwrap();
    let until = seconds(&written.path().join("run")).pop().unwrap();
    let _lock = run_dir::lock(&directory).unwrap();
    let now = SystemTime::now();
    for (time, most) in [(now + 400 * DAY, 0.0), (now - 400 * DAY, 3660.0)] {
        File::options().append(true).open(&manifest).unwrap().set_modified(time).unwrap();
        let standing = Standing::of(&run, folder.path(), None);
        assert_eq!(standing.state, State::Running);
        let since = standing.seconds - until;
        assert!((0.0..=most).contains(&since), "{since} s since {time:?}");
    }
}
