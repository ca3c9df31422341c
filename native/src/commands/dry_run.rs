//! `sdarts search --dry-run`: what a search would be, and how long it would take; and the same of a
//! training.

pub mod text;
pub mod training;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration};
use serde_json::{Value, json};
use smoothdarts::cell::Row;
use smoothdarts::config::Config;
use smoothdarts::data::{self, Batches, Dataset, Images};
use smoothdarts::event::{Event, Started, Step, TrainStep};
use smoothdarts::run::{Advanced, Job, Run, Search};
use smoothdarts::task::Task;

use crate::bench::memory;
use crate::datasets::Sizes;
use crate::estimate::Estimate;
use crate::exit::Exit;
use crate::output;

/// Steps that are timed, after one that is not: the first one compiles kernels and fills caches.
const TIMED: u32 = 3;

/// Seconds of timed steps after which no further one is timed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Seconds that a timed step should take at most.
const STEP_SECONDS: f64 = 1.2;

/// Bytes of activations that two slow cores get through in a second, over all passes of a step, with
/// each step of the attack counted as one; measured, with a large margin.
const BYTES_PER_SECOND: f64 = 720e6;

/// Multiply-adds that two slow cores do in a second, with a margin.
const PRODUCTS_PER_SECOND: f64 = 10e9;

/// Cells that are timed at most. To lay out a network takes time with the square of its cells.
const MOST_CELLS: usize = 50;

/// Steps of the attack that are timed at most.
const ATTACK_STEPS: usize = 2;

/// Training images and side of the data sets whose files do not come with the program.
const KNOWN: [(&str, usize, usize); 4] = [
    ("cifar10", 50_000, 32),
    ("cifar100", 50_000, 32),
    ("svhn", 73_257, 32),
    ("mnist", 60_000, 28),
];

/// Black images in the number and shape of a data set that is not there: what a run would take
/// does not depend on what they show.
///
/// # Errors
/// Why it could not be opened, if that is not for its files, or its shape is not known.
pub fn stand_in(config: &Config, error: anyhow::Error) -> anyhow::Result<Dataset> {
    let known = KNOWN.iter().find(|(name, ..)| *name == config.data.name);
    let (Some((name, count, side)), Exit::Data) = (known, Exit::of(&error)) else {
        return Err(error);
    };
    let Ok(source) = data::find(name) else { return Err(error) };
    output::note(&format!("the files of {name} are not there; its sizes are known"));
    let images = |count: usize| Images {
        pixels: vec![0; count * side * side * source.mean.len()],
        labels: vec![0; count],
        height: *side,
        width: *side,
        channels: source.mean.len(),
    };
    Ok(Dataset {
        name: (*name).to_owned(),
        train: images(*count),
        test: images(0),
        class_names: source.classes.iter().map(|&class| class.to_owned()).collect(),
        mean: source.mean.to_vec(),
        std: source.std.to_vec(),
    })
}

/// The part of a search that is timed, and how much more the whole is.
pub struct Part {
    /// Settings of the part: fewer cells, a smaller batch and fewer steps of the attack, where the
    /// whole would take long.
    pub config: Config,
    /// The cells, the batch and the steps of the attack of the whole.
    whole: [usize; 3],
    steps_per_epoch: usize,
    /// How long a step takes in each stage, where one of the first takes 1.
    stages: Vec<f64>,
}

impl Part {
    /// What is timed of a search with these settings on so many images.
    ///
    /// # Errors
    /// If there is no such space.
    pub fn of(config: &Config, sizes: &Sizes, estimate: &Estimate) -> anyhow::Result<Self> {
        let images = sizes.train;
        let (batch, attack) = (config.search.batch_size, config.perturbation.steps);
        let images = (config.data.class_share * images as f64) as usize;
        let half = ((config.data.train_portion * images as f64) as usize).min(images);
        let mut part = config.clone();
        // A step in which α rests is not what most of them take.
        part.search.architecture_from = 0;
        let cells = config.cells_in(0);
        if cells > MOST_CELLS && config.stage_count() == 1 {
            // As many more than a multiple of three, for NAS-Bench-201.
            part.search.cells = MOST_CELLS - (MOST_CELLS - cells % 3) % 3;
        }
        let cells_share = part.cells_in(0) as f64 / cells.max(1) as f64;
        let passes = 1.0 + attack.min(ATTACK_STEPS) as f64;
        let seconds = (estimate.cells * cells_share + estimate.stem) * passes / BYTES_PER_SECOND;
        let whole_seconds = seconds * (1.0 + attack as f64) / passes;
        // A batch that no half can fill is left to be refused.
        if whole_seconds > STEP_SECONDS && batch <= half.min(images - half) {
            part.perturbation.steps = attack.min(ATTACK_STEPS);
            let share = (STEP_SECONDS / seconds).min(1.0);
            part.search.batch_size = ((batch as f64 * share) as usize).max(1);
        }
        let (whole, steps_per_epoch) = ([cells, batch, attack], half.div_ceil(batch.max(1)));
        let stages = Estimate::steps(config, sizes)?;
        Ok(Self { config: part, whole, steps_per_epoch, stages })
    }

    /// Seconds of all steps, of which one of the first stage takes `step`.
    fn seconds(&self, step: f64) -> f64 {
        let epochs = self.config.stage_epochs() as f64 * self.steps_per_epoch as f64;
        self.stages.iter().map(|share| share * step * epochs).sum()
    }

    /// What is timed of a search of text, whose epoch has so many steps.
    pub fn of_text(config: &Config, vocabulary: usize, steps_per_epoch: usize) -> Self {
        let (settings, attack) = (&config.recurrent, config.perturbation.steps);
        let (width, batch) = (settings.hidden as f64, config.search.batch_size);
        // Of a word: two inputs, 36 edges and the decoder.
        let products = width * (76.0 * width + vocabulary as f64);
        let column = settings.bptt as f64 * products / PRODUCTS_PER_SECOND;
        let seconds = batch as f64 * column * (5.0 + 2.0 * attack as f64);
        let mut part = config.clone();
        if seconds > STEP_SECONDS {
            part.perturbation.steps = attack.min(ATTACK_STEPS);
            let seconds = column * (5.0 + 2.0 * part.perturbation.steps as f64);
            part.search.batch_size = ((STEP_SECONDS / seconds) as usize).clamp(1, batch);
        }
        let whole = [config.search.cells, batch, attack];
        Self { config: part, whole, steps_per_epoch, stages: vec![1.0] }
    }

    fn sizes(config: &Config) -> [usize; 3] {
        [config.cells_in(0), config.search.batch_size, config.perturbation.steps]
    }

    fn is_whole(&self) -> bool {
        self.whole == Self::sizes(&self.config)
    }

    /// How many times the cells of the part the whole has.
    fn cells(&self) -> f64 {
        self.whole[0] as f64 / self.config.cells_in(0) as f64
    }

    /// The time of a whole step, from that of one of the part.
    fn extrapolate(&self, step: StepTime) -> f64 {
        let [_, batch, attack] = self.whole;
        let images = self.cells() * batch as f64 / self.config.search.batch_size as f64;
        let attack = attack as f64 / self.config.perturbation.steps as f64;
        images * (step.others.as_secs_f64() + attack * step.perturbation.as_secs_f64())
    }
}

/// Times a few steps and prints what is known.
///
/// # Errors
/// Like a search.
pub fn run<T: Task>(
    json: bool,
    search: Run<Search<T>>,
    batches: &mut dyn Batches<Batch = T::Batch>,
    part: &Part,
) -> anyhow::Result<Exit> {
    let mut started = search.started();
    let step = part.extrapolate(time_step(search, batches)?);
    started.steps_per_epoch = part.steps_per_epoch;
    started.parameters = (started.parameters as f64 * part.cells()) as usize;
    let text =
        if json { machine(&started, step, part).to_string() } else { human(&started, step, part)? };
    output::line(&text)?;
    Ok(Exit::Done)
}

/// The time of a step.
#[derive(Clone, Copy, Default)]
struct StepTime {
    perturbation: Duration,
    others: Duration,
}

/// The mean over steps after the first, which compiles kernels and fills caches; of the first, if
/// that took too long or there is no other.
fn time_step<J: Job>(
    mut run: Run<J>,
    batches: &mut dyn Batches<Batch = J::Batch>,
) -> anyhow::Result<StepTime> {
    let wanted = TIMED.min(run.started().steps_per_epoch.saturating_sub(1) as u32);
    let (mut sum, mut current, mut done) = (StepTime::default(), StepTime::default(), 0);
    let begin = Instant::now();
    // The parts of a step of a search: the architecture, the perturbation, the weights.
    let mut parts = 0;
    loop {
        let began = Instant::now();
        let advanced = pollster::block_on(run.advance_part(batches))?;
        let elapsed = began.elapsed();
        match advanced {
            Advanced::Over => break,
            Advanced::Part => {
                parts += 1;
                let of = if parts == 2 { &mut current.perturbation } else { &mut current.others };
                *of += elapsed;
            }
            Advanced::Said(
                Event::Step(Step { step, .. }) | Event::TrainStep(TrainStep { step, .. }),
            ) => {
                current.others += elapsed;
                let first = step == 0;
                let late = begin.elapsed() > PATIENCE;
                if !first || wanted == 0 || late {
                    sum.perturbation += current.perturbation;
                    sum.others += current.others;
                    done += 1;
                }
                (parts, current) = (0, StepTime::default());
                if done >= wanted.max(1) || late {
                    break;
                }
            }
            Advanced::Said(_) => current = StepTime::default(),
        }
    }
    let count = done.max(1);
    Ok(StepTime { perturbation: sum.perturbation / count, others: sum.others / count })
}

fn machine(started: &Started, step: f64, part: &Part) -> Value {
    let edges: Vec<Value> = started
        .choices
        .iter()
        .flat_map(|cell| cell.rows.iter().map(move |edge| (cell, edge)))
        .map(|(cell, edge)| {
            json!({
                "cell": cell.name,
                "node": edge.node,
                "source": edge.source,
                "operations": edge.options,
            })
        })
        .collect();
    let alphas: Vec<Value> = started
        .choices
        .iter()
        .map(|cell| {
            let columns = cell.rows.first().map_or(0, |edge| edge.options.len());
            json!({ "name": cell.name, "edges": cell.rows.len(), "operations": columns })
        })
        .collect();
    let epoch = step * started.steps_per_epoch as f64;
    json!({
        "device": started.device,
        "mode": started.config.mode,
        "parameters": started.parameters,
        "alphas": alphas,
        "edges": edges,
        "epochs": started.config.search.epochs,
        "steps_per_epoch": started.steps_per_epoch,
        "seconds_per_step": step,
        "seconds_per_epoch": epoch,
        "stages": stages(part, step),
        "seconds": part.seconds(step),
        "extrapolated": !part.is_whole(),
        "memory_bytes": memory::peak(),
    })
}

/// Cells, operations of an edge, epochs and the time of a step in each stage; nothing where there are none.
fn stages(part: &Part, step: f64) -> Vec<Value> {
    let config = &part.config;
    let stage = |(cells, (operations, share)): (&usize, (&usize, &f64))| {
        json!({
            "cells": cells,
            "operations": operations,
            "epochs": config.stage_epochs(),
            "seconds_per_step": share * step,
        })
    };
    let shares = config.stages.operations.iter().zip(&part.stages);
    config.stages.cells.iter().zip(shares).map(stage).collect()
}

fn human(started: &Started, step: f64, part: &Part) -> anyhow::Result<String> {
    let mut text = String::new();
    for cell in &started.choices {
        let columns = cell.rows.first().map_or(0, |edge| edge.options.len());
        let noun = if cell.rows.iter().all(Row::is_of_node) { "" } else { " cell" };
        writeln!(text, "{}{noun}, alpha {} x {columns}", cell.name, cell.rows.len())?;
        for edge in &cell.rows {
            let operations = edge.options.join(" ");
            match edge.is_of_node() {
                true => writeln!(text, "  {}  {operations}", edge.node)?,
                false => writeln!(text, "  {} -> {}  {operations}", edge.source, edge.node)?,
            }
        }
    }
    let epoch = step * started.steps_per_epoch as f64;
    let (epochs, mode) = (started.config.search.epochs, &started.config.mode);
    writeln!(text, "\nparameters  {}", started.parameters)?;
    writeln!(text, "mode        {}", serde_json::to_value(mode)?.as_str().unwrap_or_default())?;
    writeln!(text, "device      {}", started.device)?;
    let steps = started.steps_per_epoch;
    writeln!(text, "step        {:.2?}, {steps} steps in an epoch", duration(step))?;
    writeln!(text, "epoch       {:.1?}", duration(epoch))?;
    let config = &part.config;
    for (stage, (cells, share)) in config.stages.cells.iter().zip(&part.stages).enumerate() {
        let operations = config.stages.operations.get(stage).copied().unwrap_or_default();
        let (from, each) = (stage * config.stage_epochs(), config.stage_epochs());
        writeln!(
            text,
            "stage {}     {cells} cells, {operations} operations on an edge, epochs {} to {}, about {:.2?} a step",
            stage + 1,
            from + 1,
            from + each,
            duration(step * share)
        )?;
    }
    let search = HumanDuration(duration(part.seconds(step)));
    write!(
        text,
        "search      about {search} ({epochs} epochs, without the evaluation after each)"
    )?;
    if !part.is_whole() {
        let [cells, batch, attack] = Part::sizes(&part.config);
        write!(
            text,
            "\n            extrapolated from {cells} cells, {batch} images and {attack} steps of the attack"
        )?;
    }
    if let Some(bytes) = memory::peak() {
        write!(text, "\nmemory      {} of this process at its peak so far", HumanBytes(bytes))?;
    }
    Ok(text)
}

/// Seconds as a duration; as the longest, where they are more.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
