//! The gradient of the validation loss with respect to α (spec §2.2 and §2.3).

use burn::tensor::Tensor;
use rand_pcg::Pcg64;

use crate::arch::probabilities;
use crate::config::WeightsOptimiser;
use crate::net::{Examples, Model, Outcome, Point};
use crate::optim::norm;

/// Length of the finite-difference step along the validation gradient (DARTS, eq. 8).
const DIFFERENCE: f64 = 0.01;

/// The α-gradient and what its passes left behind.
pub struct AlphaGradient {
    /// One for every architecture tensor.
    pub gradient: Vec<Tensor<2>>,
    /// Validation loss at which it was taken, [1].
    pub loss: Tensor<1>,
    /// Running statistics after the passes.
    pub statistics: Tensor<2>,
}

/// Virtual step of the second-order gradient.
pub struct Unrolling<'a> {
    /// Momentum buffer of SGD.
    pub momentum: &'a Tensor<1>,
    /// Learning rate η of the weights.
    pub learning_rate: f64,
    /// Momentum and weight decay.
    pub optimiser: &'a WeightsOptimiser,
    /// The training batch.
    pub train: &'a Examples,
}

/// ∇_α L_val(w, α) at the current weights.
pub fn first_order(
    model: &Model,
    at: Point,
    alpha: &[Tensor<2>],
    valid: &Examples,
    noise: Pcg64,
) -> AlphaGradient {
    let (gradient, Outcome { loss, statistics, .. }) =
        model.alpha_gradient(at, alpha, valid, noise);
    AlphaGradient { gradient, loss, statistics }
}

/// ∇_α L_val(w′, α) with w′ = w − η·(μ·buffer + ∇_w L_train + λ·w), where the dependence of w′ on
/// α enters as a finite difference:
/// g − η·(∇_α L_train(w₊) − ∇_α L_train(w₋)) / (2R), w± = w ± R·v, v = ∇_w′ L_val, R = 0.01/‖v‖.
///
/// The running statistics see the passes at w, w₊ and w₋; the pass at w′ belongs to a copy of the
/// network in the reference and leaves none.
pub fn second_order(
    model: &Model,
    at: Point,
    alpha: &[Tensor<2>],
    valid: &Examples,
    unrolling: &Unrolling,
    mut noise: impl FnMut() -> Pcg64,
) -> AlphaGradient {
    let Unrolling { momentum, learning_rate, optimiser, train } = *unrolling;
    let p = probabilities(alpha);
    let (descent, Outcome { statistics, .. }) = model.weight_gradient(at, &p, train, noise());
    let virtual_weights = at.weights.clone()
        - (momentum.clone().mul_scalar(optimiser.momentum)
            + descent
            + at.weights.clone().mul_scalar(optimiser.weight_decay))
        .mul_scalar(learning_rate);
    let there = Point { weights: &virtual_weights, ..at };
    let (direction, _) = model.weight_gradient(there, &p, valid, noise());
    let (gradient, Outcome { loss, .. }) = model.alpha_gradient(there, alpha, valid, noise());

    let radius = norm(std::slice::from_ref(&direction)).recip().mul_scalar(DIFFERENCE);
    let offset = direction * radius.clone();
    let mut statistics = statistics;
    let mut side = |weights: Tensor<1>| {
        let at = Point { weights: &weights, statistics: &statistics, ..at };
        let (gradient, outcome) = model.alpha_gradient(at, alpha, train, noise());
        statistics = outcome.statistics;
        gradient
    };
    let above = side(at.weights.clone() + offset.clone());
    let below = side(at.weights.clone() - offset);
    let scale = radius.mul_scalar(2.0).recip().mul_scalar(learning_rate).reshape([1, 1]);
    let implicit =
        above.into_iter().zip(below).map(|(above, below)| (above - below) * scale.clone());
    let gradient =
        gradient.into_iter().zip(implicit).map(|(explicit, implicit)| explicit - implicit);
    AlphaGradient { gradient: gradient.collect(), loss, statistics }
}
