//! A search as a job of a run: its steps part by part, and the end of an epoch.

use serde_json::Value;

use super::parts::For;
use super::state::{Carries, Notes};
use super::step::{Report, Step};
use super::{Search, sharpness};
use crate::arrays::{Arrays, to_rows};
use crate::cell::{Cell, Genotype, Rows};
use crate::config::Config;
use crate::data::{Batches, Part, StepBatches};
use crate::event::{EpochFinished, EpochStarted, Event, Finished, Perplexity, Started};
use crate::measure::{Observed, Observer};
use crate::net::Network as _;
use crate::policy::Draw;
use crate::run::checkpoint::{Checkpoint, CheckpointError};
use crate::run::noise::Purpose;
use crate::run::{Job, Next, Position, Progress, RunError, Told};
use crate::task::{self, Task};

type Supply<'a, T> = &'a mut dyn Batches<Batch = <T as Task>::Batch>;

impl<T: Task> Job for Search<T> {
    type Batch = T::Batch;
    type Evaluated = (f64, f64);

    fn config(&self) -> &Config {
        &self.config
    }

    fn after(&self, epoch: usize) -> Next {
        let stage = |epoch| self.config.stage_of(epoch).0;
        match epoch + 1 == self.config.search.epochs {
            true => Next::Stop,
            false if stage(epoch + 1) != stage(epoch) => Next::Stage,
            false => Next::Go,
        }
    }

    fn observers(&self) -> Result<Vec<Option<Box<dyn Observer>>>, RunError> {
        Ok(self.observers_with(None))
    }

    fn started(&self) -> Started {
        Started {
            schema: crate::event::SCHEMA,
            config: self.config.clone(),
            device: String::new(),
            parameters: self.model.network.layout().weight_count(),
            choices: self.model.network.architecture().to_vec(),
            steps_per_epoch: self.steps_per_epoch,
            classes: Vec::new(),
        }
    }

    fn begin_epoch(&self, at: Position) -> Event {
        let (learning_rate, epsilon) = (self.learning_rate(at.epoch), self.epsilon(at.epoch));
        let epoch = at.epoch;
        let skip_dropout = (self.config.stage_count() > 1).then(|| self.config.skip_dropout(epoch));
        Event::EpochStarted(EpochStarted {
            epoch,
            learning_rate,
            epsilon,
            drop_path: None,
            skip_dropout,
        })
    }

    async fn part(
        &mut self,
        batches: Supply<'_, T>,
        at: Position,
    ) -> Result<Option<Told>, RunError> {
        let mut step = match self.step.take() {
            Some(step) => step,
            None => self.begin_step(batches, at)?,
        };
        match (step.alpha_done, step.perturbed.take()) {
            (false, _) => {
                self.update_alpha(&mut step, at).await?;
                step.alpha_done = true;
            }
            (true, None) => self.perturb(&mut step, at).await?,
            (true, Some(perturbed)) => {
                let trained = self.update_weights(&perturbed.p, &mut step, at);
                let count = self.model.task.count(&step.train) as f64;
                let revert = self.config.quirks.revert_failed_attack;
                let reading = Report::read(trained, step.valid_loss, perturbed.losses);
                let said = async move { reading.await?.into_event(at, count, revert) };
                return Ok(Some(Told::asked(said)));
            }
        }
        self.step = Some(step);
        Ok(None)
    }

    async fn evaluate(
        &mut self,
        batches: Supply<'_, T>,
        at: Position,
    ) -> Result<(f64, f64), RunError> {
        self.rank(&mut *batches, at).await?;
        let (mean, mut noise) = (self.policy.mean(), self.noise(at, Purpose::Evaluation));
        let (mut tally, mut carry) = (task::Tally::new(&self.device), T::Carry::default());
        for index in 0..batches.evaluation_batches(Part::Valid) {
            let batch = batches.evaluation(Part::Valid, at.epoch, index)?;
            let input = self.upload(batch, &carry);
            let draw = self.draw(at, For::Evaluation(index)).await?;
            noise.picked = draw.picked();
            let p = match draw {
                Draw::Mean => mean.clone(),
                draw => self.policy.relax(self.policy.leaves(), draw),
            };
            let (scores, after) = self.scores(&p, &input, noise.next());
            carry = after;
            tally.add(scores, self.model.task.count(&input));
        }
        Ok(tally.means().await?)
    }

    fn accuracy((_, accuracy): &(f64, f64)) -> f64 {
        *accuracy
    }

    fn perplexity(&self, (loss, _): &(f64, f64)) -> Option<f64> {
        self.model.task.perplexity(*loss)
    }

    async fn epoch_finished(
        &self,
        progress: &Progress,
        (valid_loss, valid_accuracy): (f64, f64),
    ) -> Result<Event, RunError> {
        let (epoch, tally) = (progress.position.epoch, &progress.tally);
        let alpha = to_rows(self.policy.leaves()).await?;
        let probabilities = to_rows(&self.policy.mean()).await?;
        let genotype = self.derive(&probabilities);
        let (train_loss, task) = (tally.loss_sum / tally.examples, &self.model.task);
        let perplexity = task.perplexity(train_loss).zip(task.perplexity(valid_loss));
        let with_weights = genotype.cells.iter().filter(|cell| !cell.is_recurrent());
        let parameter_free = with_weights.map(Cell::parameter_free).collect();
        Ok(Event::EpochFinished(EpochFinished {
            epoch,
            learning_rate: self.learning_rate(epoch),
            epsilon: self.epsilon(epoch),
            train_loss,
            train_accuracy: tally.correct / tally.examples,
            valid_loss,
            valid_accuracy,
            perplexity: perplexity.map(|(train, valid)| Perplexity { train, valid }),
            alpha,
            probabilities,
            parameter_free,
            genotype,
            seconds: tally.seconds,
        }))
    }

    async fn genotype(&self) -> Result<Genotype, RunError> {
        Ok(self.derive(&to_rows(&self.policy.mean()).await?))
    }

    async fn observe(
        &self,
        observer: &mut dyn Observer,
        batches: Supply<'_, T>,
        at: Position,
    ) -> Result<Observed, RunError> {
        Ok(observer.after_epoch(&mut sharpness::Between { search: self, batches, at }).await?)
    }

    async fn change_stage(&mut self, at: Position) -> Result<Option<Event>, RunError> {
        Ok(Some(Event::StageStarted(self.next_stage(at).await?)))
    }

    async fn finished(&self, progress: &Progress) -> Result<Event, RunError> {
        let stop = progress.stop.as_ref();
        let genotype = match stop {
            Some(stop) => stop.genotype.clone(),
            None => self.genotype().await?,
        };
        Ok(Event::Finished(Finished {
            genotype,
            epochs: progress.position.epoch,
            valid_accuracy: progress.valid_accuracy,
            valid_perplexity: progress.valid_perplexity,
            reason: if stop.is_some() { "early_stopped" } else { "completed" }.to_owned(),
            returned_to: stop.map(|stop| stop.epoch),
        }))
    }

    fn in_step(&self) -> bool {
        self.step.is_some()
    }

    async fn saved(&self) -> Result<Arrays, RunError> {
        self.save().await
    }

    fn notes(&self) -> Value {
        Notes { rested: self.rested, stage: self.stage }.saved()
    }

    fn restore(&mut self, checkpoint: &Checkpoint, notes: &Value) -> Result<(), CheckpointError> {
        let notes = Notes::read(notes)?;
        self.return_to(notes.stage, &checkpoint.architecture)?;
        self.load(&checkpoint.arrays)?;
        self.rested = notes.rested;
        self.step = None;
        Ok(())
    }
}

impl<T: Task> Search<T> {
    /// What is derived from p of its choices.
    pub(super) fn derive(&self, probabilities: &[Rows]) -> Genotype {
        let choices = self.model.network.architecture();
        self.method.derive(self.space, &self.config, choices, probabilities)
    }

    fn begin_step(&self, batches: Supply<'_, T>, at: Position) -> Result<Step<T>, RunError> {
        let StepBatches { train, valid } = batches.step(at.epoch, at.step)?;
        // Every epoch begins anew.
        let (start, going_on) = (Carries::default(), at.step > 0);
        let carries = if going_on { &self.carries } else { &start };
        Ok(Step {
            train: self.upload(train, &carries.train),
            valid: self.upload(valid, &carries.valid),
            noise: self.noise(at, Purpose::Step),
            alpha_done: false,
            valid_loss: None,
            perturbed: None,
        })
    }
}
