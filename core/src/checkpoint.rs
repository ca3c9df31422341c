//! The whole state of a search as bytes: a safetensors file whose metadata holds the schema, the
//! config, the architecture table and the position. There is no generator state to save: random
//! streams are addressed by position ([`crate::rng`]).

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::arch::softmax_rows;
use crate::cell::{Choice, Genotype, Rows};
use crate::config::Config;
use crate::early_stop::Watch;
use crate::space;

/// Version of the checkpoint format. Readers accept every version up to their own.
pub const SCHEMA: u32 = 1;

/// Key of the metadata entry. A single one, so that equal states give equal bytes.
const METADATA: &str = "smoothdarts";

/// What a search does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Say what is about to be searched.
    #[default]
    Start,
    /// Start an epoch.
    EpochStart,
    /// One step.
    Step,
    /// Evaluate and end the epoch.
    EpochEnd,
    /// Look what was derived up in the table, if there is one.
    Anytime,
    /// Measure the Hessian, if it is due.
    Hessian,
    /// Say that the landscape has become too sharp to go on.
    EarlyStop,
    /// Warn of a collapse, if there is one.
    Alarm,
    /// Say what was found.
    Finish,
    /// Nothing: the search is over.
    Done,
}

/// Where a search stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it does next.
    pub phase: Phase,
    /// 0-based epoch.
    pub epoch: usize,
    /// 0-based step in the epoch.
    pub step: usize,
    /// Steps taken in all epochs.
    pub total_steps: u64,
    /// Events said so far.
    pub events: u64,
    /// Sum of the training loss over the images of this epoch.
    pub loss_sum: f64,
    /// Right answers in this epoch.
    pub correct: f64,
    /// Training images seen in this epoch.
    pub images: f64,
    /// Seconds spent on this epoch so far.
    pub seconds: f64,
    /// Validation accuracy after the last finished epoch.
    pub valid_accuracy: f64,
    /// Whether a collapse was announced.
    pub alarmed: bool,
    /// What DARTS-ES has seen.
    #[serde(default)]
    pub watch: Watch,
}

/// A tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub values: Vec<f32>,
}

/// The state of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Settings of the search.
    pub config: Config,
    /// Its architecture tensors.
    pub architecture: Vec<Choice>,
    /// Where it stands.
    pub progress: Progress,
    /// Its tensors by name.
    pub arrays: BTreeMap<String, Array>,
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
    /// A tensor is missing or has another shape.
    #[error("the checkpoint has no tensor `{name}` of shape {shape:?}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// The shape it should have.
        shape: Vec<usize>,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    schema: u32,
    config: Config,
    architecture: Vec<Choice>,
    progress: Progress,
}

impl Checkpoint {
    /// The file.
    ///
    /// # Errors
    /// If a tensor's shape does not fit its numbers.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let header = Header {
            schema: SCHEMA,
            config: self.config.clone(),
            architecture: self.architecture.clone(),
            progress: self.progress.clone(),
        };
        let header = serde_json::to_string(&header).map_err(malformed)?;
        let arrays = self.arrays.iter().map(|(name, array)| (name.as_str(), array));
        to_safetensors(arrays, Some(HashMap::from([(METADATA.to_owned(), header)])))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] or [`CheckpointError::Newer`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(malformed)?;
        let header = metadata.metadata().as_ref().and_then(|entries| entries.get(METADATA));
        let header = header.ok_or_else(|| malformed("it carries no search state"))?;
        let schema = serde_json::from_str::<SchemaOnly>(header).map_err(malformed)?.schema;
        if schema > SCHEMA {
            return Err(CheckpointError::Newer { found: schema });
        }
        let Header { config, architecture, progress, .. } =
            serde_json::from_str(header).map_err(malformed)?;
        Ok(Self { config, architecture, progress, arrays: arrays(bytes)? })
    }

    /// Settings of the search.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Number of events said before this state.
    pub fn events(&self) -> u64 {
        self.progress.events
    }

    /// 0-based epoch that the search is in.
    pub fn epoch(&self) -> usize {
        self.progress.epoch
    }

    /// 0-based step in the epoch.
    pub fn step(&self) -> usize {
        self.progress.step
    }

    /// A tensor of the shape that the network needs.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] if it is not there.
    pub fn array(&self, name: &str, shape: &[usize]) -> Result<&Array, CheckpointError> {
        let found = self.arrays.get(name).filter(|array| array.shape == shape);
        found
            .ok_or_else(|| CheckpointError::Tensor { name: name.to_owned(), shape: shape.to_vec() })
    }

    /// What this state derives, or returned to when it stopped early.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] if an architecture tensor is missing, or
    /// [`CheckpointError::Malformed`] if there is no such space.
    pub fn genotype(&self) -> Result<Genotype, CheckpointError> {
        let verdict = self.progress.watch.verdict();
        if let Some(verdict) = verdict.filter(|_| !self.config.early_stop.simulate) {
            return Ok(verdict.genotype.clone());
        }
        let space = space::find(&self.config.search.space).map_err(malformed)?;
        let rows = |choice: &Choice| {
            Ok(softmax_rows(&self.array(&alpha_name(&choice.name), &choice.shape())?.rows()))
        };
        let probabilities: Result<Vec<Rows>, CheckpointError> =
            self.architecture.iter().map(rows).collect();
        Ok(space.derive(&probabilities?))
    }
}

impl Array {
    /// A matrix as rows.
    pub fn rows(&self) -> Rows {
        let columns = self.shape.last().copied().unwrap_or(1).max(1);
        self.values.chunks(columns).map(<[f32]>::to_vec).collect()
    }
}

/// Name of an architecture tensor in a checkpoint.
pub fn alpha_name(tensor: &str) -> String {
    format!("alpha.{tensor}")
}

/// A safetensors file of these arrays.
///
/// # Errors
/// If a shape does not fit its numbers.
pub fn to_safetensors<'a>(
    arrays: impl Iterator<Item = (&'a str, &'a Array)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, CheckpointError> {
    let views: Result<Vec<_>, _> = arrays
        .map(|(name, array)| {
            let bytes = bytemuck::cast_slice(&array.values);
            TensorView::new(Dtype::F32, array.shape.clone(), bytes).map(|view| (name, view))
        })
        .collect();
    safetensors::serialize(views.map_err(malformed)?, metadata).map_err(malformed)
}

/// Only the version, so that a header of a newer format still tells which it is.
#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

fn arrays(bytes: &[u8]) -> Result<BTreeMap<String, Array>, CheckpointError> {
    let file = SafeTensors::deserialize(bytes).map_err(malformed)?;
    let array = |(name, view): (&str, TensorView)| {
        if view.dtype() != Dtype::F32 {
            return Err(malformed(format!("tensor `{name}` is {:?}, not F32", view.dtype())));
        }
        let values = bytemuck::pod_collect_to_vec(view.data());
        Ok((name.to_owned(), Array { shape: view.shape().to_vec(), values }))
    };
    file.iter().map(array).collect()
}

fn malformed(error: impl std::fmt::Display) -> CheckpointError {
    CheckpointError::Malformed(error.to_string())
}
