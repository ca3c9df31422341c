//! A [`Config`] from layers: the defaults, then a preset, then a file, then flags. A later layer
//! wins by *presence*: a value that is given overrides, also where it equals the default.
//!
//! A mode stands for the quirks it sets ([`Config::set_mode`]), at the place where it is given:
//! `--mode paper` beats a quirk of the file, and a quirk named in the same layer beats the mode.
//!
//! Values are JSON values, so that this module needs no file format: the command line converts
//! TOML, the web page has JSON anyway.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{Config, ConfigError, Mode, SETTINGS, Setting, presets};

/// How like a known name an unknown one must be (Jaro–Winkler, 0 to 1) to be suggested.
const LIKENESS: f64 = 0.8;

/// How much less than the best one a further suggestion may be like the unknown name.
const SLACK: f64 = 0.06;

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The mode sets it.
    Mode(Mode),
    /// The preset of this name.
    Preset(String),
    /// The config file of this path.
    File(String),
    /// A flag of the command line, or a control of the page.
    Flag,
    /// A selection sets it, for the training of a candidate.
    Selection,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(out, "default"),
            Self::Mode(Mode::Faithful) => write!(out, "faithful mode"),
            Self::Mode(Mode::Paper) => write!(out, "paper mode"),
            Self::Preset(name) => write!(out, "preset {name}"),
            Self::File(path) => write!(out, "file {path}"),
            Self::Flag => write!(out, "flag"),
            Self::Selection => write!(out, "selection"),
        }
    }
}

/// Why layers do not make a config. Every message names the setting and the layer at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// No such setting.
    #[error("{origin}: there is no setting `{key}`{}", suggestion(.nearest))]
    UnknownSetting {
        /// What was asked for.
        key: String,
        /// The layer.
        origin: Origin,
        /// Settings with a similar name, the nearest first.
        nearest: Vec<String>,
    },
    /// A section is no setting.
    #[error("{origin}: `{key}` is a section; write one of its settings: {settings}")]
    Section {
        /// The section.
        key: String,
        /// The layer.
        origin: Origin,
        /// Its settings.
        settings: String,
    },
    /// The value has the wrong type or is not one of the choices.
    #[error("{origin}: {key} = {value}: {reason} ({help})")]
    BadValue {
        /// `section.key`.
        key: String,
        /// The value, as JSON.
        value: String,
        /// The layer.
        origin: Origin,
        /// What was expected.
        reason: String,
        /// What the setting means.
        help: &'static str,
    },
    /// The value is out of its range.
    #[error("{origin}: {error}")]
    OutOfRange {
        /// The setting and its range.
        error: ConfigError,
        /// The layer.
        origin: Origin,
    },
    /// A layer is not a table of settings.
    #[error("{origin}: a config is a table of settings")]
    NotATable {
        /// The layer.
        origin: Origin,
    },
    /// No such preset.
    #[error("there is no preset `{name}`{}; there are: {known}", suggestion(.nearest))]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// Presets with a similar name, the nearest first.
        nearest: Vec<String>,
        /// All of them.
        known: String,
    },
}

/// A config and where each of its values comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The config.
    pub config: Config,
    /// Origin of every setting, by `section.key`.
    pub origins: BTreeMap<String, Origin>,
}

/// Puts layers on top of each other; call its methods from the lowest layer to the highest.
#[derive(Clone, Debug)]
pub struct Resolver {
    config: Config,
    origins: BTreeMap<String, Origin>,
}

impl Default for Resolver {
    fn default() -> Self {
        let origins = settings().map(|setting| (setting.name(), Origin::Default)).collect();
        Self { config: Config::default(), origins }
    }
}

impl From<Resolved> for Resolver {
    /// What further layers lie on.
    fn from(Resolved { config, origins }: Resolved) -> Self {
        Self { config, origins }
    }
}

impl Resolver {
    /// Lays the preset of this name on top.
    ///
    /// # Errors
    /// [`LayerError::UnknownPreset`].
    pub fn preset(&mut self, name: &str) -> Result<(), LayerError> {
        let preset = presets::ALL.iter().find(|preset| preset.name == name);
        let preset = preset.ok_or_else(|| {
            let names: Vec<&str> = presets::ALL.iter().map(|preset| preset.name).collect();
            LayerError::UnknownPreset {
                name: short(name),
                nearest: nearest(name, names.iter().map(|&name| name.to_owned())),
                known: names.join(", "),
            }
        })?;
        self.texts(preset.settings.iter().copied(), &Origin::Preset(name.to_owned()))
    }

    /// Lays a table of settings and sections on top, as a config file holds it.
    ///
    /// # Errors
    /// The first unknown setting or wrong value.
    pub fn table(&mut self, table: &Value, origin: &Origin) -> Result<(), LayerError> {
        let Value::Object(entries) = table else {
            return Err(LayerError::NotATable { origin: origin.clone() });
        };
        let mut layer = Vec::new();
        for (name, value) in entries {
            match value {
                Value::Object(fields) if is_section(name) => {
                    let named =
                        |(key, value): (&String, &Value)| (format!("{name}.{key}"), value.clone());
                    layer.extend(fields.iter().map(named));
                }
                value => layer.push((name.clone(), value.clone())),
            }
        }
        self.layer(layer, origin)
    }

    /// Lays settings on top whose values are text: JSON, or a bare word where the setting is text
    /// or a choice.
    ///
    /// # Errors
    /// The first unknown setting or wrong value.
    pub fn texts<'a>(
        &mut self,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
        origin: &Origin,
    ) -> Result<(), LayerError> {
        let current = to_value(&self.config);
        let parse = |(key, text): (&str, &str)| {
            let is_text = find(key).and_then(|setting| current.pointer(&setting.pointer()));
            (key.to_owned(), parse(text, is_text.is_some_and(Value::is_string)))
        };
        let layer = settings.into_iter().map(parse).collect();
        self.layer(layer, origin)
    }

    /// The config, if all values are in their ranges.
    ///
    /// # Errors
    /// [`LayerError::OutOfRange`].
    pub fn finish(self) -> Result<Resolved, LayerError> {
        let Self { config, origins } = self;
        match config.validate() {
            Ok(()) => Ok(Resolved { config, origins }),
            Err(error) => {
                let origin = origins.get(error.setting).cloned().unwrap_or(Origin::Default);
                Err(LayerError::OutOfRange { error, origin })
            }
        }
    }

    fn layer(&mut self, layer: Vec<(String, Value)>, origin: &Origin) -> Result<(), LayerError> {
        let (mode, others): (Vec<_>, Vec<_>) =
            layer.into_iter().partition(|(key, _)| key == "mode");
        for (key, value) in mode {
            self.set(&key, value, origin)?;
            self.apply_mode();
        }
        others.into_iter().try_for_each(|(key, value)| self.set(&key, value, origin))
    }

    fn set(&mut self, key: &str, value: Value, origin: &Origin) -> Result<(), LayerError> {
        let setting = find(key).ok_or_else(|| unknown(key, &value, origin))?;
        let bad = |value: &str, reason: &str| LayerError::BadValue {
            key: key.to_owned(),
            value: short(value),
            origin: origin.clone(),
            reason: short(reason),
            help: setting.help.trim(),
        };
        let text = value.to_string();
        if value.as_u64().is_some_and(|number| number > i64::MAX as u64) {
            return Err(bad(&text, &format!("must be at most {}", i64::MAX)));
        }
        let mut all = to_value(&self.config);
        if let Some(slot) = all.pointer_mut(&setting.pointer()) {
            *slot = value;
        }
        self.config =
            serde_json::from_value(all).map_err(|error| bad(&text, &error.to_string()))?;
        self.origins.insert(key.to_owned(), origin.clone());
        Ok(())
    }

    fn apply_mode(&mut self) {
        let mode = self.config.mode;
        for &key in self.config.set_mode(mode) {
            self.origins.insert(key.to_owned(), Origin::Mode(mode));
        }
    }
}

impl Setting {
    /// `section.key`, or `key` at the top level.
    pub fn name(&self) -> String {
        if self.section.is_empty() {
            self.key.to_owned()
        } else {
            format!("{}.{}", self.section, self.key)
        }
    }

    /// Its value in a config.
    pub fn value(&self, config: &Config) -> Value {
        to_value(config).pointer(&self.pointer()).cloned().unwrap_or(Value::Null)
    }

    fn pointer(&self) -> String {
        format!("/{}", self.name().replace('.', "/"))
    }
}

/// Every setting that holds a value, in the order of the file config.toml: the rows of
/// [`SETTINGS`] without those that stand for a section.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS
        .iter()
        .flat_map(|rows| rows.iter())
        .filter(|row| !(row.section.is_empty() && is_section(row.key)))
}

/// What differs between two configs and could change a result (of the section `run` only the
/// kernels can): the setting, its value in the first, its value in the second.
pub fn differences(first: &Config, second: &Config) -> Vec<(&'static Setting, Value, Value)> {
    settings()
        .filter(|setting| setting.section != "run" || setting.key == "kernels")
        .map(|setting| (setting, setting.value(first), setting.value(second)))
        .filter(|(_, first, second)| first != second)
        .collect()
}

fn find(key: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name() == key)
}

/// The sections of the file config.toml, in its order.
pub fn sections() -> impl Iterator<Item = &'static str> {
    SETTINGS
        .iter()
        .filter_map(|rows| rows.first())
        .map(|row| row.section)
        .filter(|section| !section.is_empty())
}

fn is_section(name: &str) -> bool {
    sections().any(|section| section == name)
}

fn unknown(key: &str, value: &Value, origin: &Origin) -> LayerError {
    if is_section(key) {
        let of_section = settings().filter(|setting| setting.section == key).map(Setting::name);
        let settings = of_section.collect::<Vec<_>>().join(", ");
        return LayerError::Section { key: key.to_owned(), origin: origin.clone(), settings };
    }
    let nearest = match value {
        Value::Object(_) => nearest(key, sections().map(str::to_owned)),
        _ => nearest(key, settings().map(Setting::name)),
    };
    LayerError::UnknownSetting { key: short(key), origin: origin.clone(), nearest }
}

/// The begin of a text, where it is too long to be read.
fn short(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
    }
}

fn to_value(config: &Config) -> Value {
    // A struct of numbers, texts and choices always has a JSON form.
    serde_json::to_value(config).unwrap_or_default()
}

/// JSON; where the setting holds text, anything that is not a quoted JSON string is text itself,
/// so that `data.dir=2020` is a folder and not a number.
fn parse(text: &str, is_text: bool) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ Value::String(_)) => value,
        Ok(value) if !is_text => value,
        _ => Value::String(text.to_owned()),
    }
}

/// Up to three names that look like `name`, the nearest first; compared as a whole and by the
/// part after the dot, so that `epochs` finds `search.epochs`.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    // The comparison takes time with the product of both lengths, and no name is so long.
    if name.len() > 100 {
        return Vec::new();
    }
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |candidate: &str| {
        let whole = strsim::jaro_winkler(name, candidate);
        whole.max(strsim::jaro_winkler(&last(name), &last(candidate)))
    };
    let mut scored: Vec<(f64, String)> =
        known.map(|candidate| (likeness(&candidate), candidate)).collect();
    scored.retain(|(score, _)| *score >= LIKENESS);
    scored.sort_by(|first, second| second.0.total_cmp(&first.0));
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    scored.retain(|(score, _)| *score >= best - SLACK);
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        names => format!("; did you mean {}?", names.join(" or ")),
    }
}
