//! The step of a training of a recurrent network.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use smoothdarts::config::{Config, Kernels};
use smoothdarts::data::text::Text;
use smoothdarts::event::Event;
use smoothdarts::nn::GradientTarget;
use smoothdarts::run::TextTraining;
use smoothdarts::task::Task as _;

use super::machine::sync;
use super::memory;
use super::row::{Timer, megabytes};
use super::table;
use super::text::{RandomText, TextSizes, VOCABULARY};
use super::training::Timed;

/// What was measured. The fields are those of `sdarts bench --train --json` with a recurrent genotype; giga is
/// 10⁹, mega 10⁶.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Always `train`.
    pub kind: &'static str,
    /// The genotype as the settings name it.
    pub genotype: String,
    /// What computed.
    pub device: String,
    /// Our kernels, or plain burn operations.
    pub kernels: Kernels,
    /// CPU threads; on a GPU those of the host.
    pub threads: usize,
    /// Columns of a batch.
    pub batch_size: usize,
    /// Sizes of the text.
    #[serde(flatten)]
    pub text: TextSizes,
    /// Weights.
    pub weights: usize,
    /// Steps that were timed.
    pub steps: u32,
    /// A step: gradient, clip, update of the weights.
    #[serde(flatten)]
    pub step: Timed,
    /// Most memory of the process while steps were taken, where the system tells.
    pub peak_memory_mb: Option<f64>,
    /// Memory reserved on the GPU; none on the CPU.
    pub device_memory_mb: Option<f64>,
}

impl Timer<'_> {
    /// Times steps on random words, whose number in a sequence is always `recurrent.bptt`.
    ///
    /// # Errors
    /// If the settings make no network or the device fails.
    pub fn text_training(&self, config: &Config) -> anyhow::Result<Row> {
        let device = &self.selected.device;
        memory::reset(device);
        let vocabulary = (0..VOCABULARY).map(|word| word.to_string()).collect();
        let text = Text { vocabulary, ..Text::default() };
        let mut training = TextTraining::new(config, &text, usize::MAX, device)?;
        let mut batches = RandomText::of_columns(config, config.train.batch_size);
        let model = training.job().model();
        let count = model.task.multiply_adds(model.network.as_ref(), GradientTarget::Weights);
        let weights = model.network.layout().weight_count();
        let step = self.timed(config, count, || {
            let mut began = Instant::now();
            loop {
                match pollster::block_on(training.advance(&mut batches))? {
                    Some(Event::TrainStep(_)) => break,
                    Some(_) => began = Instant::now(),
                    None => anyhow::bail!("the training ended before its steps were timed"),
                }
            }
            sync(device).context("a step failed")?;
            Ok::<Duration, anyhow::Error>(began.elapsed())
        })?;
        Ok(Row {
            kind: "train",
            genotype: config.train.genotype.clone(),
            device: self.selected.label.clone(),
            kernels: config.run.kernels,
            threads: rayon::current_num_threads(),
            batch_size: config.train.batch_size,
            text: TextSizes::of(config),
            weights,
            steps: self.steps,
            step,
            peak_memory_mb: memory::peak().map(megabytes),
            device_memory_mb: memory::on_device(device).map(megabytes),
        })
    }
}

/// The row for people.
pub fn text(row: &Row) -> String {
    let Row { genotype, batch_size, text, weights, step, .. } = row;
    let TextSizes { hidden, bptt, vocabulary } = text;
    let memory = row.peak_memory_mb.map_or("?".to_owned(), |memory| format!("{memory:.0} MB"));
    let profile = step
        .profile
        .as_deref()
        .map_or(String::new(), |shares| format!("\n{}", table::profile(shares)));
    format!(
        "device    {}, kernels {}\n\
         network   {genotype}, {hidden} hidden, batch {batch_size}, sequences of {bptt}, {vocabulary} words, \
         {weights} weights\n\
         {}\n\
         memory    {memory} at most\n\n\
         step      {:.3} s, +- {:.3} s, {:.1} GFLOP, {:.1} GFLOP/s{profile}",
        row.device,
        table::word(&row.kernels),
        table::peaks(&step.peaks),
        step.step_seconds,
        step.step_seconds_spread,
        step.model_gflop,
        step.achieved_gflops,
    )
}
