//! The weights of a network and what belongs to them, on the device, and their way to and from
//! files. In a checkpoint they stand in the order of the slots of the [`Layout`]: where they lie in
//! memory may change, a checkpoint must stay readable.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::RunError;
use crate::arrays::{Array, ArrayError, Arrays, find, pair, to_bytes, vector};
use crate::nn::{Layout, ReadError, read};
use crate::rng::Streams;
use crate::task::Point;

/// The weights in a checkpoint.
pub(super) const WEIGHTS: &str = "weights";

/// Weights and what belongs to them.
pub(super) struct Weights {
    /// All weights, flat.
    pub weights: Tensor<1>,
    /// Momentum buffer of SGD, flat.
    pub momentum: Tensor<1>,
    /// Running means and variances of batch norm, [2, channels].
    pub statistics: Tensor<2>,
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

    /// All of it by the names of a checkpoint.
    pub async fn save(&self, layout: &Layout) -> Result<Arrays, ReadError> {
        let Self { weights, momentum, statistics } = self;
        Ok(BTreeMap::from([
            (WEIGHTS.to_owned(), flat(layout, weights).await?),
            ("momentum".to_owned(), flat(layout, momentum).await?),
            ("statistics".to_owned(), norms(layout, statistics).await?),
        ]))
    }

    /// What [`Self::save`] gave.
    pub fn load(arrays: &Arrays, layout: &Layout, device: &Device) -> Result<Self, ArrayError> {
        Ok(Self {
            weights: placed(arrays, WEIGHTS, layout, device)?,
            momentum: placed(arrays, "momentum", layout, device)?,
            statistics: placed_norms(arrays, "statistics", layout, device)?,
        })
    }
}

/// A flat vector of weights, in the order of the slots.
pub(super) async fn flat(layout: &Layout, weights: &Tensor<1>) -> Result<Array, ReadError> {
    let Array { shape, values } = Array::of(weights).await?;
    Ok(Array { shape, values: layout.in_order(&values) })
}

/// Statistics, in the order of the slots.
pub(super) async fn norms(layout: &Layout, statistics: &Tensor<2>) -> Result<Array, ReadError> {
    let Array { shape, values } = Array::of(statistics).await?;
    Ok(Array { shape, values: layout.statistics_in_order(&values) })
}

/// What [`flat`] gave.
pub(super) fn placed(
    arrays: &Arrays,
    name: &str,
    layout: &Layout,
    device: &Device,
) -> Result<Tensor<1>, ArrayError> {
    let values = &find(arrays, name, &[layout.weight_count()])?.values;
    Ok(vector(layout.placed(values), device))
}

/// What [`norms`] gave.
pub(super) fn placed_norms(
    arrays: &Arrays,
    name: &str,
    layout: &Layout,
    device: &Device,
) -> Result<Tensor<2>, ArrayError> {
    let values = &find(arrays, name, &[2, layout.norm_channels()])?.values;
    Ok(pair(layout.placed_statistics(values), device))
}

/// Weights and running statistics as a safetensors file, with the names of the reference code.
pub(super) async fn to_file(
    layout: &Layout,
    weights: &Tensor<1>,
    statistics: &Tensor<2>,
) -> Result<Vec<u8>, RunError> {
    let (weights, statistics) = (read(weights.clone()).await?, read(statistics.clone()).await?);
    let named = named_arrays(layout, &weights, &statistics);
    let arrays = named.iter().map(|(name, array)| (name.as_str(), array));
    Ok(to_bytes(arrays, None)?)
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
