//! `sdarts train --dry-run` of a recurrent genotype: the network, and what its training would take.

use std::fmt::Write as _;

use indicatif::HumanDuration;
use serde_json::{Value, json};
use smoothdarts::config::Config;
use smoothdarts::data::Batches as _;
use smoothdarts::data::text::TextLoader;
use smoothdarts::nn::GradientTarget;
use smoothdarts::run::TextTraining;

use super::memory::{Needed, Peak};
use super::{TIMED, duration, time_step};
use crate::bench;
use crate::datasets::text;
use crate::device::Selected;
use crate::exit::Exit;
use crate::output;

/// Prints what a training with these settings would take, with so many seeds.
///
/// # Errors
/// What the settings, the genotype or the text have wrong.
pub fn run(json: bool, config: &Config, seeds: u64, selected: &Selected) -> anyhow::Result<Exit> {
    let cost = Cost::of(config, selected)?;
    if json {
        let mut object = cost.machine();
        object["trainings"] = json!(seeds);
        object["seconds"] = json!(cost.seconds() * seeds as f64);
        output::line(&object.to_string())?;
        return Ok(Exit::Done);
    }
    output::line(&cost.human(seeds)?)?;
    Ok(Exit::Done)
}

/// What a training on a text would take.
pub(super) struct Cost<'a> {
    config: &'a Config,
    device: String,
    words: usize,
    parameters: usize,
    /// Of a pass for one word.
    multiply_adds: u64,
    steps_per_epoch: usize,
    /// Seconds of a step.
    step: f64,
    memory: Needed,
}

impl<'a> Cost<'a> {
    /// Times a step of this training.
    pub fn of(config: &'a Config, selected: &Selected) -> anyhow::Result<Self> {
        let text = text::open(config).or_else(|error| text::stand_in(config, error))?;
        let mut loader = TextLoader::for_training(text, config)?;
        let (words, steps_per_epoch) = (loader.text().vocabulary.len(), loader.steps(0));
        let training = TextTraining::new(config, loader.text(), steps_per_epoch, &selected.device)?;
        let parameters = training.started().parameters;
        let multiply_adds = training.job().multiply_adds(GradientTarget::Nothing);
        bench::memory::reset(&selected.device);
        let step = time_step(training, &mut loader, TIMED)?;
        let peak = Peak::read(config.train.batch_size, &selected.device);
        Ok(Self {
            config,
            device: selected.label.clone(),
            words,
            parameters,
            multiply_adds,
            steps_per_epoch,
            step: (step.perturbation + step.others).as_secs_f64(),
            memory: peak.times(1.0, None),
        })
    }

    fn epoch(&self) -> f64 {
        self.step * self.steps_per_epoch as f64
    }

    /// Of the training, without the evaluations.
    pub fn seconds(&self) -> f64 {
        self.epoch() * self.config.train.epochs as f64
    }

    pub fn machine(&self) -> Value {
        json!({
            "device": self.device,
            "hidden": self.config.recurrent.hidden,
            "vocabulary": self.words,
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "epochs": self.config.train.epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "seconds_per_step": self.step,
            "seconds_per_epoch": self.epoch(),
            "seconds": self.seconds(),
            "memory_bytes": self.memory.host,
            "device_memory_bytes": self.memory.device,
        })
    }

    pub fn human(&self, seeds: u64) -> anyhow::Result<String> {
        let (config, mut text) = (self.config, String::new());
        let (steps, epochs) = (self.steps_per_epoch, config.train.epochs);
        writeln!(text, "network     {} units, {} words", config.recurrent.hidden, self.words)?;
        writeln!(text, "parameters  {}", self.parameters)?;
        let millions = self.multiply_adds as f64 / 1e6;
        writeln!(text, "arithmetic  {millions:.2} million multiply-adds for a word")?;
        writeln!(text, "device      {}", self.device)?;
        writeln!(text, "step        {:.2?}, about {steps} steps in an epoch", duration(self.step))?;
        writeln!(text, "epoch       {:.1?}", duration(self.epoch()))?;
        let time = HumanDuration(duration(self.seconds() * seeds as f64));
        let seeds = if seeds == 1 { String::new() } else { format!(", {seeds} seeds") };
        let without = "without the evaluation after each";
        write!(text, "training    about {time} ({epochs} epochs{seeds}, {without})")?;
        if let Some(words) = self.memory.words() {
            write!(text, "\nmemory      {words}")?;
        }
        Ok(text)
    }
}
