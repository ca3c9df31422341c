//! The step of a training of a derived network, and the pass that evaluates it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use burn::tensor::Tensor;
use serde::Serialize;
use smoothdarts::cell::{codec, published};
use smoothdarts::config::{Config, Kernels, Stem};
use smoothdarts::nn::{GradientTarget, Randomness};
use smoothdarts::optim::{clip, sgd};
use smoothdarts::rng::{Stream, Streams};
use smoothdarts::run::ImageTraining;
use smoothdarts::task::{ImageBatch, Model, Point, Task as _, Training};

use super::images::{batch, shape};
use super::kernels::{Count, Kernel};
use super::machine::sync;
use super::memory;
use super::row::{GIGA, Peaks, Share, Timer, median, megabytes, shares, spread};
use super::table;

/// What was measured. The fields are those of `sdarts bench --train --json`; giga is 10⁹, mega 10⁶.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Always `train`.
    pub kind: &'static str,
    /// Name of a published genotype, else its text.
    pub genotype: String,
    /// What computed.
    pub device: String,
    /// Our kernels, or plain burn operations.
    pub kernels: Kernels,
    /// CPU threads; on a GPU those of the host.
    pub threads: usize,
    /// What the network starts with.
    pub stem: Stem,
    /// Images in a batch.
    pub batch_size: usize,
    /// Cells.
    pub cells: usize,
    /// Channels of the first cell.
    pub channels: usize,
    /// Height and width of an image.
    pub image_size: usize,
    /// Weights, those of the auxiliary head among them.
    pub weights: usize,
    /// Steps and evaluations that were timed.
    pub steps: u32,
    /// A step: gradient, clip, update of the weights.
    #[serde(flatten)]
    pub step: Timed,
    /// The loss of a batch in eval mode.
    pub evaluation: Timed,
    /// Most memory of the process while steps were taken, where the system tells.
    pub peak_memory_mb: Option<f64>,
    /// Memory reserved on the GPU; none on the CPU.
    pub device_memory_mb: Option<f64>,
    /// Which kernels are counted as launches: `all`, or `own` on the CPU, where burn's are plain functions.
    pub launches_counted: &'static str,
}

/// One of the two pieces of work.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timed {
    /// The first one: kernels are compiled.
    pub first_step_seconds: f64,
    /// Median of the times.
    pub step_seconds: f64,
    /// The slowest minus the fastest.
    pub step_seconds_spread: f64,
    /// Its arithmetic, counted from the layers.
    pub model_gflop: f64,
    /// `model_gflop` / `step_seconds`.
    pub achieved_gflops: f64,
    /// Peaks of the device, unless they were left out.
    #[serde(flatten)]
    pub peaks: Peaks,
    /// Kernels.
    pub launches: u64,
    /// Those with their times, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Vec<Share>>,
}

impl Timer<'_> {
    /// Times steps, then evaluations: one of each to compile kernels and fill caches, the timed ones, and
    /// one that is counted. The images are random numbers; making them and bringing them to the device is
    /// not timed.
    ///
    /// # Errors
    /// If the settings make no network or the device fails.
    pub fn training(&self, config: &Config) -> anyhow::Result<Row> {
        memory::reset(&self.selected.device);
        let training = ImageTraining::new(config, shape(config), 1, &self.selected.device)?;
        let mut work = Work::new(config, &training, self)?;
        let step =
            self.timed(config, work.multiply_adds(GradientTarget::Weights), || work.step())?;
        let device = &self.selected.device;
        let (peak, on_device) = (memory::peak(), memory::on_device(device));
        let evaluation =
            self.timed(config, work.multiply_adds(GradientTarget::Nothing), || work.evaluate())?;
        let (train, weights) = (&config.train, work.model.network.layout().weight_count());
        let genotype = codec::read(&train.genotype)?;
        Ok(Row {
            kind: "train",
            genotype: published::of(&genotype)
                .map_or_else(|| train.genotype.clone(), |row| row.name.to_owned()),
            device: self.selected.label.clone(),
            kernels: config.run.kernels,
            threads: rayon::current_num_threads(),
            stem: train.stem,
            batch_size: train.batch_size,
            cells: train.cells,
            channels: train.channels,
            image_size: shape(config).size,
            weights,
            steps: self.steps,
            step,
            evaluation,
            peak_memory_mb: peak.map(megabytes),
            device_memory_mb: on_device.map(megabytes),
            launches_counted: if self.selected.adapter.is_some() { "all" } else { "own" },
        })
    }

    pub(super) fn timed(
        &self,
        config: &Config,
        multiply_adds: u64,
        mut work: impl FnMut() -> anyhow::Result<Duration>,
    ) -> anyhow::Result<Timed> {
        let first = work()?;
        (1..self.warmup).try_for_each(|_| work().map(drop))?;
        let mut times = (0..self.steps).map(|_| work()).collect::<anyhow::Result<Vec<_>>>()?;
        times.sort();
        let gpu = self.selected.adapter.is_some();
        let count = Count::start(gpu, self.profile);
        let counted = work()?;
        let kernels: Vec<Kernel> = count.finish();
        let (seconds, flop) = (
            median(&times).as_secs_f64(),
            2.0 * (multiply_adds * config.train.batch_size as u64) as f64,
        );
        Ok(Timed {
            first_step_seconds: first.as_secs_f64(),
            step_seconds: seconds,
            step_seconds_spread: spread(&times).as_secs_f64(),
            model_gflop: flop / GIGA,
            achieved_gflops: flop / GIGA / seconds,
            peaks: Peaks::new(self.machine, flop / seconds),
            launches: kernels.iter().map(|kernel| kernel.calls).sum(),
            profile: self.profile.then(|| shares(kernels, gpu, counted)),
        })
    }
}

/// A training that only ever takes steps, all on one batch.
struct Work<'a> {
    config: &'a Config,
    model: &'a Model<Training>,
    timer: &'a Timer<'a>,
    input: ImageBatch,
    weights: Tensor<1>,
    momentum: Tensor<1>,
    statistics: Tensor<2>,
    /// Steps so far: where the masks of drop-path are drawn.
    steps: u64,
}

impl<'a> Work<'a> {
    fn new(
        config: &'a Config,
        training: &'a ImageTraining,
        timer: &'a Timer,
    ) -> anyhow::Result<Self> {
        let (model, Point { weights, statistics, .. }) =
            (training.job().model(), training.job().point(false));
        let images = batch(config, config.train.batch_size, shape(config), 0);
        let input = model.task.upload(images, &(), &timer.selected.device);
        let (weights, statistics) = (weights.clone(), statistics.clone());
        sync(&timer.selected.device).context("the images cannot be brought to the device")?;
        Ok(Self {
            config,
            model,
            timer,
            input,
            momentum: weights.zeros_like(),
            weights,
            statistics,
            steps: 0,
        })
    }

    fn multiply_adds(&self, target: GradientTarget) -> u64 {
        self.model.task.multiply_adds(self.model.network.as_ref(), target)
    }

    /// Drop-path with the probability of the last epoch: whether an image is dropped changes no work.
    fn randomness(&mut self) -> Randomness {
        self.steps += 1;
        let rng = Streams::new(self.config.seed).at(Stream::Noise, self.steps);
        Randomness { drop_path: self.config.train.drop_path, ..rng.into() }
    }

    /// Gradient, clip and update; waits until the device has done them.
    fn step(&mut self) -> anyhow::Result<Duration> {
        let (began, randomness) = (Instant::now(), self.randomness());
        let at = Point { weights: &self.weights, statistics: &self.statistics, eval: false };
        let (gradient, outcome) = self.model.weight_gradient(at, &[], &self.input, randomness);
        let optimiser = self.config.train.optimiser();
        let gradient = clip(gradient, optimiser.clip);
        let (weights, momentum) = (self.weights.clone(), self.momentum.clone());
        (self.weights, self.momentum) =
            sgd(weights, momentum, gradient, optimiser.learning_rate, &optimiser);
        self.statistics = outcome.statistics;
        sync(&self.timer.selected.device).context("a step failed")?;
        Ok(began.elapsed())
    }

    /// The loss in eval mode.
    fn evaluate(&mut self) -> anyhow::Result<Duration> {
        let (began, randomness) = (Instant::now(), self.randomness());
        let at = Point { weights: &self.weights, statistics: &self.statistics, eval: true };
        let outcome = self.model.loss(at, &[], &self.input, randomness);
        sync(&self.timer.selected.device).context("an evaluation failed")?;
        let elapsed = began.elapsed();
        drop(outcome);
        Ok(elapsed)
    }
}

/// The row for people.
pub fn text(row: &Row) -> String {
    let Row { genotype, cells, channels, batch_size, image_size, device, .. } = row;
    let memory = match (row.peak_memory_mb, row.device_memory_mb) {
        (Some(host), Some(device)) => format!("{host:.0} MB, and {device:.0} MB on the device"),
        (Some(megabytes), None) | (None, Some(megabytes)) => format!("{megabytes:.0} MB"),
        (None, None) => "?".to_owned(),
    };
    let mut text = format!(
        "device    {device}, kernels {}\n\
         network   {genotype}, {cells} cells, {channels} channels, batch {batch_size}, images of \
         {image_size}x{image_size}, {} weights\n\
         {}\n\
         memory    {memory} at most during a step\n\n\
         {:<12}{:>10}{:>10}{:>9}{:>9}{:>9}{:>10}",
        table::word(&row.kernels),
        row.weights,
        table::peaks(&row.step.peaks),
        "",
        "time",
        "+-",
        "GFLOP",
        "GFLOP/s",
        "of peak",
        "launches"
    );
    for (name, timed) in [("step", &row.step), ("evaluation", &row.evaluation)] {
        text += &format!(
            "\n{name:<12}{:>8.3} s{:>8.3} s{:>9.1}{:>9.1}{:>9}{:>10}",
            timed.step_seconds,
            timed.step_seconds_spread,
            timed.model_gflop,
            timed.achieved_gflops,
            table::part(&timed.peaks),
            timed.launches,
        );
        if let Some(profile) = &timed.profile {
            text += &format!("\n{}", table::profile(profile));
        }
    }
    text + "\n\n" + NOTES
}

/// What the words mean.
const NOTES: &str = "\
step        the gradient, its clip, and the step of SGD, with drop-path as in the last epoch
evaluation  the loss of the same batch in eval mode
time        median of the timed ones; +- the slowest minus the fastest
GFLOP       arithmetic, counted from the layers: convolutions and linear layers
of peak     GFLOP/s as a part of fma (multiply-adds between registers), on a GPU of sgemm (burn's
            product of large matrices)
launches    kernels: all of them on a GPU, calls of our own on the CPU";
