//! The mixed operation of DARTS: a weighted sum of the candidates of an edge.

mod autodiff;
mod cpu;
mod wgpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::Kernels;

/// Candidates that one call of the kernel takes: one more than any edge of a DARTS space has
/// besides `none`. More are summed in several calls.
const SLOTS: usize = 8;

/// Σₖ weights\[k\] · candidates\[k\]. At least one candidate and as many weights as candidates;
/// without candidates the result is an empty tensor on the device of the weights.
///
/// # Shapes
/// - `candidates` and output: [batch, height, width, channels]
/// - `weights`: [candidates]
pub fn mix(kernels: Kernels, candidates: Vec<Tensor<4>>, weights: Tensor<1>) -> Tensor<4> {
    let device = weights.device();
    let terms: Vec<_> = if kernels.fused_for(&weights) {
        candidates
            .chunks(SLOTS)
            .enumerate()
            .map(|(index, candidates)| {
                let first = index * SLOTS;
                fused(candidates, weights.clone().slice([first..first + candidates.len()]))
            })
            .collect()
    } else {
        let weight = |index: usize| weights.clone().slice([index..index + 1]).reshape([1, 1, 1, 1]);
        let candidates = candidates.into_iter().enumerate();
        candidates.map(|(index, candidate)| candidate * weight(index)).collect()
    };
    let sum = terms.into_iter().reduce(|sum, term| sum + term);
    sum.unwrap_or_else(|| Tensor::zeros([0; 4], &device))
}

/// At least one candidate and at most [`SLOTS`]; the last one fills the free slots.
fn fused(candidates: &[Tensor<4>], weights: Tensor<1>) -> Tensor<4> {
    let count = candidates.len();
    let slot = |index: usize| candidates[index.min(count - 1)].clone().into_dispatch();
    Tensor::from_dispatch(Dispatch::mix(
        slot(0),
        slot(1),
        slot(2),
        slot(3),
        slot(4),
        slot(5),
        slot(6),
        slot(7),
        weights.into_dispatch(),
        count,
    ))
}

/// The op. Extension ops take no lists of tensors, hence the slots, of which `count` are used.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
#[allow(clippy::too_many_arguments)]
pub(crate) trait MixOps: Backend {
    /// Σ weights\[k\] · xₖ.
    #[fusion(dtype = x0, shape = x0)]
    fn mix(
        x0: FloatTensor<Self>,
        x1: FloatTensor<Self>,
        x2: FloatTensor<Self>,
        x3: FloatTensor<Self>,
        x4: FloatTensor<Self>,
        x5: FloatTensor<Self>,
        x6: FloatTensor<Self>,
        x7: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        count: usize,
    ) -> FloatTensor<Self>;
}

/// Its gradients, from the gradient of the output.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")))]
#[allow(clippy::too_many_arguments)]
pub(crate) trait MixGradients: Backend {
    /// For one candidate: weights\[index\] · gradient.
    #[fusion(dtype = gradient, shape = gradient)]
    fn mix_x_gradient(
        gradient: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        index: usize,
    ) -> FloatTensor<Self>;

    /// For the weights: ⟨gradient, xₖ⟩ for each of `count` candidates.
    #[fusion(dtype = gradient, shape = Shape::from([*count]))]
    fn mix_weight_gradient(
        x0: FloatTensor<Self>,
        x1: FloatTensor<Self>,
        x2: FloatTensor<Self>,
        x3: FloatTensor<Self>,
        x4: FloatTensor<Self>,
        x5: FloatTensor<Self>,
        x6: FloatTensor<Self>,
        x7: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        count: usize,
    ) -> FloatTensor<Self>;
}
