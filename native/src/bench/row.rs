//! One row: a subject, timed.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use smoothdarts::config::Kernels;
use smoothdarts::data::Batches;
use smoothdarts::event::Event;
use smoothdarts::run::Run;
use smoothdarts::run::search::{ImageSearch, Search, StepArithmetic, TextSearch};
use smoothdarts::space::{self, Reads};
use smoothdarts::task::Task;

use super::images::{RandomImages, shape};
use super::kernels::{Count, Kernel};
use super::machine::{Machine, sync};
use super::memory;
use super::subject::Subject;
use super::text::{self, RandomText, TextSizes};
use crate::device::Selected;

/// What was measured. The fields are those of `sdarts bench --json`; giga is 10⁹, mega 10⁶.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Name of the method, with `-2nd` where its order is the second.
    pub method: String,
    /// What computed.
    pub device: String,
    /// Our kernels, or plain burn operations.
    pub kernels: Kernels,
    /// CPU threads; on a GPU those of the host.
    pub threads: usize,
    /// Search space.
    pub space: String,
    /// Images in a batch.
    pub batch_size: usize,
    /// Cells.
    pub cells: usize,
    /// Channels of the first cell.
    pub channels: usize,
    /// Height and width of an image.
    pub image_size: usize,
    /// Sizes of a text, instead of those of images.
    #[serde(flatten)]
    pub text: Option<TextSizes>,
    /// Kinds of passes that were recorded and replayed.
    pub recorded_passes: usize,
    /// Steps that were timed.
    pub steps: u32,
    /// The first step: kernels are compiled, and passes recorded; on a GPU with the launches of the second one.
    pub first_step_seconds: f64,
    /// Median of their times.
    pub step_seconds: f64,
    /// The slowest minus the fastest.
    pub step_seconds_spread: f64,
    /// Operations of a step that the algorithm needs; see [`StepArithmetic::needed`].
    pub model_gflop: f64,
    /// The same with every gradient of every pass; see [`StepArithmetic::all_gradients`].
    pub model_gflop_all_gradients: f64,
    /// `model_gflop` / `step_seconds`.
    pub achieved_gflops: f64,
    /// Peaks of the device, unless they were left out.
    #[serde(flatten)]
    pub peaks: Peaks,
    /// Most memory of the process while the row was measured, where the system tells.
    pub peak_memory_mb: Option<f64>,
    /// Memory reserved on the GPU; none on the CPU.
    pub device_memory_mb: Option<f64>,
    /// Kernels of one step.
    pub launches: u64,
    /// Which kernels those are: `all`, or `own` on the CPU, where burn's are plain functions.
    pub launches_counted: &'static str,
    /// Bytes of all buffers that our kernels bound in one step; none on the CPU.
    pub bound_gb: Option<f64>,
    /// Setting that a scaling run varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub varied: Option<&'static str>,
    /// Kernels of one step with their times, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Vec<Share>>,
}

/// What the device can do at most, and how much of it was reached; none where that was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Peaks {
    /// Rate of multiply-adds between registers on all threads, measured by this process; none of a GPU.
    pub multiply_add_gflops: Option<f64>,
    /// Floats in the vectors of the kernels on the CPU.
    pub lanes: Option<usize>,
    /// Rate of a large matrix product on this device, measured by this process.
    pub sgemm_gflops: Option<f64>,
    /// Rate of a large copy on this device, bytes read and written, measured by this process.
    pub copy_gbs: Option<f64>,
    /// `achieved_gflops` / the larger of `multiply_add_gflops` and `sgemm_gflops`.
    pub fraction_of_peak: Option<f64>,
}

impl Peaks {
    /// Beside work that does so many operations in a second.
    pub(super) fn new(machine: Option<Machine>, achieved: f64) -> Self {
        let registers = machine.and_then(|machine| machine.multiply_adds);
        Self {
            multiply_add_gflops: registers.map(|rate| rate / GIGA),
            lanes: registers.map(|_| shaders::lanes()),
            sgemm_gflops: machine.map(|machine| machine.sgemm / GIGA),
            copy_gbs: machine.map(|machine| machine.copy / GIGA),
            fraction_of_peak: machine.map(|machine| achieved / machine.peak()),
        }
    }
}

/// A kernel's part of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The kernel.
    #[serde(flatten)]
    pub kernel: Kernel,
    /// Its part of the step; on a GPU, of the time of all kernels.
    pub share: f64,
}

/// Name of what a step on the CPU does outside of our kernels.
const REST: &str = "everything else (burn's operations, autodiff, host)";

/// How rows are timed.
pub struct Timer<'a> {
    /// What computes.
    pub selected: &'a Selected,
    /// What it can do at most, where that was measured.
    pub machine: Option<Machine>,
    /// Steps before those that are timed, at least one.
    pub warmup: u32,
    /// Steps that are timed, at least one.
    pub steps: u32,
    /// Whether the time of each kernel is wanted.
    pub profile: bool,
}

impl Timer<'_> {
    /// The steps that compile kernels and fill caches, the timed steps, and one that is counted: pass by
    /// pass, also where they were replayed, because a launch that is replayed is not seen.
    ///
    /// # Errors
    /// If the settings make no network or the device fails.
    pub fn row(&self, subject: &Subject) -> anyhow::Result<Row> {
        let Self { selected, machine, steps, .. } = *self;
        memory::reset(&selected.device);
        let mut work = Work::new(subject, selected)?;
        let first = work.step()?;
        (1..self.warmup).try_for_each(|_| work.step().map(drop))?;
        let mut times = (0..steps).map(|_| work.step()).collect::<anyhow::Result<Vec<_>>>()?;
        times.sort();
        let (peak, on_device) = (memory::peak(), memory::on_device(&selected.device));
        let recorded_passes = work.search.recorded_passes();
        work.search.set_replay(false);
        work.catch_up()?;
        let (kernels, counted) = self.count(&mut work)?;
        let StepArithmetic { needed, all_gradients } = work.search.step_arithmetic();

        let step = median(&times).as_secs_f64();
        let gpu = selected.adapter.is_some();
        let bytes: u64 = kernels.iter().map(|kernel| kernel.bytes).sum();
        let config = &subject.config;
        Ok(Row {
            method: subject.name.clone(),
            device: selected.label.clone(),
            kernels: config.run.kernels,
            threads: rayon::current_num_threads(),
            space: config.search.space.clone(),
            batch_size: config.search.batch_size,
            cells: config.search.cells,
            channels: config.search.channels,
            image_size: shape(config).size,
            text: text::sizes(config)?,
            recorded_passes,
            steps,
            first_step_seconds: first.as_secs_f64(),
            step_seconds: step,
            step_seconds_spread: spread(&times).as_secs_f64(),
            model_gflop: needed / GIGA,
            model_gflop_all_gradients: all_gradients / GIGA,
            achieved_gflops: needed / GIGA / step,
            peaks: Peaks::new(machine, needed / step),
            peak_memory_mb: peak.map(megabytes),
            device_memory_mb: on_device.map(megabytes),
            launches: kernels.iter().map(|kernel| kernel.calls).sum(),
            launches_counted: if gpu { "all" } else { "own" },
            bound_gb: gpu.then_some(bytes as f64 / GIGA),
            varied: None,
            profile: self.profile.then(|| shares(kernels, gpu, counted)),
        })
    }

    /// The kernels of one more step, and its time.
    fn count(&self, work: &mut Work) -> anyhow::Result<(Vec<Kernel>, Duration)> {
        let count = Count::start(self.selected.adapter.is_some(), self.profile);
        let began = Instant::now();
        work.step()?;
        sync(&self.selected.device).context("a step failed")?;
        let time = began.elapsed();
        Ok((count.finish(), time))
    }
}

pub(super) const GIGA: f64 = 1e9;

pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

pub(super) fn median(sorted: &[Duration]) -> Duration {
    let middle = sorted.len() / 2;
    match sorted {
        [] => Duration::ZERO,
        _ if sorted.len() % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2,
    }
}

pub(super) fn spread(sorted: &[Duration]) -> Duration {
    let ends = sorted.first().zip(sorted.last());
    ends.map_or(Duration::ZERO, |(fastest, slowest)| *slowest - *fastest)
}

/// On a GPU kernels overlap with the host, so only their own sum is a whole that they are parts of.
pub(super) fn shares(mut kernels: Vec<Kernel>, gpu: bool, step: Duration) -> Vec<Share> {
    let sum: f64 = kernels.iter().map(|kernel| kernel.seconds).sum();
    let whole = if gpu { sum } else { step.as_secs_f64() };
    if !gpu {
        let seconds = (whole - sum).max(0.0);
        kernels.push(Kernel { name: REST.to_owned(), seconds, ..Kernel::default() });
    }
    let share = |kernel: Kernel| Share { share: kernel.seconds / whole, kernel };
    kernels.into_iter().map(share).collect()
}

/// A search that only ever takes steps.
trait Steps {
    /// Goes on to what the search says next.
    fn advance(&mut self) -> anyhow::Result<Option<Event>>;
    /// As for a search.
    fn recorded_passes(&self) -> usize;
    /// As for a search.
    fn set_replay(&mut self, wanted: bool);
    /// As for a search.
    fn set_reads_late(&mut self, late: bool);
    /// As for a search.
    fn step_arithmetic(&self) -> StepArithmetic;
}

/// A search with its batches.
struct Supplied<T: Task, B> {
    search: Run<Search<T>>,
    batches: B,
}

impl<T: Task, B: Batches<Batch = T::Batch>> Steps for Supplied<T, B> {
    fn advance(&mut self) -> anyhow::Result<Option<Event>> {
        Ok(pollster::block_on(self.search.advance(&mut self.batches))?)
    }

    fn recorded_passes(&self) -> usize {
        self.search.job().recorded_passes()
    }

    fn set_replay(&mut self, wanted: bool) {
        self.search.set_replay(wanted);
    }

    fn set_reads_late(&mut self, late: bool) {
        self.search.set_reads_late(late);
    }

    fn step_arithmetic(&self) -> StepArithmetic {
        self.search.job().step_arithmetic()
    }
}

/// The search of a subject on its device.
struct Work<'a> {
    search: Box<dyn Steps>,
    selected: &'a Selected,
}

impl<'a> Work<'a> {
    fn new(subject: &Subject, selected: &'a Selected) -> anyhow::Result<Self> {
        let (config, device) = (&subject.config, &selected.device);
        let mut search: Box<dyn Steps> = match space::find(&config.search.space)?.reads() {
            Reads::Images => Box::new(Supplied {
                search: ImageSearch::new(config, shape(config), usize::MAX, device)?,
                batches: RandomImages::new(config),
            }),
            Reads::Text => Box::new(Supplied {
                search: TextSearch::new(config, text::VOCABULARY, usize::MAX, device)?,
                batches: RandomText::new(config),
            }),
        };
        search.set_replay(selected.replays(config.run.replay));
        search.set_reads_late(selected.reads_late());
        Ok(Self { search, selected })
    }

    /// The time from what one step says to what the next one says, as in a search: where that is read late, a
    /// device computes the step after it already.
    fn step(&mut self) -> anyhow::Result<Duration> {
        let mut began = Instant::now();
        loop {
            match self.search.advance()? {
                Some(Event::Step(_)) => break,
                Some(_) => began = Instant::now(),
                None => anyhow::bail!("the search ended before its steps were timed"),
            }
        }
        Ok(began.elapsed())
    }

    /// Reads what was left to be read late, and from now on at once.
    fn catch_up(&mut self) -> anyhow::Result<()> {
        self.search.set_reads_late(false);
        if self.selected.reads_late() {
            self.step()?;
        }
        sync(&self.selected.device)
    }
}
