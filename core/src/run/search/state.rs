//! What a search changes from step to step, on the device, and its way to and from a checkpoint.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::Search;
use crate::arrays::{Array, ArrayError, Arrays, find, matrix, pair, to_bytes, vector};
use crate::net::Network as _;
use crate::nn::{Layout, read};
use crate::rng::Streams;
use crate::run::RunError;
use crate::task::{Carry as _, Point, Task};

/// Weights and what belongs to them.
pub(super) struct Weights {
    /// All weights, flat.
    pub weights: Tensor<1>,
    /// Momentum buffer of SGD, flat.
    pub momentum: Tensor<1>,
    /// Running means and variances of batch norm, [2, channels].
    pub statistics: Tensor<2>,
}

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

impl Weights {
    pub fn initial(layout: &Layout, streams: &Streams, device: &Device) -> Self {
        Self {
            weights: vector(layout.initial_weights(streams), device),
            momentum: Tensor::zeros([layout.weight_count()], device),
            statistics: pair(layout.initial_statistics(), device),
        }
    }

    /// Where losses are taken.
    pub fn point(&self, eval: bool) -> Point<'_> {
        Point { weights: &self.weights, statistics: &self.statistics, eval }
    }
}

impl<T: Task> Search<T> {
    /// The whole state. Its weights and statistics stand in the order of the slots of the
    /// [`Layout`]: where they lie in memory may change, a checkpoint must stay readable.
    pub(super) async fn save(&self) -> Result<Arrays, RunError> {
        let Weights { weights, momentum, statistics } = &self.state;
        let (layout, mut arrays) = (self.model.network.layout(), BTreeMap::new());
        for (name, flat) in [("weights", weights), ("momentum", momentum)] {
            let Array { shape, values } = Array::of(flat).await?;
            let values = layout.in_order(&values);
            arrays.insert(name.to_owned(), Array { shape, values });
        }
        let Array { shape, values } = Array::of(statistics).await?;
        let values = layout.statistics_in_order(&values);
        arrays.insert("statistics".to_owned(), Array { shape, values });
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
        let flat = |name: &str| {
            let values = &find(arrays, name, &[layout.weight_count()])?.values;
            Ok(vector(layout.placed(values), device))
        };
        let shape = [2, layout.norm_channels()];
        let statistics = &find(arrays, "statistics", &shape)?.values;
        let state = Weights {
            weights: flat("weights")?,
            momentum: flat("momentum")?,
            statistics: pair(layout.placed_statistics(statistics), device),
        };
        self.policy.restore(arrays, device)?;
        self.state = state;
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
        let weights = read(self.state.weights.clone()).await?;
        let statistics = read(self.state.statistics.clone()).await?;
        let named = named_arrays(self.model.network.layout(), &weights, &statistics);
        let arrays = named.iter().map(|(name, array)| (name.as_str(), array));
        Ok(to_bytes(arrays, None)?)
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

fn named_arrays(layout: &Layout, weights: &[f32], statistics: &[f32]) -> Arrays {
    let mut arrays = BTreeMap::new();
    for slot in layout.weights() {
        let values = weights[slot.range.clone()].to_vec();
        arrays.insert(slot.name.clone(), Array { shape: slot.shape.clone(), values });
    }
    let (means, variances) = statistics.split_at(layout.norm_channels());
    for slot in layout.norms() {
        for (kind, all) in [("running_mean", means), ("running_var", variances)] {
            let values = all[slot.range.clone()].to_vec();
            let array = Array { shape: vec![values.len()], values };
            arrays.insert(format!("{}.{kind}", slot.name), array);
        }
    }
    arrays
}
