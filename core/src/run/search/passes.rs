//! The passes of a step: replayed where the device has recorded them, else computed.

use std::cell::RefCell;

use burn::tensor::Tensor;

use super::Search;
use crate::config::Kernels;
use crate::method::architect::{AlphaGradient, Passes, first_order};
use crate::net::Network as _;
use crate::nn::Randomness;
use crate::ops;
use crate::run::Run;
use crate::run::noise::Noise;
use crate::task::{Learned, Outcome, Point, Recorded, Relax, Task};

impl<T: Task> Run<Search<T>> {
    /// Whether the passes of steps are recorded on the device and replayed. That pays on a GPU, whose host
    /// needs longer to say what is to be computed than the GPU to compute it; it takes memory for what lies
    /// between the layers of each pass. Where passes draw they are computed as before.
    pub fn set_replay(&mut self, wanted: bool) {
        self.job.set_replay(wanted);
    }
}

impl<T: Task> Search<T> {
    pub(super) fn set_replay(&mut self, wanted: bool) {
        self.replays = wanted;
        let can = self.config.run.kernels == Kernels::Fused && !self.draws();
        self.recorded = (wanted && can).then(|| RefCell::new(Recorded::new(&self.model)));
    }

    /// Kinds of passes that the device has recorded.
    pub fn recorded_passes(&self) -> usize {
        self.recorded.as_ref().map_or(0, |recorded| recorded.borrow().count())
    }

    /// Whether passes draw random numbers.
    fn draws(&self) -> bool {
        let choices = self.model.network.architecture().iter();
        let mut options = choices.flat_map(|choice| &choice.rows).flat_map(|row| &row.options);
        let rates = &self.config.stages.skip_dropout;
        let drops = self.config.search.drop_path > 0.0
            || rates.get(self.stage).is_some_and(|&rate| rate > 0.0);
        drops || options.any(|option| option == ops::NOISE)
    }

    /// What replays passes with these draws: nothing where a policy has picked what is computed.
    fn recorded_for(&self, draws: &Randomness) -> Option<&RefCell<Recorded<T>>> {
        self.recorded.as_ref().filter(|_| draws.picked.is_none())
    }

    /// The gradient of the loss with respect to the leaves of the policy, of first order.
    pub(super) fn alpha_gradient(
        &self,
        at: Point,
        (leaves, relax): (&[Tensor<2>], Relax),
        input: &T::Input,
        draws: Randomness,
    ) -> AlphaGradient<T::Carry> {
        let replayed = self.recorded_for(&draws).and_then(|recorded| {
            recorded.borrow_mut().probability_gradient(at, &relax(leaves), input)
        });
        match replayed {
            None => first_order(&self.model, at, (leaves, relax), input, draws),
            Some((gradient, Learned { loss, statistics, used, .. })) => AlphaGradient {
                gradient: through(leaves, relax, gradient),
                loss,
                statistics,
                carry: T::Carry::default(),
                used,
            },
        }
    }

    /// The gradient of the training loss with respect to the weights.
    pub(super) fn weight_gradient(
        &self,
        p: &[Tensor<2>],
        train: &T::Input,
        draws: Randomness,
    ) -> (Tensor<1>, T::Carry, Learned) {
        let point = self.state.point(false);
        let recorded = self.recorded_for(&draws);
        if let Some((gradient, learned)) =
            recorded.and_then(|recorded| recorded.borrow_mut().weight_gradient(point, p, train))
        {
            return (gradient, T::Carry::default(), learned);
        }
        let (gradient, mut outcome) = self.model.weight_gradient(point, p, train, draws);
        let carry = std::mem::take(&mut outcome.carry);
        (gradient, carry, outcome.into())
    }

    /// Loss and number of right answers in eval mode, and what the next batch starts from.
    pub(super) fn scores(
        &self,
        p: &[Tensor<2>],
        input: &T::Input,
        draws: Randomness,
    ) -> (Scores, T::Carry) {
        let point = self.state.point(true);
        let recorded = self.recorded_for(&draws);
        let replayed =
            recorded.and_then(|recorded| recorded.borrow_mut().evaluation(point, p, input));
        if let Some(scores) = replayed {
            return (scores, T::Carry::default());
        }
        let Outcome { loss, correct, carry, .. } = self.model.loss(point, p, input, draws);
        ((loss, correct), carry)
    }
}

type Scores = (Tensor<1>, Tensor<1>);

/// The passes of the second-order gradient of a step.
pub(super) struct OfStep<'a, T: Task> {
    pub search: &'a Search<T>,
    pub noise: &'a mut Noise,
}

impl<T: Task> Passes<T> for OfStep<'_, T> {
    fn weight_gradient(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> (Tensor<1>, Learned) {
        let (search, draws) = (self.search, self.noise.next());
        let recorded = search.recorded_for(&draws);
        // What is recorded has no penalty: it is a pass over images.
        let replayed =
            recorded.and_then(|recorded| recorded.borrow_mut().weight_gradient(at, p, input));
        replayed.unwrap_or_else(|| {
            let (gradient, outcome) = search.model.unpenalised_weight_gradient(at, p, input, draws);
            (gradient, outcome.into())
        })
    }

    fn alpha_gradient(
        &mut self,
        at: Point,
        alpha: (&[Tensor<2>], Relax),
        input: &T::Input,
    ) -> AlphaGradient<T::Carry> {
        self.search.alpha_gradient(at, alpha, input, self.noise.next())
    }
}

/// The gradient with respect to the leaves, from that with respect to the p that `relax` makes of them.
fn through(leaves: &[Tensor<2>], relax: Relax, gradient: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
    let leaves: Vec<_> = leaves.iter().map(|leaf| leaf.clone().autodiff().require_grad()).collect();
    let products = relax(&leaves).into_iter().zip(gradient);
    let products = products.map(|(p, gradient)| (p * gradient.autodiff()).sum());
    let Some(sum) = products.reduce(|sum, product| sum + product) else { return Vec::new() };
    let mut gradients = sum.backward();
    let found = leaves.iter().map(|leaf| {
        leaf.grad_remove(&mut gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
    });
    found.collect()
}
