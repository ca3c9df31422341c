//! A training on a text as a job of a run.

use burn::tensor::Tensor;
use serde_json::Value;

use super::state::{Best, Tested};
use super::{Noise, Purpose, Supply, TextTrain};
use crate::arrays::Arrays;
use crate::cell::Genotype;
use crate::config::Config;
use crate::data::Part;
use crate::data::text::TextBatch;
use crate::event::{
    EpochStarted, EvaluatedOn, Event, Started, TrainEpoch, TrainStep, Trained, Warning, WarningCode,
};
use crate::measure::{Observed, Observer};
use crate::nn::read;
use crate::optim::norm;
use crate::run::checkpoint::{Checkpoint, CheckpointError};
use crate::run::{Job, Next, Position, Progress, RunError, Tally};
use crate::task::{Hidden, Point, Task as _};

/// What the evaluation after an epoch gives.
pub struct Evaluated {
    loss: f64,
    accuracy: f64,
    /// Whether it is that of an average.
    averaged: bool,
    best: bool,
}

impl Job for TextTrain {
    type Batch = TextBatch;
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
        Started {
            schema: crate::event::SCHEMA,
            config: self.config.clone(),
            device: String::new(),
            parameters: self.weight_count(),
            choices: Vec::new(),
            steps_per_epoch: self.steps_per_epoch,
            classes: Vec::new(),
        }
    }

    fn begin_epoch(&self, at: Position) -> Event {
        Event::EpochStarted(EpochStarted {
            epoch: at.epoch,
            learning_rate: self.config.train.learning_rate,
            epsilon: 0.0,
            drop_path: None,
            skip_dropout: None,
        })
    }

    async fn part(
        &mut self,
        batches: Supply<'_>,
        at: Position,
    ) -> Result<Option<(Event, Tally)>, RunError> {
        let batch = batches.step(at.epoch, at.step)?.train;
        // Every epoch begins anew.
        let start = Hidden::default();
        let carry = if at.step == 0 { &start } else { &self.hidden };
        let input = self.model.task.upload(&batch, carry, &self.device);
        let point = Point { weights: &self.weights, statistics: &self.statistics, eval: false };
        let mut noise = Noise::new(self.streams, at, Purpose::Step, 0.0);
        let (gradient, outcome) = self.model.weight_gradient(point, &[], &input, noise.next());
        let length = norm(std::slice::from_ref(&gradient));
        let numbers = Tensor::cat(vec![outcome.loss, outcome.correct, length], 0);
        let numbers = read(numbers).await?;
        let number = |index: usize| numbers.get(index).copied().unwrap_or(f32::NAN);
        let (loss, correct, length) = (number(0), number(1), number(2));
        for (what, value) in [("the training loss", loss), ("the gradient", length)] {
            if !value.is_finite() {
                return Ok(Some((self.go_back(at, what, value)?, Tally::default())));
            }
        }
        let rate = self.config.train.learning_rate * self.model.task.rate(&input);
        self.update_weights(gradient, rate);
        self.hidden = outcome.carry;
        let words = self.model.task.count(&input) as f64;
        let event = Event::TrainStep(TrainStep {
            epoch: at.epoch,
            step: at.step,
            loss,
            accuracy: (f64::from(correct) / words) as f32,
        });
        let (loss_sum, correct) = (f64::from(loss) * words, f64::from(correct));
        Ok(Some((event, Tally { loss_sum, correct, examples: words, seconds: 0.0 })))
    }

    async fn evaluate(&mut self, batches: Supply<'_>, at: Position) -> Result<Evaluated, RunError> {
        let averaged = self.averaging.is_some();
        let found = self.evaluate_at(self.evaluated(), Part::Valid, &mut *batches, at).await?;
        let (mut loss, mut accuracy) = found;
        let best = self.best.as_ref().is_none_or(|best| loss < best.loss) && loss.is_finite();
        if best {
            let averaging = self.averaging.as_ref().map(|it| (it.steps, it.rate));
            let (weights, epoch) = (self.evaluated().clone(), at.epoch);
            self.best = Some(Best { weights, loss, accuracy, epoch, averaging });
            self.reloads = 0;
        }
        if loss.is_finite() {
            self.follow_loss(loss);
        } else {
            self.go_back(at, "the loss of the evaluation", loss as f32)?;
            (loss, accuracy) = self.best.as_ref().map_or(found, |it| (it.loss, it.accuracy));
        }
        let is_last = self.after(at.epoch) == Next::Stop;
        if let Some(best) = self.best.as_ref().filter(|_| is_last)
            && batches.evaluation_batches(Part::Test) > 0
        {
            let (loss, accuracy) = self.evaluate_at(&best.weights, Part::Test, batches, at).await?;
            self.tested = Some(Tested { loss, accuracy });
        }
        Ok(Evaluated { loss, accuracy, averaged, best })
    }

    fn accuracy(evaluated: &Evaluated) -> f64 {
        evaluated.accuracy
    }

    fn perplexity(&self, evaluated: &Evaluated) -> Option<f64> {
        Some(evaluated.loss.exp())
    }

    async fn epoch_finished(
        &self,
        progress: &Progress,
        evaluated: Evaluated,
    ) -> Result<Event, RunError> {
        let (epoch, tally) = (progress.position.epoch, &progress.tally);
        let Evaluated { loss, accuracy, averaged, best } = evaluated;
        let words = tally.examples.max(1.0);
        Ok(Event::TrainEpoch(TrainEpoch {
            epoch,
            learning_rate: self.config.train.learning_rate,
            drop_path: 0.0,
            train_loss: tally.loss_sum / words,
            train_accuracy: tally.correct / words,
            evaluated_on: EvaluatedOn::Valid,
            loss,
            accuracy,
            top5: None,
            ema: None,
            perplexity: Some(loss.exp()),
            averaged,
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
        let best = self.best.as_ref();
        let perplexity = best.map(|best| best.loss.exp());
        Ok(Event::Trained(Trained {
            genotype: self.genotype.clone(),
            epochs: progress.position.epoch,
            evaluated_on: EvaluatedOn::Valid,
            accuracy: progress.valid_accuracy,
            best_accuracy: best.map_or(progress.valid_accuracy, |best| best.accuracy),
            best_epoch: best.map_or(0, |best| best.epoch),
            ema_accuracy: None,
            top5: None,
            confusion: None,
            perplexity,
            test_perplexity: self.tested.map(|tested| tested.loss.exp()),
        }))
    }

    async fn genotype(&self) -> Result<Genotype, RunError> {
        Ok(self.genotype.clone())
    }

    fn in_step(&self) -> bool {
        false
    }

    async fn saved(&self) -> Result<Arrays, RunError> {
        self.save().await
    }

    fn notes(&self) -> Value {
        self.noted()
    }

    fn restore(&mut self, checkpoint: &Checkpoint, notes: &Value) -> Result<(), CheckpointError> {
        self.load(&checkpoint.arrays, notes)
    }
}

impl TextTrain {
    /// Goes back to the best epoch and says so.
    fn go_back(&mut self, at: Position, what: &str, value: f32) -> Result<Event, RunError> {
        let Position { epoch, step, .. } = at;
        match self.reload() {
            None => Err(RunError::Diverged { epoch, step, what: what.to_owned(), value }),
            Some(best) => Ok(Event::Warning(Warning {
                epoch,
                code: WarningCode::Reloaded,
                message: format!(
                    "{what} is {value} in epoch {}, step {}: the training goes on from the weights of \
                     epoch {best}",
                    epoch + 1,
                    step + 1
                ),
            })),
        }
    }
}
