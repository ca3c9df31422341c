//! Batch norm, in two steps: [`moments`] of the batch, which a caller also
//! wants for running statistics, and [`normalise`] by them. The second step can be left to the
//! kernel that reads the activation: [`PendingNorm`].
//!
//! With x̂ = (x − μ)·r, r = 1/√(σ² + eps) and the moments of the batch, the gradient is
//! r·(g − mean(g) − x̂·mean(g·x̂)); with given moments it is r·g. For each number, `moments` reads 4
//! bytes (twice, the second time from the cache) and takes 4 FLOPs, `normalise` moves 8 bytes for 2
//! FLOPs, its way back 20 for 8. With γ and β it is a node with one edge: [`crate::node`](mod@crate::node).

mod autodiff;
#[cfg(not(target_feature = "atomics"))]
pub(crate) mod blocks;
pub(crate) mod cpu;
pub(crate) mod deferred;
#[cfg(not(target_feature = "atomics"))]
pub(crate) mod wgpu;

use std::hash::{Hash, Hasher};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
#[cfg(not(target_family = "wasm"))]
use burn::tensor::Shape;
use burn::tensor::Tensor;

use crate::Kernels;
use crate::node::node;
use deferred::Deferred;

/// Mean and biased variance of every channel over batch, height and width. Never tracked: the
/// result has no part in any gradient and no autodiff association.
///
/// # Shapes
/// - `x`: [groups · batch, height, width, channels]
/// - output: [2, groups · channels], first the means, group after group
pub fn moments(kernels: Kernels, x: Tensor<4>, groups: usize) -> Tensor<2> {
    let x = x.inner();
    if kernels.fused_for(&x) {
        return Tensor::from_dispatch(Dispatch::moments(x.into_dispatch(), groups));
    }
    let (_, mean, variance) = centred(x, groups);
    let row = |numbers: Tensor<3>| {
        let [groups, _, channels] = numbers.dims();
        numbers.reshape([1, groups * channels])
    };
    Tensor::cat(vec![row(mean), row(variance)], 0)
}

/// A batch norm: what to normalise by.
#[derive(Clone, Debug)]
pub struct Norm {
    /// [2, groups · channels], means and variances, group after group.
    pub moments: Tensor<2>,
    /// Whether they are the [`moments`] of the activation itself, so that the gradient goes through
    /// them too; else they are constants, such as running ones.
    pub of_batch: bool,
    /// Added to the variance before its root.
    pub eps: f32,
    /// γ, then β, [2, groups · channels], group after group; 1 and 0 where there are none.
    pub affine: Option<Tensor<2>>,
}

/// An activation and the batch norm that is still to be applied to it, if any; or a stack of them, one
/// after another along the batch, each a group with its own moments.
#[derive(Clone, Debug)]
pub struct PendingNorm {
    /// [groups · batch, height, width, channels]. Another one is another [`PendingNorm::new`].
    pub x: Tensor<4>,
    /// Left to whatever reads `x`.
    pub norm: Option<Norm>,
    /// Where a mixture may leave its gradient for the bank that `x` comes from.
    pub(crate) deferred: Option<Deferred>,
}

impl From<Tensor<4>> for PendingNorm {
    fn from(x: Tensor<4>) -> Self {
        Self::new(x, None)
    }
}

/// What a kernel must know of a [`Norm`] besides the moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standard {
    /// Activations of the stack, each with its own moments.
    pub(crate) groups: usize,
    pub(crate) of_batch: bool,
    pub(crate) eps: f32,
    /// Whether there are γ and β.
    pub(crate) affine: bool,
}

// ε is a setting and no result: never NaN, and equal where its bits are.
impl Eq for Standard {}

impl Hash for Standard {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.groups, self.of_batch, self.eps.to_bits(), self.affine).hash(state);
    }
}

impl PendingNorm {
    /// An activation and what it is to be normalised by.
    pub fn new(x: Tensor<4>, norm: Option<Norm>) -> Self {
        Self { x, norm, deferred: None }
    }

    pub(crate) fn standard(&self) -> Option<Standard> {
        let [_, _, _, channels] = self.x.dims();
        let standard = |Norm { moments, of_batch, eps, affine }: &Norm| Standard {
            groups: moments.dims()[1] / channels.max(1),
            of_batch: *of_batch,
            eps: *eps,
            affine: affine.is_some(),
        };
        self.norm.as_ref().map(standard)
    }
}

/// (x − mean) / √(variance + eps) where a norm is pending, times γ and plus β where it has them; else x.
///
/// # Shapes
/// - output: [groups · batch, height, width, channels]
pub fn normalise(kernels: Kernels, pending: PendingNorm) -> Tensor<4> {
    let Some(standard) = pending.standard() else { return pending.x };
    let fused = kernels.fused_for(&pending.x);
    if fused && standard.affine && standard.groups == 1 {
        let x = pending.x.clone();
        return node(kernels, vec![pending.into()]).unwrap_or(x);
    }
    let PendingNorm { x, norm: Some(norm), .. } = pending else { return pending.x };
    let shape = x.dims();
    let normed = match fused {
        true => {
            let moments = norm.moments.into_dispatch();
            let standard = Standard { affine: false, ..standard };
            Tensor::from_dispatch(Dispatch::normalise(x.into_dispatch(), moments, standard))
        }
        false => composed(x, norm.moments, standard),
    };
    let Some(affine) = norm.affine else { return normed };
    let row = |index: usize| rows(&affine, index, standard.groups);
    (grouped(normed, standard.groups) * row(0) + row(1)).reshape(shape)
}

fn composed(x: Tensor<4>, moments: Tensor<2>, standard: Standard) -> Tensor<4> {
    let Standard { groups, of_batch, eps, .. } = standard;
    let shape = x.dims();
    if of_batch {
        let (centred, _, variance) = centred(x, groups);
        return (centred / (variance + eps).sqrt()).reshape(shape);
    }
    let moments = moments.inner();
    let row = |index: usize| rows(&moments, index, groups);
    let scale = (row(1) + eps).sqrt().recip();
    let shift = row(0) * scale.clone();
    let (scale, shift) = match x.is_autodiff() {
        true => (scale.autodiff(), shift.autodiff()),
        false => (scale, shift),
    };
    (grouped(x, groups) * scale - shift).reshape(shape)
}

/// A row of [2, groups · channels] as [groups, 1, channels].
fn rows(both: &Tensor<2>, index: usize, groups: usize) -> Tensor<3> {
    let channels = both.dims()[1] / groups;
    both.clone().slice([index..index + 1]).reshape([groups, 1, channels])
}

/// [groups, batch · height · width, channels].
fn grouped(x: Tensor<4>, groups: usize) -> Tensor<3> {
    let [images, height, width, channels] = x.dims();
    x.reshape([groups, images / groups * height * width, channels])
}

/// x − mean as [groups, batch · height · width, channels], mean and biased variance as [groups, 1,
/// channels].
fn centred(x: Tensor<4>, groups: usize) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
    let x = grouped(x, groups);
    let mean = x.clone().mean_dim(1);
    let centred = x - mean.clone();
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    (centred, mean, variance)
}

/// The op.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait NormOps: Backend {
    /// (x − mean) / √(variance + eps).
    #[fusion(dtype = x, shape = x)]
    fn normalise(
        x: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        standard: Standard,
    ) -> FloatTensor<Self>;
}

/// What has no gradient: the moments, and the gradient itself.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait NormGradients: Backend {
    /// Means and variances of every group.
    #[fusion(dtype = x, shape = Shape::from([2, groups * x[3]]))]
    fn moments(x: FloatTensor<Self>, groups: usize) -> FloatTensor<Self>;

    /// The gradient for the input, from the output and the gradient of that.
    #[fusion(dtype = y, shape = y)]
    fn normalise_gradient(
        y: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        standard: Standard,
    ) -> FloatTensor<Self>;
}
