//! The Hessian of a search, the stop that follows from it, and the penalty on it.

use super::{NOISE_PASSES, Search, SearchError};
use crate::architect::{AlphaGradient, curvature};
use crate::checkpoint::Phase;
use crate::config::Order;
use crate::data::Batches;
use crate::early_stop::{Measured, Verdict};
use crate::event::{Event, Warning, WarningCode};
use crate::hessian::{Hessian, Spectrum};
use crate::methods::Hook;
use crate::net::Examples;
use crate::nn::Randomness;
use crate::rng::Stream;

/// Epochs between two measurements where the method needs them and nothing else is asked for: what
/// the scripts of Zela et al. do.
const EVERY: usize = 2;

impl Search {
    /// The Hessian of the validation loss where the search stands: on the validation batch of its
    /// last step, in train mode, without drop-path. All eigenvalues (`dense`), or the extreme ones.
    ///
    /// # Errors
    /// If a gradient is not finite, or what the data or the device say.
    pub async fn hessian(
        &self,
        batches: &mut dyn Batches,
        dense: bool,
    ) -> Result<Spectrum, SearchError> {
        let total = self.progress.total_steps;
        let (step, steps) = (total.saturating_sub(1) as usize, self.steps_per_epoch);
        let valid = self.upload(&batches.step(step / steps, step % steps)?.valid);
        // The passes of the search itself count from 1.
        let noise = self.streams.at(Stream::Noise, (2 * total + 1) * NOISE_PASSES);
        let at = self.state.point(false);
        let pattern = self.model.pattern(at, &self.state.alpha, &valid, noise.clone());
        let gradient = |alpha: &[_]| {
            self.model.alpha_gradient_within(&pattern, at, alpha, &valid, noise.clone())
        };
        let hessian = Hessian::new(&self.state.alpha, gradient);
        Ok(match dense {
            true => hessian.spectrum().await?,
            false => hessian.extremes(&mut self.streams.at(Stream::Lanczos, total)).await?,
        })
    }

    /// Measures the extreme eigenvalues of the Hessian where the search stands, due or not, and says
    /// so: between any two parts of a search that has said its start. Apart from this event, all
    /// that follows is as without it.
    ///
    /// # Errors
    /// As for [`Self::hessian`].
    pub async fn measure_hessian(
        &mut self,
        batches: &mut dyn Batches,
    ) -> Result<Event, SearchError> {
        let steps_before_last = self.progress.total_steps.saturating_sub(1) as usize;
        let epoch = steps_before_last / self.steps_per_epoch;
        let found = self.hessian(batches, false).await?.event(epoch);
        self.progress.events += 1;
        Ok(Event::Hessian(found))
    }

    /// Measures the Hessian, if it is due after this epoch.
    pub(super) async fn measure(
        &mut self,
        batches: &mut dyn Batches,
    ) -> Result<Option<Event>, SearchError> {
        self.progress.phase = Phase::Alarm;
        let epoch = self.progress.epoch;
        if !self.is_due(epoch) {
            return Ok(None);
        }
        let found = self.hessian(batches, self.config.hessian.dense).await?.event(epoch);
        if self.watches() && !self.is_last(epoch) {
            let (eigenvalue, genotype) = (found.code_measure(), self.derived_now().await?);
            let measured = Measured { epoch, eigenvalue, genotype };
            if self.progress.watch.add(measured, &self.config.early_stop).is_some() {
                self.progress.phase = Phase::EarlyStop;
            }
        }
        Ok(Some(Event::Hessian(found)))
    }

    /// Says what DARTS-ES decided.
    pub(super) fn announce_stop(&mut self) -> Option<Event> {
        self.progress.phase = Phase::Alarm;
        let verdict = self.progress.watch.verdict()?;
        Some(warning(verdict, self.config.early_stop.simulate))
    }

    /// The verdict that ended the search.
    pub(super) fn stopped(&self) -> Option<&Verdict> {
        self.progress.watch.verdict().filter(|_| !self.config.early_stop.simulate)
    }

    /// Adds the gradient of the curvature penalty to an α-gradient whose first pass drew from
    /// `pass`; all passes must draw the same. The running statistics see none of the passes here.
    pub(super) fn penalise(&self, found: &mut AlphaGradient, valid: &Examples, pass: Randomness) {
        let (at, alpha, config) =
            (self.state.point(false), &self.state.alpha, &self.config.penalty);
        let evaluate = |alpha: &[_]| {
            let (gradient, outcome) = self.model.alpha_gradient(at, alpha, valid, pass.clone());
            (gradient, outcome.loss)
        };
        let centre = match self.config.search.order {
            Order::First => (found.gradient.clone(), found.loss.clone()),
            // What was found lies at the virtual weights.
            Order::Second => evaluate(alpha),
        };
        let direction =
            self.state.direction(self.streams.at(Stream::Penalty, self.progress.total_steps));
        let penalty =
            curvature(alpha, &direction, config.radius, centre, evaluate).penalty(config.strength);
        for (gradient, penalty) in found.gradient.iter_mut().zip(penalty) {
            *gradient = gradient.clone() + penalty;
        }
    }

    fn watches(&self) -> bool {
        self.hook == Some(Hook::EarlyStop)
    }

    fn is_due(&self, epoch: usize) -> bool {
        let every = match self.config.hessian.every {
            0 if self.watches() => EVERY,
            every => every,
        };
        every > 0 && (epoch.is_multiple_of(every) || self.is_last(epoch))
    }

    fn is_last(&self, epoch: usize) -> bool {
        epoch + 1 == self.config.search.epochs
    }
}

fn warning(verdict: &Verdict, simulate: bool) -> Event {
    let Verdict { stopped_after, growth, epoch, .. } = *verdict;
    let outcome = if simulate {
        format!("the search would stop and return to the cell of epoch {epoch}; it goes on")
    } else {
        format!("the search stops, its result is the cell of epoch {epoch}")
    };
    let message =
        format!("the largest eigenvalue of the Hessian has grown by {growth:.2}: {outcome}");
    Event::Warning(Warning { epoch: stopped_after, code: WarningCode::EarlyStop, message })
}
