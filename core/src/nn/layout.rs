//! Where each weight and each batch-norm statistic lies in its flat vector.

use std::ops::Range;

use crate::rng::{Stream, Streams, uniform};

/// Handle of a weight tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightId(pub(super) usize);

/// Handle of a batch-norm layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormId(pub(super) usize);

/// How a weight starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// U(−1/√fan_in, 1/√fan_in): PyTorch's default for convolutions and linear layers.
    FanIn(usize),
    /// One value everywhere.
    Constant(f32),
}

/// One weight tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSlot {
    /// Module path in the reference code, e.g. `cells.0._ops.3._ops.4.op.1.weight`, so that
    /// weights move between code bases.
    pub name: String,
    /// Shape in the reference code: convolutions [out, in / groups, height, width].
    pub shape: Vec<usize>,
    /// Place in the flat vector.
    pub range: Range<usize>,
    /// How it starts.
    pub init: Init,
}

/// The statistics of one batch-norm layer.
#[derive(Clone, Debug, PartialEq)]
pub struct NormSlot {
    /// Module path in the reference code, without `.running_mean`.
    pub name: String,
    /// Place of its channels in the flat vectors of means and of variances.
    pub range: Range<usize>,
}

/// The places of all weights and statistics of a network, in the order of construction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    weights: Vec<WeightSlot>,
    norms: Vec<NormSlot>,
}

impl Layout {
    /// Weight tensors, in order.
    pub fn weights(&self) -> &[WeightSlot] {
        &self.weights
    }

    /// Batch-norm layers, in order.
    pub fn norms(&self) -> &[NormSlot] {
        &self.norms
    }

    /// Number of weights of the network.
    pub fn weight_count(&self) -> usize {
        self.weights.last().map_or(0, |slot| slot.range.end)
    }

    /// Number of channels over all batch-norm layers.
    pub fn norm_channels(&self) -> usize {
        self.norms.last().map_or(0, |slot| slot.range.end)
    }

    /// Initial weights: the flat vector.
    pub fn initial_weights(&self, streams: &Streams) -> Vec<f32> {
        let mut flat = Vec::with_capacity(self.weight_count());
        for (index, slot) in self.weights.iter().enumerate() {
            match slot.init {
                Init::FanIn(fan_in) => {
                    let bound = 1.0 / (fan_in as f32).sqrt();
                    let mut rng = streams.at(Stream::Weights, index as u64);
                    flat.extend(uniform(&mut rng, slot.range.len(), -bound, bound));
                }
                Init::Constant(value) => flat.extend(std::iter::repeat_n(value, slot.range.len())),
            }
        }
        flat
    }

    /// Initial statistics: means 0, then variances 1.
    pub fn initial_statistics(&self) -> Vec<f32> {
        let channels = self.norm_channels();
        let mut flat = vec![0.0; channels];
        flat.resize(2 * channels, 1.0);
        flat
    }
}

/// Adds weights to a [`Layout`] under a module path.
pub struct Builder<'a> {
    layout: &'a mut Layout,
    path: String,
}

impl<'a> Builder<'a> {
    /// A builder at the root of the module tree.
    pub fn new(layout: &'a mut Layout) -> Self {
        Self { layout, path: String::new() }
    }

    /// A builder one module further down.
    pub fn child(&mut self, name: impl std::fmt::Display) -> Builder<'_> {
        let path = self.join(&name.to_string());
        Builder { layout: self.layout, path }
    }

    /// Adds a weight tensor.
    pub fn weight(&mut self, name: &str, shape: &[usize], init: Init) -> WeightId {
        let start = self.layout.weight_count();
        let range = start..start + shape.iter().product::<usize>();
        let slot = WeightSlot { name: self.join(name), shape: shape.to_vec(), range, init };
        self.layout.weights.push(slot);
        WeightId(self.layout.weights.len() - 1)
    }

    /// Adds the statistics of a batch-norm layer at this path.
    pub fn norm(&mut self, channels: usize) -> NormId {
        let start = self.layout.norm_channels();
        let slot = NormSlot { name: self.path.clone(), range: start..start + channels };
        self.layout.norms.push(slot);
        NormId(self.layout.norms.len() - 1)
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
