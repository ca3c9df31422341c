//! What a search changes from step to step, on the device, and its way to and from a checkpoint.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use rand_pcg::Pcg64;

use super::{Search, SearchError};
use crate::arch::initial_alpha;
use crate::cell::Rows;
use crate::checkpoint::{Array, Checkpoint, CheckpointError, alpha_name, to_safetensors};
use crate::config::{Config, layers};
use crate::net::{Point, Supernet};
use crate::nn::{Layout, ReadError, read};
use crate::optim::Moments;
use crate::rng::{Streams, normal};

/// The tensors of a search.
pub(super) struct State {
    /// All weights, flat.
    pub weights: Tensor<1>,
    /// Momentum buffer of SGD, flat.
    pub momentum: Tensor<1>,
    /// Running means and variances of batch norm, [2, channels].
    pub statistics: Tensor<2>,
    /// Raw architecture parameters, [edges, operations] each.
    pub alpha: Vec<Tensor<2>>,
    /// Adam's moments of α.
    pub adam: Vec<Moments>,
}

impl State {
    pub fn initial(
        network: &dyn Supernet,
        alpha_scale: f64,
        streams: &Streams,
        device: &Device,
    ) -> Self {
        let layout = network.layout();
        let alpha: Vec<Tensor<2>> = initial_alpha(network.architecture(), alpha_scale, streams)
            .iter()
            .map(|rows| from_rows(rows, device))
            .collect();
        Self {
            weights: flat(layout.initial_weights(streams), device),
            momentum: Tensor::zeros([layout.weight_count()], device),
            statistics: flat(layout.initial_statistics(), device)
                .reshape([2, layout.norm_channels()]),
            adam: alpha.iter().map(zero_moments).collect(),
            alpha,
        }
    }

    /// Where losses are taken.
    pub fn point(&self, eval: bool) -> Point<'_> {
        Point { weights: &self.weights, statistics: &self.statistics, eval }
    }

    /// A random direction of unit length in the space of α.
    pub fn direction(&self, mut rng: Pcg64) -> Vec<Tensor<2>> {
        let sizes = self.alpha.iter().map(|alpha| alpha.shape().num_elements());
        let parts: Vec<Vec<f32>> = sizes.map(|size| normal(&mut rng, size)).collect();
        let square: f64 = parts.iter().flatten().map(|&value| f64::from(value).powi(2)).sum();
        let unit = |(alpha, part): (&Tensor<2>, Vec<f32>)| {
            flat(part, &alpha.device()).reshape(alpha.dims()).div_scalar(square.sqrt())
        };
        self.alpha.iter().zip(parts).map(unit).collect()
    }

    /// Matrices on the host.
    pub async fn rows(&self, tensors: &[Tensor<2>]) -> Result<Vec<Rows>, ReadError> {
        let mut all = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let [_, columns] = tensor.dims();
            let values = read(tensor.clone()).await?;
            all.push(values.chunks(columns).map(<[f32]>::to_vec).collect());
        }
        Ok(all)
    }
}

impl Search {
    /// The whole state. Its weights and statistics stand in the order of the slots of the [`Layout`]:
    /// where they lie in memory may change, a checkpoint must stay readable.
    ///
    /// # Errors
    /// [`SearchError::Diverged`] if a number is not finite, [`SearchError::InStep`] between the
    /// parts of a step, or if the device failed.
    pub async fn checkpoint(&self) -> Result<Checkpoint, SearchError> {
        if self.in_step() {
            return Err(SearchError::InStep);
        }
        let State { weights, momentum, statistics, alpha, adam } = &self.state;
        let (network, mut arrays) = (&self.model.network, BTreeMap::new());
        let (layout, architecture) = (network.layout(), network.architecture().to_vec());
        for (name, flat) in [("weights", weights), ("momentum", momentum)] {
            let Array { shape, values } = array(flat).await?;
            let values = layout.in_order(&values);
            arrays.insert(name.to_owned(), Array { shape, values });
        }
        let Array { shape, values } = array(statistics).await?;
        let values = layout.statistics_in_order(&values);
        arrays.insert("statistics".to_owned(), Array { shape, values });
        for ((tensor, alpha), moments) in architecture.iter().zip(alpha).zip(adam) {
            let [first, second] = moment_names(&tensor.name);
            arrays.insert(alpha_name(&tensor.name), array(alpha).await?);
            arrays.insert(first, array(&moments.first).await?);
            arrays.insert(second, array(&moments.second).await?);
        }
        self.check_finite(&arrays)?;
        let (config, progress) = (self.config.clone(), self.progress.clone());
        Ok(Checkpoint { config, architecture, progress, arrays })
    }

    /// A loss shows a divergence only one step after the weights did: such a state is not saved, so
    /// that the last checkpoint stays good.
    fn check_finite(&self, arrays: &BTreeMap<String, Array>) -> Result<(), SearchError> {
        let lost = arrays.iter().find_map(|(name, array)| {
            let value = array.values.iter().copied().find(|value| !value.is_finite())?;
            Some((name.clone(), value))
        });
        match lost {
            None => Ok(()),
            Some((what, value)) => Err(SearchError::Diverged {
                epoch: self.progress.epoch,
                step: self.progress.step,
                what,
                value,
            }),
        }
    }

    /// Continues from a checkpoint.
    ///
    /// # Errors
    /// [`SearchError::OtherConfig`] with every setting that differs, apart from the section
    /// `run`, which changes no result; [`SearchError::Checkpoint`] if a tensor is missing.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), SearchError> {
        let differences = differences(&checkpoint.config, &self.config);
        if !differences.is_empty() {
            return Err(SearchError::OtherConfig { differences });
        }
        self.state = restored(checkpoint, self.model.network.as_ref(), &self.device)?;
        self.progress = checkpoint.progress.clone();
        self.work = None;
        Ok(())
    }

    /// Weights and running statistics as a safetensors file, with the names of the reference code.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn weights(&self) -> Result<Vec<u8>, SearchError> {
        let weights = read(self.state.weights.clone()).await?;
        let statistics = read(self.state.statistics.clone()).await?;
        let named = named_arrays(self.model.network.layout(), &weights, &statistics);
        let arrays = named.iter().map(|(name, array)| (name.as_str(), array));
        Ok(to_safetensors(arrays, None)?)
    }
}

/// One line for every setting that differs and could change a result.
fn differences(saved: &Config, current: &Config) -> Vec<String> {
    layers::differences(saved, current)
        .iter()
        .map(|(setting, saved, current)| {
            format!("  {}: {saved} in the checkpoint, {current} now", setting.name())
        })
        .collect()
}

fn restored(
    checkpoint: &Checkpoint,
    network: &dyn Supernet,
    device: &Device,
) -> Result<State, CheckpointError> {
    let (layout, architecture) = (network.layout(), network.architecture());
    let vector = |name: &str| {
        let shape = [layout.weight_count()];
        checkpoint.array(name, &shape).map(|array| flat(layout.placed(&array.values), device))
    };
    let matrix = |name: &str, shape: [usize; 2]| {
        checkpoint
            .array(name, &shape)
            .map(|array| flat(array.values.clone(), device).reshape(shape))
    };
    let (mut alpha, mut adam) = (Vec::new(), Vec::new());
    for tensor in architecture {
        let shape = tensor.shape();
        let [first, second] = moment_names(&tensor.name);
        alpha.push(matrix(&alpha_name(&tensor.name), shape)?);
        adam.push(Moments { first: matrix(&first, shape)?, second: matrix(&second, shape)? });
    }
    let shape = [2, layout.norm_channels()];
    let statistics = layout.placed_statistics(&checkpoint.array("statistics", &shape)?.values);
    Ok(State {
        weights: vector("weights")?,
        momentum: vector("momentum")?,
        statistics: flat(statistics, device).reshape(shape),
        alpha,
        adam,
    })
}

fn named_arrays(layout: &Layout, weights: &[f32], statistics: &[f32]) -> BTreeMap<String, Array> {
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

fn moment_names(tensor: &str) -> [String; 2] {
    [format!("adam.first.{tensor}"), format!("adam.second.{tensor}")]
}

fn zero_moments(alpha: &Tensor<2>) -> Moments {
    Moments { first: alpha.zeros_like(), second: alpha.zeros_like() }
}

async fn array<const D: usize>(tensor: &Tensor<D>) -> Result<Array, ReadError> {
    Ok(Array { shape: tensor.dims().to_vec(), values: read(tensor.clone()).await? })
}

fn flat(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

fn from_rows(rows: &Rows, device: &Device) -> Tensor<2> {
    let columns = rows.first().map_or(0, Vec::len);
    flat(rows.concat(), device).reshape([rows.len(), columns])
}
