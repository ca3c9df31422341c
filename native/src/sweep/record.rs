//! `sweep.json` in the folder of a sweep: what the sweep is, and why runs of it failed.
//!
//! All else that is known of a run stands in its own directory. The file is replaced in one step, by the
//! one process that holds the lock of the folder.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use smoothdarts::config::Config;
use smoothdarts::config::layers::differences;

use super::definition::Definition;
use super::plan::{self, Run};
use crate::exit::Exit;
use crate::run_dir;

/// Its name.
pub const FILE: &str = "sweep.json";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What is varied.
    pub definition: Definition,
    /// Settings of the first run: what presets and config files said when the sweep was begun.
    pub config: Config,
    /// Why runs failed, by their names.
    pub failures: BTreeMap<String, Failure>,
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its exit code; of a killed process 128 and the number of the signal.
    pub code: i32,
    /// What it said last.
    pub message: String,
}

impl Record {
    /// Of a sweep that nothing was run of.
    pub fn new(definition: Definition, runs: &[Run]) -> Self {
        let config = runs.first().map(|run| run.config.clone()).unwrap_or_default();
        Self { definition, config, failures: BTreeMap::new() }
    }

    /// The record in a folder; `None` where there is none.
    ///
    /// # Errors
    /// If its file is damaged or cannot be read.
    pub fn read(out: &Path) -> anyhow::Result<Option<Self>> {
        if !out.is_dir() {
            return Ok(None);
        }
        let file = out.join(FILE);
        let Some(text) = run_dir::text(&file)? else { return Ok(None) };
        let record = serde_json::from_str(&text);
        record.map(Some).with_context(|| format!("{} is no sweep", file.display()))
    }

    /// The record in the folder of a sweep, and its runs.
    ///
    /// # Errors
    /// If there is none (exit code 2), or its runs have other settings by now.
    pub fn of(out: &Path) -> anyhow::Result<(Self, Vec<Run>)> {
        let Some(record) = Self::read(out)? else {
            let fault = anyhow!("{} is no folder of a sweep: it has no {FILE}", out.display());
            return Err(fault.context(Exit::Usage));
        };
        let runs = plan::runs(&record.definition).with_context(|| out.display().to_string())?;
        record.must_equal(&Self::new(record.definition.clone(), &runs), out)?;
        Ok((record, runs))
    }

    /// Replaces the file in a folder.
    ///
    /// # Errors
    /// What the file system says; the old file is then still there.
    pub fn write(&self, out: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        run_dir::write(&out.join(FILE), text.as_bytes())
    }

    /// Refuses to go on with another sweep than the one of before.
    ///
    /// # Errors
    /// The differences; exit code 2.
    pub fn must_equal(&self, now: &Self, out: &Path) -> anyhow::Result<()> {
        let line = |key: &str, then: &dyn std::fmt::Display, now: &dyn std::fmt::Display| {
            format!("\n  {key}: {then} there, {now} now")
        };
        let said = self.definition.differences(&now.definition);
        let mut lines: Vec<String> =
            said.iter().map(|(key, then, now)| line(key, then, now)).collect();
        // What the definition does not say: a config file with other settings in it.
        if lines.is_empty() {
            let settings = differences(&self.config, &now.config).into_iter();
            lines = settings.map(|(it, then, now)| line(&it.name(), &then, &now)).collect();
        }
        if lines.is_empty() {
            return Ok(());
        }
        let shown = out.display();
        Err(anyhow!("the difference is{}", lines.concat()))
            .with_context(|| format!("{shown} has another sweep; choose another --out"))
            .context(Exit::Usage)
    }
}
