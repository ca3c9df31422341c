//! The training of the network of a genotype from scratch (spec §9; on a text §10, evaluation):
//!
//! ```text
//! for every epoch, for every batch of the training data:
//!     update w by descending ∇_w L(w)
//! after every epoch: evaluate
//! ```
//!
//! [`Train`] is that as a job of a run. How a step is done, what is evaluated and which weights are the best is
//! that of a task, [`Trainable`]: `images` go through the network in parts and are judged by accuracy, a
//! `text` carries a hidden state, goes on to averaged SGD, and is judged by perplexity.

mod images;
mod job;
mod text;

use std::array;

use burn::tensor::{Device, Tensor};
use serde_json::Value;

use super::checkpoint::CheckpointError;
use super::job::Supply;
use super::noise::{Noise, Purpose};
use super::state::to_file;
use super::{Position, Run, RunError, Tally, Told};
use crate::arrays::Arrays;
use crate::cell::Genotype;
use crate::config::Config;
use crate::data::Part;
use crate::event::{Event, TrainStep, Trained};
use crate::net::Network as _;
use crate::nn::{Layout, ReadError, read};
use crate::rng::Streams;
use crate::run::search::kernels;
use crate::task::{self, Language, Model, Point, Task, Training};
pub use text::genotype_for_text;

/// The training of a network on images.
pub type ImageTraining = Run<Train<Training>>;

/// The training of a network on a text.
pub type TextTraining = Run<Train<Language>>;

/// Weights that learn.
pub struct Train<T: Trainable> {
    config: Config,
    genotype: Genotype,
    model: Model<T>,
    state: T::State,
    streams: Streams,
    device: Device,
    steps_per_epoch: usize,
}

/// A task whose network is trained from scratch.
#[expect(async_fn_in_trait, reason = "a run stays on its thread: a device cannot be sent")]
pub trait Trainable: Task {
    /// What a training changes from step to step.
    type State: State;

    /// The learning rate that an epoch has.
    fn learning_rate(config: &Config, epoch: usize) -> f64;

    /// The probability of drop-path in an epoch; none where nobody speaks of it.
    fn drop_path(config: &Config, epoch: usize) -> Option<f64>;

    /// What the network is evaluated on after every epoch.
    fn evaluated_on(config: &Config) -> Part;

    /// The name of the file of weights of a kind.
    fn file(kind: Kind) -> &'static str;

    /// A batch as it goes through the network: in parts, one after the other, where it is too large.
    fn parts(_config: &Config, batch: Self::Batch) -> Vec<Self::Batch> {
        vec![batch]
    }

    /// Does the next part of a step, as [`Job::part`](super::Job::part).
    ///
    /// # Errors
    /// [`RunError::Diverged`] if a loss is not finite and that is known, or what the data or the device
    /// say.
    async fn part(
        train: &mut Train<Self>,
        batches: Supply<'_, Train<Self>>,
        at: Position,
    ) -> Result<Option<Told>, RunError>;

    /// Evaluates after the last step of an epoch, and keeps the weights if they are the best.
    ///
    /// # Errors
    /// As for [`Self::part`].
    async fn evaluate(
        train: &mut Train<Self>,
        batches: Supply<'_, Train<Self>>,
        at: Position,
    ) -> Result<Evaluated, RunError>;
}

/// What a training changes from step to step, and its way to and from files.
#[expect(async_fn_in_trait, reason = "a run stays on its thread: a device cannot be sent")]
pub trait State {
    /// Weights and running statistics of a kind; none where it keeps no such.
    fn weights(&self, kind: Kind) -> Option<(&Tensor<1>, &Tensor<2>)>;

    /// Adds what it knows of the best epoch and of the test after the last one.
    fn tell(&self, trained: &mut Trained);

    /// Whether a step was begun and not ended.
    fn in_step(&self) -> bool {
        false
    }

    /// All arrays of it.
    ///
    /// # Errors
    /// If the device failed.
    async fn save(&self, layout: &Layout) -> Result<Arrays, ReadError>;

    /// The numbers that no array can hold exactly.
    fn notes(&self) -> Value;

    /// Takes what [`Self::save`] and [`Self::notes`] gave; nothing, where something is missing or is that of
    /// something else.
    ///
    /// # Errors
    /// What is missing.
    fn load(
        &mut self,
        arrays: &Arrays,
        notes: &Value,
        layout: &Layout,
        device: &Device,
    ) -> Result<(), CheckpointError>;
}

/// Which weights of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those of the last step: what the paper reports of images.
    Final,
    /// Those of the best epoch so far: what it reports of a text.
    Best,
    /// Their moving average.
    Average,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Final, Self::Best, Self::Average];
}

/// What the evaluation after an epoch gives.
pub struct Evaluated {
    loss: f64,
    accuracy: f64,
    /// Whether no epoch before was better.
    best: bool,
    top5: Option<f64>,
    /// Loss and accuracy of the moving average, where there is one beside the weights.
    average: Option<[f64; 2]>,
    /// Whether what was evaluated is itself an average.
    averaged: bool,
}

impl<T: Trainable> Train<T> {
    /// A training of this network, which was made of this genotype, from this state.
    fn of(
        config: &Config,
        genotype: Genotype,
        (task, network): (T, Box<T::Net>),
        state: T::State,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Self {
        Self {
            config: config.clone(),
            genotype,
            model: Model::new(task, network, kernels(config)),
            state,
            streams: Streams::new(config.seed),
            device: device.clone(),
            steps_per_epoch,
        }
    }

    /// What is trained.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// Weights and running statistics as a safetensors file, with the names of the authors' code.
    /// `None` where there are no weights of this kind.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn weights(&self, kind: Kind) -> Result<Option<Vec<u8>>, RunError> {
        let Some((weights, statistics)) = self.state.weights(kind) else { return Ok(None) };
        Ok(Some(to_file(self.model.network.layout(), weights, statistics).await?))
    }

    /// Mean loss and accuracy on a part of the data, which is read from its start to its end; `look` sees what
    /// the network says of every part of a batch.
    async fn means(
        &self,
        point: Point<'_>,
        part: Part,
        batches: Supply<'_, Self>,
        at: Position,
        mut look: impl AsyncFnMut(Tensor<2>, &T::Batch) -> Result<(), RunError>,
    ) -> Result<(f64, f64), RunError> {
        let mut noise = Noise::new(self.streams, at, Purpose::Evaluation, 0.0);
        let (mut tally, mut carry) = (task::Tally::new(&self.device), T::Carry::default());
        for index in 0..batches.evaluation_batches(part) {
            let batch = batches.evaluation(part, at.epoch, index)?;
            for batch in T::parts(&self.config, batch) {
                let input = self.model.task.upload(batch.clone(), &carry, &self.device);
                let outcome = self.model.loss(point, &[], &input, noise.next());
                let (logits, after) = (outcome.logits.clone(), outcome.carry.clone());
                tally.add(outcome.scores(), self.model.task.count(&input));
                look(logits, &batch).await?;
                carry = after;
            }
        }
        Ok(tally.means().await?)
    }
}

/// What a step says, and what it adds to the sums of its epoch.
fn stepped(at: Position, loss: f32, correct: f32, examples: usize) -> (Event, Tally) {
    let (correct, examples) = (f64::from(correct), examples as f64);
    let event = Event::TrainStep(TrainStep {
        epoch: at.epoch,
        step: at.step,
        loss,
        accuracy: (correct / examples) as f32,
    });
    (event, Tally { loss_sum: f64::from(loss) * examples, correct, examples, seconds: 0.0 })
}

/// What the device has found, in one read.
async fn numbers<const N: usize>(found: [Tensor<1>; N]) -> Result<[f32; N], ReadError> {
    let numbers = read(Tensor::cat(found.into(), 0)).await?;
    Ok(array::from_fn(|index| numbers.get(index).copied().unwrap_or(f32::NAN)))
}

/// The error of a number that is none.
fn diverged(Position { epoch, step, .. }: Position, what: &str, value: f32) -> RunError {
    RunError::Diverged { epoch, step, what: what.to_owned(), value }
}
