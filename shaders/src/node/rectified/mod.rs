//! Batch norm with γ and β, then ReLU, as every convolution of NAS-Bench-101 ends: y = max(γ·x̂ + β, 0). The way
//! back is that of a node with one edge, of the gradient where y is above 0. Nothing but x is kept: whether y is
//! is found again while a part of x is in the first-level cache.
//!
//! For each number: 8 bytes and 4 FLOPs forward, 20 bytes and 20 FLOPs back. With a ReLU of its own that is 16
//! and 37 bytes. Only the CPU has these kernels.

mod autodiff;
mod cpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Tensor, activation};

use super::{Edge, Incoming, OfEdge};
use crate::Kernels;
use crate::norm::{PendingNorm, normalise};

/// max(x, 0) of an activation after its batch norm.
///
/// # Shapes
/// - output: [groups · batch, height, width, channels]
pub fn rectified(kernels: Kernels, pending: PendingNorm) -> Tensor<4> {
    let edge = Edge::new(&Incoming::from(pending.clone()));
    let is_one = edge.norm.is_some_and(|norm| norm.affine && norm.groups == 1);
    let PendingNorm { x, norm: Some(norm), .. } = pending.clone() else {
        return activation::relu(pending.x);
    };
    let (Some(affine), true) = (norm.affine, is_one && kernels.fused_on_cpu(&x)) else {
        return activation::relu(normalise(kernels, pending));
    };
    let (x, moments) = (x.into_dispatch(), norm.moments.into_dispatch());
    Tensor::from_dispatch(Dispatch::rectified(x, moments, affine.into_dispatch(), edge))
}

/// The op.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait RectifiedOps: Backend {
    /// max(γ·x̂ + β, 0); `affine` is γ, then β.
    fn rectified(
        x: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        affine: FloatTensor<Self>,
        edge: Edge,
    ) -> FloatTensor<Self>;
}

/// Its gradients, from the gradient of the output.
pub(crate) trait RectifiedGradients: Backend {
    /// Those of γ and β, and then that of x from them.
    fn rectified_gradients(
        it: OfEdge<Self>,
        gradient: FloatTensor<Self>,
        edge: Edge,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}
