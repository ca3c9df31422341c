//! `sdarts search --extend`: more epochs of the same run.
//!
//! The schedules go on over the new length: from the next epoch on, the cosine of the learning rate and
//! the radius ε are those of a search of the new number of epochs. Or they are frozen
//! (`search.schedule_epochs`): both stay at the values of the last epoch before. The epochs before were
//! trained with the schedules of their time, so the result is not that of a search that was as long from
//! its start. A search in stages shares its epochs between them: it can be extended before the last epoch of
//! its first stage, when no stage has ended that would have been longer. The file events.jsonl keeps the
//! whole history: where the run was extended, it starts again with the new settings.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use smoothdarts::config::{Config, Setting};
use smoothdarts::event::{Event, Started};
use smoothdarts::run::Phase;
use smoothdarts::run::checkpoint::Checkpoint;

use crate::exit::Exit;
use crate::run_dir::RunDir;
use crate::settings;

/// The settings that an extension changes.
const CHANGED: [&str; 2] = ["search.epochs", "search.schedule_epochs"];

/// The schedules of the run in `out` for a config that extends it and freezes them.
///
/// # Errors
/// If the settings of the run cannot be read.
pub fn freeze(out: &Path, config: &mut Config) -> anyhow::Result<()> {
    let file = out.join("config.toml");
    if file.exists() {
        let then = settings::read(&file)?.search;
        config.search.schedule_epochs = then.schedule_length();
    }
    Ok(())
}

/// Whether two configs differ only in that the second has more epochs, or other schedules for them.
pub fn is_longer(
    differences: &[(&Setting, serde_json::Value, serde_json::Value)],
    then: &Config,
    now: &Config,
) -> bool {
    let only_epochs =
        differences.iter().all(|(setting, ..)| CHANGED.contains(&setting.name().as_str()));
    only_epochs && then.search.epochs < now.search.epochs
}

/// Gives a state the new number of epochs, and writes it: from then on, this is a run of so many.
///
/// # Errors
/// If the search stopped early or is in a later stage (exit code 2), or what the file system says.
pub fn apply(
    directory: &RunDir,
    state: &mut Checkpoint,
    started: Started,
    config: &Config,
) -> anyhow::Result<()> {
    if state.config.search.epochs >= config.search.epochs {
        return Ok(());
    }
    if state.progress.stop.is_some() {
        let fault = anyhow!("this search stopped early, so more epochs would change nothing");
        return Err(fault.context(Exit::Usage));
    }
    let (then, epoch) = (&state.config, state.progress.position.epoch);
    if then.stage_count() > 1 && epoch + 1 >= then.stage_epochs() {
        let fault = anyhow!(
            "a search in stages can be extended in its first stage alone, before its last epoch: its stages share \
             its epochs, and those that ended would have been longer; start a new search with more epochs"
        );
        return Err(fault.context(Exit::Usage));
    }
    state.config.search.epochs = config.search.epochs;
    state.config.search.schedule_epochs = config.search.schedule_epochs;
    if matches!(state.progress.phase, Phase::Finish | Phase::Done) {
        state.progress.phase = Phase::EpochStart;
    }
    state.progress.unsaid.push_back(Event::Started(started));
    directory.write_checkpoint(state).context("cannot extend the run")
}
