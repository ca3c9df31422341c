//! What a search changes from step to step, on the device, and its way to and from a checkpoint.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Search;
use super::parts::Awake;
use crate::arrays::{Array, ArrayError, Arrays, matrix};
use crate::net::Network as _;
use crate::run::RunError;
use crate::run::checkpoint::CheckpointError;
use crate::run::state::{Weights, to_file};
use crate::task::{Carry as _, Task};

/// What the next batches start from: weights and architecture each have their own.
pub(super) struct Carries<T: Task> {
    pub train: T::Carry,
    pub valid: T::Carry,
}

impl<T: Task> Default for Carries<T> {
    fn default() -> Self {
        Self { train: T::Carry::default(), valid: T::Carry::default() }
    }
}

/// What a search remembers besides its tensors; nothing is saved of one that has nothing of it.
#[derive(Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Notes {
    /// Steps in which α rested.
    #[serde(default)]
    pub rested: u64,
    /// The stage that it is in.
    #[serde(default)]
    pub stage: usize,
}

impl Notes {
    pub fn saved(&self) -> Value {
        let saved = serde_json::to_value(self).unwrap_or_default();
        if *self == Self::default() { Value::Null } else { saved }
    }

    pub fn read(saved: &Value) -> Result<Self, CheckpointError> {
        let fault = |error: serde_json::Error| CheckpointError::Malformed(error.to_string());
        let read = || serde_json::from_value(saved.clone()).map_err(fault);
        if saved.is_null() { Ok(Self::default()) } else { read() }
    }
}

impl<T: Task> Search<T> {
    /// The whole state.
    pub(super) async fn save(&self) -> Result<Arrays, RunError> {
        let mut arrays = self.state.save(self.model.network.layout()).await?;
        if let Some(awake) = &self.awake {
            awake.save(self.model.network.layout(), &mut arrays).await?;
        }
        for (name, tensor) in self.policy.saved() {
            arrays.insert(name, Array::of(&tensor).await?);
        }
        for (part, carry) in [("train", &self.carries.train), ("valid", &self.carries.valid)] {
            for (index, tensor) in carry.tensors().iter().enumerate() {
                arrays.insert(carry_name(part, index), Array::of(tensor).await?);
            }
        }
        Ok(arrays)
    }

    /// Takes what [`Self::save`] gave; nothing, where something is missing.
    pub(super) fn load(&mut self, arrays: &Arrays) -> Result<(), ArrayError> {
        let (layout, device) = (self.model.network.layout(), &self.device);
        let state = Weights::load(arrays, layout, device)?;
        let awake = self.awake.is_some().then(|| Awake::load(arrays, layout, device));
        let awake = awake.transpose()?;
        self.policy.restore(arrays, device)?;
        (self.state, self.awake) = (state, awake);
        self.carries = Carries {
            train: carry::<T>(arrays, "train", device)?,
            valid: carry::<T>(arrays, "valid", device)?,
        };
        Ok(())
    }

    /// Weights and running statistics as a safetensors file, with the names of the reference code.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn weights(&self) -> Result<Vec<u8>, RunError> {
        let Weights { weights, statistics, .. } = &self.state;
        to_file(self.model.network.layout(), weights, statistics).await
    }
}

fn carry_name(part: &str, index: usize) -> String {
    format!("carry.{part}.{index}")
}

/// What was carried when a checkpoint was taken: as many tensors as it has.
fn carry<T: Task>(arrays: &Arrays, part: &str, device: &Device) -> Result<T::Carry, ArrayError> {
    let mut tensors = Vec::new();
    while let Some(Array { shape, .. }) = arrays.get(&carry_name(part, tensors.len())) {
        let &[rows, columns] = shape.as_slice() else { break };
        tensors.push(matrix(arrays, &carry_name(part, tensors.len()), [rows, columns], device)?);
    }
    Ok(if tensors.is_empty() { T::Carry::default() } else { T::Carry::from_tensors(tensors) })
}
