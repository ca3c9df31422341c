//! The mixed operation of DARTS: node = base + Σ_k p_k·x̂_k over the candidates of an edge, where x̂_k
//! is the candidate after its batch norm, which is applied on the way.
//!
//! The way back needs Σ g and Σ g·x̂_k for every channel. ∂L/∂p_k is the sum of the latter over the
//! channels: the architecture gradient comes for free. Then
//! ∂x_k = p_k·r_k·(g − mean(g) − x̂_k·mean(g·x̂_k)), or p_k·r_k·g by given moments.
//!
//! Bytes for each number and K candidates: 4·(K + 2) forward; back 4·(K + 1) for the sums and 12·K
//! for the candidates. Separate ops move 20·K forward and 36·K back.

mod autodiff;
mod cpu;
mod wgpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::Kernels;
use crate::norm::{Normed, Standard, normalise};

/// Candidates that one call of the kernel takes: one more than any edge of a DARTS space has
/// besides `none`. More are summed in several calls.
const SLOTS: usize = 8;

/// base + Σₖ weights\[k\] · candidates\[k\]. At least one candidate and as many weights as candidates;
/// without candidates the result is the base, or an empty tensor on the device of the weights.
///
/// # Shapes
/// - `base`, `candidates` and output: [batch, height, width, channels]
/// - `weights`: [candidates]
pub fn mix(
    kernels: Kernels,
    base: Option<Tensor<4>>,
    candidates: Vec<Normed>,
    weights: Tensor<1>,
) -> Tensor<4> {
    let device = weights.device();
    let mut sum = base;
    if kernels.fused_for(&weights) {
        for (index, candidates) in candidates.chunks(SLOTS).enumerate() {
            let first = index * SLOTS;
            let weights = weights.clone().slice([first..first + candidates.len()]);
            sum = Some(fused(sum, candidates, weights));
        }
    } else {
        let weight = |index: usize| weights.clone().slice([index..index + 1]).reshape([1, 1, 1, 1]);
        for (index, candidate) in candidates.into_iter().enumerate() {
            let term = normalise(kernels, candidate) * weight(index);
            sum = Some(sum.map_or_else(|| term.clone(), |sum| sum + term.clone()));
        }
    }
    sum.unwrap_or_else(|| Tensor::zeros([0; 4], &device))
}

/// At least one candidate and at most [`SLOTS`]; the last one fills the free slots. A kernel needs
/// a tensor in every place: where there is no base or no norm it does not look at what is there.
fn fused(base: Option<Tensor<4>>, candidates: &[Normed], weights: Tensor<1>) -> Tensor<4> {
    let count = candidates.len();
    let x = |slot: usize| candidates[slot.min(count - 1)].x.clone().into_dispatch();
    let nothing = weights.clone().inner();
    let moments = |slot: usize| match &candidates[slot.min(count - 1)].norm {
        Some(norm) => norm.moments.clone().into_dispatch(),
        None => nothing.clone().into_dispatch(),
    };
    let norms =
        std::array::from_fn(|slot| candidates.get(slot)?.norm.as_ref().map(|norm| norm.standard()));
    let [_, _, _, channels] = candidates[0].x.dims();
    let mixture = Mixture { count, norms, base: base.is_some(), channels };
    let slots = Slots {
        x0: x(0),
        x1: x(1),
        x2: x(2),
        x3: x(3),
        x4: x(4),
        x5: x(5),
        x6: x(6),
        x7: x(7),
        m0: moments(0),
        m1: moments(1),
        m2: moments(2),
        m3: moments(3),
        m4: moments(4),
        m5: moments(5),
        m6: moments(6),
        m7: moments(7),
    };
    let base = base.unwrap_or_else(|| candidates[0].x.clone().inner()).into_dispatch();
    Tensor::from_dispatch(Dispatch::mix(base, slots, weights.into_dispatch(), mixture))
}

/// What the kernels must know besides the tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mixture {
    /// Slots that are used.
    count: usize,
    /// The norm of every slot.
    norms: [Option<Standard>; SLOTS],
    /// Whether there is a base.
    base: bool,
    channels: usize,
}

impl Mixture {
    /// Rows of sums: of the gradient, then of its product with each candidate.
    fn sums_shape(&self) -> Shape {
        [self.count + 1, self.channels].into()
    }
}

/// The candidates and their moments. Extension ops take no lists of tensors, hence the slots.
#[derive(Clone, Debug, ExtensionType)]
#[extension_type(fusion: cfg(not(target_family = "wasm")))]
pub(crate) struct Slots<B: Backend> {
    pub(crate) x0: FloatTensor<B>,
    pub(crate) x1: FloatTensor<B>,
    pub(crate) x2: FloatTensor<B>,
    pub(crate) x3: FloatTensor<B>,
    pub(crate) x4: FloatTensor<B>,
    pub(crate) x5: FloatTensor<B>,
    pub(crate) x6: FloatTensor<B>,
    pub(crate) x7: FloatTensor<B>,
    pub(crate) m0: FloatTensor<B>,
    pub(crate) m1: FloatTensor<B>,
    pub(crate) m2: FloatTensor<B>,
    pub(crate) m3: FloatTensor<B>,
    pub(crate) m4: FloatTensor<B>,
    pub(crate) m5: FloatTensor<B>,
    pub(crate) m6: FloatTensor<B>,
    pub(crate) m7: FloatTensor<B>,
}

impl<B: Backend> Slots<B> {
    /// The candidates, and their moments.
    fn into_lists(self) -> ([FloatTensor<B>; SLOTS], [FloatTensor<B>; SLOTS]) {
        let Self { x0, x1, x2, x3, x4, x5, x6, x7, m0, m1, m2, m3, m4, m5, m6, m7 } = self;
        ([x0, x1, x2, x3, x4, x5, x6, x7], [m0, m1, m2, m3, m4, m5, m6, m7])
    }

    /// The opposite.
    fn from_lists(x: [FloatTensor<B>; SLOTS], moments: [FloatTensor<B>; SLOTS]) -> Self {
        let [x0, x1, x2, x3, x4, x5, x6, x7] = x;
        let [m0, m1, m2, m3, m4, m5, m6, m7] = moments;
        Self { x0, x1, x2, x3, x4, x5, x6, x7, m0, m1, m2, m3, m4, m5, m6, m7 }
    }
}

/// The op.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait MixOps: Backend {
    /// base + Σ weights\[k\] · x̂ₖ.
    #[fusion(meta = |_, slots, _, _| slots.x0.clone())]
    fn mix(
        base: FloatTensor<Self>,
        #[extension_type] slots: Slots<Self>,
        weights: FloatTensor<Self>,
        mixture: Mixture,
    ) -> FloatTensor<Self>;
}

/// Its gradients, from the gradient of the output.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait MixGradients: Backend {
    /// Σ gradient over the pixels, then Σ gradient · x̂ₖ for every candidate: [count + 1, channels].
    #[fusion(dtype = gradient, shape = mixture.sums_shape())]
    fn mix_sums(
        #[extension_type] slots: Slots<Self>,
        gradient: FloatTensor<Self>,
        mixture: Mixture,
    ) -> FloatTensor<Self>;

    /// For candidate `index`, whose moments and norm are these, from the sums.
    #[fusion(dtype = x, shape = x)]
    fn mix_x_gradient(
        x: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        sums: FloatTensor<Self>,
        index: usize,
        norm: Option<Standard>,
    ) -> FloatTensor<Self>;
}
