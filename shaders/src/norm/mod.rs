//! Batch norm without affine part, in two steps: [`moments`] of the batch, which a caller also
//! wants for running statistics, and [`normalise`] by them. The second step can be left to the
//! kernel that reads the activation: [`Normed`].
//!
//! With x̂ = (x − μ)·r, r = 1/√(σ² + eps) and the moments of the batch, the gradient is
//! r·(g − mean(g) − x̂·mean(g·x̂)); with given moments it is r·g. For each number, `moments` reads 4
//! bytes (twice, the second time from the cache) and takes 4 FLOPs, `normalise` moves 8 bytes for 2
//! FLOPs, its way back 20 for 8.

mod autodiff;
pub(crate) mod cpu;
pub(crate) mod wgpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::Kernels;

/// Mean and biased variance of every channel over batch, height and width. Never tracked: the
/// result has no part in any gradient and no autodiff association.
///
/// # Shapes
/// - `x`: [batch, height, width, channels]
/// - output: [2, channels], first the means
pub fn moments(kernels: Kernels, x: Tensor<4>) -> Tensor<2> {
    let x = x.inner();
    if kernels.fused_for(&x) {
        return Tensor::from_dispatch(Dispatch::moments(x.into_dispatch()));
    }
    let (_, mean, variance) = centred(x);
    Tensor::cat(vec![mean, variance], 0)
}

/// A batch norm: what to normalise by.
#[derive(Clone, Debug)]
pub struct Norm {
    /// [2, channels], means and variances.
    pub moments: Tensor<2>,
    /// Whether they are the [`moments`] of the activation itself, so that the gradient goes through
    /// them too; else they are constants, such as running ones.
    pub of_batch: bool,
    /// Added to the variance before its root.
    pub eps: f32,
}

/// An activation and the batch norm that is still to be applied to it, if any.
#[derive(Clone, Debug)]
pub struct Normed {
    /// [batch, height, width, channels].
    pub x: Tensor<4>,
    /// Left to whatever reads `x`.
    pub norm: Option<Norm>,
}

impl From<Tensor<4>> for Normed {
    fn from(x: Tensor<4>) -> Self {
        Self { x, norm: None }
    }
}

/// What a kernel must know of a [`Norm`] besides the moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Standard {
    pub(crate) of_batch: bool,
    pub(crate) eps: f32,
}

impl Norm {
    pub(crate) fn standard(&self) -> Standard {
        Standard { of_batch: self.of_batch, eps: self.eps }
    }
}

/// (x − mean) / √(variance + eps) where a norm is pending, else x.
///
/// # Shapes
/// - output: [batch, height, width, channels]
pub fn normalise(kernels: Kernels, normed: Normed) -> Tensor<4> {
    let Normed { x, norm: Some(norm) } = normed else { return normed.x };
    if kernels.fused_for(&x) {
        let standard = norm.standard();
        let moments = norm.moments.into_dispatch();
        return Tensor::from_dispatch(Dispatch::normalise(x.into_dispatch(), moments, standard));
    }
    if norm.of_batch {
        let shape = x.dims();
        let (centred, _, variance) = centred(x);
        return (centred / (variance + norm.eps).sqrt()).reshape(shape);
    }
    let channels = norm.moments.dims()[1];
    let moments = norm.moments.inner();
    let row = |index: usize| moments.clone().slice([index..index + 1]).reshape([1, 1, 1, channels]);
    let scale = (row(1) + norm.eps).sqrt().recip();
    let shift = row(0) * scale.clone();
    let (scale, shift) = match x.is_autodiff() {
        true => (scale.autodiff(), shift.autodiff()),
        false => (scale, shift),
    };
    x * scale - shift
}

/// x − mean as [batch · height · width, channels], mean and biased variance as [1, channels].
fn centred(x: Tensor<4>) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let [batch, height, width, channels] = x.dims();
    let x = x.reshape([batch * height * width, channels]);
    let mean = x.clone().mean_dim(0);
    let centred = x - mean.clone();
    let variance = (centred.clone() * centred.clone()).mean_dim(0);
    (centred, mean, variance)
}

/// The op.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
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
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait NormGradients: Backend {
    /// Means and variances.
    #[fusion(dtype = x, shape = moments_shape(x))]
    fn moments(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradient for the input, from the output and the gradient of that.
    #[fusion(dtype = y, shape = y)]
    fn normalise_gradient(
        y: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        standard: Standard,
    ) -> FloatTensor<Self>;
}

pub(crate) fn moments_shape(x: &Shape) -> Shape {
    [2, x[3]].into()
}
