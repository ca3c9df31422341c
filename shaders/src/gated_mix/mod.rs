//! A node of a recurrent cell on a GPU: what its gates let through of the states that it reads.
//!
//! s = Σ over the states j of Σ over the activations k of p·(s_j + σ(c_j)·(f_k(z_j) − s_j)), where (c, z) are
//! products of the states. State 0 and a node of a genotype are such sums of one state with one p of 1. Plain
//! ops launch about 25 kernels for a node of a search and keep as many tensors; this is one launch forward and
//! three back. For each (c, z) and s: 12 bytes read and three tanh; back 24 bytes. The CPU does whole texts at once
//! ([`crate::mixed_cell`]) and has no twin of it.

mod autodiff;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

#[cfg(not(target_family = "wasm"))]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
#[cfg(not(target_family = "wasm"))]
use burn::tensor::Shape;
use burn::tensor::{Tensor, activation};

use crate::recurrent::Activation;
use crate::{Kernels, has_kernels};

/// The sum.
///
/// # Shapes
/// - `states`: \[states, batch, hidden\]
/// - `products`: \[states · batch, 2 · hidden\], c, then z
/// - `p`: \[states, 5\], weights of none, tanh, relu, sigmoid, identity
/// - output: \[batch, hidden\]
pub(crate) fn gated_mix(
    kernels: Kernels,
    states: Tensor<3>,
    products: Tensor<2>,
    p: Tensor<2>,
) -> Tensor<2> {
    let [count, batch, hidden] = states.dims();
    // Whoever comes here on the CPU wants plain ops.
    if kernels.fused_for(&states) && !kernels.fused_on_cpu(&states) && has_kernels(&states.device())
    {
        let mix = GatedMix { states: count, batch, hidden };
        let [states, products, p] =
            [states.into_dispatch(), products.into_dispatch(), p.into_dispatch()];
        return Tensor::from_dispatch(Dispatch::gated_mix(states, products, p, mix));
    }
    composed(states, products, p)
}

/// The reference: plain ops, as the specification writes it (section 10).
fn composed(states: Tensor<3>, products: Tensor<2>, p: Tensor<2>) -> Tensor<2> {
    let [count, batch, hidden] = states.dims();
    let products = products.reshape([count, batch, 2 * hidden]);
    let part = |from| products.clone().slice([0..count, 0..batch, from..from + hidden]);
    let (gate, z) = (activation::sigmoid(part(0)), part(hidden));
    let option = |(index, activation): (usize, Activation)| {
        let weights = p.clone().slice([0..count, index + 1..index + 2]).unsqueeze_dim::<3>(2);
        let given = activation.of(z.clone()) - states.clone();
        ((states.clone() + gate.clone() * given) * weights).sum_dim(0).squeeze_dim::<2>(0)
    };
    let [first, others @ ..] = Activation::ALL;
    let others = others.into_iter().enumerate().map(|(index, other)| (index + 1, other));
    others.map(option).fold(option((0, first)), |sum, option| sum + option)
}

/// Sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GatedMix {
    states: usize,
    batch: usize,
    hidden: usize,
}

/// The op.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait GatedMixOps: Backend {
    /// The sum.
    #[fusion(meta = |states, _, _, mix| {
        TensorSpec::new(Shape::from([mix.batch, mix.hidden]), states.dtype)
    })]
    fn gated_mix(
        states: FloatTensor<Self>,
        products: FloatTensor<Self>,
        p: FloatTensor<Self>,
        mix: GatedMix,
    ) -> FloatTensor<Self>;
}

/// Its gradients.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait GatedMixGradients: Backend {
    /// For the states and for the products.
    #[fusion(meta = |states, products, _, _, _| (states.clone(), products.clone()))]
    fn gated_mix_gradients(
        states: FloatTensor<Self>,
        products: FloatTensor<Self>,
        p: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        mix: GatedMix,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// For p.
    #[fusion(meta = |states, _, _, mix| TensorSpec::new(Shape::from([mix.states, 5]), states.dtype))]
    fn gated_mix_p_gradient(
        states: FloatTensor<Self>,
        products: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        mix: GatedMix,
    ) -> FloatTensor<Self>;
}
