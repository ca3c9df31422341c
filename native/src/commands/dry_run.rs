//! `sdarts search --dry-run`: what a search would be, how long it would take and how much memory; and the same of
//! a training.

mod first;
mod memory;
mod part;
pub mod text;
mod timed;
pub mod training;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::HumanDuration;
use serde_json::{Value, json};
use smoothdarts::cell::Row;
use smoothdarts::config::Config;
use smoothdarts::data::{self, Batches, Dataset, Images};
use smoothdarts::event::{Event, Started, Step, TrainStep};
use smoothdarts::run::{Advanced, Job, Run, Search};
use smoothdarts::task::Task;

pub use self::first::First;
use self::memory::{Needed, Peak};
pub use self::part::Part;
use self::timed::{StepTime, Timed};
use crate::bench;
use crate::device::Selected;
use crate::exit::Exit;
use crate::output;

/// Steps that are timed, after the first.
const TIMED: u32 = 2;

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

/// Times a few steps of the part and prints what is known of the whole. `make` gives the search of a part and its
/// batches.
///
/// # Errors
/// Like a search.
pub fn run<T: Task, B: Batches<Batch = T::Batch>>(
    json: bool,
    part: &Part,
    selected: &Selected,
    mut make: impl FnMut(&Config) -> anyhow::Result<(Run<Search<T>>, B)>,
) -> anyhow::Result<Exit> {
    let device = &selected.device;
    let mut measure = |part: &Part, steps| {
        let (search, mut batches) = make(&part.config)?;
        let started = search.started();
        let step = time_step(search, &mut batches, steps)?;
        anyhow::Ok((started, step, Peak::read(part.config.search.batch_size, device)))
    };
    bench::memory::reset(device);
    let before = bench::memory::peak();
    // On an adapter every size has kernels of its own, whose compilation takes longer than all steps.
    let half = part.half().filter(|_| selected.adapter.is_none());
    let half = half.map(|half| measure(&half, 0)).transpose()?.map(|(.., peak)| peak);
    bench::memory::reset(device);
    let (mut started, step, peak) = measure(part, TIMED)?;
    let [_, batch, _] = part.whole;
    let peak = match selected.adapter {
        Some(_) => peak.scaled(batch),
        None => peak.with(half, batch),
    };
    let memory = peak.times(part.cells(), before);
    let whole = Whole { step: part.extrapolate(step), memory, part };
    started.device.clone_from(&selected.label);
    started.steps_per_epoch = part.steps_per_epoch;
    started.parameters = (started.parameters as f64 * part.cells()) as usize;
    let text = if json { whole.machine(&started).to_string() } else { whole.human(&started)? };
    output::line(&text)?;
    Ok(Exit::Done)
}

/// What is known of the whole.
#[derive(Clone, Copy)]
struct Whole<'a> {
    /// Seconds of a step.
    step: f64,
    memory: Needed,
    part: &'a Part,
}

/// The mean time of so many steps after the first.
fn time_step<J: Job>(
    mut run: Run<J>,
    batches: &mut dyn Batches<Batch = J::Batch>,
    steps: u32,
) -> anyhow::Result<StepTime> {
    let others = run.started().steps_per_epoch.saturating_sub(1) as u32;
    let (mut timed, mut current) = (Timed::new(steps.min(others)), StepTime::default());
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
                if timed.add(step, current) {
                    break;
                }
                (parts, current) = (0, StepTime::default());
            }
            Advanced::Said(_) => current = StepTime::default(),
        }
    }
    Ok(timed.mean())
}

impl Whole<'_> {
    fn machine(&self, started: &Started) -> Value {
        let Self { step, memory, part } = *self;
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
            "memory_bytes": memory.host,
            "device_memory_bytes": memory.device,
        })
    }

    fn human(&self, started: &Started) -> anyhow::Result<String> {
        let (Self { step, memory, part }, mut text) = (*self, String::new());
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
        if let Some(words) = memory.words() {
            write!(text, "\nmemory      {words}")?;
        }
        Ok(text)
    }
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

/// Seconds as a duration; as the longest, where they are more.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
