//! A network as a function: the loss of a batch at given weights and architecture, and its
//! gradients.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Tensor;
use shaders::Kernels;

use super::{Scored, Task};
use crate::net::Network as _;
use crate::nn::{
    ActivationPattern, Constants, GradientTarget, Pass, PatternMode, Randomness, RunningStatistics,
    Statistics, Uploads, WeightBlocks,
};

/// A network, what it learns and how it is computed. Clones share the network.
pub struct Model<T: Task> {
    /// What it learns.
    pub task: T,
    /// The network.
    pub network: Rc<T::Net>,
    /// Whether plain burn ops or our kernels compute.
    pub kernels: Kernels,
    uploads: Uploads,
}

impl<T: Task> Clone for Model<T> {
    fn clone(&self) -> Self {
        let Self { task, network, kernels, uploads } = self;
        let (task, network, uploads) = (task.clone(), network.clone(), uploads.clone());
        Self { task, network, kernels: *kernels, uploads }
    }
}

/// Outcome of a pass: detached numbers and the running statistics after it.
pub struct Outcome<C = ()> {
    /// Mean loss, `[1]`.
    pub loss: Tensor<1>,
    /// Number of right answers, `[1]`.
    pub correct: Tensor<1>,
    /// [examples, classes].
    pub logits: Tensor<2>,
    /// Running statistics as this pass leaves them, [2, channels].
    pub statistics: Tensor<2>,
    /// What the next batch starts from.
    pub carry: C,
    /// The weights that had a part in it, by their slots, where a policy picked what is computed.
    pub used: BTreeSet<usize>,
}

impl<C> Outcome<C> {
    /// The loss and the number of right answers.
    pub fn scores(self) -> (Tensor<1>, Tensor<1>) {
        (self.loss, self.correct)
    }
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

/// How architecture parameters become p. The network sees only p; this is where policies differ.
pub type Relax<'a> = &'a dyn Fn(&[Tensor<2>]) -> Vec<Tensor<2>>;

impl<T: Task> Model<T> {
    /// A network that learns this.
    pub fn new(task: T, network: Box<T::Net>, kernels: Kernels) -> Self {
        Self { task, network: network.into(), kernels, uploads: Uploads::default() }
    }

    /// The loss alone.
    pub fn loss(
        &self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
        noise: impl Into<Randomness>,
    ) -> Outcome<T::Carry> {
        let mut pass = self.pass(at, GradientTarget::Nothing, noise);
        let scored = self.task.loss(&self.network, input, p, &mut pass);
        self.finish(at, scored, input, pass)
    }

    /// The loss, and what the weights descend: the gradient of the loss with its penalty with respect to
    /// them; p is a constant.
    ///
    /// # Shapes
    /// - gradient: `[weights]`
    pub fn weight_gradient(
        &self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
        noise: impl Into<Randomness>,
    ) -> (Tensor<1>, Outcome<T::Carry>) {
        self.gradient_to_weights(at, p, input, (noise.into(), true))
    }

    /// The same of the loss alone.
    ///
    /// # Shapes
    /// - gradient: `[weights]`
    pub fn unpenalised_weight_gradient(
        &self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
        noise: impl Into<Randomness>,
    ) -> (Tensor<1>, Outcome<T::Carry>) {
        self.gradient_to_weights(at, p, input, (noise.into(), false))
    }

    fn gradient_to_weights(
        &self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
        (noise, penalised): (Randomness, bool),
    ) -> (Tensor<1>, Outcome<T::Carry>) {
        let mut pass = self.pass(at, GradientTarget::Weights, noise);
        let p: Vec<_> = p.iter().map(|p| p.clone().autodiff()).collect();
        let scored = self.task.loss(&self.network, input, &p, &mut pass);
        let mut gradients = match scored.penalty.clone().filter(|_| penalised) {
            Some(penalty) => (scored.loss.clone() + penalty).backward(),
            None => scored.loss.backward(),
        };
        let gradient = pass.weight_gradient(self.network.layout(), &mut gradients);
        (gradient, self.finish(at, scored, input, pass))
    }

    /// The loss and its gradient with respect to the leaves, from which `relax` makes p.
    pub fn architecture_gradient(
        &self,
        at: Point,
        leaves: &[Tensor<2>],
        relax: Relax,
        input: &T::Input,
        noise: impl Into<Randomness>,
    ) -> (Vec<Tensor<2>>, Outcome<T::Carry>) {
        let mut pass = self.pass(at, GradientTarget::Architecture, noise);
        let (gradient, scored) = self.gradient_to(leaves, relax, input, &mut pass);
        (gradient, self.finish(at, scored, input, pass))
    }

    /// The loss and its gradient with respect to p itself.
    pub fn probability_gradient(
        &self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
        noise: impl Into<Randomness>,
    ) -> (Vec<Tensor<2>>, Outcome<T::Carry>) {
        self.architecture_gradient(at, p, &<[_]>::to_vec, input, noise)
    }

    /// The gradient with respect to the leaves of the smooth piece of the loss that a pattern
    /// belongs to.
    pub fn gradient_within(
        &self,
        pattern: &Arc<ActivationPattern>,
        at: Point,
        leaves: &[Tensor<2>],
        relax: Relax,
        input: &T::Input,
        noise: impl Into<Randomness>,
    ) -> Vec<Tensor<2>> {
        let mut pass = self.pass(at, GradientTarget::Architecture, noise);
        pass.pattern = PatternMode::Held(pattern.clone(), 0, 0);
        self.gradient_to(leaves, relax, input, &mut pass).0
    }

    /// The smooth piece of the loss around p.
    pub fn pattern(
        &self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
        noise: impl Into<Randomness>,
    ) -> Arc<ActivationPattern> {
        let mut pass = self.pass(at, GradientTarget::Nothing, noise);
        pass.pattern = PatternMode::Recorded(ActivationPattern::default());
        let _scored = self.task.loss(&self.network, input, p, &mut pass);
        Arc::new(pass.pattern.into_pattern())
    }

    fn gradient_to(
        &self,
        leaves: &[Tensor<2>],
        relax: Relax,
        input: &T::Input,
        pass: &mut Pass,
    ) -> (Vec<Tensor<2>>, Scored<T::Carry>) {
        let leaves: Vec<_> =
            leaves.iter().map(|leaf| leaf.clone().autodiff().require_grad()).collect();
        let scored = self.task.loss(&self.network, input, &relax(&leaves), pass);
        // A policy that picks may leave nothing of the architecture on the way to the loss: where all
        // edges into the output of a cell of NAS-Bench-201 are `none`.
        if !scored.loss.is_tracked() {
            return (leaves.into_iter().map(|leaf| leaf.inner().zeros_like()).collect(), scored);
        }
        let mut gradients = scored.loss.backward();
        let gradient = leaves.iter().map(|leaf| {
            leaf.grad_remove(&mut gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
        });
        (gradient.collect(), scored)
    }

    fn finish(
        &self,
        at: Point,
        scored: Scored<T::Carry>,
        input: &T::Input,
        pass: Pass,
    ) -> Outcome<T::Carry> {
        let Scored { loss, logits, right, carry, .. } = scored;
        let (loss, logits) =
            if pass.is_tracked() { (loss.inner(), logits.inner()) } else { (loss, logits) };
        let correct = right.unwrap_or_else(|| self.task.correct(input, logits.clone()));
        let used = pass.used();
        let statistics = pass.updated(at.statistics.clone());
        Outcome { loss, correct, logits, statistics, carry, used }
    }

    fn pass(&self, at: Point, target: GradientTarget, noise: impl Into<Randomness>) -> Pass {
        self.pass_with(&self.blocks(at), self.statistics(at), target, noise.into())
    }

    fn pass_with(
        &self,
        weights: &WeightBlocks,
        statistics: Statistics,
        target: GradientTarget,
        mut randomness: Randomness,
    ) -> Pass {
        if matches!(statistics, Statistics::Running(_)) {
            (randomness.drop_path, randomness.skips) = (0.0, None);
        }
        let layout = self.network.layout();
        Pass::over(layout, weights, statistics, target, self.kernels, randomness)
            .with_uploads(self.uploads.clone())
    }

    /// What the layers compute with.
    fn blocks(&self, at: Point) -> WeightBlocks {
        WeightBlocks::new(self.network.layout(), self.kernels, at.weights.clone())
    }

    /// What batch norms normalise by.
    fn statistics(&self, at: Point) -> Statistics {
        if !at.eval {
            return Statistics::Batch;
        }
        let (layout, all) = (self.network.layout(), at.statistics.clone());
        Statistics::Running(RunningStatistics::new(layout, self.kernels, all))
    }
}

/// The loss of a batch as a function of p alone, at fixed weights and statistics. What does not depend
/// on p is computed once: the stem, and in the cells next to it the candidates of its edges.
pub struct LossOfP<T: Task> {
    model: Model<T>,
    weights: WeightBlocks,
    statistics: Statistics,
    input: T::Input,
    constants: Constants,
}

impl<T: Task> Clone for LossOfP<T> {
    fn clone(&self) -> Self {
        Self {
            model: self.model.clone(),
            weights: self.weights.clone(),
            statistics: self.statistics.clone(),
            input: self.input.clone(),
            constants: self.constants.clone(),
        }
    }
}

impl<T: Task> LossOfP<T> {
    /// Computes no loss yet.
    pub fn new(model: &Model<T>, at: Point, input: &T::Input) -> Self {
        Self {
            model: model.clone(),
            weights: model.blocks(at),
            statistics: model.statistics(at),
            input: input.clone(),
            constants: Constants::default(),
        }
    }

    /// The loss, `[1]`.
    pub fn loss(&mut self, p: &[Tensor<2>], noise: impl Into<Randomness>) -> Tensor<1> {
        let mut pass = self.pass(GradientTarget::Nothing, noise);
        let scored = self.model.task.loss(&self.model.network, &self.input, p, &mut pass);
        self.constants = pass.into_constants();
        scored.loss
    }

    /// Its gradient with respect to p.
    pub fn gradient(&mut self, p: &[Tensor<2>], noise: impl Into<Randomness>) -> Vec<Tensor<2>> {
        let mut pass = self.pass(GradientTarget::Architecture, noise);
        let (gradient, _) = self.model.gradient_to(p, &<[_]>::to_vec, &self.input, &mut pass);
        self.constants = pass.into_constants();
        gradient
    }

    fn pass(&mut self, target: GradientTarget, noise: impl Into<Randomness>) -> Pass {
        let constants = std::mem::take(&mut self.constants);
        let statistics = self.statistics.clone();
        let pass = self.model.pass_with(&self.weights, statistics, target, noise.into());
        pass.sharing(constants)
    }
}
