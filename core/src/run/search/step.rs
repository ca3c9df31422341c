//! A step under way: what one part of it leaves to the next, what its passes draw from, and what it
//! says at its end.

use std::cell::RefCell;

use burn::tensor::Tensor;

use crate::event::{Attack, Event, Step as StepEvent};
use crate::nn::{ReadError, read};
use crate::perturb::{Objective, Perturbed};
use crate::run::noise::Noise;
use crate::run::{Position, RunError, Tally};
use crate::task::{LossOfP, Model, Point, Recorded, Task};

/// A step under way.
pub(super) struct Step<T: Task> {
    pub train: T::Input,
    pub valid: T::Input,
    /// What its passes draw from.
    pub noise: Noise,
    /// Whether α has had its turn.
    pub alpha_done: bool,
    /// Known after the α-step; none where α rests.
    pub valid_loss: Option<Tensor<1>>,
    /// Known after the perturbation.
    pub perturbed: Option<Perturbed>,
}

/// The training loss as a function of p, for an attack.
pub(super) struct TrainingLoss<'a, T: Task> {
    model: &'a Model<T>,
    at: Point<'a>,
    train: &'a T::Input,
    noise: &'a mut Noise,
    recorded: Option<&'a RefCell<Recorded<T>>>,
    /// Whether the first pass of this attack was replayed, on which the others build.
    is_replayed: bool,
    computed: Option<LossOfP<T>>,
}

impl<'a, T: Task> TrainingLoss<'a, T> {
    pub fn new(
        model: &'a Model<T>,
        at: Point<'a>,
        train: &'a T::Input,
        noise: &'a mut Noise,
        recorded: Option<&'a RefCell<Recorded<T>>>,
    ) -> Self {
        Self { model, at, train, noise, recorded, is_replayed: false, computed: None }
    }

    /// What computes where nothing is replayed.
    fn computed(&mut self) -> &mut LossOfP<T> {
        self.computed.get_or_insert_with(|| LossOfP::new(self.model, self.at, self.train))
    }

    fn replayed_loss(&mut self, p: &[Tensor<2>]) -> Option<Tensor<1>> {
        let mut recorded = self.recorded?.borrow_mut();
        if self.is_replayed {
            return recorded.loss(p);
        }
        let loss = recorded.begin_attack(self.at, p, self.train)?;
        self.is_replayed = true;
        Some(loss)
    }

    fn replayed_gradient(&mut self, p: &[Tensor<2>]) -> Option<Vec<Tensor<2>>> {
        let recorded = self.recorded.filter(|_| self.is_replayed)?;
        recorded.borrow_mut().gradient(p)
    }
}

impl<T: Task> Objective for TrainingLoss<'_, T> {
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1> {
        let draws = self.noise.next();
        let replayed = if draws.picked.is_none() { self.replayed_loss(p) } else { None };
        replayed.unwrap_or_else(|| self.computed().loss(p, draws))
    }

    fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>> {
        let draws = self.noise.next();
        self.replayed_gradient(p).unwrap_or_else(|| self.computed().gradient(p, draws))
    }
}

/// The numbers of a step, brought back from the device in one read.
pub(super) struct Report {
    train_loss: f32,
    correct: f32,
    valid_loss: Option<f32>,
    attack: Option<[f32; 2]>,
}

impl Report {
    pub async fn read(
        (train_loss, correct): (Tensor<1>, Tensor<1>),
        valid_loss: Option<Tensor<1>>,
        attack: Option<[Tensor<1>; 2]>,
    ) -> Result<Self, ReadError> {
        let (is_validated, is_attacked) = (valid_loss.is_some(), attack.is_some());
        let mut parts = vec![train_loss, correct];
        parts.extend(valid_loss);
        parts.extend(attack.into_iter().flatten());
        let mut numbers = read(Tensor::cat(parts, 0)).await?.into_iter();
        let mut next = || numbers.next().unwrap_or(f32::NAN);
        Ok(Self {
            train_loss: next(),
            correct: next(),
            valid_loss: is_validated.then(&mut next),
            attack: is_attacked.then(|| [next(), next()]),
        })
    }

    /// The event of a step over `count` examples, and what it adds to the sums of the epoch.
    ///
    /// # Errors
    /// [`RunError::Diverged`] if a loss is not finite.
    pub fn into_event(
        self,
        at: Position,
        count: f64,
        revert: bool,
    ) -> Result<(Event, Tally), RunError> {
        let Position { epoch, step, .. } = at;
        let valid = self.valid_loss.map(|loss| ("the validation loss", loss));
        for (what, value) in [("the training loss", self.train_loss)].into_iter().chain(valid) {
            if !value.is_finite() {
                let what = what.to_owned();
                return Err(RunError::Diverged { epoch, step, what, value });
            }
        }
        let attack = self.attack.map(|[loss_before, loss_after]| Attack {
            loss_before,
            loss_after,
            reverted: revert && loss_before > loss_after,
        });
        let event = Event::Step(StepEvent {
            epoch,
            step,
            train_loss: self.train_loss,
            train_accuracy: (f64::from(self.correct) / count) as f32,
            valid_loss: self.valid_loss,
            attack,
        });
        let sums = Tally {
            loss_sum: f64::from(self.train_loss) * count,
            correct: f64::from(self.correct),
            examples: count,
            seconds: 0.0,
        };
        Ok((event, sums))
    }
}
