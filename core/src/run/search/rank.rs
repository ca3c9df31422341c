//! Policies that draw whole architectures: rewards and rankings after an epoch.

use std::ops::Range;

use burn::tensor::Tensor;

use super::Search;
use super::parts::For;
use crate::arrays::from_rows;
use crate::data::{Batches, Part};
use crate::net::Network as _;
use crate::policy::{Architecture, Draw, Ranking, uniform};
use crate::rng::Stream;
use crate::run::noise::{Noise, Purpose};
use crate::run::{Position, RunError};
use crate::task::{self, Task};

type Supply<'a, T> = &'a mut dyn Batches<Batch = <T as Task>::Batch>;

impl<T: Task> Search<T> {
    /// The loss of a batch at a draw, in eval mode.
    pub(super) fn loss_of(&self, draw: Draw, input: &T::Input, noise: &mut Noise) -> Tensor<1> {
        let p = self.policy.relax(self.policy.leaves(), draw);
        self.model.loss(self.state.point(true), &p, input, noise.next()).loss
    }

    /// What a policy that draws architectures learns after an epoch, and which of them is derived from then.
    pub(super) async fn rank(
        &mut self,
        batches: Supply<'_, T>,
        at: Position,
    ) -> Result<(), RunError> {
        let Some(sampler) = self.policy.sampler() else { return Ok(()) };
        let (ranking, rounds) = (sampler.ranking(), sampler.rounds());
        for round in 0..rounds {
            let rng = self.streams.at(Stream::Policy, For::Round(round).place(at, false));
            let Some(sampler) = self.policy.sampler() else { return Ok(()) };
            let architecture = sampler.draw(rng.clone()).await?;
            let accuracy =
                self.accuracy(&mut *batches, at, &architecture, round..round + 1).await?;
            if let Some(sampler) = self.policy.sampler_mut() {
                sampler.reward(rng, accuracy).await?;
            }
        }
        if !self.is_due(ranking, at) {
            return Ok(());
        }
        let best = self.best(batches, at, ranking).await?;
        if let (Some(best), Some(sampler)) = (best, self.policy.sampler_mut()) {
            sampler.choose(&best);
        }
        Ok(())
    }

    fn is_due(&self, ranking: Ranking, at: Position) -> bool {
        let (ended, every) = (at.epoch + 1, ranking.every);
        ended == self.config.search.epochs || (every > 0 && ended.is_multiple_of(every))
    }

    /// The best of a ranking: of those that do best on a few batches the one that does best on all.
    async fn best(
        &self,
        batches: Supply<'_, T>,
        at: Position,
        ranking: Ranking,
    ) -> Result<Option<Architecture>, RunError> {
        let mut ranked: Vec<(f64, Architecture)> = Vec::new();
        for index in 0..ranking.architectures {
            let rng = self.streams.at(Stream::Policy, For::Ranked(index).place(at, false));
            let Some(sampler) = self.policy.sampler() else { return Ok(None) };
            let architecture = sampler.draw(rng).await?;
            let part = 0..ranking.batches;
            ranked
                .push((self.accuracy(&mut *batches, at, &architecture, part).await?, architecture));
            // The earlier one of equals.
            ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
            ranked.truncate(ranking.finalists);
        }
        let mut best: Option<(f64, Architecture)> = None;
        for (_, architecture) in ranked {
            let accuracy = self.accuracy(&mut *batches, at, &architecture, 0..usize::MAX).await?;
            if best.as_ref().is_none_or(|(most, _)| accuracy > *most) {
                best = Some((accuracy, architecture));
            }
        }
        Ok(best.map(|(_, architecture)| architecture))
    }

    /// The share of right answers of an architecture on some validation batches, in eval mode. Only its own
    /// operations are computed.
    async fn accuracy(
        &self,
        batches: Supply<'_, T>,
        at: Position,
        architecture: &Architecture,
        part: Range<usize>,
    ) -> Result<f64, RunError> {
        let p: Vec<Tensor<2>> =
            architecture.iter().map(|rows| from_rows(rows, &self.device)).collect();
        let mut noise = self.noise(at, Purpose::Evaluation);
        noise.picked = Some(uniform::picked(self.model.network.architecture(), architecture));
        let count = batches.evaluation_batches(Part::Valid).max(1);
        let part = part.start..part.end.min(part.start + count);
        let (mut tally, mut carry) = (task::Tally::new(&self.device), T::Carry::default());
        for index in part {
            let batch = batches.evaluation(Part::Valid, at.epoch, index % count)?;
            let input = self.upload(batch, &carry);
            let mut outcome = self.model.loss(self.state.point(true), &p, &input, noise.next());
            carry = std::mem::take(&mut outcome.carry);
            tally.add(outcome.scores(), self.model.task.count(&input));
        }
        Ok(tally.means().await?.1)
    }
}
