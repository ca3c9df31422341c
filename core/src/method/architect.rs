//! The gradient of the validation loss with respect to α (spec §2.2 and §2.3), and of a penalty on
//! its curvature (spec §4).

use std::collections::BTreeSet;

use burn::tensor::Tensor;

use crate::arrays::vector;
use crate::config::WeightsOptimiser;
use crate::net::Network as _;
use crate::nn::{Layout, Randomness};
use crate::optim::norm;
use crate::task::{Learned, Model, Outcome, Point, Relax, Task, VirtualStep};

/// Length of the finite-difference step along the validation gradient (DARTS, eq. 8).
const DIFFERENCE: f64 = 0.01;

/// The α-gradient and what its passes left behind.
pub struct AlphaGradient<C = ()> {
    /// One for every choice.
    pub gradient: Vec<Tensor<2>>,
    /// Validation loss at which it was taken, `[1]`.
    pub loss: Tensor<1>,
    /// Running statistics after the passes.
    pub statistics: Tensor<2>,
    /// What the next validation batch starts from.
    pub carry: C,
    /// The weights that had a part in it, by their slots.
    pub used: BTreeSet<usize>,
}

/// Virtual step of the second-order gradient.
pub struct Unrolling<'a, T: Task> {
    /// Momentum buffer of SGD.
    pub momentum: &'a Tensor<1>,
    /// Learning rate η of the weights.
    pub learning_rate: f64,
    /// Momentum and weight decay.
    pub optimiser: &'a WeightsOptimiser,
    /// The training batch.
    pub train: &'a T::Input,
}

/// The passes that the second-order gradient asks for. A search replays those that its device has recorded.
pub trait Passes<T: Task> {
    /// The gradient of the loss, without its penalty, with respect to the weights.
    fn weight_gradient(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> (Tensor<1>, Learned);

    /// The gradient of the loss with respect to α.
    fn alpha_gradient(
        &mut self,
        at: Point,
        alpha: (&[Tensor<2>], Relax),
        input: &T::Input,
    ) -> AlphaGradient<T::Carry>;
}

/// Passes that are computed.
pub struct Computed<'a, T: Task, N> {
    /// The network.
    pub model: &'a Model<T>,
    /// What the next pass draws from.
    pub noise: N,
}

impl<T: Task, R: Into<Randomness>, N: FnMut() -> R> Passes<T> for Computed<'_, T, N> {
    fn weight_gradient(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> (Tensor<1>, Learned) {
        let (gradient, outcome) =
            self.model.unpenalised_weight_gradient(at, p, input, (self.noise)());
        (gradient, outcome.into())
    }

    fn alpha_gradient(
        &mut self,
        at: Point,
        alpha: (&[Tensor<2>], Relax),
        input: &T::Input,
    ) -> AlphaGradient<T::Carry> {
        first_order(self.model, at, alpha, input, (self.noise)())
    }
}

/// ∇_α L_val(w, α) at the current weights.
pub fn first_order<T: Task>(
    model: &Model<T>,
    at: Point,
    (alpha, relax): (&[Tensor<2>], Relax),
    valid: &T::Input,
    noise: impl Into<Randomness>,
) -> AlphaGradient<T::Carry> {
    let (gradient, outcome) = model.architecture_gradient(at, alpha, relax, valid, noise);
    let Outcome { loss, statistics, carry, used, .. } = outcome;
    AlphaGradient { gradient, loss, statistics, carry, used }
}

/// ∇_α L_val(w′, α) with w′ = w − η·(μ·buffer + ∇_w L_train + λ·w), where the dependence of w′ on
/// α enters as a finite difference:
/// g − η·(∇_α L_train(w₊) − ∇_α L_train(w₋)) / (2R), w± = w ± R·v, v = ∇_w′ L_val, R = 0.01/‖v‖.
/// A recurrent network clips both gradients, and scales the difference by what the first was scaled by
/// ([`VirtualStep`]).
///
/// The running statistics see the passes at w, w₊ and w₋; the pass at w′ belongs to a copy of the
/// network in the reference and leaves none.
pub fn second_order<T: Task>(
    model: &Model<T>,
    passes: &mut impl Passes<T>,
    at: Point,
    (alpha, relax): (&[Tensor<2>], Relax),
    valid: &T::Input,
    unrolling: &Unrolling<T>,
) -> AlphaGradient<T::Carry> {
    let Unrolling { momentum, learning_rate, optimiser, train } = *unrolling;
    let p = relax(alpha);
    let VirtualStep { clip, uncapped, held } = model.task.virtual_step(&model.network);
    let (descent, Learned { statistics, used, .. }) = passes.weight_gradient(at, &p, train);
    let (descent, coefficient) = clipped(descent, clip);
    let step = (momentum.clone().mul_scalar(optimiser.momentum)
        + descent
        + at.weights.clone().mul_scalar(optimiser.weight_decay))
    .mul_scalar(learning_rate);
    let virtual_weights = at.weights.clone() - without(model.network.layout(), &held, step);
    let there = Point { weights: &virtual_weights, ..at };
    let (direction, _) = passes.weight_gradient(there, &p, valid);
    let (direction, _) = clipped(direction, clip);
    let AlphaGradient { gradient, loss, carry, .. } =
        passes.alpha_gradient(there, (alpha, relax), valid);

    let radius = norm(std::slice::from_ref(&direction)).recip().mul_scalar(DIFFERENCE);
    let offset = direction * radius.clone();
    let mut statistics = statistics;
    let mut side = |weights: Tensor<1>| {
        let at = Point { weights: &weights, statistics: &statistics, ..at };
        let found = passes.alpha_gradient(at, (alpha, relax), train);
        statistics = found.statistics;
        found.gradient
    };
    let above = side(at.weights.clone() + offset.clone());
    let below = side(at.weights.clone() - offset);
    let scale = radius.mul_scalar(2.0).recip().mul_scalar(learning_rate);
    let scale = match coefficient {
        Some(coefficient) if uncapped => scale * coefficient,
        Some(coefficient) => scale * coefficient.clamp_max(1.0),
        None => scale,
    };
    let scale = scale.reshape([1, 1]);
    let implicit =
        above.into_iter().zip(below).map(|(above, below)| (above - below) * scale.clone());
    let gradient =
        gradient.into_iter().zip(implicit).map(|(explicit, implicit)| explicit - implicit);
    AlphaGradient { gradient: gradient.collect(), loss, statistics, carry, used }
}

/// A gradient of a norm of at most `limit`, and limit / norm, which may exceed 1.
fn clipped(gradient: Tensor<1>, limit: Option<f64>) -> (Tensor<1>, Option<Tensor<1>>) {
    let Some(limit) = limit else { return (gradient, None) };
    let norm = norm(std::slice::from_ref(&gradient));
    let coefficient = norm.add_scalar(1e-6).recip().mul_scalar(limit);
    (gradient * coefficient.clone().clamp_max(1.0), Some(coefficient))
}

/// A step that leaves the weights of these slots where they are.
fn without(layout: &Layout, held: &BTreeSet<usize>, step: Tensor<1>) -> Tensor<1> {
    let moved = (0..layout.weights().len()).filter(|slot| !held.contains(slot)).collect();
    match held.is_empty() {
        true => step,
        false => step.clone() * vector(layout.mask(&moved), &step.device()),
    }
}

/// The curvature of a loss along a direction, and how it changes with α.
pub struct Curvature {
    /// c, `[1]`.
    pub value: Tensor<1>,
    /// ∇_α c, one for every choice.
    pub gradient: Vec<Tensor<2>>,
}

/// The curvature of a loss at α along v: c = (L(α + εv) + L(α − εv) − 2·L(α)) / ε² ≈ vᵀHv. Value
/// and gradient need first derivatives only; for a quadratic loss c is exact for every ε and its
/// gradient is 0.
///
/// `evaluate` gives the gradient and the loss, `centre` is what it gives at α.
pub fn curvature(
    alpha: &[Tensor<2>],
    direction: &[Tensor<2>],
    radius: f64,
    centre: (Vec<Tensor<2>>, Tensor<1>),
    evaluate: impl Fn(&[Tensor<2>]) -> (Vec<Tensor<2>>, Tensor<1>),
) -> Curvature {
    let side = |step: f64| {
        let pairs = alpha.iter().zip(direction);
        let moved = pairs.map(|(alpha, v)| alpha.clone() + v.clone().mul_scalar(step));
        evaluate(&moved.collect::<Vec<_>>())
    };
    let ((above, loss_above), (below, loss_below)) = (side(radius), side(-radius));
    let (gradient, loss) = centre;
    // Differences of neighbours are exact in f32, the sum of two losses is not.
    let scale = 1.0 / (radius * radius);
    let value = ((loss_above - loss.clone()) + (loss_below - loss)).mul_scalar(scale);
    let sides = above.into_iter().zip(below).zip(gradient);
    let gradient = sides.map(|((above, below), centre)| {
        ((above - centre.clone()) + (below - centre)).mul_scalar(scale)
    });
    Curvature { value, gradient: gradient.collect() }
}

impl Curvature {
    /// The gradient of the penalty strength·max(c, 0).
    pub fn penalty(self, strength: f64) -> Vec<Tensor<2>> {
        let weight = self.value.greater_elem(0.0).float().mul_scalar(strength).reshape([1, 1]);
        self.gradient.into_iter().map(|gradient| gradient * weight.clone()).collect()
    }
}
