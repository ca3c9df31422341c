//! Batch norm without affine part, in two steps: [`moments`] of the batch, which a caller also
//! wants for running statistics, and [`normalise`] by them.

mod autodiff;
mod cpu;
mod wgpu;

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

/// (x − mean) / √(variance + eps), where `moments` are the [`moments`] of this same `x`: they are
/// passed in so as not to be computed twice, and the gradient goes through them as well.
///
/// # Shapes
/// - `x` and output: [batch, height, width, channels]
/// - `moments`: [2, channels]
pub fn normalise(kernels: Kernels, x: Tensor<4>, moments: Tensor<2>, eps: f32) -> Tensor<4> {
    if kernels.fused_for(&x) {
        return fused(x, moments, eps);
    }
    let shape = x.dims();
    let (centred, _, variance) = centred(x);
    (centred / (variance + eps).sqrt()).reshape(shape)
}

/// (x − mean) / √(variance + eps) by given moments, such as running ones, that are constants for
/// the gradient too.
///
/// # Shapes
/// - `x` and output: [batch, height, width, channels]
/// - `moments`: [2, channels]
pub fn standardise(kernels: Kernels, x: Tensor<4>, moments: Tensor<2>, eps: f32) -> Tensor<4> {
    // Without a gradient it is the same function as batch norm.
    if kernels.fused_for(&x) && !x.is_tracked() {
        return fused(x, moments, eps);
    }
    let channels = moments.dims()[1];
    let moments = moments.inner();
    let row = |index: usize| moments.clone().slice([index..index + 1]).reshape([1, 1, 1, channels]);
    let scale = (row(1) + eps).sqrt().recip();
    let shift = row(0) * scale.clone();
    let (scale, shift) = match x.is_autodiff() {
        true => (scale.autodiff(), shift.autodiff()),
        false => (scale, shift),
    };
    x * scale - shift
}

fn fused(x: Tensor<4>, moments: Tensor<2>, eps: f32) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::normalise(x.into_dispatch(), moments.into_dispatch(), eps))
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
    fn normalise(x: FloatTensor<Self>, moments: FloatTensor<Self>, eps: f32) -> FloatTensor<Self>;
}

/// What has no gradient: the moments, and the gradient itself.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait NormGradients: Backend {
    /// Means and variances.
    #[fusion(dtype = x, shape = moments_shape(x))]
    fn moments(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradient of batch norm for its input, from its output and the gradient of that.
    #[fusion(dtype = y, shape = y)]
    fn normalise_gradient(
        y: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self>;
}

fn moments_shape(x: &Shape) -> Shape {
    [2, x[3]].into()
}
