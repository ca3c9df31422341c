//! 2×2 max pooling with stride 2, with or without padding: what stands between the stages of the networks of
//! NAS-Bench-101 and NAS-Bench-1Shot1. Every pixel lies in one window at most, so the gradient is written once.
//!
//! For each number of the input: 5 bytes forward, 9 back. Stock ops take the channels to the front and back again,
//! and store where each maximum is. Only the CPU has these kernels.

mod autodiff;
mod cpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

use crate::{Kernels, Window};

/// The largest of every 2×2 pixels, the first one of equals: a side becomes ⌊side / 2⌋ + padding. Padding 0 or 1.
///
/// # Shapes
/// - `x`: [batch, height, width, channels]
/// - output: [batch, ⌊height / 2⌋ + padding, ⌊width / 2⌋ + padding, channels]
pub fn halve(kernels: Kernels, x: Tensor<4>, padding: usize) -> Tensor<4> {
    if kernels.fused_on_cpu(&x) {
        let halves = Halves { shape: x.dims(), padding };
        return Tensor::from_dispatch(Dispatch::halve(x.into_dispatch(), halves));
    }
    Window { side: 2, stride: 2, padding }.largest(Kernels::Composed, x)
}

/// The op.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait HalveOps: Backend {
    /// The maxima.
    fn halve(x: FloatTensor<Self>, halves: Halves) -> FloatTensor<Self>;
}

/// Its gradient, from the input and the gradient of the output.
pub(crate) trait HalveGradients: Backend {
    /// For the input.
    fn halve_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        halves: Halves,
    ) -> FloatTensor<Self>;
}

/// Which windows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Halves {
    /// Batch, height, width and channels of the input.
    shape: [usize; 4],
    padding: usize,
}

impl Halves {
    /// Batch, height, width and channels of the output.
    fn output(&self) -> [usize; 4] {
        let [batch, height, width, channels] = self.shape;
        [batch, height / 2 + self.padding, width / 2 + self.padding, channels]
    }
}
