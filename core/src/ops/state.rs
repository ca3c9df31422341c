//! What an operation reads: a state of a cell, and how often it is read.

use burn::tensor::Tensor;
use shaders::{Kernels, PendingNorm, Shared};

use crate::nn::{Pass, Sequence};

/// A state of a cell.
#[derive(Clone)]
pub struct State {
    /// [batch, height, width, channels].
    pub value: Tensor<4>,
    /// Whether it is the same at every p.
    constant: bool,
    /// Where several read it and their gradients meet.
    shared: Option<Shared>,
}

impl State {
    /// A state that depends on p.
    pub fn new(value: Tensor<4>) -> Self {
        Self { value, constant: false, shared: None }
    }

    /// This state for several readers, as an input of a derived cell or a node has them.
    pub fn for_several(mut self) -> Self {
        self.shared.get_or_insert_with(|| Shared::new(self.value.clone()));
        self
    }

    /// The value for one more reader.
    pub fn read(&self, kernels: Kernels) -> Tensor<4> {
        self.shared.as_ref().map_or_else(|| self.value.clone(), |shared| shared.read(kernels))
    }

    /// Where its readers meet, or a single one where it is not for several.
    pub fn shared(&self) -> Shared {
        self.shared.clone().unwrap_or_else(|| Shared::new(self.value.clone()))
    }

    /// A part of this state.
    pub fn with(&self, value: Tensor<4>) -> Self {
        Self { value, constant: self.constant, shared: None }
    }

    /// The images, before any p.
    pub fn images(value: Tensor<4>) -> Self {
        Self { value, constant: true, shared: None }
    }

    /// This state after layers.
    pub fn after(&self, layers: &Sequence, pass: &mut Pass) -> Self {
        if layers.0.is_empty() && !self.constant {
            return self.clone();
        }
        let compute = |pass: &mut Pass| {
            let output = layers.forward(self.read(pass.kernels).into(), pass);
            pass.apply(output).into()
        };
        Self { value: self.constant(pass, compute).x, constant: self.constant, shared: None }
    }

    /// What `compute` makes of this state alone; passes that share compute it once, where neither
    /// depends on p.
    pub fn constant(
        &self,
        pass: &mut Pass,
        compute: impl FnOnce(&mut Pass) -> PendingNorm,
    ) -> PendingNorm {
        if self.constant { pass.constant(compute) } else { compute(pass) }
    }
}
