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
mod parts;
mod sharpness;
mod state;

use burn::tensor::{Device, Tensor, TensorData};

use crate::arch::{derive, parameter_free_share, probabilities};
use crate::architect::{Unrolling, first_order, second_order};
use crate::checkpoint::{CheckpointError, Phase, Progress};
use crate::config::{self, Config, ConfigError, Order};
use crate::data::{Batch, Batches, DataError, ImageShape};
use crate::event::{Anytime, Attack, EpochFinished, EpochStarted, Event, Finished, Started, Step};
use crate::genotype::Derived;
use crate::hessian::HessianError;
use crate::methods::{self, Hook, UnknownMethod};
use crate::net::{Examples, Model, NetShape, Point};
use crate::nn::{Randomness, ReadError, drop_path, read};
use crate::optim::{adam, clip, cosine, sgd};
use crate::perturb::{self, Ascent, Attacked, Ball, Objective, Perturbation, epsilon};
use crate::rng::{Stream, Streams};
use crate::space::{self, SpaceError};
use crate::tabular::{Standing, Table, TableError};
use parts::{Perturbed, Work};
use state::State;

pub use arithmetic::StepArithmetic;
pub use parts::Part;

/// Room for the forward passes of one step in the noise stream.
const NOISE_PASSES: u64 = 1 << 20;

/// Why a search could not start, go on or be read.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// A loss is not a number any more.
    #[error(
        "the search diverged in epoch {epoch}, step {step}: {what} is {value}; start again with a lower weights.learning_rate or alpha.learning_rate (the last checkpoint holds the state before it)"
    )]
    Diverged {
        /// 0-based epoch.
        epoch: usize,
        /// 0-based step in it.
        step: usize,
        /// The loss or the tensor that is not finite.
        what: String,
        /// NaN or an infinity.
        value: f32,
    },
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The space is unknown.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The method is unknown.
    #[error(transparent)]
    Method(#[from] UnknownMethod),
    /// The images do not fit the network.
    #[error(
        "images of {size}×{size} pixels are too small or odd: two reductions need a multiple of 4"
    )]
    ImageSize {
        /// Height and width.
        size: usize,
    },
    /// A batch could not be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of another search.
    #[error("the checkpoint was written with other settings:\n{}", .differences.join("\n"))]
    OtherConfig {
        /// One line for each setting that differs.
        differences: Vec<String>,
    },
    /// A step is under way.
    #[error("a step was begun and not ended; advance to its end before saving the search")]
    InStep,
    /// The device failed.
    #[error(transparent)]
    Device(#[from] ReadError),
    /// The Hessian could not be measured.
    #[error(transparent)]
    Hessian(#[from] HessianError),
}

/// A search in progress.
pub struct Search {
    config: Config,
    perturbation: Perturbation,
    hook: Option<Hook>,
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
        let network = space::find(&config.search.space)?.supernet(shape)?;
        let streams = Streams::new(config.seed);
        let state = State::initial(network.as_ref(), config.alpha.init_scale, &streams, device);
        let method = methods::find(&config.search.method)?;
        Ok(Self {
            perturbation: method.perturbation,
            hook: method.hook,
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
        table.covers(self.model.network.architecture())?;
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
            architecture: self.model.network.architecture().to_vec(),
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
    pub async fn genotype(&self) -> Result<Derived, SearchError> {
        match self.stopped() {
            Some(verdict) => Ok(verdict.genotype.clone()),
            None => self.derived_now().await,
        }
    }

    async fn derived_now(&self) -> Result<Derived, SearchError> {
        let rows = self.state.rows(&probabilities(&self.state.alpha)).await?;
        Ok(derive(self.model.network.architecture(), &rows))
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

    /// Where the search stands: epoch and step, both counted from 0.
    pub fn position(&self) -> (usize, usize) {
        (self.progress.epoch, self.progress.step)
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

    /// p̂: softmax(α), perturbed as the method says. α itself is never touched.
    async fn perturb(
        &self,
        train: &Examples,
        noise: &mut impl FnMut() -> Randomness,
    ) -> Result<Perturbed, SearchError> {
        let p = probabilities(&self.state.alpha);
        let mut rng = self.streams.at(Stream::Perturbation, self.progress.total_steps);
        let config::Perturbation { steps, step_scale, random_start, norm, .. } =
            self.config.perturbation;
        let quirks = &self.config.quirks;
        let ball = Ball { epsilon: self.epsilon(), norm, projection: quirks.projection };
        match self.perturbation {
            Perturbation::None => Ok(Perturbed { p, attacked: None }),
            Perturbation::Random => {
                let p = perturb::random(&p, ball, &mut rng).await?;
                Ok(Perturbed { p, attacked: None })
            }
            Perturbation::Adversarial => {
                let revert = quirks.revert_failed_attack;
                let ascent = Ascent { steps, step_scale, random_start, revert };
                let mut objective = TrainingLoss {
                    model: &self.model,
                    at: self.state.point(quirks.attack_in_eval_mode),
                    batch: train,
                    noise,
                };
                let attacked =
                    perturb::adversarial(&p, ball, ascent, &mut objective, &mut rng).await?;
                Ok(Perturbed { p: attacked.p.clone(), attacked: Some(attacked) })
            }
        }
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

    async fn finish_epoch(
        &mut self,
        batches: &mut dyn Batches,
        began: f64,
    ) -> Result<Event, SearchError> {
        let (valid_loss, valid_accuracy) = self.evaluate(batches).await?;
        let alpha = self.state.rows(&self.state.alpha).await?;
        let probabilities = self.state.rows(&probabilities(&self.state.alpha)).await?;
        let genotype = derive(self.model.network.architecture(), &probabilities);
        let (learning_rate, epsilon) = (self.learning_rate(), self.epsilon());
        let progress = &mut self.progress;
        progress.seconds += (self.clock)() - began;
        progress.valid_accuracy = valid_accuracy;
        progress.phase = Phase::Anytime;
        Ok(Event::EpochFinished(EpochFinished {
            epoch: progress.epoch,
            learning_rate,
            epsilon,
            train_loss: progress.loss_sum / progress.images,
            train_accuracy: progress.correct / progress.images,
            valid_loss,
            valid_accuracy,
            alpha,
            probabilities,
            parameter_free: genotype.genes().into_iter().map(parameter_free_share).collect(),
            genotype,
            seconds: progress.seconds,
        }))
    }

    /// Loss and accuracy over the validation half: eval mode, unperturbed.
    async fn evaluate(&self, batches: &mut dyn Batches) -> Result<(f64, f64), SearchError> {
        let p = probabilities(&self.state.alpha);
        let mut noise = self.noise();
        let (mut sums, mut images) = (Tensor::<1>::zeros([2], &self.device), 0.0);
        for index in 0..batches.evaluation_batches() {
            let batch = self.upload(&batches.evaluation(self.progress.epoch, index)?);
            let count = batch.labels.dims()[0] as f64;
            let outcome = self.model.loss(self.state.point(true), &p, &batch, noise());
            sums = sums + Tensor::cat(vec![outcome.loss.mul_scalar(count), outcome.correct], 0);
            images += count;
        }
        let sums = read(sums).await?;
        let mean = |sum: f32| f64::from(sum) / images;
        Ok((
            sums.first().copied().map_or(f64::NAN, mean),
            sums.last().copied().map_or(f64::NAN, mean),
        ))
    }

    /// What the table says of the cell that would be derived now.
    async fn anytime(&mut self) -> Result<Option<Event>, SearchError> {
        self.progress.phase = Phase::Hessian;
        let Some(table) = &self.table else { return Ok(None) };
        let architecture = self.genotype().await?.to_python();
        let (epoch, standing) = (self.progress.epoch, table.find(&architecture));
        let event = |Standing { accuracy: test_accuracy, rank, cells, regret }| {
            Event::Anytime(Anytime { epoch, architecture, test_accuracy, rank, cells, regret })
        };
        Ok(standing.map(event))
    }

    /// A warning, if skip connections have taken over since the last epoch.
    async fn alarm(&mut self) -> Result<Option<Event>, SearchError> {
        let rows = self.state.rows(&probabilities(&self.state.alpha)).await?;
        let architecture = self.model.network.architecture();
        let genotype = derive(architecture, &rows);
        let genes = genotype.genes().first().copied().unwrap_or_default();
        let message = match (architecture.first(), rows.first()) {
            (Some(cell), Some(rows)) => collapse::message(genes, cell, rows),
            _ => None,
        };
        let epoch = self.progress.epoch;
        let news = message.filter(|_| !self.progress.alarmed);
        self.progress.alarmed =
            collapse::has_happened(genes) && (self.progress.alarmed || news.is_some());
        let over = epoch + 1 == self.config.search.epochs || self.stopped().is_some();
        self.progress.phase = if over { Phase::Finish } else { Phase::EpochStart };
        self.progress.epoch = epoch + 1;
        Ok(news.map(|message| collapse::warning(epoch, message)))
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

/// The training loss as a function of p, for the attack.
struct TrainingLoss<'a, N> {
    model: &'a Model,
    at: Point<'a>,
    batch: &'a Examples,
    noise: &'a mut N,
}

impl<N: FnMut() -> Randomness> Objective for TrainingLoss<'_, N> {
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1> {
        self.model.loss(self.at, p, self.batch, (self.noise)()).loss
    }

    fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>> {
        self.model.probability_gradient(self.at, p, self.batch, (self.noise)()).0
    }
}

/// The numbers of a step, brought back from the device in one read.
struct StepReport {
    train_loss: f32,
    correct: f32,
    valid_loss: f32,
    attack: Option<(f32, f32)>,
}

impl StepReport {
    async fn read(
        train_loss: Tensor<1>,
        correct: Tensor<1>,
        valid_loss: Tensor<1>,
        attacked: Option<Attacked>,
    ) -> Result<Self, ReadError> {
        let mut parts = vec![train_loss, correct, valid_loss];
        parts.extend(attacked.into_iter().flat_map(|found| [found.loss_before, found.loss_after]));
        let numbers = read(Tensor::cat(parts, 0)).await?;
        let at = |index: usize| numbers.get(index).copied().unwrap_or(f32::NAN);
        let attack = (numbers.len() > 3).then(|| (at(3), at(4)));
        Ok(Self { train_loss: at(0), correct: at(1), valid_loss: at(2), attack })
    }

    fn into_event(
        self,
        epoch: usize,
        step: usize,
        count: f64,
        revert: bool,
    ) -> Result<Event, SearchError> {
        for (what, value) in
            [("the training loss", self.train_loss), ("the validation loss", self.valid_loss)]
        {
            if !value.is_finite() {
                let what = what.to_owned();
                return Err(SearchError::Diverged { epoch, step, what, value });
            }
        }
        let attack = self.attack.map(|(loss_before, loss_after)| Attack {
            loss_before,
            loss_after,
            reverted: revert && loss_before > loss_after,
        });
        Ok(Event::Step(Step {
            epoch,
            step,
            train_loss: self.train_loss,
            train_accuracy: (f64::from(self.correct) / count) as f32,
            valid_loss: self.valid_loss,
            attack,
        }))
    }
}
