//! What a sweep is: a command, what its runs share, and what is varied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::name::plain;
use super::options::Options;

/// The axis that is no setting: what `train` trains.
pub const GENOTYPE: &str = "genotype";

/// The command of the runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `sdarts search`.
    #[default]
    Search,
    /// `sdarts train`.
    Train,
    /// `sdarts select`.
    Select,
}

impl Kind {
    /// What it is called on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Train => "train",
            Self::Select => "select",
        }
    }
}

/// A setting and the values that it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// `section.key`, or [`GENOTYPE`].
    pub key: String,
    /// At least one, each once.
    pub values: Vec<Value>,
}

/// What the file of a sweep says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The command of its runs.
    pub command: Kind,
    /// Their preset.
    pub preset: Option<String>,
    /// Their config file.
    pub config: Option<String>,
    /// What `train` trains, where no axis says so.
    pub genotype: Option<String>,
    /// What `select` chooses from.
    pub candidates: Vec<String>,
    /// Settings of all runs; an axis wins over them.
    pub set: Vec<(String, Value)>,
    /// What is varied, in the order of the file; the first one changes slowest.
    pub axes: Vec<Axis>,
    /// What is left out: runs that have all values of an entry.
    pub exclude: Vec<Vec<(String, Value)>>,
    /// What Slurm is told; it makes no other sweep.
    #[serde(default)]
    pub slurm: Options,
}

/// Settings and their values: what makes a run this one.
pub type Point = Vec<(String, Value)>;

impl Definition {
    /// How many combinations there are, the excluded ones among them.
    pub fn combinations(&self) -> Option<usize> {
        self.axes.iter().try_fold(1usize, |count, axis| count.checked_mul(axis.values.len()))
    }

    /// Every combination that is not excluded, the last axis fastest.
    pub fn points(&self) -> Vec<Point> {
        let mut points: Vec<Point> = vec![Vec::new()];
        for Axis { key, values } in &self.axes {
            let with = |point: &Point| {
                let longer = |value: &Value| {
                    point.iter().cloned().chain([(key.clone(), value.clone())]).collect()
                };
                values.iter().map(longer).collect::<Vec<Point>>()
            };
            points = points.iter().flat_map(with).collect();
        }
        points.retain(|point| !self.excludes(point));
        points
    }

    fn excludes(&self, point: &Point) -> bool {
        let all = |entry: &Point| entry.iter().all(|pair| point.contains(pair));
        self.exclude.iter().any(all)
    }

    /// The arguments of `sdarts` for a run, but for where it writes.
    pub fn arguments(&self, point: &Point) -> Vec<String> {
        let of_axis = point.iter().find(|(key, _)| key == GENOTYPE).map(|(_, value)| plain(value));
        let mut arguments = vec![self.command.word().to_owned()];
        arguments.extend(of_axis.or(self.genotype.clone()));
        arguments.extend(self.candidates.iter().cloned());
        arguments.extend(self.preset.iter().map(|name| format!("--preset={name}")));
        arguments.extend(self.config.iter().map(|file| format!("--config={file}")));
        let settings = self.set.iter().chain(point).filter(|(key, _)| key != GENOTYPE);
        arguments.extend(settings.map(|(key, value)| format!("--set={key}={}", argument(value))));
        arguments
    }

    /// What two definitions differ in: what it is, what it is in the first, what in the second.
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let [then, now] = [self.entries(), other.entries()];
        let none = || "nothing".to_owned();
        let keys = then.keys().chain(now.keys().filter(|key| !then.contains_key(*key)));
        let value = |entries: &BTreeMap<String, String>, key: &String| {
            entries.get(key).cloned().unwrap_or_else(none)
        };
        let row = |key: &String| (key.clone(), value(&then, key), value(&now, key));
        keys.map(row).filter(|(_, then, now)| then != now).collect()
    }

    /// What it says, as texts.
    fn entries(&self) -> BTreeMap<String, String> {
        let texts = |values: &[String]| (!values.is_empty()).then(|| values.join(" "));
        let keys: Vec<String> = self.axes.iter().map(|axis| axis.key.clone()).collect();
        let one = [
            ("command", Some(self.command.word().to_owned())),
            ("preset", self.preset.clone()),
            ("config", self.config.clone()),
            (GENOTYPE, self.genotype.clone()),
            ("candidates", texts(&self.candidates)),
            ("the order of the axes", texts(&keys)),
        ];
        let one = one.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        let set = self.set.iter().map(|(key, value)| (format!("set.{key}"), plain(value)));
        let axes = self.axes.iter().map(|axis| {
            let values = Value::Array(axis.values.clone());
            (format!("axes.{}", axis.key), values.to_string())
        });
        let exclude = self.exclude.iter().enumerate().map(|(index, entry)| {
            let pairs: Vec<String> =
                entry.iter().map(|(key, value)| format!("{key} = {}", plain(value))).collect();
            (format!("exclude {}", index + 1), pairs.join(" and "))
        });
        one.chain(set).chain(axes).chain(exclude).collect()
    }
}

/// A value as `--set` reads it. Words are bare, but for those that would be read as something else.
fn argument(value: &Value) -> String {
    let bare = |text: &&str| text.trim() == *text && serde_json::from_str::<String>(text).is_err();
    value.as_str().filter(bare).map_or_else(|| value.to_string(), str::to_owned)
}
