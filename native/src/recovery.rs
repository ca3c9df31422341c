//! Where a search continues: the newest checkpoint that can be read and that the events reach, and
//! what is done where there is none.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use smoothdarts::event::{Event, Started, Warning, WarningCode};
use smoothdarts::run::checkpoint::Checkpoint;

use crate::events::{self, EventLog, Found};
use crate::run_dir::{RunDir, checkpoint_paths, read_checkpoint};

/// A run directory that is ready to be continued.
pub struct Resumed {
    /// The state to continue from; `None` of a run that begins.
    pub checkpoint: Option<Checkpoint>,
    /// The events before it, open for more.
    pub log: EventLog,
    /// What was damaged, and what was done.
    pub warnings: Vec<String>,
    /// Whether events before the checkpoint are lost.
    pub events_lost: bool,
}

/// Finds the checkpoint to continue from. What is damaged is put aside, so that it cannot take the
/// place of what is good; nothing is touched if no checkpoint can be read.
///
/// Where the events do not reach the newest checkpoint, the one before is taken if they reach that:
/// the search then says them again. Otherwise the state is worth more than its history: the events
/// that are right are kept, and a warning among them tells what is lost.
///
/// # Errors
/// If there are checkpoints and none can be read, or what the file system says.
pub fn resume(directory: &RunDir, started: impl Fn() -> Started) -> anyhow::Result<Resumed> {
    let (mut states, mut faults) = (Vec::new(), Vec::new());
    for path in checkpoint_paths(directory.path()).into_iter().filter(|path| path.exists()) {
        match read_checkpoint(&path) {
            Ok(state) => states.push((path, state)),
            Err(fault) => faults.push((path, fault)),
        }
    }
    let mut warnings = Vec::new();
    for (path, fault) in faults {
        if states.is_empty() {
            return Err(fault.context(
                "no checkpoint of this run can be read; search again into another directory (--out)",
            ));
        }
        let before = path.ends_with("last.safetensors");
        let aside = put_aside(&path, "damaged")?;
        let used = if before { "the one before is used" } else { "the last one is used" };
        warnings.push(format!("{fault:#}; it is kept as {aside}, and {used}"));
    }
    let path = directory.file(events::FILE);
    let found = Found::of(&path)?;
    let reach = found.reach();
    let reached = states.iter().position(|(_, state)| state.events() <= reach);
    let Some(index) = reached else {
        return match states.into_iter().next() {
            None => {
                let log = EventLog::after(&path, &found, 0)?;
                Ok(Resumed { checkpoint: None, log, warnings, events_lost: false })
            }
            Some((_, state)) => rebuild(directory, state, &found, started, warnings),
        };
    };
    for (ahead, _) in &states[..index] {
        let (file, aside) = (path.display(), put_aside(ahead, "ahead")?);
        warnings.push(format!(
            "{file} is right only up to line {reach}: it was cut or damaged; the search continues \
             from the checkpoint before, and the newer one is kept as {aside}"
        ));
    }
    let checkpoint = states.into_iter().nth(index).map(|(_, state)| state);
    let keep = checkpoint.as_ref().map_or(0, Checkpoint::events);
    let log = EventLog::after(&path, &found, keep)?;
    Ok(Resumed { checkpoint, log, warnings, events_lost: false })
}

/// Writes events.jsonl anew from those events of it that are right.
fn rebuild(
    directory: &RunDir,
    mut state: Checkpoint,
    found: &Found,
    started: impl Fn() -> Started,
    mut warnings: Vec<String>,
) -> anyhow::Result<Resumed> {
    let (path, counted) = (directory.file(events::FILE), state.events());
    let aside = if path.exists() {
        directory.set_aside(events::FILE)?
    } else {
        "the file is gone".to_owned()
    };
    let before = found.lines().take(usize::try_from(counted).unwrap_or(usize::MAX));
    let mut kept: Vec<Event> = before.flatten().collect();
    let lost = counted - kept.len() as u64;
    if !matches!(kept.first(), Some(Event::Started(_))) {
        kept.insert(0, Event::Started(started()));
    }
    // What comes after the start of a stage has its choices.
    if let Some(stage) = state.stage()
        && !kept.iter().any(|it| matches!(it, Event::StageStarted(it) if it.stage == stage.stage))
    {
        let place = kept.iter().position(|event| is_of(event, stage.epoch));
        kept.insert(place.unwrap_or(kept.len()), Event::StageStarted(stage));
    }
    let message = format!(
        "{lost} of the {counted} events up to here are lost: events.jsonl was cut or damaged. The \
         state of the search is whole, and so is what it finds"
    );
    let (epoch, code) = (state.epoch(), WarningCode::EventsLost);
    kept.push(Event::Warning(Warning { epoch, code, message: message.clone() }));
    let mut log = EventLog::open(&path, 0)?;
    for event in &kept {
        log.write(event)?;
    }
    log.sync()?;
    state.progress.events = kept.len() as u64;
    directory.write_checkpoint(&state)?;
    warnings.push(format!("{message} ({aside})"));
    Ok(Resumed { checkpoint: Some(state), log, warnings, events_lost: true })
}

/// Whether an event belongs to this epoch or a later one.
fn is_of(event: &Event, epoch: usize) -> bool {
    let of = match event {
        Event::EpochStarted(it) => it.epoch,
        Event::Step(it) => it.epoch,
        Event::EpochFinished(it) => it.epoch,
        _ => return false,
    };
    of >= epoch
}

/// Renames a checkpoint and returns its new path in words.
fn put_aside(path: &PathBuf, name: &str) -> anyhow::Result<String> {
    let aside = path.with_file_name(format!("{name}.safetensors"));
    fs::rename(path, &aside).with_context(|| format!("cannot rename {}", path.display()))?;
    Ok(aside.display().to_string())
}
