//! The training on images (spec §9), judged by its accuracy on the test images. The loss is the cross-entropy
//! with that of the auxiliary head.
//!
//! A batch may go through the network in parts (`accumulate`), so that the paper's batch fits a small memory;
//! the step of SGD (`update_weights`) is one all the same.

mod state;

use burn::tensor::{Device, Tensor};

use super::{Evaluated, ImageTraining, Kind, Train, Trainable, diverged, numbers, stepped};
use crate::cell::{Genotype, codec};
use crate::config::{self, Config};
use crate::data::{Batch, ImageShape, Part};
use crate::measure::confusion::Confusion;
use crate::net::largest::of_derived;
use crate::net::{Classifier, DerivedShape, Stem, derived};
use crate::nn::{GradientTarget, read};
use crate::optim::{clip, moving_average, sgd, training_rate};
use crate::run::job::Supply;
use crate::run::limit::{fits, fits_weights};
use crate::run::noise::{Noise, Purpose};
use crate::run::{Job as _, Next, Position, Run, RunError, Told};
use crate::task::{Model, Point, Task as _, Training};
use state::{Average, Best, State, Tested};

/// A step under way.
pub(super) struct Step {
    /// The parts of the batch that are still to come, the next one last.
    parts: Vec<Batch>,
    /// Images of the whole batch.
    images: usize,
    noise: Noise,
    /// Sums over the parts so far; `None` before the first.
    sums: Option<Sums>,
}

/// Sums over parts of a batch, each weighted by its share of the images.
struct Sums {
    gradient: Tensor<1>,
    loss: Tensor<1>,
    correct: Tensor<1>,
}

impl Trainable for Training {
    type State = State;

    /// The rate of this epoch; of the next one where the quirk says so.
    fn learning_rate(config: &Config, epoch: usize) -> f64 {
        let shift = usize::from(config.quirks.learning_rate_shift);
        training_rate(&config.train, epoch + shift)
    }

    fn drop_path(config: &Config, epoch: usize) -> Option<f64> {
        Some(config.train.drop_path * epoch as f64 / config.train.epochs as f64)
    }

    fn evaluated_on(config: &Config) -> Part {
        if config.train.portion < 1.0 { Part::Valid } else { Part::Test }
    }

    fn file(kind: Kind) -> &'static str {
        match kind {
            Kind::Final => "weights.safetensors",
            Kind::Best => "weights-best.safetensors",
            Kind::Average => "weights-ema.safetensors",
        }
    }

    fn parts(config: &Config, batch: Batch) -> Vec<Batch> {
        batch.parts(config.train.micro_batch)
    }

    async fn part(
        train: &mut Train<Self>,
        batches: Supply<'_, Train<Self>>,
        at: Position,
    ) -> Result<Option<Told>, RunError> {
        let mut step = match train.state.step.take() {
            Some(step) => step,
            None => train.begin_step(batches, at)?,
        };
        if let Some(part) = step.parts.pop() {
            train.accumulate(&mut step, part);
        }
        match (step.parts.is_empty(), step.sums.take()) {
            (true, Some(sums)) => Ok(Some(train.end_step(sums, step.images, at))),
            (_, sums) => {
                step.sums = sums;
                train.state.step = Some(step);
                Ok(None)
            }
        }
    }

    async fn evaluate(
        train: &mut Train<Self>,
        batches: Supply<'_, Train<Self>>,
        at: Position,
    ) -> Result<Evaluated, RunError> {
        let point = train.state.learnt.point(true);
        let (loss, accuracy, confusion) = train.evaluate_at(point, &mut *batches, at).await?;
        finite(at, "the loss of the evaluation", loss as f32)?;
        let mut average = None;
        if let Some(Average { weights, statistics }) = &train.state.average {
            let point = Point { weights, statistics, eval: true };
            let (loss, accuracy, _) = train.evaluate_at(point, batches, at).await?;
            finite(at, "the loss of the moving average", loss as f32)?;
            average = Some([loss, accuracy]);
        }
        let is_last = train.after(at.epoch) == Next::Stop;
        let top5 = (confusion.matrix().classes().len() > 5).then(|| confusion.top5());
        let state = &mut train.state;
        let best = state.best.as_ref().is_none_or(|best| accuracy > best.accuracy);
        if best {
            let (weights, statistics) =
                (state.learnt.weights.clone(), state.learnt.statistics.clone());
            state.best = Some(Best { weights, statistics, accuracy, epoch: at.epoch });
        }
        state.average_accuracy = average.map(|[_, accuracy]| accuracy);
        state.tested =
            is_last.then(|| Tested { top5, confusion: confusion.matrix().rows().to_vec() });
        Ok(Evaluated { loss, accuracy, best, top5, average, averaged: false })
    }
}

impl ImageTraining {
    /// A training on images from the start, on `device`, of the genotype that the settings name.
    ///
    /// # Errors
    /// If a setting, the genotype or the image size is wrong.
    pub fn new(
        config: &Config,
        images: ImageShape,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self, RunError> {
        config.validate()?;
        let genotype = codec::read(&config.train.genotype)?;
        let train = &config.train;
        let shape = DerivedShape {
            image_channels: images.channels,
            classes: images.classes,
            cells: train.cells,
            channels: train.channels,
            stem: match train.stem {
                config::Stem::Cifar => Stem::Small,
                config::Stem::Imagenet => Stem::ImageNet,
            },
            auxiliary: train.auxiliary,
        };
        let task = Training {
            image_size: images.size,
            label_smoothing: train.label_smoothing,
            auxiliary_weight: train.auxiliary_weight,
        };
        let at_once = if train.micro_batch == 0 { usize::MAX } else { train.micro_batch };
        let at_once = train.batch_size.min(at_once) as f64;
        let settings = "train.micro_batch, train.channels or data.image_size";
        fits(at_once * of_derived(&genotype, &shape, images.size), settings, device)?;
        let network = (task, derived(&genotype, shape)?);
        fits_weights(network.1.layout(), device)?;
        Run::from_start(Train::new(config, genotype, network, steps_per_epoch, device))
    }

    /// Multiply-adds of a pass for one image, with those of the gradients that are wanted; the auxiliary
    /// head counts where a gradient is.
    pub fn multiply_adds(&self, target: GradientTarget) -> u64 {
        let Model { task, network, .. } = &self.job().model;
        network.multiply_adds(task.image_size, target)
    }
}

impl Train<Training> {
    /// A training of this network, which was made of this genotype.
    pub fn new(
        config: &Config,
        genotype: Genotype,
        network: (Training, Box<dyn Classifier>),
        steps_per_epoch: usize,
        device: &Device,
    ) -> Self {
        let state = State::initial(config, network.1.layout(), device);
        Self::of(config, genotype, network, state, steps_per_epoch, device)
    }

    /// The weights and statistics where the training stands.
    pub fn point(&self, eval: bool) -> Point<'_> {
        self.state.learnt.point(eval)
    }

    fn begin_step(&self, batches: Supply<'_, Self>, at: Position) -> Result<Step, RunError> {
        let batch = batches.step(at.epoch, at.step)?.train;
        let images = batch.labels.len();
        let mut parts = Training::parts(&self.config, batch);
        parts.reverse();
        let drop_path = Training::drop_path(&self.config, at.epoch).unwrap_or(0.0);
        let noise = Noise::new(self.streams, at, Purpose::Step, drop_path);
        Ok(Step { parts, images, noise, sums: None })
    }

    /// Runs the next part of the batch forward and backward, and adds its gradient to those before:
    /// the mean over the batch is the mean of the parts, weighted by their images. What parts change
    /// besides rounding is batch norm, which normalises every part by itself (and counts it as a
    /// batch in its running statistics), and the draws of drop-path.
    fn accumulate(&mut self, step: &mut Step, part: Batch) {
        let input = self.model.task.upload(part, &(), &self.device);
        let point = self.state.learnt.point(false);
        let (gradient, outcome) = self.model.weight_gradient(point, &[], &input, step.noise.next());
        let share = self.model.task.count(&input) as f64 / step.images as f64;
        // A batch in one part is left as it is: not even rounded.
        let (gradient, loss) = match share {
            1.0 => (gradient, outcome.loss),
            share => (gradient.mul_scalar(share), outcome.loss.mul_scalar(share)),
        };
        self.state.learnt.statistics = outcome.statistics;
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
        let learning_rate = Training::learning_rate(&self.config, at.epoch);
        let State { learnt, average, .. } = &mut self.state;
        let (weights, momentum) = (learnt.weights.clone(), learnt.momentum.clone());
        (learnt.weights, learnt.momentum) =
            sgd(weights, momentum, gradient, learning_rate, &optimiser);
        if let Some(Average { weights, statistics }) = average {
            // At the start the average follows closely, else it would remember the initial weights.
            let steps = at.total_steps as f64 + 1.0;
            let decay = self.config.train.ema.min((1.0 + steps) / (10.0 + steps));
            *weights = moving_average(weights.clone(), learnt.weights.clone(), decay);
            *statistics = moving_average(statistics.clone(), learnt.statistics.clone(), decay);
        }
    }

    fn end_step(
        &mut self,
        Sums { gradient, loss, correct }: Sums,
        images: usize,
        at: Position,
    ) -> Told {
        self.update_weights(gradient, at);
        Told::asked(async move {
            let [loss, correct] = numbers([loss, correct]).await?;
            finite(at, "the training loss", loss)?;
            Ok(stepped(at, loss, correct, images))
        })
    }

    /// How the network does at these weights: mean loss, share of right answers, and which class is taken for
    /// which.
    async fn evaluate_at(
        &self,
        point: Point<'_>,
        batches: Supply<'_, Self>,
        at: Position,
    ) -> Result<(f64, f64, Confusion), RunError> {
        let mut confusion = Confusion::default();
        let look = async |logits, batch: &Batch| {
            confusion.add(&read(logits).await?, &batch.labels);
            Ok(())
        };
        let part = Training::evaluated_on(&self.config);
        let (loss, accuracy) = self.means(point, part, batches, at, look).await?;
        Ok((loss, accuracy, confusion))
    }
}

fn finite(at: Position, what: &str, value: f32) -> Result<(), RunError> {
    if value.is_finite() { Ok(()) } else { Err(diverged(at, what, value)) }
}
