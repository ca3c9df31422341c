//! The commands that are tortured, each of a second or two, and what of them must be the same each time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command};

use native::{events, run_dir};
use serde_json::Value;
use smoothdarts::draw::history::History;

use crate::command::{Outcome, TINY, TRAIN, sdarts};

/// A command that makes a run directory.
pub struct Work {
    pub name: &'static str,
    arguments: &'static [&'static [&'static str]],
}

pub const SEARCH: Work = Work { name: "search", arguments: &[TINY] };

pub const TRAINING: Work = Work { name: "training", arguments: &[&["train", "c10_s5_pgd"], TRAIN] };

/// A recurrent cell, from whose second epoch on weights are averaged.
pub const TEXT: Work = Work {
    name: "training on a text",
    arguments: &[&[
        "train",
        "penn_pgd",
        "--preset=train-ptb-quick",
        "--epochs=4",
        "--set=run.device=cpu",
        "--set=recurrent.hidden=8",
        "--set=recurrent.bptt=12",
        "--set=recurrent.train_words=600",
        "--set=train.batch_size=4",
        "--set=train.nonmonotone=0",
        "--set=run.checkpoint_seconds=0",
    ]],
};

/// Two short trainings, and that of the better one.
pub const SELECTION: Work =
    Work { name: "selection", arguments: &[&["select", "DARTS_V2", "c10_s5_pgd"], TRAIN] };

/// What a run has that is another one each time: times, and what a process leaves to the next.
const PASSING: [&str; 4] = ["manifest.json", "report.html", "checkpoints", "checksums"];

impl Work {
    /// The command, which writes to `folder`/run.
    pub fn command(&self, folder: &Path, more: &[&str]) -> Command {
        sdarts(folder, &[self.arguments.concat().as_slice(), &["--out=run"], more].concat())
    }

    /// A run to its end, to compare with.
    pub fn undisturbed(&self, more: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        Outcome::of(self.command(folder.path(), more)).done();
        folder
    }

    /// Starts it, and waits until it has said so many events.
    pub fn started(&self, folder: &Path, count: usize) -> Child {
        said(self.command(folder, &["--json"]), count)
    }

    /// Ends a disturbed run, which must then equal an undisturbed one.
    #[track_caller]
    pub fn end(&self, folder: &Path, expected: &Path, place: &str) {
        let again = Outcome::of(self.command(folder, &[]));
        assert_eq!(again.code, Some(0), "the run goes on after {place}: {}", again.stderr);
        must_equal(folder, expected, place);
    }
}

/// Starts a command, and waits until it has said so many events. What it says later nobody reads.
pub fn said(mut command: Command, count: usize) -> Child {
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.take(count).map_while(Result::ok).count(), count, "{command:?}");
    child
}

/// Whether the results of two runs are the same, bit for bit.
#[track_caller]
pub fn must_equal(folder: &Path, expected: &Path, place: &str) {
    let [found, expected] = [folder, expected].map(|folder| results(&folder.join("run")));
    let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{place}");
    for (name, bytes) in &found {
        assert!(*bytes == expected[name], "{name} differs after {place}");
    }
}

/// The results in a folder and in those below it; events without times.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if PASSING.contains(&name.as_str()) || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            let below = results(&path).into_iter();
            found.extend(below.map(|(rest, bytes)| (format!("{name}/{rest}"), bytes)));
        } else if name == events::FILE {
            found.insert(name, without_times(&fs::read_to_string(path).unwrap()).into_bytes());
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

fn without_times(events: &str) -> String {
    assert!(events.ends_with('\n'), "the last line is torn");
    let line = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        for key in ["seconds", "crc32c"] {
            event.as_object_mut().unwrap().remove(key);
        }
        format!("{event}\n")
    };
    events.lines().map(line).collect()
}

/// How many events the checkpoints of a run stand for. Whatever stopped it, they can be read, and so can its
/// events.
pub fn reached(run: &Path, place: &str) -> u64 {
    let candidates = ["candidates/1", "candidates/2"].map(|name| run.join(name));
    let directories = [run.to_owned()].into_iter().chain(candidates);
    let events = directories.map(|directory| {
        let checkpoint = run_dir::newest_checkpoint(&directory);
        let checkpoint = checkpoint.unwrap_or_else(|fault| panic!("{fault:#} after {place}"));
        events::of_run::<History>(&directory)
            .unwrap_or_else(|fault| panic!("{fault:#} after {place}"));
        checkpoint.map_or(0, |checkpoint| checkpoint.events())
    });
    events.sum()
}
