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
mod parts;
mod passes;
mod rank;
mod sharpness;
mod stage;
mod state;
mod step;
mod subset;
mod watch;

use std::cell::RefCell;

use burn::tensor::{Device, Tensor};

use super::noise::Noise;
use super::state::Weights;
use super::{Position, Run};
use crate::config::{Config, Order};
use crate::method::Method;
use crate::method::architect::{Unrolling, second_order};
use crate::nn::ReadError;
use crate::optim::{clip, sgd};
use crate::perturb::{Ball, Perturbed, Request};
use crate::policy::Policy;
use crate::rng::{Stream, Streams};
use crate::space::Space;
use crate::task::{Classify, Language, Model, Recorded, Task};
use parts::{Awake, For};
use passes::OfStep;
use stage::Networks;
use state::Carries;
use step::{Step, TrainingLoss};
use subset::Within;

pub use arithmetic::StepArithmetic;
pub(super) use build::kernels;
pub use build::language_shape;
pub use watch::Watched;

/// A search of images.
pub type ImageSearch = Run<Search<Classify>>;

/// A search of text.
pub type TextSearch = Run<Search<Language>>;

/// Weights and architecture that learn in turns.
pub struct Search<T: Task> {
    config: Config,
    space: &'static Space,
    method: Method,
    model: Model<T>,
    /// Makes the networks of its stages; none where there is one network.
    networks: Option<Networks<T::Net>>,
    /// The stage that it is in, from 0.
    stage: usize,
    /// Whether passes are to be recorded.
    replays: bool,
    /// Its passes, where the device replays them.
    recorded: Option<RefCell<Recorded<T>>>,
    policy: Box<dyn Policy>,
    state: Weights,
    carries: Carries<T>,
    /// Which weights have been used, where the others rest.
    awake: Option<Awake>,
    /// Steps in which α rested.
    rested: u64,
    /// The step under way.
    step: Option<Step<T>>,
    streams: Streams,
    device: Device,
    steps_per_epoch: usize,
}

impl<T: Task> Search<T> {
    /// Line 1: one step of the policy on the validation batch. The architecture is not perturbed. In the
    /// first epochs it may rest, while the weights learn.
    async fn update_alpha(&mut self, step: &mut Step<T>, at: Position) -> Result<(), ReadError> {
        if self.config.alpha_rests(at.epoch) {
            self.rested += 1;
            return Ok(());
        }
        let draw = self.draw(at, For::Alpha).await?;
        step.noise.picked = draw.picked();
        if self.policy.sampler().is_some() {
            step.valid_loss = Some(self.loss_of(draw, &step.valid, &mut step.noise));
            return Ok(()); // what it learns it learns after the epoch
        }
        let (point, leaves) = (self.state.point(false), self.policy.leaves());
        let relax = |leaves: &[_]| self.policy.relax(leaves, draw.clone());
        let single_level = self.policy.is_single_level();
        let valid = if single_level { &step.train } else { &step.valid };
        let pass = step.noise.next();
        let mut found = match self.config.search.order {
            Order::First => self.alpha_gradient(point, (leaves, &relax), valid, pass.clone()),
            Order::Second => {
                let unrolling = Unrolling {
                    momentum: &self.state.momentum,
                    learning_rate: self.rate(at, &step.train),
                    optimiser: &self.config.weights,
                    train: &step.train,
                };
                let mut passes = OfStep { search: self, noise: &mut step.noise };
                let alpha = (leaves, &relax as _);
                second_order(&self.model, &mut passes, point, alpha, valid, &unrolling)
            }
        };
        if self.penalises() {
            self.penalise(&mut found, valid, (pass, &relax), at);
        }
        self.policy.learn(found.gradient, at.total_steps + 1 - self.rested);
        self.wake(&found.used);
        self.state.statistics = found.statistics;
        if !single_level {
            self.carries.valid = found.carry;
        }
        step.valid_loss = Some(found.loss);
        Ok(())
    }

    /// Line 2: p̂ from p, perturbed as the method says. The policy itself is never touched.
    async fn perturb(&self, step: &mut Step<T>, at: Position) -> Result<(), ReadError> {
        let draw = self.draw(at, For::Weights).await?;
        step.noise.picked = draw.picked();
        let p = self.policy.relax(self.policy.leaves(), draw);
        let Config { perturbation: settings, quirks, .. } = &self.config;
        let (epsilon, projection) = (self.epsilon(at.epoch), quirks.projection);
        let perturbed = self.choices(settings.edge_weights);
        let objective = self.training_loss(&step.train, &mut step.noise);
        let request = Request {
            p: &perturbed.of(&p),
            ball: Ball { epsilon, norm: settings.norm, projection },
            settings,
            quirks,
            kernels: self.model.kernels,
            objective: &mut Within { subset: &perturbed, objective, p: &p },
            rng: self.streams.at(Stream::Perturbation, at.total_steps),
        };
        let found = (self.method.perturbation.apply)(request).await?;
        let [found_p, displaced] =
            [&found.p, &found.displaced].map(|own| perturbed.within(&p, own));
        step.perturbed = Some(Perturbed { p: found_p, displaced, ..found });
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
        let learning_rate = self.rate(at, &step.train);
        let after =
            sgd(weights.clone(), momentum.clone(), gradient, learning_rate, &self.config.weights);
        self.wake(&learned.used);
        (self.state.weights, self.state.momentum) = match &self.awake {
            Some(awake) => (awake.choose(weights, after.0), awake.choose(momentum, after.1)),
            None => after,
        };
        self.policy.settle();
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
}
