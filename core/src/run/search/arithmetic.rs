//! How much arithmetic a step of a search is.

use super::Search;
use crate::config::Order;
use crate::nn::GradientTarget;
use crate::task::Task;

/// Floating-point operations of one step, over the whole batch. What counts is said in
/// [`crate::nn::Layer::multiply_adds`]; a multiply-add is two operations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepArithmetic {
    /// Forward passes, and the gradients that the algorithm uses: none of a weight in a pass for
    /// the architecture, none where nothing before depends on what is asked for.
    pub needed: f64,
    /// The same passes, each backward with the gradients of all inputs and all weights, as the
    /// reference code computes them.
    pub all_gradients: f64,
}

/// Passes through the network in one step.
struct Passes {
    /// For the loss alone.
    loss: usize,
    /// For the gradient of the architecture.
    architecture: usize,
    /// For the gradient of the weights.
    weights: usize,
}

impl<T: Task> Search<T> {
    /// The arithmetic of one step, whichever kernels compute it and whatever they reuse.
    pub fn step_arithmetic(&self) -> StepArithmetic {
        let Passes { loss, architecture, weights } = self.passes();
        let (task, network) = (&self.model.task, &self.model.network);
        let count = |target| task.multiply_adds(network, target) as f64;
        let forward = count(GradientTarget::Nothing);
        let needed = loss as f64 * forward
            + architecture as f64 * count(GradientTarget::Architecture)
            + weights as f64 * count(GradientTarget::Weights);
        let all_gradients = (loss + 3 * (architecture + weights)) as f64 * forward;
        let scale = 2.0 * self.config.search.batch_size as f64;
        StepArithmetic { needed: scale * needed, all_gradients: scale * all_gradients }
    }

    fn passes(&self) -> Passes {
        // For α: the gradient itself; in second order also those at w, w′, w₊ and w₋ (spec §2.3).
        let (architecture, virtual_weights) = match self.config.search.order {
            Order::First => (1, 0),
            Order::Second => (3, 2),
        };
        let (loss, attack) = (self.method.perturbation.passes)(&self.config.perturbation);
        Passes { loss, architecture: architecture + attack, weights: 1 + virtual_weights }
    }
}
