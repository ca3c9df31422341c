//! `sdarts train --dry-run` and `sdarts select --dry-run`: the network, and what its training would take.

use std::fmt::Write as _;

use indicatif::HumanDuration;
use serde_json::{Value, json};
use smoothdarts::config::Config;
use smoothdarts::config::layers::Resolved;
use smoothdarts::data::{ImageShape, Order};
use smoothdarts::nn::GradientTarget;
use smoothdarts::run::ImageTraining;

use super::memory::{Needed, Peak};
use super::{First, TIMED, duration, stand_in, text, time_step};
use crate::bench;
use crate::commands::derive;
use crate::datasets::text::is_text;
use crate::datasets::{Opened, Prefetch};
use crate::device::Selected;
use crate::exit::Exit;
use crate::output;
use crate::selection::Selection;
use crate::settings::{self, GENOTYPE};

/// Multiply-adds of a step that is timed on the CPU, at most: two or three seconds of two cores. A larger
/// batch is timed by a part of it.
const STEP: f64 = 60e9;

/// Prints what a training with these settings would take, with so many seeds.
///
/// # Errors
/// What the settings, the genotype or the data have wrong.
pub fn run(json: bool, config: &Config, seeds: u64, selected: &Selected) -> anyhow::Result<Exit> {
    let cost = Cost::of(config, selected)?;
    let seconds = cost.seconds() * seeds as f64;
    if json {
        let mut object = cost.machine();
        object["trainings"] = json!(seeds);
        object["seconds"] = json!(seconds);
        output::line(&object.to_string())?;
        return Ok(Exit::Done);
    }
    let mut text = cost.human()?;
    if seeds > 1 {
        write!(text, "\nin all      about {} ({seeds} seeds)", HumanDuration(duration(seconds)))?;
    }
    output::line(&text)?;
    Ok(Exit::Done)
}

/// Prints what a selection would take, with the first candidate in the place of all, and of the winner.
///
/// # Errors
/// As for [`run`].
pub fn selection(
    json: bool,
    full: &Resolved,
    selection: &Selection,
    selected: &Selected,
) -> anyhow::Result<Exit> {
    let Some(first) = selection.candidates.first() else { return Ok(Exit::Done) };
    let genotype = derive::text(&first.genotype);
    let short = settings::short(full, genotype.clone())?;
    let full = settings::changed(full, [(GENOTYPE, genotype)])?;
    let [short, full] = [&short, &full].map(|it| told(&it.config, selected));
    let (short, full, count) = (short?, full?, selection.candidates.len());
    let seconds = count as f64 * short.seconds + full.seconds;
    let text = if json {
        let [short, full] = [short.machine, full.machine];
        json!({ "candidates": count, "short": short, "full": full, "seconds": seconds }).to_string()
    } else {
        format!(
            "the short training of each of {count} candidates, as of {}\n\n{}\n\nthe training of the \
             winner, if that is {}\n\n{}\n\nin all      about {}",
            first.name,
            short.human,
            first.name,
            full.human,
            HumanDuration(duration(seconds)),
        )
    };
    output::line(&text)?;
    Ok(Exit::Done)
}

/// What a training would take, on images or on a text.
struct Told {
    seconds: f64,
    machine: Value,
    human: String,
}

fn told(config: &Config, selected: &Selected) -> anyhow::Result<Told> {
    if is_text(&config.data.name) {
        let cost = text::Cost::of(config, selected)?;
        let (seconds, machine) = (cost.seconds(), cost.machine());
        return Ok(Told { seconds, machine, human: cost.human(1)? });
    }
    let cost = Cost::of(config, selected)?;
    Ok(Told { seconds: cost.seconds(), machine: cost.machine(), human: cost.human()? })
}

/// What a training on images would take.
struct Cost<'a> {
    config: &'a Config,
    device: String,
    /// Weights without the auxiliary head.
    parameters: usize,
    /// Of a pass for one image, without the auxiliary head.
    multiply_adds: u64,
    steps_per_epoch: usize,
    /// Seconds of a step.
    step: f64,
    /// Images of the batch that was timed.
    timed: usize,
    memory: Needed,
}

impl<'a> Cost<'a> {
    /// Times a step of this training, or of a smaller batch.
    fn of(config: &'a Config, selected: &Selected) -> anyhow::Result<Self> {
        let (opened, there) = match Opened::of(config) {
            Ok(opened) => (opened, true),
            Err(error) => (Opened::Memory(stand_in(config, error)?), false),
        };
        let sizes = opened.sizes(config);
        // Of a data set that is not there it is only known that it has test images.
        let test = if there { sizes.test } else { sizes.test.max(1) };
        let steps_per_epoch = Order::training(sizes.train, test, config)?.steps();
        let (channels, size, classes) = (sizes.channels, sizes.side, sizes.classes);
        let shape = ImageShape { channels, size, classes };
        let make = || ImageTraining::new(config, shape, steps_per_epoch, &selected.device);
        let (training, whole) = (make()?, config.train.batch_size.min(sizes.train));
        let (parameters, multiply_adds) =
            (training.started().parameters, training.multiply_adds(GradientTarget::Nothing));
        let of_step = training.multiply_adds(GradientTarget::Weights) as f64;
        drop(training);
        let most = if selected.adapter.is_some() { whole } else { (STEP / of_step) as usize };
        let timed = whole.min(most.max(2));
        let supply =
            opened.supply(config, |train, test| Order::pass(train, test, timed, config.seed))?;
        let at_once = |batch: usize| match config.train.micro_batch {
            0 => batch,
            micro => micro.min(batch),
        };
        let measure = |images, steps| {
            let mut batches = First { batches: Prefetch::new(supply.clone()), images };
            bench::memory::reset(&selected.device);
            let step = time_step(make()?, &mut batches, steps)?;
            anyhow::Ok((step, Peak::read(at_once(images), &selected.device)))
        };
        let half = if timed < whole { Some(measure(timed / 2, 0)?.1) } else { None };
        let (step, peak) = measure(timed, TIMED)?;
        let share = whole as f64 / timed as f64;
        Ok(Self {
            config,
            device: selected.label.clone(),
            parameters,
            multiply_adds,
            steps_per_epoch,
            step: (step.perturbation + step.others).as_secs_f64() * share,
            timed,
            memory: peak.with(half, at_once(whole)).times(1.0, None),
        })
    }

    /// Of an epoch, without the evaluation after it.
    fn epoch(&self) -> f64 {
        self.step * self.steps_per_epoch as f64
    }

    /// Of the training.
    fn seconds(&self) -> f64 {
        self.epoch() * self.config.train.epochs as f64
    }

    fn is_whole(&self) -> bool {
        self.timed >= self.config.train.batch_size
    }

    fn machine(&self) -> Value {
        let train = &self.config.train;
        json!({
            "device": self.device,
            "cells": train.cells,
            "channels": train.channels,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "epochs": train.epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "seconds_per_step": self.step,
            "seconds_per_epoch": self.epoch(),
            "seconds": self.seconds(),
            "extrapolated": !self.is_whole(),
            "memory_bytes": self.memory.host,
            "device_memory_bytes": self.memory.device,
        })
    }

    fn human(&self) -> anyhow::Result<String> {
        let (train, mut text) = (&self.config.train, String::new());
        let (cells, channels, steps) = (train.cells, train.channels, self.steps_per_epoch);
        writeln!(text, "network     {cells} cells, {channels} channels")?;
        writeln!(text, "parameters  {}", self.parameters)?;
        let millions = self.multiply_adds as f64 / 1e6;
        writeln!(text, "arithmetic  {millions:.1} million multiply-adds for an image")?;
        writeln!(text, "device      {}", self.device)?;
        writeln!(text, "step        {:.2?}, {steps} steps in an epoch", duration(self.step))?;
        writeln!(text, "epoch       {:.1?}", duration(self.epoch()))?;
        let (time, epochs) = (HumanDuration(duration(self.seconds())), train.epochs);
        let without = "without the evaluation after each";
        write!(text, "training    about {time} ({epochs} epochs, {without})")?;
        if !self.is_whole() {
            write!(text, "\n            extrapolated from a batch of {} images", self.timed)?;
        }
        if let Some(words) = self.memory.words() {
            write!(text, "\nmemory      {words}")?;
        }
        Ok(text)
    }
}
