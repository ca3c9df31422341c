//! The training of the network of a recurrent genotype on a text (spec §10, evaluation):
//!
//! ```text
//! for every epoch, for every sequence of the training text:
//!     update w by descending ∇_w L(w), L = NLL + β·TAR, at the rate of the sequence's length
//! after every epoch: evaluate on the validation text
//!     SGD becomes ASGD when the loss is worse than it was before the last 5 epochs
//! ```
//!
//! Where a loss or a gradient is not finite the weights are again those of the best epoch, and the training
//! goes on with the next sequence. (The authors' code goes back to that epoch, too; here epochs go on, so that a
//! training ends.)

mod job;
mod state;

use burn::tensor::{Device, Tensor};

use crate::arrays::vector;
use crate::cell::{Genotype, codec, published};
use crate::config::Config;
use crate::data::text::{Text, TextBatch};
use crate::data::{Batches, Part};
use crate::net::{DerivedRecurrent, Network as _};
use crate::nn::GradientTarget;
use crate::optim::{Asgd, clip, sgd};
use crate::rng::Streams;
use crate::run::noise::{Noise, Purpose};
use crate::run::search::{kernels, language_shape};
use crate::run::{Position, Run, RunError};
use crate::task::{self, Hidden, Language, Model, Point, Task as _};
pub use state::Weight;
use state::{Best, Tested};

/// The training of a network on a text.
pub type TextTraining = Run<TextTrain>;

type Supply<'a> = &'a mut dyn Batches<Batch = TextBatch>;

/// Most times that the weights go back without a better epoch in between.
const MOST_RELOADS: usize = 10;

/// Weights that learn to say which word follows.
pub struct TextTrain {
    config: Config,
    genotype: Genotype,
    model: Model<Language>,
    weights: Tensor<1>,
    /// Of SGD; none without momentum.
    momentum: Option<Tensor<1>>,
    /// There is no batch norm.
    statistics: Tensor<2>,
    /// The hidden state after the last sequence.
    hidden: Hidden,
    /// ASGD, once it has begun.
    averaging: Option<Asgd>,
    /// Validation losses of the epochs of SGD.
    losses: Vec<f64>,
    /// The best epoch so far; `None` before the first evaluation.
    best: Option<Best>,
    /// How often the weights went back since.
    reloads: usize,
    /// What the test after the last epoch found.
    tested: Option<Tested>,
    /// The words that the numbers mean, and what stands for all of them.
    words: Vec<String>,
    vocabulary: String,
    streams: Streams,
    device: Device,
    steps_per_epoch: usize,
}

/// The recurrent genotype that a text means: a name is that of a recurrent cell, with or without `penn_`.
///
/// # Errors
/// As for [`codec::read`].
pub fn genotype_for_text(text: &str) -> Result<Genotype, RunError> {
    match published::find_recurrent(text.trim()) {
        Some(row) => Ok(row.genotype()),
        None => Ok(codec::read(text)?),
    }
}

impl TextTraining {
    /// A training on a text from the start, on `device`, of the recurrent genotype that the settings name.
    ///
    /// # Errors
    /// If a setting is wrong, or the genotype is none of a recurrent cell.
    pub fn new(
        config: &Config,
        text: &Text,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self, RunError> {
        config.validate()?;
        let genotype = genotype_for_text(&config.train.genotype)?;
        let shape = language_shape(config, text.vocabulary.len());
        let network = Box::new(DerivedRecurrent::new(&genotype, shape)?);
        let streams = Streams::new(config.seed);
        let weights = vector(network.layout().initial_weights(&streams), device);
        Run::from_start(TextTrain {
            config: config.clone(),
            genotype,
            model: Model::new(Language::new(config), network, kernels(config)),
            weights,
            momentum: None,
            statistics: Tensor::zeros([2, 1], device),
            hidden: Hidden::default(),
            averaging: None,
            losses: Vec::new(),
            best: None,
            reloads: 0,
            tested: None,
            words: text.vocabulary.clone(),
            vocabulary: text.fingerprint(),
            streams,
            device: device.clone(),
            steps_per_epoch,
        })
    }
}

impl TextTrain {
    /// One step of SGD, or of ASGD, along the gradient of a sequence.
    fn update_weights(&mut self, gradient: Tensor<1>, rate: f64) {
        let optimiser = self.config.train.optimiser();
        let gradient = clip(gradient, optimiser.clip);
        let weights = self.weights.clone();
        if let Some(averaging) = &mut self.averaging {
            let step = (rate, optimiser.weight_decay);
            self.weights = averaging.step(weights, gradient, step, self.config.quirks.asgd_lags);
            return;
        }
        let buffer = self.momentum.take().unwrap_or_else(|| gradient.zeros_like());
        let (weights, buffer) = sgd(weights, buffer, gradient, rate, &optimiser);
        self.weights = weights;
        self.momentum = (optimiser.momentum > 0.0).then_some(buffer);
    }

    /// The weights that are evaluated: the average, where ASGD keeps one.
    fn evaluated(&self) -> &Tensor<1> {
        self.averaging.as_ref().map_or(&self.weights, |averaging| &averaging.average)
    }

    /// Begins ASGD where SGD has stopped to help: the loss is worse than before the last few epochs.
    fn follow_loss(&mut self, loss: f64) {
        if self.averaging.is_some() {
            return;
        }
        let counted = self.losses.len().saturating_sub(self.config.train.nonmonotone);
        if self.losses[..counted].iter().any(|&before| loss > before) {
            self.averaging = Some(Asgd::new(&self.weights, self.config.train.learning_rate));
        }
        self.losses.push(loss);
    }

    /// Goes back to the best epoch, with the optimiser that it had; the number of that epoch, from 1 on.
    fn reload(&mut self) -> Option<usize> {
        let best = self.best.as_ref().filter(|_| self.reloads < MOST_RELOADS)?;
        self.weights = best.weights.clone();
        self.averaging =
            best.averaging.map(|(steps, rate)| Asgd { average: best.weights.clone(), steps, rate });
        (self.momentum, self.hidden) = (None, Hidden::default());
        self.reloads += 1;
        Some(best.epoch + 1)
    }

    /// Mean loss and share of right words of these weights on a part of the text, which is read from its
    /// start to its end. (The authors divide by all words, also by those of the first row, which nothing
    /// predicts; here the mean is over what is predicted.)
    async fn evaluate_at(
        &self,
        weights: &Tensor<1>,
        part: Part,
        batches: Supply<'_>,
        at: Position,
    ) -> Result<(f64, f64), RunError> {
        let point = Point { weights, statistics: &self.statistics, eval: true };
        let mut noise = Noise::new(self.streams, at, Purpose::Evaluation, 0.0);
        let mut tally = task::Tally::new(&self.device);
        let mut hidden = Hidden::default();
        for index in 0..batches.evaluation_batches(part) {
            let batch = batches.evaluation(part, at.epoch, index)?;
            let input = self.model.task.upload(&batch, &hidden, &self.device);
            let outcome = self.model.loss(point, &[], &input, noise.next());
            hidden = outcome.carry.clone();
            tally.add(outcome.scores(), self.model.task.count(&input));
        }
        Ok(tally.means().await?)
    }

    /// What is trained.
    pub fn model(&self) -> &Model<Language> {
        &self.model
    }

    /// The vocabulary: the words that the numbers of the network mean.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Multiply-adds of a pass for one word, with those of the gradients that are wanted.
    pub fn multiply_adds(&self, target: GradientTarget) -> u64 {
        self.model.network.multiply_adds(target)
    }

    /// Whether ASGD has begun.
    pub fn is_averaging(&self) -> bool {
        self.averaging.is_some()
    }

    fn weight_count(&self) -> usize {
        self.model.network.layout().weight_count()
    }
}
