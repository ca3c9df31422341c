//! How far the runs of a sweep are, as their run directories say it: any process may look, at any time,
//! without disturbing them.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use smoothdarts::config::Config;

use super::plan::Run;
use super::record::Failure;
use crate::events;
use crate::manifest::Manifest;
use crate::selection;

/// Bytes at the end of events.jsonl in which the last step is looked for; a line has some hundred.
const TAIL: u64 = 1 << 18;

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Its results are there.
    Done,
    /// A process works on it.
    Running,
    /// It ended with an error, and nothing was tried since.
    Failed(Failure),
    /// It has not begun, or was stopped.
    Waiting,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(flatten)]
    pub state: State,
    /// Share of its steps, 0 to 1. The short trainings of a selection are not among them.
    pub progress: f64,
    /// Seconds of the processes that worked on it: of one that was killed up to its last checkpoint.
    pub seconds: f64,
}

impl Standing {
    /// What the directory of a run says; `failure` is how its last process ended, where that failed.
    pub fn of(run: &Run, out: &Path, failure: Option<&Failure>) -> Self {
        let directory = run.directory(out);
        let progress = progress(&directory, &run.config).unwrap_or(0.0);
        // The report is the last thing that a run writes.
        let results = ["curves.csv", "report.html"].iter().all(|it| directory.join(it).exists());
        let state = if progress >= 1.0 && results {
            State::Done
        } else if is_locked(&directory) {
            State::Running
        } else {
            failure.map_or(State::Waiting, |failure| State::Failed(failure.clone()))
        };
        let seconds = seconds(&directory, &run.config, state == State::Running);
        Self { name: run.name.clone(), state, progress, seconds }
    }

    /// Seconds that it takes in all, as far as it is known.
    fn whole(&self) -> Option<f64> {
        (self.progress > 0.0 && self.seconds > 0.0).then(|| self.seconds / self.progress)
    }
}

/// Seconds until all runs that have not failed are done, with so many at a time; `None` where no run has
/// come so far that it could be said. A run that has not begun takes as long as those that differ from it
/// in the seed alone, else as long as all others on average.
pub fn left(runs: &[Run], standings: &[Standing], jobs: usize) -> Option<f64> {
    let kind = |run: &Run| {
        let point = run.point.iter().filter(|(key, _)| key != "seed");
        point.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
    };
    let mut known: BTreeMap<Vec<String>, Vec<f64>> = BTreeMap::new();
    for (run, standing) in runs.iter().zip(standings) {
        known.entry(kind(run)).or_default().extend(standing.whole());
    }
    let all: Vec<f64> = known.values().flatten().copied().collect();
    let mut seconds = Vec::new();
    for (run, standing) in runs.iter().zip(standings) {
        if matches!(standing.state, State::Done | State::Failed(_)) {
            continue;
        }
        let alike = known.get(&kind(run)).and_then(|alike| mean(alike));
        let whole = standing.whole().or(alike).or(mean(&all))?;
        seconds.push(whole * (1.0 - standing.progress).max(0.0));
    }
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    Some(longest.max(seconds.iter().sum::<f64>() / jobs.max(1) as f64))
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Share of the steps of a run that its events tell of; exactly 1 once it has said its result.
fn progress(directory: &Path, config: &Config) -> Option<f64> {
    let mut file = File::open(directory.join(events::FILE)).ok()?;
    let mut first = String::new();
    BufReader::new(&file).read_line(&mut first).ok()?;
    let first: Value = serde_json::from_str(&first).ok()?;
    let steps_per_epoch = first["steps_per_epoch"].as_f64()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail);
    let events = tail.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut steps = events.filter_map(|event| {
        let whole = |key: &str| event[key].as_f64();
        match event["type"].as_str()? {
            "finished" | "trained" => Some(f64::INFINITY),
            "step" | "train_step" => Some(whole("epoch")? * steps_per_epoch + whole("step")? + 1.0),
            "epoch_finished" | "train_epoch" => Some((whole("epoch")? + 1.0) * steps_per_epoch),
            _ => None,
        }
    });
    let steps = steps.next().unwrap_or(0.0);
    let epochs = if config.trains() || directory.join(crate::run_dir::SELECTION).exists() {
        config.train.epochs
    } else {
        config.search.epochs
    };
    let all = epochs as f64 * steps_per_epoch;
    // After its last step a run still has its result to say.
    Some(if steps.is_finite() { (steps / all.max(1.0)).min(0.999) } else { 1.0 })
}

/// A step and an evaluation take less than this many seconds.
const STEP: f64 = 3600.0;

/// Seconds of the processes of a run: what its manifest says, and while it runs those since then. It writes
/// its manifest with every checkpoint; what is longer ago is a clock that was set.
fn seconds(directory: &Path, config: &Config, runs: bool) -> f64 {
    let file = directory.join("manifest.json");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let until = serde_json::from_str(&text).map_or(0.0, |it: Manifest| it.wall_seconds);
    let written = fs::metadata(&file).and_then(|metadata| metadata.modified());
    let since = written.ok().and_then(|at| at.elapsed().ok()).filter(|_| runs);
    let longest = config.run.checkpoint_seconds as f64 + STEP;
    until + since.map_or(0.0, |since| since.as_secs_f64().min(longest))
}

/// Whether a process works in a run directory: a selection locks its folder of short trainings.
pub fn is_locked(directory: &Path) -> bool {
    [directory.to_owned(), selection::folder(directory)].iter().any(|folder| {
        let file = File::open(folder.join(".lock"));
        // Shared, and only until this line is over.
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    })
}

/// Seconds as a duration; as the longest, where they are more.
pub fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
