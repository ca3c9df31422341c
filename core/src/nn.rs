//! Layers with the semantics of PyTorch, and the flat vectors that their weights live in.
//!
//! All weights of a network are one tensor, all batch-norm statistics another ([`Layout`] says
//! where each lies). So SGD, the gradient clip and the virtual step of the second-order
//! gradient are each one line over one tensor, and a checkpoint is a few arrays.
//!
//! Activations have the shape [batch, height, width, channels]: depthwise convolutions vectorise
//! over channels, 1×1 convolutions are matrix products and batch-norm sums are column sums.

mod arithmetic;
mod bank;
mod blocks;
mod constants;
mod dropout;
mod layer;
mod layout;
mod norm;
mod pass;
mod pattern;
mod randomness;
mod replay;
mod series;
mod sum;
mod trace;
mod uploads;

pub use arithmetic::ActivationInfo;
pub use bank::UnitBank;
pub use blocks::{RunningStatistics, WeightBlocks};
pub use constants::Constants;
pub use layer::{Layer, Sequence, UnitLayer};
pub use layout::{BlockId, Builder, Init, Layout, NormId, NormSlot, WeightId, WeightSlot};
pub use norm::{BatchNorm, NormOptions};
pub use pass::{GradientTarget, Pass, Statistics};
pub use pattern::{ActivationPattern, PatternMode};
pub use randomness::{Picked, Randomness, SkipDropout, drop_path};
pub use replay::Replay;
pub use sum::{mean, sum};
pub use trace::{Primitive, Step, Trace, Value, Windows};
pub use uploads::Uploads;

use burn::tensor::{Int, Tensor, activation};

/// Added to the variance before its root (PyTorch's default).
pub const NORM_EPS: f32 = 1e-5;

/// Share of the new batch in the running statistics (PyTorch's default).
pub const NORM_MOMENTUM: f64 = 0.1;

/// Mean cross-entropy.
///
/// # Shapes
/// - `logits`: [batch, classes]; `labels`: `[batch]`
/// - output: `[1]`
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    let labels = if logits.is_autodiff() { labels.autodiff() } else { labels };
    let picked = activation::log_softmax(logits, 1).gather(1, labels.reshape([batch, 1]));
    mean(picked).neg()
}

/// Mean cross-entropy against targets of which a share ε goes to all classes alike: (1 − ε)·CE +
/// ε·mean over the classes of −log p (label smoothing, spec §9.2).
///
/// # Shapes
/// - `logits`: [batch, classes]; `labels`: `[batch]`
/// - output: `[1]`
pub fn smoothed_cross_entropy(
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    smoothing: f64,
) -> Tensor<1> {
    let hard = cross_entropy(logits.clone(), labels);
    if smoothing == 0.0 {
        return hard;
    }
    let even = mean(activation::log_softmax(logits, 1)).neg();
    hard.mul_scalar(1.0 - smoothing) + even.mul_scalar(smoothing)
}

/// Number of right answers, as a float tensor of shape `[1]`.
pub fn correct(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    sum(logits.argmax(1).reshape([batch]).equal(labels).float())
}

/// A tensor could not be brought back from its device.
#[derive(Debug, thiserror::Error)]
#[error(
    "reading from the device failed ({0}); if the GPU was lost, resume from the last checkpoint"
)]
pub struct ReadError(String);

/// The numbers of a tensor, in row-major order. The only place where the science waits for a
/// device; asynchronous, because a browser cannot block.
///
/// # Errors
/// If the device failed or its numbers are not `f32`.
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor.into_data_async().await.map_err(|error| ReadError(format!("{error:?}")))?;
    data.try_into_vec::<f32>().map_err(|error| ReadError(format!("{error:?}")))
}
