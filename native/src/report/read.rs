//! The files of a run that its report is made of.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use smoothdarts::config::layers::settings;
use smoothdarts::draw::csv;
use smoothdarts::draw::history::History;
use smoothdarts::draw::table::Table;
use smoothdarts::measure::landscape::Landscape;

use super::words::quoted;
use crate::run_dir::text;
use crate::selection::Selection;
use crate::{events, output};

/// Everything that a report is made of.
#[derive(Clone, Debug, Default)]
pub struct ReportInput {
    /// What the search said.
    pub history: History,
    /// Every setting: `section.key`, value, origin of the value.
    pub settings: Vec<(String, String, String)>,
    /// What else made the result: versions, adapter, times.
    pub facts: Vec<(String, String)>,
    /// What it was chosen from, if a selection trained it.
    pub candidates: Option<Table>,
    /// The validation landscape, where it was computed.
    pub landscape: Option<Landscape>,
    /// The run directory, as the user names it.
    pub run: String,
}

/// Reads a run. Files that a young run does not have yet are no error.
///
/// # Errors
/// If a file is there and cannot be read.
pub(super) fn input(run: &Path) -> anyhow::Result<ReportInput> {
    let history: History = events::of_run(run)?;
    let origins = origins(&text(&run.join("config.toml"))?.unwrap_or_default());
    let settings = settings_of(&history, &origins);
    Ok(ReportInput {
        settings,
        history,
        facts: facts(&run.join("manifest.json"))?,
        candidates: Selection::read(run)?.map(|it| it.table()),
        landscape: landscape(run)?,
        run: run.display().to_string(),
    })
}

/// Reads landscape.csv of a run; `None` where there is none. One that cannot be understood is left
/// out with a warning: it can be measured again, and no report should fail for it.
///
/// # Errors
/// If the file is there and cannot be read.
pub(crate) fn landscape(run: &Path) -> anyhow::Result<Option<Landscape>> {
    let file = run.join("landscape.csv");
    let Some(text) = text(&file)? else { return Ok(None) };
    let landscape = csv::read_landscape(&text);
    if let Err(error) = &landscape {
        output::note(&format!(
            "warning: {} is left out, {error}; measure it again: sdarts landscape {}",
            file.display(),
            quoted(&run.display().to_string()),
        ));
    }
    Ok(landscape.ok())
}

/// Every setting of the search, in the order of config.toml.
fn settings_of(
    history: &History,
    origins: &BTreeMap<String, String>,
) -> Vec<(String, String, String)> {
    let Some(started) = &history.started else { return Vec::new() };
    let row = |setting: &smoothdarts::config::Setting| {
        let name = setting.name();
        let origin = origins.get(&name).cloned().unwrap_or_default();
        (name, plain(&setting.value(&started.config)), origin)
    };
    settings().map(row).collect()
}

/// Where the values of a config.toml come from: the comments behind them, by `section.key`.
fn origins(config: &str) -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut origins = BTreeMap::new();
    for line in config.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            section = format!("{name}.");
        } else if let (false, Some((entry, origin))) =
            (line.starts_with('#'), line.rsplit_once("  # "))
        {
            let key = entry.split('=').next().unwrap_or_default().trim();
            origins.insert(format!("{section}{key}"), origin.to_owned());
        }
    }
    origins
}

/// The entries of manifest.json, the inner ones with their path.
fn facts(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let Some(text) = text(path)? else { return Ok(Vec::new()) };
    let manifest: Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a JSON file", path.display()))?;
    let mut facts = Vec::new();
    flatten("", &manifest, &mut facts);
    Ok(facts)
}

fn flatten(name: &str, value: &Value, facts: &mut Vec<(String, String)>) {
    let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(entries) => match (entries.get("name"), entries.get("version")) {
            // A library; its place in the list says nothing.
            (Some(library), Some(version)) if entries.len() == 2 => {
                facts.push((plain(library), plain(version)));
            }
            _ => entries.iter().for_each(|(key, value)| flatten(&inner(key), value, facts)),
        },
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| {
                flatten(&inner(&index.to_string()), value, facts);
            });
        }
        value => facts.push((name.to_owned(), plain(value))),
    }
}

/// A JSON value as people write it: texts without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
