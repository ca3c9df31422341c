//! What sbatch is told: the table `[slurm]` of the file of a sweep, and the flags, which win over it.

use anyhow::anyhow;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::cli::SlurmArgs;
use crate::exit::Exit;

/// Seconds before the time limit at which a run is told to stop, where nothing says otherwise.
const WARN_SECONDS: u32 = 120;

/// Options of a job array; none of them changes a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Partition of the jobs.
    #[serde(deserialize_with = "word")]
    pub partition: Option<String>,
    /// Time limit of a task.
    #[serde(deserialize_with = "word")]
    pub time: Option<String>,
    /// GPUs of a task.
    #[serde(deserialize_with = "word")]
    pub gpus: Option<String>,
    /// Memory of a task.
    #[serde(deserialize_with = "word")]
    pub memory: Option<String>,
    /// Account that pays.
    #[serde(deserialize_with = "word")]
    pub account: Option<String>,
    /// Seconds before the time limit at which a run is told to stop.
    pub warn_seconds: Option<u32>,
    /// Further options of sbatch, each a line.
    pub sbatch: Vec<String>,
}

/// A text or a whole number: `gpus = 1`, `time = "4:00:00"`.
fn word<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) if !number.is_f64() => Ok(Some(number.to_string())),
        _ => Err(D::Error::custom("expected a text or a whole number, e.g. time = \"4:00:00\"")),
    }
}

impl Options {
    /// The same with what the flags say. Lines of both are kept, those of the flags last.
    pub fn with(&self, flags: &SlurmArgs) -> Self {
        let or = |flag: &Option<String>, file: &Option<String>| flag.clone().or(file.clone());
        Self {
            partition: or(&flags.partition, &self.partition),
            time: or(&flags.time, &self.time),
            gpus: or(&flags.gpus, &self.gpus),
            memory: or(&flags.memory, &self.memory),
            account: or(&flags.account, &self.account),
            warn_seconds: flags.warn_seconds.or(self.warn_seconds),
            sbatch: [self.sbatch.as_slice(), &flags.sbatch].concat(),
        }
    }

    /// The arguments of sbatch; each is a line of the batch script.
    ///
    /// # Errors
    /// If one has a line break, which would make a command of what follows; exit code 2.
    pub fn arguments(&self) -> anyhow::Result<Vec<String>> {
        let warn = self.warn_seconds.unwrap_or(WARN_SECONDS);
        let named = [
            ("partition", &self.partition),
            ("time", &self.time),
            ("gpus", &self.gpus),
            ("mem", &self.memory),
            ("account", &self.account),
        ];
        let named = named
            .into_iter()
            .filter_map(|(flag, value)| value.as_ref().map(|value| format!("--{flag}={value}")));
        let all = [format!("--signal=B:USR1@{warn}")].into_iter().chain(named);
        let all: Vec<String> = all.chain(self.sbatch.iter().cloned()).collect();
        match all.iter().find(|argument| argument.contains(['\n', '\r'])) {
            Some(broken) => Err(anyhow!("{broken:?} has a line break").context(Exit::Usage)),
            None => Ok(all),
        }
    }
}
