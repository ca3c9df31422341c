//! The search (Algorithm 1 of the paper):
//!
//! ```text
//! while not converged:
//!     update α by descending ∇_α L_val(w, α)
//!     p̂ = p + δ with p = softmax(α):  δ ~ U[−ε, ε]   or   δ = argmax_{‖δ‖ ≤ ε} L_train(w, p + δ)
//!     update w by descending ∇_w L_train(w, p̂)
//! derive the genotype from α
//! ```
//!
//! [`Search::advance`] does the next piece of this and returns the [`Event`] that tells of it. The
//! caller owns the loop: it writes events, takes checkpoints and stops when it wants to.

mod arithmetic;
mod collapse;
mod epoch;
mod error;
mod parts;
mod perturbation;
mod report;
mod sharpness;
mod state;

use burn::tensor::{Device, Tensor, TensorData};

use crate::arch::probabilities;
use crate::architect::{Unrolling, first_order, second_order};
use crate::cell::Genotype;
use crate::checkpoint::{Phase, Progress};
use crate::config::{self, Config, Order};
use crate::data::{Batch, Batches, ImageShape};
use crate::event::{EpochStarted, Event, Finished, Started};
use crate::methods::{self, Hook};
use crate::net::{Examples, Model, NetShape, Point};
use crate::nn::{Randomness, drop_path};
use crate::optim::{adam, clip, cosine, sgd};
use crate::perturb::{Perturbation, epsilon};
use crate::rng::{Stream, Streams};
use crate::space::table::{Table, TableError};
use crate::space::{self, Space};
use parts::{Perturbed, Work};
use report::StepReport;
use state::State;

pub use arithmetic::StepArithmetic;
pub use error::SearchError;
pub use parts::Part;

/// Room for the forward passes of one step in the noise stream.
const NOISE_PASSES: u64 = 1 << 20;

/// A search in progress.
pub struct Search {
    config: Config,
    perturbation: Perturbation,
    hook: Option<Hook>,
    space: &'static Space,
    model: Model,
    streams: Streams,
    device: Device,
    device_label: String,
    clock: fn() -> f64,
    table: Option<Table>,
    steps_per_epoch: usize,
    image_size: usize,
    state: State,
    progress: Progress,
    work: Option<Work>,
}

impl Search {
    /// A search from the start, on `device`.
    ///
    /// # Errors
    /// If a setting, a name or the image size is wrong.
    pub fn new(
        config: &Config,
        images: ImageShape,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self, SearchError> {
        config.validate()?;
        if images.size == 0 || !images.size.is_multiple_of(4) {
            return Err(SearchError::ImageSize { size: images.size });
        }
        let shape = NetShape {
            image_channels: images.channels,
            classes: images.classes,
            cells: config.search.cells,
            channels: config.search.channels,
            stem_multiplier: config.search.stem_multiplier,
        };
        let space = space::find(&config.search.space)?;
        let network = space.supernet(shape)?;
        let streams = Streams::new(config.seed);
        let state = State::initial(network.as_ref(), config.alpha.init_scale, &streams, device);
        let method = methods::find(&config.search.method)?;
        Ok(Self {
            perturbation: method.perturbation,
            hook: method.hook,
            space,
            model: Model { network, kernels: kernels(config) },
            config: config.clone(),
            streams,
            device: device.clone(),
            device_label: String::new(),
            clock: || 0.0,
            table: None,
            steps_per_epoch,
            image_size: images.size,
            state,
            progress: Progress::default(),
            work: None,
        })
    }

    /// Names the device in [`Started`].
    pub fn set_device_label(&mut self, label: String) {
        self.device_label = label;
    }

    /// Gives the search a clock, in seconds; without one every epoch takes 0.
    pub fn set_clock(&mut self, clock: fn() -> f64) {
        self.clock = clock;
    }

    /// Gives the search a table of trained networks: after every epoch an [`Anytime`] event says
    /// what it knows of the cell that would be derived.
    ///
    /// # Errors
    /// If it is not a table of all cells of this space.
    pub fn set_table(&mut self, table: Table) -> Result<(), TableError> {
        table.covers(self.space)?;
        self.table = Some(table);
        Ok(())
    }

    /// Does the next piece of work and returns what it says; `None` when the search is over.
    ///
    /// # Errors
    /// [`SearchError::Diverged`] if a loss is not finite, or what the data or the device say. The
    /// search must not be continued or saved after an error: go back to the last checkpoint.
    pub async fn advance(
        &mut self,
        batches: &mut dyn Batches,
    ) -> Result<Option<Event>, SearchError> {
        let began = (self.clock)();
        loop {
            let event = match self.progress.phase {
                Phase::Start => Some(self.start()),
                Phase::EpochStart => Some(self.start_epoch()),
                Phase::Step => Some(self.step(batches, began).await?),
                Phase::EpochEnd => Some(self.finish_epoch(batches, began).await?),
                Phase::Anytime => self.anytime().await?,
                Phase::Hessian => self.measure(batches).await?,
                Phase::EarlyStop => self.announce_stop(),
                Phase::Alarm => self.alarm().await?,
                Phase::Finish => Some(self.finish().await?),
                Phase::Done => return Ok(None),
            };
            if event.is_some() {
                self.progress.events += 1;
                return Ok(event);
            }
        }
    }

    /// What is searched: settings, network, architecture table.
    pub fn started(&self) -> Started {
        Started {
            schema: crate::event::SCHEMA,
            config: self.config.clone(),
            device: self.device_label.clone(),
            parameters: self.model.network.layout().weight_count(),
            choices: self.model.network.architecture().to_vec(),
            steps_per_epoch: self.steps_per_epoch,
        }
    }

    /// How many events this search has said, over all its processes.
    pub fn events(&self) -> u64 {
        self.progress.events
    }

    /// What would be derived now, or what a search returned to when it stopped early.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn genotype(&self) -> Result<Genotype, SearchError> {
        match self.stopped() {
            Some(verdict) => Ok(verdict.genotype.clone()),
            None => self.derived_now().await,
        }
    }

    async fn derived_now(&self) -> Result<Genotype, SearchError> {
        let rows = self.state.rows(&probabilities(&self.state.alpha)).await?;
        Ok(self.space.derive(&rows))
    }

    /// The network, as a function of weights and architecture.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Raw α where the search stands, [edges, operations] for every architecture tensor.
    pub fn alpha(&self) -> &[Tensor<2>] {
        &self.state.alpha
    }

    /// The weights and statistics where the search stands.
    pub fn point(&self, eval: bool) -> Point<'_> {
        self.state.point(eval)
    }

    /// Where the search stands: epochs whose steps are all taken, and steps of the next one.
    pub fn position(&self) -> (usize, usize) {
        let (taken, steps) = (self.progress.total_steps as usize, self.steps_per_epoch);
        (taken / steps, taken % steps)
    }

    fn start(&mut self) -> Event {
        self.progress.phase = Phase::EpochStart;
        Event::Started(self.started())
    }

    fn start_epoch(&mut self) -> Event {
        let Progress { epoch, .. } = self.progress;
        self.progress = Progress {
            phase: Phase::Step,
            step: 0,
            loss_sum: 0.0,
            correct: 0.0,
            images: 0.0,
            seconds: 0.0,
            ..self.progress.clone()
        };
        let (learning_rate, epsilon) = (self.learning_rate(), self.epsilon());
        Event::EpochStarted(EpochStarted { epoch, learning_rate, epsilon })
    }

    async fn step(&mut self, batches: &mut dyn Batches, began: f64) -> Result<Event, SearchError> {
        let Progress { epoch, step, .. } = self.progress;
        let mut work = self.work(batches)?;
        let valid_loss = match work.valid_loss.take() {
            Some(loss) => loss,
            None => self.alpha_step(&work.valid, &work.train, &mut work.noise),
        };
        let Perturbed { p, attacked } = match work.perturbed.take() {
            Some(perturbed) => perturbed,
            None => self.perturb(&work.train, &mut work.noise).await?,
        };
        let Work { train, mut noise, .. } = work;
        let (train_loss, correct) = self.weight_step(&p, &train, &mut noise);

        let report = StepReport::read(train_loss, correct, valid_loss, attacked).await?;
        let count = train.labels.dims()[0] as f64;
        self.count_step(&report, count, began);
        report.into_event(epoch, step, count, self.config.quirks.revert_failed_attack)
    }

    /// One step of Adam on α, on the validation batch; the architecture is not perturbed.
    fn alpha_step(
        &mut self,
        valid: &Examples,
        train: &Examples,
        mut noise: impl FnMut() -> Randomness,
    ) -> Tensor<1> {
        let unrolling = Unrolling {
            momentum: &self.state.momentum,
            learning_rate: self.learning_rate(),
            optimiser: &self.config.weights,
            train,
        };
        let (at, alpha) = (self.state.point(false), &self.state.alpha);
        let pass = noise();
        let mut found = match self.config.search.order {
            Order::First => first_order(&self.model, at, alpha, valid, pass.clone()),
            Order::Second => second_order(&self.model, at, alpha, valid, &unrolling, &mut noise),
        };
        if self.hook == Some(Hook::CurvaturePenalty) {
            self.penalise(&mut found, valid, pass);
        }
        let step = self.progress.total_steps + 1;
        let tensors = self.state.alpha.iter_mut().zip(&mut self.state.adam);
        for ((alpha, moments), gradient) in tensors.zip(found.gradient) {
            (*alpha, *moments) =
                adam(alpha.clone(), moments.clone(), gradient, step, &self.config.alpha);
        }
        self.state.statistics = found.statistics;
        found.loss
    }

    /// One step of SGD on w, on the training batch, at the perturbed architecture.
    fn weight_step(
        &mut self,
        p: &[Tensor<2>],
        train: &Examples,
        noise: &mut impl FnMut() -> Randomness,
    ) -> (Tensor<1>, Tensor<1>) {
        let at = self.state.point(false);
        let (gradient, outcome) = self.model.weight_gradient(at, p, train, noise());
        let gradient = clip(gradient, self.config.weights.clip);
        let (weights, momentum) = (self.state.weights.clone(), self.state.momentum.clone());
        (self.state.weights, self.state.momentum) =
            sgd(weights, momentum, gradient, self.learning_rate(), &self.config.weights);
        self.state.statistics = outcome.statistics;
        (outcome.loss, outcome.correct)
    }

    fn count_step(&mut self, report: &StepReport, count: f64, began: f64) {
        let progress = &mut self.progress;
        progress.loss_sum += f64::from(report.train_loss) * count;
        progress.correct += f64::from(report.correct);
        progress.images += count;
        progress.seconds += (self.clock)() - began;
        progress.total_steps += 1;
        progress.step += 1;
        if progress.step == self.steps_per_epoch {
            progress.phase = Phase::EpochEnd;
        }
    }

    async fn finish(&mut self) -> Result<Event, SearchError> {
        self.progress.phase = Phase::Done;
        let stopped = self.stopped();
        Ok(Event::Finished(Finished {
            genotype: self.genotype().await?,
            epochs: self.progress.epoch,
            valid_accuracy: self.progress.valid_accuracy,
            reason: if stopped.is_some() { "early_stopped" } else { "completed" }.to_owned(),
            returned_to: stopped.map(|verdict| verdict.epoch),
        }))
    }

    /// The rate of this epoch; of the next one where the quirk says so.
    fn learning_rate(&self) -> f64 {
        let shift = usize::from(self.config.quirks.learning_rate_shift);
        cosine(&self.config.weights, self.progress.epoch + shift, self.config.search.epochs)
    }

    /// The radius of this epoch; 0 without a perturbation.
    fn epsilon(&self) -> f64 {
        let Progress { epoch, .. } = self.progress;
        match self.perturbation {
            Perturbation::None => 0.0,
            _ => epsilon(
                &self.config.perturbation,
                self.config.quirks.epsilon_reaches_max,
                epoch,
                self.config.search.epochs,
            ),
        }
    }

    /// What the passes of this piece of work draw from, one after the other.
    fn noise(&self) -> impl FnMut() -> Randomness + use<> {
        let config::Search { drop_path: largest, epochs, .. } = self.config.search;
        let drop_path = drop_path(largest, self.progress.epoch, epochs);
        let streams = self.streams;
        let evaluation = u64::from(self.progress.phase == Phase::EpochEnd);
        let mut position = (2 * self.progress.total_steps + evaluation) * NOISE_PASSES;
        move || {
            position += 1;
            Randomness { rng: streams.at(Stream::Noise, position), drop_path }
        }
    }

    /// A batch on the device of the search.
    pub fn upload(&self, batch: &Batch) -> Examples {
        let labels: Vec<i32> = batch.labels.iter().map(|&label| i32::from(label)).collect();
        let count = labels.len();
        Examples {
            images: Tensor::from_data(
                TensorData::new(batch.images.clone(), batch.shape),
                &self.device,
            ),
            labels: Tensor::from_data(TensorData::new(labels, [count]), &self.device),
        }
    }
}

fn kernels(config: &Config) -> shaders::Kernels {
    match config.run.kernels {
        config::Kernels::Composed => shaders::Kernels::Composed,
        config::Kernels::Fused => shaders::Kernels::Fused,
    }
}
