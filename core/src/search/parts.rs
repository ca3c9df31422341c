//! A step in its three parts, for those who watch it: the α-step, the perturbation, the w-step.
//! The numbers are those of [`Search::advance`], bit for bit; watching only reads more of them.

use burn::tensor::Tensor;
use serde::Serialize;

use super::{Search, SearchError};
use crate::arch::probabilities;
use crate::cell::Rows;
use crate::checkpoint::Phase;
use crate::data::{Batches, StepBatches};
use crate::event::Event;
use crate::net::Examples;
use crate::nn::{Randomness, read};
use crate::perturb::{Attacked, Objective as _, Perturbation, displaced};
use crate::rng::Stream;

/// A step under way: what one part leaves to the next.
pub(super) struct Work {
    pub train: Examples,
    pub valid: Examples,
    /// Generators for the noise operation, one for each forward pass.
    pub noise: Box<dyn FnMut() -> Randomness>,
    /// Known after the α-step.
    pub valid_loss: Option<Tensor<1>>,
    /// Known after the perturbation.
    pub perturbed: Option<Perturbed>,
}

/// p̂, and how an attack found it.
pub(super) struct Perturbed {
    pub p: Vec<Tensor<2>>,
    pub attacked: Option<Attacked>,
}

/// What one part of a search did. Lists have one entry for every choice, rows as in
/// [`crate::cell::Choice`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "parts live one at a time")]
pub enum Part {
    /// The α-step: α went down the gradient of the validation loss.
    Alpha {
        /// Loss on the validation batch before it.
        valid_loss: f32,
        /// p before it.
        before: Vec<Rows>,
        /// p after it.
        after: Vec<Rows>,
    },
    /// The perturbation of p, for the w-step that follows.
    Perturb {
        /// Radius of the ball.
        epsilon: f64,
        /// p = softmax(α).
        p: Vec<Rows>,
        /// p + δ, before its rows become probability vectors again.
        displaced: Vec<Rows>,
        /// p̂, what the weights are trained at.
        perturbed: Vec<Rows>,
        /// Training loss at p (batch norm as in the attack, spec §3.4).
        loss_before: f32,
        /// Training loss at p̂.
        loss_after: f32,
    },
    /// The w-step, or a part of a search that is no step: an epoch starts, an evaluation.
    Event {
        /// What it says.
        event: Event,
    },
}

impl Search {
    /// Does the next part: of a step one of its three, else the same as [`Search::advance`].
    /// `None` when the search is over. The two can be mixed: [`Search::advance`] does the rest of
    /// a step that was begun here.
    ///
    /// # Errors
    /// As for [`Search::advance`].
    pub async fn advance_part(
        &mut self,
        batches: &mut dyn Batches,
    ) -> Result<Option<Part>, SearchError> {
        if self.progress.phase != Phase::Step {
            let event = self.advance(batches).await?;
            return Ok(event.map(|event| Part::Event { event }));
        }
        let began = (self.clock)();
        let mut work = self.work(batches)?;
        let part = if work.valid_loss.is_none() {
            self.watch_alpha(&mut work).await?
        } else if work.perturbed.is_none() {
            self.watch_perturbation(&mut work).await?
        } else {
            self.work = Some(work);
            let event = self.advance(batches).await?;
            return Ok(event.map(|event| Part::Event { event }));
        };
        self.progress.seconds += (self.clock)() - began;
        self.work = Some(work);
        Ok(Some(part))
    }

    /// p = softmax(α) now.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn probabilities(&self) -> Result<Vec<Rows>, SearchError> {
        Ok(self.state.rows(&probabilities(&self.state.alpha)).await?)
    }

    /// Whether a step was begun by [`Search::advance_part`] and not ended: the state between its
    /// parts cannot be saved.
    pub fn in_step(&self) -> bool {
        self.work.is_some()
    }

    /// The step under way, or the next one.
    pub(super) fn work(&mut self, batches: &mut dyn Batches) -> Result<Work, SearchError> {
        if let Some(work) = self.work.take() {
            return Ok(work);
        }
        let StepBatches { train, valid } = batches.step(self.progress.epoch, self.progress.step)?;
        Ok(Work {
            train: self.upload(&train),
            valid: self.upload(&valid),
            noise: Box::new(self.noise()),
            valid_loss: None,
            perturbed: None,
        })
    }

    async fn watch_alpha(&mut self, work: &mut Work) -> Result<Part, SearchError> {
        let before = self.probabilities().await?;
        let loss = self.alpha_step(&work.valid, &work.train, &mut work.noise);
        work.valid_loss = Some(loss.clone());
        let valid_loss = read(loss).await?.first().copied().unwrap_or(f32::NAN);
        Ok(Part::Alpha { valid_loss, before, after: self.probabilities().await? })
    }

    async fn watch_perturbation(&mut self, work: &mut Work) -> Result<Part, SearchError> {
        let clean = probabilities(&self.state.alpha);
        let perturbed = self.perturb(&work.train, &mut work.noise).await?;
        let displaced = self.displaced(&clean, &perturbed);
        // These two losses are for the eye: their generator is not one of the step's.
        let mut noise = || Randomness::from(self.streams.at(Stream::Noise, u64::MAX));
        let mut objective = self.training_loss(&work.train, &mut noise);
        let losses = vec![objective.loss(&clean), objective.loss(&perturbed.p)];
        let losses = read(Tensor::cat(losses, 0)).await?;
        let loss = |index: usize| losses.get(index).copied().unwrap_or(f32::NAN);
        let part = Part::Perturb {
            epsilon: self.epsilon(),
            p: self.state.rows(&clean).await?,
            displaced: self.state.rows(&displaced).await?,
            perturbed: self.state.rows(&perturbed.p).await?,
            loss_before: loss(0),
            loss_after: loss(1),
        };
        work.perturbed = Some(perturbed);
        Ok(part)
    }

    /// p + δ before the projection. A random δ is drawn again: its stream is addressed by step.
    fn displaced(&self, clean: &[Tensor<2>], perturbed: &Perturbed) -> Vec<Tensor<2>> {
        match (&perturbed.attacked, self.perturbation) {
            (Some(attacked), _) => attacked.displaced.clone(),
            (None, Perturbation::Random) => {
                let mut rng = self.streams.at(Stream::Perturbation, self.progress.total_steps);
                displaced(clean, self.epsilon(), &mut rng)
            }
            (None, _) => clean.to_vec(),
        }
    }
}
