//! The end of an epoch: evaluation, the look into a table, the warning of a collapse.

use burn::tensor::Tensor;

use super::{Search, SearchError, collapse};
use crate::arch::probabilities;
use crate::cell::Cell;
use crate::checkpoint::Phase;
use crate::data::Batches;
use crate::event::{Anytime, EpochFinished, Event};
use crate::nn::read;
use crate::space::table::Standing;

impl Search {
    /// Evaluates and says how the epoch was, whose last piece of work began at `began`.
    pub(super) async fn finish_epoch(
        &mut self,
        batches: &mut dyn Batches,
        began: f64,
    ) -> Result<Event, SearchError> {
        let (valid_loss, valid_accuracy) = self.evaluate(batches).await?;
        let alpha = self.state.rows(&self.state.alpha).await?;
        let probabilities = self.state.rows(&probabilities(&self.state.alpha)).await?;
        let genotype = self.space.derive(&probabilities);
        let (learning_rate, epsilon) = (self.learning_rate(), self.epsilon());
        let progress = &mut self.progress;
        progress.seconds += (self.clock)() - began;
        progress.valid_accuracy = valid_accuracy;
        progress.phase = Phase::Anytime;
        Ok(Event::EpochFinished(EpochFinished {
            epoch: progress.epoch,
            learning_rate,
            epsilon,
            train_loss: progress.loss_sum / progress.images,
            train_accuracy: progress.correct / progress.images,
            valid_loss,
            valid_accuracy,
            alpha,
            probabilities,
            parameter_free: genotype.cells.iter().map(Cell::parameter_free).collect(),
            genotype,
            seconds: progress.seconds,
        }))
    }

    /// Loss and accuracy over the validation half: eval mode, unperturbed.
    async fn evaluate(&self, batches: &mut dyn Batches) -> Result<(f64, f64), SearchError> {
        let p = probabilities(&self.state.alpha);
        let mut noise = self.noise();
        let (mut sums, mut images) = (Tensor::<1>::zeros([2], &self.device), 0.0);
        for index in 0..batches.evaluation_batches() {
            let batch = self.upload(&batches.evaluation(self.progress.epoch, index)?);
            let count = batch.labels.dims()[0] as f64;
            let outcome = self.model.loss(self.state.point(true), &p, &batch, noise());
            sums = sums + Tensor::cat(vec![outcome.loss.mul_scalar(count), outcome.correct], 0);
            images += count;
        }
        let sums = read(sums).await?;
        let mean = |sum: f32| f64::from(sum) / images;
        Ok((
            sums.first().copied().map_or(f64::NAN, mean),
            sums.last().copied().map_or(f64::NAN, mean),
        ))
    }

    /// What the table says of the cell that would be derived now.
    pub(super) async fn anytime(&mut self) -> Result<Option<Event>, SearchError> {
        self.progress.phase = Phase::Hessian;
        let Some(table) = &self.table else { return Ok(None) };
        let architecture = self.space.encode(&self.genotype().await?);
        let (epoch, standing) = (self.progress.epoch, table.find(&architecture));
        let event = |Standing { accuracy: test_accuracy, rank, cells, regret }| {
            Event::Anytime(Anytime { epoch, architecture, test_accuracy, rank, cells, regret })
        };
        Ok(standing.map(event))
    }

    /// A warning, if skip connections have taken over since the last epoch.
    pub(super) async fn alarm(&mut self) -> Result<Option<Event>, SearchError> {
        let rows = self.state.rows(&probabilities(&self.state.alpha)).await?;
        let (choices, genotype) = (self.model.network.architecture(), self.space.derive(&rows));
        let watched = genotype.cells.first();
        let message = match (watched, choices.first(), rows.first()) {
            (Some(cell), Some(choice), Some(rows)) => collapse::message(cell, choice, rows),
            _ => None,
        };
        let epoch = self.progress.epoch;
        let news = message.filter(|_| !self.progress.alarmed);
        self.progress.alarmed = watched.is_some_and(collapse::has_happened)
            && (self.progress.alarmed || news.is_some());
        let over = epoch + 1 == self.config.search.epochs || self.stopped().is_some();
        self.progress.phase = if over { Phase::Finish } else { Phase::EpochStart };
        self.progress.epoch = epoch + 1;
        Ok(news.map(|message| collapse::warning(epoch, message)))
    }
}
