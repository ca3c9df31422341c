//! Optimisers with the semantics of PyTorch, over whole tensors, and their schedules (spec §2.4).

mod asgd;

use burn::tensor::Tensor;

use crate::config::{AlphaOptimiser, LAST_EPOCHS, Schedule, Train, WeightsOptimiser};
use crate::nn::sum;
pub use asgd::Asgd;

/// Learning rate of the weights in an epoch: η_min + (η₀ − η_min)(1 + cos(π·e/E))/2.
pub fn cosine(config: &WeightsOptimiser, epoch: usize, epochs: usize) -> f64 {
    let WeightsOptimiser { learning_rate: start, learning_rate_min: end, .. } = *config;
    let progress = epoch as f64 / epochs as f64;
    end + (start - end) * (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0
}

/// Learning rate of a training in an epoch (spec §9.1 and §9.2): lr·(1 + cos(π·e/E))/2, or linear
/// as the authors train on ImageNet, lr·(E − 5 − e)/(E − 5) and in the last five epochs
/// lr·(E − e)/(5·(E − 5)). In the first `warmup_epochs` W it is lr·(e + 1)/W instead.
pub fn training_rate(config: &Train, epoch: usize) -> f64 {
    let (start, epochs) = (config.learning_rate, config.epochs);
    if epoch < config.warmup_epochs {
        return start * (epoch + 1) as f64 / config.warmup_epochs as f64;
    }
    let left = epochs.saturating_sub(epoch);
    match config.schedule {
        Schedule::Cosine => {
            let config = WeightsOptimiser {
                learning_rate: start,
                learning_rate_min: 0.0,
                ..WeightsOptimiser::default()
            };
            cosine(&config, epoch, epochs)
        }
        Schedule::Linear => {
            let falling = epochs.saturating_sub(LAST_EPOCHS).max(1) as f64;
            if left > LAST_EPOCHS {
                start * (left - LAST_EPOCHS) as f64 / falling
            } else {
                start * left as f64 / (falling * LAST_EPOCHS as f64)
            }
        }
    }
}

/// Moves a moving average towards `value`: average·decay + value·(1 − decay).
pub fn moving_average<const D: usize>(
    average: Tensor<D>,
    value: Tensor<D>,
    decay: f64,
) -> Tensor<D> {
    average.mul_scalar(decay) + value.mul_scalar(1.0 - decay)
}

/// Scales a gradient to a 2-norm of at most `limit` (0: no limit), as
/// `torch.nn.utils.clip_grad_norm_` does: by limit / (norm + 1e-6), if that is below 1.
pub fn clip(gradient: Tensor<1>, limit: f64) -> Tensor<1> {
    if limit == 0.0 {
        return gradient;
    }
    let norm = norm(std::slice::from_ref(&gradient));
    let scale = norm.add_scalar(1e-6).recip().mul_scalar(limit).clamp_max(1.0);
    gradient * scale
}

/// As [`clip`], of several tensors together.
pub fn clip_all(gradient: Vec<Tensor<2>>, limit: f64) -> Vec<Tensor<2>> {
    if limit == 0.0 {
        return gradient;
    }
    let scale = norm(&gradient).add_scalar(1e-6).recip().mul_scalar(limit).clamp_max(1.0);
    let scale = scale.reshape([1, 1]);
    gradient.into_iter().map(|gradient| gradient * scale.clone()).collect()
}

/// 2-norm over several tensors together, of shape `[1]`.
pub fn norm<const D: usize>(tensors: &[Tensor<D>]) -> Tensor<1> {
    let squares: Vec<Tensor<1>> =
        tensors.iter().map(|tensor| sum(tensor.clone().square())).collect();
    Tensor::cat(squares, 0).sum().sqrt()
}

/// One step of SGD with momentum; dampening 0, no Nesterov. Returns the weights and the momentum
/// buffer. A buffer of zeros equals PyTorch's missing buffer of the first step.
pub fn sgd(
    weights: Tensor<1>,
    buffer: Tensor<1>,
    gradient: Tensor<1>,
    learning_rate: f64,
    config: &WeightsOptimiser,
) -> (Tensor<1>, Tensor<1>) {
    let direction = gradient + weights.clone().mul_scalar(config.weight_decay);
    let buffer = buffer.mul_scalar(config.momentum) + direction;
    (weights - buffer.clone().mul_scalar(learning_rate), buffer)
}

/// First and second moment of one tensor under Adam.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Mean of the gradients.
    pub first: Tensor<2>,
    /// Mean of their squares.
    pub second: Tensor<2>,
}

/// One step of Adam with weight decay added to the gradient; `step` counts from 1.
pub fn adam(
    parameters: Tensor<2>,
    moments: Moments,
    gradient: Tensor<2>,
    step: u64,
    config: &AlphaOptimiser,
) -> (Tensor<2>, Moments) {
    let AlphaOptimiser { learning_rate, beta1, beta2, eps, weight_decay, .. } = *config;
    let gradient = gradient + parameters.clone().mul_scalar(weight_decay);
    let first = moments.first.mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
    let second = moments.second.mul_scalar(beta2) + gradient.square().mul_scalar(1.0 - beta2);
    let correction1 = 1.0 - beta1.powf(step as f64);
    let correction2 = 1.0 - beta2.powf(step as f64);
    let root = second.clone().sqrt().div_scalar(correction2.sqrt()).add_scalar(eps);
    let update = (first.clone() / root).mul_scalar(learning_rate / correction1);
    (parameters - update, Moments { first, second })
}
