//! The search (Algorithm 1 of the paper):
//!
//! ```text
//! while not converged:
//!     update α by descending ∇_α L_val(w, α)
//!     p̂ = p + δ with p = softmax(α):  δ ~ U[−ε, ε]   or   δ = argmax_{‖δ‖ ≤ ε} L_train(w, p + δ)
//!     update w by descending ∇_w L_train(w, p̂)
//! derive the genotype from α
//! ```
//!
//! The three lines of the loop are `Search::update_alpha`, `Search::perturb` and
//! `Search::update_weights`. What is around them (what follows an epoch, checkpoints, events) is
//! [`Run`]'s, and how a step is done is the same for every task, space, policy and
//! perturbation.

mod arithmetic;
mod build;
mod job;
mod passes;
mod sharpness;
mod state;
mod step;
mod watch;

use std::cell::RefCell;

use burn::tensor::{Device, Tensor};

use super::noise::{Noise, Purpose};
use super::state::Weights;
use super::{Position, Run};
use crate::config::{Config, Order};
use crate::method::Method;
use crate::method::architect::{Unrolling, second_order};
use crate::nn::{Randomness, ReadError, drop_path};
use crate::optim::{clip, cosine, sgd};
use crate::perturb::{Ball, Request};
use crate::policy::{Draw, Policy};
use crate::rng::{Stream, Streams};
use crate::space::Space;
use crate::task::{Classify, Model, Point, Recorded, Task};
use state::Carries;
use step::{Step, TrainingLoss};

pub use arithmetic::StepArithmetic;
pub(super) use build::kernels;
pub use watch::Watched;

/// A search of images.
pub type ImageSearch = Run<Search<Classify>>;

/// Weights and architecture that learn in turns.
pub struct Search<T: Task> {
    config: Config,
    space: &'static Space,
    method: Method,
    model: Model<T>,
    /// Its passes, where the device replays them.
    recorded: Option<RefCell<Recorded<T>>>,
    policy: Box<dyn Policy>,
    state: Weights,
    carries: Carries<T>,
    /// The step under way.
    step: Option<Step<T>>,
    streams: Streams,
    device: Device,
    steps_per_epoch: usize,
}

impl<T: Task> Search<T> {
    /// Line 1: one step of the policy on the validation batch. The architecture is not perturbed.
    fn update_alpha(&mut self, step: &mut Step<T>, at: Position) {
        let (point, leaves) = (self.state.point(false), self.policy.leaves());
        let relax = |leaves: &[_]| self.policy.relax(leaves, self.draw(at));
        let pass = step.noise.next();
        let mut found = match self.config.search.order {
            Order::First => self.alpha_gradient((leaves, &relax), &step.valid, pass.clone()),
            Order::Second => {
                let unrolling = Unrolling {
                    momentum: &self.state.momentum,
                    learning_rate: self.learning_rate(at.epoch),
                    optimiser: &self.config.weights,
                    train: &step.train,
                };
                let (model, noise) = (&self.model, || step.noise.next());
                second_order(model, point, (leaves, &relax), &step.valid, &unrolling, noise)
            }
        };
        if self.penalises() {
            self.penalise(&mut found, &step.valid, (pass, &relax), at);
        }
        self.policy.learn(found.gradient, at.total_steps + 1);
        self.state.statistics = found.statistics;
        self.carries.valid = found.carry;
        step.valid_loss = Some(found.loss);
    }

    /// Line 2: p̂ from p, perturbed as the method says. The policy itself is never touched.
    async fn perturb(&self, step: &mut Step<T>, at: Position) -> Result<(), ReadError> {
        let p = self.policy.relax(self.policy.leaves(), self.draw(at));
        let Config { perturbation: settings, quirks, .. } = &self.config;
        let (epsilon, projection) = (self.epsilon(at.epoch), quirks.projection);
        let request = Request {
            p: &p,
            ball: Ball { epsilon, norm: settings.norm, projection },
            settings,
            quirks,
            kernels: self.model.kernels,
            objective: &mut self.training_loss(&step.train, &mut step.noise),
            rng: self.streams.at(Stream::Perturbation, at.total_steps),
        };
        step.perturbed = Some((self.method.perturbation.apply)(request).await?);
        Ok(())
    }

    /// Line 3: one step of SGD on w, on the training batch, at p̂. Returns loss and right answers.
    fn update_weights(
        &mut self,
        p: &[Tensor<2>],
        step: &mut Step<T>,
        at: Position,
    ) -> (Tensor<1>, Tensor<1>) {
        let (gradient, carry, learned) = self.weight_gradient(p, &step.train, step.noise.next());
        let gradient = clip(gradient, self.config.weights.clip);
        let (weights, momentum) = (self.state.weights.clone(), self.state.momentum.clone());
        let learning_rate = self.learning_rate(at.epoch);
        (self.state.weights, self.state.momentum) =
            sgd(weights, momentum, gradient, learning_rate, &self.config.weights);
        self.state.statistics = learned.statistics;
        self.carries.train = carry;
        (learned.loss, learned.correct)
    }

    /// What a perturbation may raise: the training loss, with batch norm as in the attack.
    fn training_loss<'a>(
        &'a self,
        train: &'a T::Input,
        noise: &'a mut Noise,
    ) -> TrainingLoss<'a, T> {
        let point = self.state.point(self.config.quirks.attack_in_eval_mode);
        TrainingLoss::new(&self.model, point, train, noise, self.recorded.as_ref())
    }

    /// The rate of this epoch; of the next one where the quirk says so.
    fn learning_rate(&self, epoch: usize) -> f64 {
        let shift = usize::from(self.config.quirks.learning_rate_shift);
        let search = &self.config.search;
        cosine(&self.config.weights, search.scheduled(epoch) + shift, search.schedule_length())
    }

    /// The radius of this epoch; 0 without a perturbation.
    fn epsilon(&self, epoch: usize) -> f64 {
        self.method.perturbation.epsilon(&self.config, epoch)
    }

    /// What the policy of a step draws from.
    fn draw(&self, at: Position) -> Draw {
        Draw::Step(self.streams.at(Stream::Policy, at.total_steps))
    }

    /// The network, as a function of weights and architecture.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The architecture where the search stands.
    pub fn policy(&self) -> &dyn Policy {
        self.policy.as_ref()
    }

    /// The weights and statistics where the search stands.
    pub fn point(&self, eval: bool) -> Point<'_> {
        self.state.point(eval)
    }

    fn noise(&self, at: Position, purpose: Purpose) -> Noise {
        let search = &self.config.search;
        let (epoch, epochs) = (search.scheduled(at.epoch), search.schedule_length());
        Noise::new(self.streams, at, purpose, drop_path(search.drop_path, epoch, epochs))
    }

    /// A batch on the device of the search.
    fn upload(&self, batch: &T::Batch, carry: &T::Carry) -> T::Input {
        self.model.task.upload(batch, carry, &self.device)
    }
}

/// Draws for the eye, which are not those of the search.
fn for_the_eye(streams: Streams) -> Randomness {
    streams.at(Stream::Noise, u64::MAX).into()
}
