//! A training as a job of a run: what those of all tasks do alike.

use serde_json::Value;

use super::{Evaluated, State as _, Train, Trainable};
use crate::arrays::Arrays;
use crate::cell::Genotype;
use crate::config::Config;
use crate::data::Part;
use crate::event::{EpochStarted, EvaluatedOn, Event, Started, TrainEpoch, Trained};
use crate::measure::{Observed, Observer};
use crate::net::Network as _;
use crate::run::checkpoint::{Checkpoint, CheckpointError};
use crate::run::job::Supply;
use crate::run::{Job, Next, Position, Progress, RunError, Told};

impl<T: Trainable> Job for Train<T> {
    type Batch = T::Batch;
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
            learning_rate: T::learning_rate(&self.config, at.epoch),
            epsilon: 0.0,
            drop_path: T::drop_path(&self.config, at.epoch),
            skip_dropout: None,
        })
    }

    async fn part(
        &mut self,
        batches: Supply<'_, Self>,
        at: Position,
    ) -> Result<Option<Told>, RunError> {
        T::part(self, batches, at).await
    }

    async fn evaluate(
        &mut self,
        batches: Supply<'_, Self>,
        at: Position,
    ) -> Result<Evaluated, RunError> {
        T::evaluate(self, batches, at).await
    }

    fn accuracy(evaluated: &Evaluated) -> f64 {
        evaluated.accuracy
    }

    fn perplexity(&self, evaluated: &Evaluated) -> Option<f64> {
        self.model.task.perplexity(evaluated.loss)
    }

    async fn epoch_finished(
        &self,
        progress: &Progress,
        evaluated: Evaluated,
    ) -> Result<Event, RunError> {
        let (epoch, tally) = (progress.position.epoch, &progress.tally);
        let Evaluated { loss, accuracy, best, top5, average, averaged } = evaluated;
        // Where every step went back to the best weights there are none.
        let examples = tally.examples.max(1.0);
        Ok(Event::TrainEpoch(TrainEpoch {
            epoch,
            learning_rate: T::learning_rate(&self.config, epoch),
            drop_path: T::drop_path(&self.config, epoch).unwrap_or(0.0),
            train_loss: tally.loss_sum / examples,
            train_accuracy: tally.correct / examples,
            evaluated_on: self.evaluated_on(),
            loss,
            accuracy,
            top5,
            ema: average,
            perplexity: self.model.task.perplexity(loss),
            averaged,
            best,
            seconds: tally.seconds,
        }))
    }

    async fn observe(
        &self,
        _: &mut dyn Observer,
        _: Supply<'_, Self>,
        _: Position,
    ) -> Result<Observed, RunError> {
        Ok(Observed::default())
    }

    async fn finished(&self, progress: &Progress) -> Result<Event, RunError> {
        let mut trained = Trained {
            genotype: self.genotype.clone(),
            epochs: progress.position.epoch,
            evaluated_on: self.evaluated_on(),
            accuracy: progress.valid_accuracy,
            best_accuracy: progress.valid_accuracy,
            best_epoch: 0,
            ema_accuracy: None,
            top5: None,
            confusion: None,
            perplexity: None,
            test_perplexity: None,
        };
        self.state.tell(&mut trained);
        Ok(Event::Trained(trained))
    }

    async fn genotype(&self) -> Result<Genotype, RunError> {
        Ok(self.genotype.clone())
    }

    fn in_step(&self) -> bool {
        self.state.in_step()
    }

    async fn saved(&self) -> Result<Arrays, RunError> {
        Ok(self.state.save(self.model.network.layout()).await?)
    }

    fn notes(&self) -> Value {
        self.state.notes()
    }

    fn restore(&mut self, checkpoint: &Checkpoint, notes: &Value) -> Result<(), CheckpointError> {
        let layout = self.model.network.layout();
        self.state.load(&checkpoint.arrays, notes, layout, &self.device)
    }
}

impl<T: Trainable> Train<T> {
    fn evaluated_on(&self) -> EvaluatedOn {
        match T::evaluated_on(&self.config) {
            Part::Test => EvaluatedOn::Test,
            _ => EvaluatedOn::Valid,
        }
    }
}
