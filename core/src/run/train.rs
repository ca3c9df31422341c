//! The training of the network of a genotype on images (spec §9); [`TextTrain`] is that on a text:
//!
//! ```text
//! for every epoch, for every batch of all training images:
//!     update w by descending ∇_w L(w), L = cross-entropy + weight · that of the auxiliary head
//! after every epoch: evaluate on the test images
//! ```
//!
//! A batch may go through the network in parts (`Train::accumulate`), so that the paper's batch fits
//! a small memory; the step of SGD (`Train::update_weights`) is one all the same.

mod build;
mod job;
mod state;
mod text;

use burn::tensor::{Device, Tensor};

use super::noise::{Noise, Purpose};
use super::state::Weights;
use super::{Position, Run, RunError};
use crate::cell::Genotype;
use crate::config::Config;
use crate::data::{Batch, Batches, Part};
use crate::measure::confusion::Confusion;
use crate::nn::read;
use crate::optim::{clip, moving_average, sgd, training_rate};
use crate::rng::Streams;
use crate::task::{self, Model, Point, Task, Training};
pub use state::Kind;
use state::{Average, Best, Tested};
pub use text::{TextTrain, TextTraining, Weight};

/// The training of a network on images.
pub type ImageTraining = Run<Train<Training>>;

/// Weights that learn.
pub struct Train<T: Task> {
    config: Config,
    genotype: Genotype,
    model: Model<T>,
    state: Weights,
    /// The moving average of the weights, where there is one.
    average: Option<Average>,
    /// The best weights so far; `None` before the first evaluation.
    best: Option<Best>,
    /// Accuracy of the moving average after the last epoch.
    average_accuracy: Option<f64>,
    /// What the test after the last epoch of all counted.
    tested: Option<Tested>,
    /// The step under way.
    step: Option<Step>,
    streams: Streams,
    device: Device,
    steps_per_epoch: usize,
}

/// A step under way.
struct Step {
    /// The parts of the batch that are still to come, the next one last.
    parts: Vec<Batch>,
    /// Images of the whole batch.
    images: usize,
    noise: Noise,
    /// Sums over the parts so far; `None` before the first.
    sums: Option<Sums>,
}

/// How a network does on the images that it is evaluated on.
struct Found {
    /// Mean loss.
    loss: f64,
    /// Share of right answers.
    accuracy: f64,
    confusion: Confusion,
}

/// Sums over parts of a batch, each weighted by its share of the images.
struct Sums {
    gradient: Tensor<1>,
    loss: Tensor<1>,
    correct: Tensor<1>,
}

impl<T: Task<Batch = Batch, Carry = ()>> Train<T> {
    /// Runs the next part of the batch forward and backward, and adds its gradient to those before:
    /// the mean over the batch is the mean of the parts, weighted by their images. What parts change
    /// besides rounding is batch norm, which normalises every part by itself (and counts it as a
    /// batch in its running statistics), and the draws of drop-path.
    fn accumulate(&mut self, step: &mut Step, part: &Batch) {
        let input = self.model.task.upload(part, &(), &self.device);
        let point = self.state.point(false);
        let (gradient, outcome) = self.model.weight_gradient(point, &[], &input, step.noise.next());
        let share = self.model.task.count(&input) as f64 / step.images as f64;
        // A batch in one part is left as it is: not even rounded.
        let (gradient, loss) = match share {
            1.0 => (gradient, outcome.loss),
            share => (gradient.mul_scalar(share), outcome.loss.mul_scalar(share)),
        };
        self.state.statistics = outcome.statistics;
        step.sums = Some(match step.sums.take() {
            None => Sums { gradient, loss, correct: outcome.correct },
            Some(sums) => Sums {
                gradient: sums.gradient + gradient,
                loss: sums.loss + loss,
                correct: sums.correct + outcome.correct,
            },
        });
    }

    /// One step of SGD along the gradient of the whole batch, and what the moving average makes of it.
    fn update_weights(&mut self, gradient: Tensor<1>, at: Position) {
        let optimiser = self.config.train.optimiser();
        let gradient = clip(gradient, optimiser.clip);
        let (weights, momentum) = (self.state.weights.clone(), self.state.momentum.clone());
        let learning_rate = self.learning_rate(at.epoch);
        (self.state.weights, self.state.momentum) =
            sgd(weights, momentum, gradient, learning_rate, &optimiser);
        if let Some(Average { weights, statistics }) = &mut self.average {
            // At the start the average follows closely, else it would remember the initial weights.
            let steps = at.total_steps as f64 + 1.0;
            let decay = self.config.train.ema.min((1.0 + steps) / (10.0 + steps));
            *weights = moving_average(weights.clone(), self.state.weights.clone(), decay);
            *statistics = moving_average(statistics.clone(), self.state.statistics.clone(), decay);
        }
    }

    /// The rate of this epoch; of the next one where the quirk says so.
    fn learning_rate(&self, epoch: usize) -> f64 {
        let shift = usize::from(self.config.quirks.learning_rate_shift);
        training_rate(&self.config.train, epoch + shift)
    }

    /// The probability of drop-path in this epoch.
    fn drop_path(&self, epoch: usize) -> f64 {
        self.config.train.drop_path * epoch as f64 / self.config.train.epochs as f64
    }

    /// What the network is evaluated on after every epoch.
    fn evaluated_on(&self) -> Part {
        if self.config.train.portion < 1.0 { Part::Valid } else { Part::Test }
    }

    /// How the network does at these weights.
    async fn evaluate_at(
        &self,
        point: Point<'_>,
        batches: &mut dyn Batches<Batch = Batch>,
        at: Position,
    ) -> Result<Found, RunError> {
        let part = self.evaluated_on();
        let mut confusion = Confusion::default();
        let mut noise = Noise::new(self.streams, at, Purpose::Evaluation, 0.0);
        let mut tally = task::Tally::new(&self.device);
        for index in 0..batches.evaluation_batches(part) {
            let batch = batches.evaluation(part, at.epoch, index)?;
            let input = self.model.task.upload(&batch, &(), &self.device);
            let outcome = self.model.loss(point, &[], &input, noise.next());
            let logits = outcome.logits.clone();
            tally.add(outcome.scores(), self.model.task.count(&input));
            confusion.add(&read(logits).await?, &batch.labels);
        }
        let (loss, accuracy) = tally.means().await?;
        Ok(Found { loss, accuracy, confusion })
    }

    /// What is trained.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The weights and statistics where the training stands.
    pub fn point(&self, eval: bool) -> Point<'_> {
        self.state.point(eval)
    }
}
