//! A training as a job of a run: its steps part by part, and the end of an epoch.

use serde_json::Value;

use super::state::{Best, Tested};
use super::{Found, Noise, Purpose, Step, Sums, Train};
use crate::arrays::Arrays;
use crate::cell::Genotype;
use crate::config::Config;
use crate::data::{Batch, Batches, Part};
use crate::event::{EpochStarted, EvaluatedOn, Event, Started, TrainEpoch, TrainStep, Trained};
use crate::measure::{Observed, Observer};
use crate::net::Network as _;
use crate::nn::read;
use crate::run::checkpoint::{Checkpoint, CheckpointError};
use crate::run::{Job, Next, Position, Progress, RunError, Tally};
use crate::task::{Point, Task};

type Supply<'a> = &'a mut dyn Batches<Batch = Batch>;

/// What the evaluation after an epoch gives.
pub struct Evaluated {
    loss: f64,
    accuracy: f64,
    top5: Option<f64>,
    average: Option<[f64; 2]>,
    best: bool,
}

impl<T: Task<Batch = Batch, Carry = ()>> Job for Train<T> {
    type Batch = Batch;
    type Evaluated = Evaluated;

    fn config(&self) -> &Config {
        &self.config
    }

    fn after(&self, epoch: usize) -> Next {
        if epoch + 1 == self.config.train.epochs { Next::Stop } else { Next::Go }
    }

    /// Observers look at an architecture that is searched: here is none.
    fn observers(&self) -> Result<Vec<Option<Box<dyn Observer>>>, RunError> {
        Ok(Vec::new())
    }

    fn started(&self) -> Started {
        let weights = self.model.network.layout().weights().iter();
        let of_network = weights.filter(|slot| !slot.name.contains("auxiliary"));
        Started {
            schema: crate::event::SCHEMA,
            config: self.config.clone(),
            device: String::new(),
            parameters: of_network.map(|slot| slot.range.len()).sum(),
            choices: Vec::new(),
            steps_per_epoch: self.steps_per_epoch,
            classes: Vec::new(),
        }
    }

    fn begin_epoch(&self, at: Position) -> Event {
        Event::EpochStarted(EpochStarted {
            epoch: at.epoch,
            learning_rate: self.learning_rate(at.epoch),
            epsilon: 0.0,
            drop_path: Some(self.drop_path(at.epoch)),
            skip_dropout: None,
        })
    }

    async fn part(
        &mut self,
        batches: Supply<'_>,
        at: Position,
    ) -> Result<Option<(Event, Tally)>, RunError> {
        let mut step = match self.step.take() {
            Some(step) => step,
            None => self.begin_step(batches, at)?,
        };
        if let Some(part) = step.parts.pop() {
            self.accumulate(&mut step, &part);
        }
        match (step.parts.is_empty(), step.sums.take()) {
            (true, Some(sums)) => Ok(Some(self.end_step(sums, step.images, at).await?)),
            (_, sums) => {
                step.sums = sums;
                self.step = Some(step);
                Ok(None)
            }
        }
    }

    async fn evaluate(&mut self, batches: Supply<'_>, at: Position) -> Result<Evaluated, RunError> {
        let Found { loss, accuracy, confusion } =
            self.evaluate_at(self.state.point(true), &mut *batches, at).await?;
        finite(at, "the loss of the evaluation", loss as f32)?;
        let average = match &self.average {
            None => None,
            Some(average) => {
                let (weights, statistics) = (&average.weights, &average.statistics);
                let point = Point { weights, statistics, eval: true };
                Some(self.evaluate_at(point, batches, at).await?)
            }
        };
        if let Some(Found { loss, .. }) = average {
            finite(at, "the loss of the moving average", loss as f32)?;
        }
        let best = self.best.as_ref().is_none_or(|best| accuracy > best.accuracy);
        if best {
            let (weights, statistics) = (self.state.weights.clone(), self.state.statistics.clone());
            self.best = Some(Best { weights, statistics, accuracy, epoch: at.epoch });
        }
        let average = average.map(|found| [found.loss, found.accuracy]);
        self.average_accuracy = average.map(|[_, accuracy]| accuracy);
        let top5 = (confusion.matrix().classes().len() > 5).then(|| confusion.top5());
        let last = self.after(at.epoch) == Next::Stop;
        self.tested = last.then(|| Tested { top5, confusion: confusion.matrix().rows().to_vec() });
        Ok(Evaluated { loss, accuracy, top5, average, best })
    }

    fn accuracy(evaluated: &Evaluated) -> f64 {
        evaluated.accuracy
    }

    async fn epoch_finished(
        &self,
        progress: &Progress,
        evaluated: Evaluated,
    ) -> Result<Event, RunError> {
        let (epoch, tally) = (progress.position.epoch, &progress.tally);
        let Evaluated { loss, accuracy, top5, average, best } = evaluated;
        Ok(Event::TrainEpoch(TrainEpoch {
            epoch,
            learning_rate: self.learning_rate(epoch),
            drop_path: self.drop_path(epoch),
            train_loss: tally.loss_sum / tally.examples,
            train_accuracy: tally.correct / tally.examples,
            evaluated_on: self.images(),
            loss,
            accuracy,
            top5,
            ema: average,
            perplexity: None,
            averaged: false,
            best,
            seconds: tally.seconds,
        }))
    }

    async fn observe(
        &self,
        _: &mut dyn Observer,
        _: Supply<'_>,
        _: Position,
    ) -> Result<Observed, RunError> {
        Ok(Observed::default())
    }

    async fn finished(&self, progress: &Progress) -> Result<Event, RunError> {
        let (best, tested) = (self.best.as_ref(), self.tested.as_ref());
        Ok(Event::Trained(Trained {
            genotype: self.genotype.clone(),
            epochs: progress.position.epoch,
            evaluated_on: self.images(),
            accuracy: progress.valid_accuracy,
            best_accuracy: best.map_or(progress.valid_accuracy, |best| best.accuracy),
            best_epoch: best.map_or(0, |best| best.epoch),
            ema_accuracy: self.average_accuracy,
            top5: tested.and_then(|tested| tested.top5),
            confusion: tested.map(|tested| tested.confusion.clone()),
            perplexity: None,
            test_perplexity: None,
        }))
    }

    async fn genotype(&self) -> Result<Genotype, RunError> {
        Ok(self.genotype.clone())
    }

    fn in_step(&self) -> bool {
        self.step.is_some()
    }

    async fn saved(&self) -> Result<Arrays, RunError> {
        self.save().await
    }

    fn notes(&self) -> Value {
        self.noted()
    }

    fn restore(&mut self, checkpoint: &Checkpoint, notes: &Value) -> Result<(), CheckpointError> {
        self.load(&checkpoint.arrays, notes)?;
        self.step = None;
        Ok(())
    }
}

impl<T: Task<Batch = Batch, Carry = ()>> Train<T> {
    fn begin_step(&self, batches: Supply<'_>, at: Position) -> Result<Step, RunError> {
        let batch = batches.step(at.epoch, at.step)?.train;
        let images = batch.labels.len();
        let mut parts = batch.parts(self.config.train.micro_batch);
        parts.reverse();
        let noise = Noise::new(self.streams, at, Purpose::Step, self.drop_path(at.epoch));
        Ok(Step { parts, images, noise, sums: None })
    }

    async fn end_step(
        &mut self,
        sums: Sums,
        images: usize,
        at: Position,
    ) -> Result<(Event, Tally), RunError> {
        let Sums { gradient, loss, correct } = sums;
        self.update_weights(gradient, at);
        let numbers = read(burn::tensor::Tensor::cat(vec![loss, correct], 0)).await?;
        let number = |index: usize| numbers.get(index).copied().unwrap_or(f32::NAN);
        let (loss, correct, images) = (number(0), f64::from(number(1)), images as f64);
        finite(at, "the training loss", loss)?;
        let event = Event::TrainStep(TrainStep {
            epoch: at.epoch,
            step: at.step,
            loss,
            accuracy: (correct / images) as f32,
        });
        let loss_sum = f64::from(loss) * images;
        Ok((event, Tally { loss_sum, correct, examples: images, seconds: 0.0 }))
    }

    fn images(&self) -> EvaluatedOn {
        match self.evaluated_on() {
            Part::Test => EvaluatedOn::Test,
            _ => EvaluatedOn::Valid,
        }
    }
}

fn finite(at: Position, what: &str, value: f32) -> Result<(), RunError> {
    if value.is_finite() {
        return Ok(());
    }
    let Position { epoch, step, .. } = at;
    Err(RunError::Diverged { epoch, step, what: what.to_owned(), value })
}
