//! A network as a function: the loss of a batch at given weights and architecture, and its
//! gradients.

use std::sync::Arc;

use burn::tensor::{Int, Tensor};
use shaders::Kernels;

use super::Supernet;
use crate::arch::probabilities;
use crate::nn::{
    ActivationPattern, Constants, GradientTarget, Pass, PatternMode, Randomness, Statistics,
    correct, cross_entropy,
};

/// A batch on the device.
#[derive(Clone, Debug)]
pub struct Examples {
    /// [batch, height, width, channels].
    pub images: Tensor<4>,
    /// [batch].
    pub labels: Tensor<1, Int>,
}

/// A supernet and how it is computed.
pub struct Model {
    /// The network.
    pub network: Box<dyn Supernet>,
    /// Whether plain burn ops or our kernels compute.
    pub kernels: Kernels,
}

/// Outcome of a forward pass: detached numbers and the running statistics after it.
pub struct Outcome {
    /// Mean cross-entropy, [1].
    pub loss: Tensor<1>,
    /// Number of right answers, [1].
    pub correct: Tensor<1>,
    /// [batch, classes].
    pub logits: Tensor<2>,
    /// Running statistics as this pass leaves them, [2, channels].
    pub statistics: Tensor<2>,
}

/// Weights and statistics at which a loss is taken.
#[derive(Clone, Copy)]
pub struct Point<'a> {
    /// The flat weights.
    pub weights: &'a Tensor<1>,
    /// The running statistics, [2, channels].
    pub statistics: &'a Tensor<2>,
    /// Eval mode: normalise by the running statistics and leave them as they are.
    pub eval: bool,
}

impl Model {
    /// The loss alone.
    pub fn loss(
        &self,
        at: Point,
        p: &[Tensor<2>],
        batch: &Examples,
        noise: impl Into<Randomness>,
    ) -> Outcome {
        let mut pass = self.pass(at, GradientTarget::Nothing, noise);
        let logits = self.network.forward(batch.images.clone(), p, &mut pass);
        finish(at, logits, batch, pass)
    }

    /// The loss and its gradient with respect to the weights; p is a constant.
    ///
    /// # Shapes
    /// - gradient: [weights]
    pub fn weight_gradient(
        &self,
        at: Point,
        p: &[Tensor<2>],
        batch: &Examples,
        noise: impl Into<Randomness>,
    ) -> (Tensor<1>, Outcome) {
        let mut pass = self.pass(at, GradientTarget::Weights, noise);
        let p: Vec<_> = p.iter().map(|p| p.clone().autodiff()).collect();
        let logits = self.network.forward(batch.images.clone().autodiff(), &p, &mut pass);
        let loss = cross_entropy(logits.clone(), batch.labels.clone());
        let mut gradients = loss.backward();
        let gradient = pass.weight_gradient(self.network.layout(), &mut gradients);
        (gradient, finish(at, logits.inner(), batch, pass))
    }

    /// The loss and its gradient with respect to raw α, through the row-softmax.
    pub fn alpha_gradient(
        &self,
        at: Point,
        alpha: &[Tensor<2>],
        batch: &Examples,
        noise: impl Into<Randomness>,
    ) -> (Vec<Tensor<2>>, Outcome) {
        self.architecture_gradient(at, alpha, probabilities, batch, noise, PatternMode::Free)
    }

    /// The loss and its gradient with respect to p itself.
    pub fn probability_gradient(
        &self,
        at: Point,
        p: &[Tensor<2>],
        batch: &Examples,
        noise: impl Into<Randomness>,
    ) -> (Vec<Tensor<2>>, Outcome) {
        self.architecture_gradient(at, p, <[_]>::to_vec, batch, noise, PatternMode::Free)
    }

    /// The gradient with respect to raw α of the smooth piece of the loss that a pattern belongs
    /// to.
    pub fn alpha_gradient_within(
        &self,
        pattern: &Arc<ActivationPattern>,
        at: Point,
        alpha: &[Tensor<2>],
        batch: &Examples,
        noise: impl Into<Randomness>,
    ) -> Vec<Tensor<2>> {
        let mode = PatternMode::Held(pattern.clone(), 0, 0);
        self.architecture_gradient(at, alpha, probabilities, batch, noise, mode).0
    }

    /// The smooth piece of the loss around α.
    pub fn pattern(
        &self,
        at: Point,
        alpha: &[Tensor<2>],
        batch: &Examples,
        noise: impl Into<Randomness>,
    ) -> Arc<ActivationPattern> {
        let mut pass = self.pass(at, GradientTarget::Nothing, noise);
        pass.pattern = PatternMode::Recorded(ActivationPattern::default());
        let _logits = self.network.forward(batch.images.clone(), &probabilities(alpha), &mut pass);
        Arc::new(pass.pattern.into_pattern())
    }

    fn architecture_gradient(
        &self,
        at: Point,
        leaves: &[Tensor<2>],
        relax: impl Fn(&[Tensor<2>]) -> Vec<Tensor<2>>,
        batch: &Examples,
        noise: impl Into<Randomness>,
        mode: PatternMode,
    ) -> (Vec<Tensor<2>>, Outcome) {
        let mut pass = self.pass(at, GradientTarget::Architecture, noise);
        pass.pattern = mode;
        let (gradient, logits) = self.gradient_to(leaves, relax, batch, &mut pass);
        (gradient, finish(at, logits, batch, pass))
    }

    /// The gradient with respect to the leaves, from which `relax` makes p, and the logits.
    fn gradient_to(
        &self,
        leaves: &[Tensor<2>],
        relax: impl Fn(&[Tensor<2>]) -> Vec<Tensor<2>>,
        batch: &Examples,
        pass: &mut Pass,
    ) -> (Vec<Tensor<2>>, Tensor<2>) {
        let leaves: Vec<_> =
            leaves.iter().map(|leaf| leaf.clone().autodiff().require_grad()).collect();
        let images = batch.images.clone().autodiff();
        let logits = self.network.forward(images, &relax(&leaves), pass);
        let loss = cross_entropy(logits.clone(), batch.labels.clone());
        let mut gradients = loss.backward();
        let gradient = leaves.iter().map(|leaf| {
            leaf.grad_remove(&mut gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
        });
        (gradient.collect(), logits.inner())
    }

    fn pass(&self, at: Point, target: GradientTarget, noise: impl Into<Randomness>) -> Pass {
        let statistics =
            if at.eval { Statistics::Running(at.statistics.clone()) } else { Statistics::Batch };
        let mut randomness = noise.into();
        if at.eval {
            randomness.drop_path = 0.0;
        }
        let layout = self.network.layout();
        Pass::new(layout, at.weights, statistics, target, self.kernels, randomness)
    }
}

/// The loss of a batch as a function of p alone, at fixed weights and statistics. What does not depend
/// on p is computed once: the stem, and in the cells next to it the candidates of its edges.
pub struct LossOfP<'a> {
    model: &'a Model,
    at: Point<'a>,
    batch: &'a Examples,
    constants: Constants,
}

impl<'a> LossOfP<'a> {
    /// Computes nothing yet.
    pub fn new(model: &'a Model, at: Point<'a>, batch: &'a Examples) -> Self {
        Self { model, at, batch, constants: Constants::default() }
    }

    /// The loss, [1].
    pub fn loss(&mut self, p: &[Tensor<2>], noise: impl Into<Randomness>) -> Tensor<1> {
        let mut pass = self.pass(GradientTarget::Nothing, noise);
        let logits = self.model.network.forward(self.batch.images.clone(), p, &mut pass);
        self.constants = pass.into_constants();
        cross_entropy(logits, self.batch.labels.clone())
    }

    /// Its gradient with respect to p.
    pub fn gradient(&mut self, p: &[Tensor<2>], noise: impl Into<Randomness>) -> Vec<Tensor<2>> {
        let mut pass = self.pass(GradientTarget::Architecture, noise);
        let (gradient, _) = self.model.gradient_to(p, <[_]>::to_vec, self.batch, &mut pass);
        self.constants = pass.into_constants();
        gradient
    }

    fn pass(&mut self, target: GradientTarget, noise: impl Into<Randomness>) -> Pass {
        let constants = std::mem::take(&mut self.constants);
        self.model.pass(self.at, target, noise).sharing(constants)
    }
}

fn finish(at: Point, logits: Tensor<2>, batch: &Examples, pass: Pass) -> Outcome {
    Outcome {
        loss: cross_entropy(logits.clone(), batch.labels.clone()),
        correct: correct(logits.clone(), batch.labels.clone()),
        logits,
        statistics: pass.updated(at.statistics.clone()),
    }
}
