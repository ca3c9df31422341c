//! The training of a recurrent genotype on a text (spec §10, evaluation): the loss is the negative
//! log-likelihood with β·TAR, the rate that of the sequence's length, and what is judged the perplexity on the
//! validation text. SGD becomes averaged SGD when that is worse than it was before the last 5 epochs.
//!
//! Where a loss or a gradient is not finite the weights are again those of the best epoch, and the training
//! goes on with the next sequence. (The authors' code goes back to that epoch, too; here epochs go on, so that a
//! training ends.)

mod state;

use burn::tensor::{Device, Tensor};

use super::{Evaluated, Kind, TextTraining, Train, Trainable, diverged, numbers, stepped};
use crate::cell::{Genotype, codec, published};
use crate::config::Config;
use crate::data::Part;
use crate::data::text::Text;
use crate::event::{Event, Warning, WarningCode};
use crate::net::{DerivedRecurrent, Network as _};
use crate::nn::GradientTarget;
use crate::optim::{Asgd, clip, norm, sgd};
use crate::run::job::Supply;
use crate::run::limit::{fits_text, fits_weights};
use crate::run::noise::{Noise, Purpose};
use crate::run::search::language_shape;
use crate::run::{Job as _, Next, Position, Run, RunError, Tally, Told};
use crate::task::{Hidden, Language, Task as _};
use state::{State, Tested};

/// Most times that the weights go back without a better epoch in between.
const MOST_RELOADS: usize = 10;

impl Trainable for Language {
    type State = State;

    fn learning_rate(config: &Config, _: usize) -> f64 {
        config.train.learning_rate
    }

    fn drop_path(_: &Config, _: usize) -> Option<f64> {
        None
    }

    fn evaluated_on(_: &Config) -> Part {
        Part::Valid
    }

    /// What counts is the best epoch: an average, where averaged SGD had begun.
    fn file(kind: Kind) -> &'static str {
        match kind {
            Kind::Final => "weights-last.safetensors",
            Kind::Best | Kind::Average => "weights.safetensors",
        }
    }

    /// A step has one part.
    async fn part(
        train: &mut Train<Self>,
        batches: Supply<'_, Train<Self>>,
        at: Position,
    ) -> Result<Option<Told>, RunError> {
        let batch = batches.step(at.epoch, at.step)?.train;
        // Every epoch begins anew.
        let start = Hidden::default();
        let Train { model, state, .. } = &*train;
        let carry = if at.step == 0 { &start } else { &state.hidden };
        let input = model.task.upload(batch, carry, &train.device);
        let mut noise = Noise::new(train.streams, at, Purpose::Step, 0.0);
        let point = state.point(&state.weights, false);
        let (gradient, outcome) = model.weight_gradient(point, &[], &input, noise.next());
        let length = norm(std::slice::from_ref(&gradient));
        let [loss, correct, length] = numbers([outcome.loss, outcome.correct, length]).await?;
        let (words, rate) = (model.task.count(&input), model.task.rate(&input));
        for (what, value) in [("the training loss", loss), ("the gradient", length)] {
            if !value.is_finite() {
                return Ok(Some(Told::now((train.go_back(at, what, value)?, Tally::default()))));
            }
        }
        train.update_weights(gradient, train.config.train.learning_rate * rate);
        train.state.hidden = outcome.carry;
        Ok(Some(Told::now(stepped(at, loss, correct, words))))
    }

    async fn evaluate(
        train: &mut Train<Self>,
        batches: Supply<'_, Train<Self>>,
        at: Position,
    ) -> Result<Evaluated, RunError> {
        let weights = train.state.evaluated().clone();
        let found = train.evaluate_at(&weights, Part::Valid, &mut *batches, at).await?;
        let (averaged, best) = (train.state.averaging.is_some(), train.state.is_best(found.0));
        if best {
            train.state.keep(weights, found, at.epoch);
        }
        let (mut loss, mut accuracy) = found;
        if loss.is_finite() {
            train.follow_loss(loss);
        } else {
            train.go_back(at, "the loss of the evaluation", loss as f32)?;
            (loss, accuracy) =
                train.state.best.as_ref().map_or(found, |it| (it.of.loss, it.of.accuracy));
        }
        let is_last = train.after(at.epoch) == Next::Stop;
        if let Some(best) = train.state.best.as_ref().filter(|_| is_last)
            && batches.evaluation_batches(Part::Test) > 0
        {
            let found = train.evaluate_at(&best.weights, Part::Test, batches, at).await?;
            train.state.tested = Some(Tested { loss: found.0, accuracy: found.1 });
        }
        Ok(Evaluated { loss, accuracy, best, top5: None, average: None, averaged })
    }
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
        fits_text(config, config.train.batch_size, text.vocabulary.len(), device)?;
        let network = DerivedRecurrent::new(&genotype, shape)?;
        fits_weights(network.layout(), device)?;
        let state = State::initial(config, text, network.layout(), device);
        let network = (Language::new(config), Box::new(network) as _);
        Run::from_start(Train::of(config, genotype, network, state, steps_per_epoch, device))
    }
}

impl Train<Language> {
    /// One step of SGD, or of ASGD, along the gradient of a sequence.
    fn update_weights(&mut self, gradient: Tensor<1>, rate: f64) {
        let optimiser = self.config.train.optimiser();
        let gradient = clip(gradient, optimiser.clip);
        let state = &mut self.state;
        let weights = state.weights.clone();
        if let Some(averaging) = &mut state.averaging {
            let step = (rate, optimiser.weight_decay);
            state.weights = averaging.step(weights, gradient, step, self.config.quirks.asgd_lags);
            return;
        }
        let buffer = state.momentum.take().unwrap_or_else(|| gradient.zeros_like());
        let (weights, buffer) = sgd(weights, buffer, gradient, rate, &optimiser);
        state.weights = weights;
        state.momentum = (optimiser.momentum > 0.0).then_some(buffer);
    }

    /// Begins ASGD where SGD has stopped to help: the loss is worse than before the last few epochs.
    fn follow_loss(&mut self, loss: f64) {
        let state = &mut self.state;
        if state.averaging.is_some() {
            return;
        }
        let counted = state.losses.len().saturating_sub(self.config.train.nonmonotone);
        if state.losses[..counted].iter().any(|&before| loss > before) {
            state.averaging = Some(Asgd::new(&state.weights, self.config.train.learning_rate));
        }
        state.losses.push(loss);
    }

    /// Goes back to the best epoch and says so.
    fn go_back(&mut self, at: Position, what: &str, value: f32) -> Result<Event, RunError> {
        let best = self.state.reload().ok_or_else(|| diverged(at, what, value))?;
        let (epoch, step) = (at.epoch + 1, at.step + 1);
        Ok(Event::Warning(Warning {
            epoch: at.epoch,
            code: WarningCode::Reloaded,
            message: format!(
                "{what} is {value} in epoch {epoch}, step {step}: the training goes on from the weights of \
                 epoch {best}"
            ),
        }))
    }

    /// Mean loss and share of right words of these weights on a part of the text. (The authors divide by all
    /// words, also by those of the first row, which nothing predicts; here the mean is over what is predicted.)
    async fn evaluate_at(
        &self,
        weights: &Tensor<1>,
        part: Part,
        batches: Supply<'_, Self>,
        at: Position,
    ) -> Result<(f64, f64), RunError> {
        self.means(self.state.point(weights, true), part, batches, at, async |_, _| Ok(())).await
    }

    /// The vocabulary: the words that the numbers of the network mean.
    pub fn words(&self) -> &[String] {
        &self.state.words
    }

    /// Multiply-adds of a pass for one word, with those of the gradients that are wanted.
    pub fn multiply_adds(&self, target: GradientTarget) -> u64 {
        self.model.network.multiply_adds(target)
    }
}
