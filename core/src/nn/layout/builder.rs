//! How the slots of a [`Layout`] are filled.

use super::{BlockId, Init, Layout, NormId, NormSlot, WeightId, WeightSlot};
use crate::nn::NormOptions;

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
        let path = self.path_of(&name.to_string());
        Builder { layout: self.layout, path }
    }

    /// The module path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Adds a weight tensor, a block of its own.
    pub fn weight(&mut self, name: &str, shape: &[usize], init: Init) -> WeightId {
        let start = self.layout.weight_count();
        let range = start..start + shape.iter().product::<usize>();
        self.layout.ends.weights = range.end;
        let slot = WeightSlot { name: self.path_of(name), shape: shape.to_vec(), range, init };
        let index = self.layout.weights.len();
        self.layout.weights.push(slot);
        self.layout.weight_blocks.push();
        WeightId(index)
    }

    /// Adds the statistics of a batch-norm layer at this path.
    pub fn norm(&mut self, channels: usize, options: NormOptions) -> NormId {
        let start = self.layout.norm_channels();
        let range = start..start + channels;
        self.layout.ends.norms = range.end;
        let slot = NormSlot { name: self.path.clone(), range, options };
        let index = self.layout.norms.len();
        self.layout.norms.push(slot);
        self.layout.norm_blocks.push();
        NormId(index)
    }

    /// Places these weights side by side, in this order, so that a pass has them as one tensor:
    /// [`Pass::block`](crate::nn::Pass::block). Names, indices and initial values stay. A weight is in
    /// one block only: to join it again is an error that takes it out of the earlier block, and one
    /// that lost all its weights must not be read.
    pub fn join(&mut self, weights: &[WeightId]) -> BlockId {
        self.layout.join(weights)
    }

    /// Places the statistics of these layers side by side, in this order, so that they are one slice:
    /// [`Pass::norm`](crate::nn::Pass::norm). What [`Builder::join`] says holds here too. One kernel normalises
    /// them, which knows one eps: where they differ in it they stay where they are, and the answer is no.
    /// Their momenta may differ.
    #[must_use = "layers that were not joined are no slice"]
    pub fn join_norms(&mut self, norms: &[NormId]) -> bool {
        self.layout.join_norms(norms)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
