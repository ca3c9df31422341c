//! Batch norm without affine part, in two steps: [`moments`] of the batch, which a caller may also
//! want for running statistics, and [`normalise`] by them.

use burn::tensor::Tensor;

/// Mean and biased variance of every channel over batch, height and width. Never tracked: the
/// result has no part in any gradient and no autodiff association.
///
/// # Shapes
/// - `x`: [batch, height, width, channels]
/// - output: [2, channels], first the means
pub fn moments(x: Tensor<4>) -> Tensor<2> {
    let (_, mean, variance) = centred(x.inner());
    Tensor::cat(vec![mean, variance], 0)
}

/// (x − mean) / √(variance + eps) by the [`moments`] of `x` itself, through which the gradient
/// goes as well.
///
/// # Shapes
/// - `x` and output: [batch, height, width, channels]
pub fn normalise(x: Tensor<4>, eps: f32) -> Tensor<4> {
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
pub fn standardise(x: Tensor<4>, moments: Tensor<2>, eps: f32) -> Tensor<4> {
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

/// x − mean as [batch · height · width, channels], mean and biased variance as [1, channels].
fn centred(x: Tensor<4>) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let [batch, height, width, channels] = x.dims();
    let x = x.reshape([batch * height * width, channels]);
    let mean = x.clone().mean_dim(0);
    let centred = x - mean.clone();
    let variance = (centred.clone() * centred.clone()).mean_dim(0);
    (centred, mean, variance)
}
