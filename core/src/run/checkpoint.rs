//! The whole state of a run as bytes: a safetensors file whose metadata holds the schema, the
//! config, the choices, the position and what the observers remember. There is no generator state
//! to save: random streams are addressed by position ([`crate::rng`]).

mod checksum;
mod first_format;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Progress;
use crate::arrays::{self, Array, ArrayError, Arrays};
use crate::cell::{Choice, Genotype, Row, Rows, codec};
use crate::config::Config;
use crate::event::StageStarted;
use crate::method::{self, Method};
use crate::space;

/// Version of the checkpoint format. Readers accept every version up to their own. From 3 on a file
/// has a checksum over all of its bytes, and one without it, or with another, is refused.
pub const SCHEMA: u32 = 3;

/// The last format without a checksum.
const UNCHECKED: u32 = 2;

/// Key of the metadata entry. A single one, so that equal states give equal bytes.
const METADATA: &str = "smoothdarts";

/// The state of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Its settings.
    pub config: Config,
    /// Its choices.
    pub architecture: Vec<Choice>,
    /// Where it stands.
    pub progress: Progress,
    /// What its observers remember, by their names, and what its job notes.
    pub observers: BTreeMap<String, Value>,
    /// Its tensors by name.
    pub arrays: Arrays,
}

/// Why bytes are not a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not a safetensors file, or a damaged one.
    #[error("this is not a checkpoint, or a damaged one: {0}")]
    Malformed(String),
    /// Written by a newer version.
    #[error(
        "this checkpoint has format {found}, and this program reads formats up to {SCHEMA}; update the program"
    )]
    Newer {
        /// Its format.
        found: u32,
    },
    /// What words mean to a network fits no other vocabulary.
    #[error(
        "the checkpoint is of a text with another vocabulary ({saved}, here {found}); put the text back as it \
         was, or choose another run directory"
    )]
    OtherVocabulary {
        /// That of the checkpoint.
        saved: String,
        /// That of the text here.
        found: String,
    },
    /// A tensor is missing or has another shape.
    #[error("the checkpoint has no tensor `{name}` of shape {shape:?}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// The shape it should have.
        shape: Vec<usize>,
    },
}

impl From<ArrayError> for CheckpointError {
    fn from(error: ArrayError) -> Self {
        match error {
            ArrayError::Malformed(what) => Self::Malformed(what),
            ArrayError::Missing { name, shape } => Self::Tensor { name, shape },
        }
    }
}

/// Everything but the tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    /// First, so that [`checksum`] finds it.
    #[serde(default)]
    checksum: String,
    schema: u32,
    config: Config,
    architecture: Vec<Choice>,
    progress: Progress,
    observers: BTreeMap<String, Value>,
}

impl Checkpoint {
    /// The file.
    ///
    /// # Errors
    /// If a tensor's shape does not fit its numbers.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let header = Header {
            checksum: checksum::NONE.to_owned(),
            schema: SCHEMA,
            config: self.config.clone(),
            architecture: self.architecture.clone(),
            progress: self.progress.clone(),
            observers: self.observers.clone(),
        };
        let header = serde_json::to_string(&header).map_err(malformed)?;
        let arrays = self.arrays.iter().map(|(name, array)| (name.as_str(), array));
        let metadata = HashMap::from([(METADATA.to_owned(), header)]);
        let mut bytes = arrays::to_bytes(arrays, Some(metadata))?;
        checksum::seal(&mut bytes);
        Ok(bytes)
    }

    /// Reads a file, after its checksum was found right.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] or [`CheckpointError::Newer`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let checked = checksum::verify(bytes).map_err(CheckpointError::Malformed)?;
        let header = arrays::metadata(bytes, METADATA)?;
        let header = header.ok_or_else(|| malformed("it carries no search state"))?;
        let schema = serde_json::from_str::<SchemaOnly>(&header).map_err(malformed)?.schema;
        let Header { config, architecture, progress, observers, .. } = match schema {
            ..=1 => first_format::read(&header).map_err(malformed)?,
            UNCHECKED => serde_json::from_str(&header).map_err(malformed)?,
            SCHEMA if checked => serde_json::from_str(&header).map_err(malformed)?,
            SCHEMA => return Err(malformed("its checksum is missing")),
            found => return Err(CheckpointError::Newer { found }),
        };
        let arrays = arrays::from_bytes(bytes)?;
        Ok(Self { config, architecture, progress, observers, arrays })
    }

    /// Settings of the run.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Number of events said before this state.
    pub fn events(&self) -> u64 {
        self.progress.events
    }

    /// 0-based epoch that the run is in.
    pub fn epoch(&self) -> usize {
        self.progress.position.epoch
    }

    /// 0-based step in the epoch.
    pub fn step(&self) -> usize {
        self.progress.position.step
    }

    /// A tensor of the shape that the network needs.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] if it is not there.
    pub fn array(&self, name: &str, shape: &[usize]) -> Result<&Array, CheckpointError> {
        Ok(arrays::find(&self.arrays, name, shape)?)
    }

    /// What this state derives, or returned to when it stopped early.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] if an architecture tensor is missing, or
    /// [`CheckpointError::Malformed`] if there is no such space or method.
    pub fn genotype(&self) -> Result<Genotype, CheckpointError> {
        if let Some(stop) = &self.progress.stop {
            return Ok(stop.genotype.clone());
        }
        if self.config.trains() {
            return codec::read(&self.config.train.genotype).map_err(malformed);
        }
        let space = space::find(&self.config.search.space).map_err(malformed)?;
        let (method, probabilities) = self.probabilities()?;
        Ok(method.derive(space, &self.config, &self.architecture, &probabilities))
    }

    /// What this state derives at every restriction of the skip connections, from the loosest; nothing of a
    /// training, and of a method that restricts none.
    ///
    /// # Errors
    /// As for [`Self::genotype`].
    pub fn restrictions(&self) -> Result<Vec<(usize, Genotype)>, CheckpointError> {
        if self.config.trains() {
            return Ok(Vec::new());
        }
        let (method, probabilities) = self.probabilities()?;
        Ok(method.restrictions(&self.architecture, &probabilities))
    }

    /// The stage that this state is in, as its start was said, but for `fallen`: what fell before it in all.
    /// `None` in the first.
    pub fn stage(&self) -> Option<StageStarted> {
        let notes = self.observers.get(super::NOTES)?;
        let stage = usize::try_from(notes.get("stage")?.as_u64()?).ok().filter(|it| *it > 0)?;
        let all = space::find(&self.config.search.space).ok()?.choices();
        let fallen = all.iter().zip(&self.architecture).map(|(all, left)| {
            let rows = all.rows.iter().zip(&left.rows);
            let fell = |(all, left): (&Row, &Row)| {
                let options = all.options.iter().filter(|it| !left.options.contains(it));
                options.cloned().collect()
            };
            rows.map(fell).collect()
        });
        Some(StageStarted {
            stage,
            epoch: stage.saturating_mul(self.config.stage_epochs()),
            cells: self.config.cells_in(stage),
            parameters: self.arrays.get(super::state::WEIGHTS)?.values.len(),
            choices: self.architecture.clone(),
            fallen: fallen.collect(),
        })
    }

    fn probabilities(&self) -> Result<(Method, Vec<Rows>), CheckpointError> {
        let method = method::of(&self.config).map_err(malformed)?;
        Ok((method, (method.policy.read)(&self.architecture, &self.arrays)?))
    }
}

/// Only the version, so that a header of a newer format still tells which it is.
#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

fn malformed(error: impl std::fmt::Display) -> CheckpointError {
    CheckpointError::Malformed(error.to_string())
}
