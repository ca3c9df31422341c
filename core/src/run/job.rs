//! What a kind of run is to [`Run`](super::Run): what its steps and its epochs do.

use serde_json::Value;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::{Next, Position, Progress, RunError, Told};
use crate::arrays::Arrays;
use crate::cell::Genotype;
use crate::config::Config;
use crate::data::Batches;
use crate::event::{Event, Started};
use crate::measure::{Observed, Observer};

/// Where the batches of a job come from.
pub(super) type Supply<'a, J> = &'a mut dyn Batches<Batch = <J as Job>::Batch>;

/// What a run does in a step and in an epoch.
#[expect(async_fn_in_trait, reason = "a run stays on its thread: a device cannot be sent")]
pub trait Job {
    /// A batch on the host.
    type Batch;
    /// What an evaluation gives.
    type Evaluated;

    /// All settings.
    fn config(&self) -> &Config;

    /// What follows an epoch.
    fn after(&self, epoch: usize) -> Next;

    /// What looks at it after every epoch, in the places of [`crate::measure::ALL`].
    ///
    /// # Errors
    /// If the settings name no method.
    fn observers(&self) -> Result<Vec<Option<Box<dyn Observer>>>, RunError>;

    /// What is about to run.
    fn started(&self) -> Started;

    /// What an epoch starts with.
    fn begin_epoch(&self, at: Position) -> Event;

    /// Does the next part of a step. After the last one it gives what the step says.
    ///
    /// # Errors
    /// [`RunError::Diverged`] if a loss is not finite and that is known, or what the data or the device
    /// say.
    async fn part(
        &mut self,
        batches: Supply<'_, Self>,
        at: Position,
    ) -> Result<Option<Told>, RunError>;

    /// Evaluates after the last step of an epoch.
    ///
    /// # Errors
    /// What the data or the device say.
    async fn evaluate(
        &mut self,
        batches: Supply<'_, Self>,
        at: Position,
    ) -> Result<Self::Evaluated, RunError>;

    /// The accuracy that an evaluation gives.
    fn accuracy(evaluated: &Self::Evaluated) -> f64;

    /// The perplexity that it gives, of a run of text.
    fn perplexity(&self, _evaluated: &Self::Evaluated) -> Option<f64> {
        None
    }

    /// What an ended epoch says.
    ///
    /// # Errors
    /// If the device failed.
    async fn epoch_finished(
        &self,
        progress: &Progress,
        evaluated: Self::Evaluated,
    ) -> Result<Event, RunError>;

    /// Lets an observer look, after an epoch.
    ///
    /// # Errors
    /// What the data or the device say.
    async fn observe(
        &self,
        observer: &mut dyn Observer,
        batches: Supply<'_, Self>,
        at: Position,
    ) -> Result<Observed, RunError>;

    /// Goes on to the next stage, which starts at this position, and says so; nothing, where there are none.
    ///
    /// # Errors
    /// If the device failed, or there is no such network.
    async fn change_stage(&mut self, _: Position) -> Result<Option<Event>, RunError> {
        Ok(None)
    }

    /// What an ended run says.
    ///
    /// # Errors
    /// If the device failed.
    async fn finished(&self, progress: &Progress) -> Result<Event, RunError>;

    /// What would be derived now, or what is trained.
    ///
    /// # Errors
    /// If the device failed.
    async fn genotype(&self) -> Result<Genotype, RunError>;

    /// Whether a step was begun and not ended.
    fn in_step(&self) -> bool;

    /// Everything that it has learnt.
    ///
    /// # Errors
    /// If the device failed.
    async fn saved(&self) -> Result<Arrays, RunError>;

    /// What it remembers besides; null where that is nothing.
    fn notes(&self) -> Value {
        Value::Null
    }

    /// Takes what [`Self::saved`] and [`Self::notes`] gave, of these choices.
    ///
    /// # Errors
    /// If an array is missing, or the notes are something else.
    fn restore(&mut self, checkpoint: &Checkpoint, notes: &Value) -> Result<(), CheckpointError>;
}
