//! `sdarts train --dry-run` of a recurrent genotype: the network, and what its training would take.

use std::fmt::Write as _;

use indicatif::{HumanBytes, HumanDuration};
use serde_json::json;
use smoothdarts::config::Config;
use smoothdarts::data::Batches as _;
use smoothdarts::data::text::TextLoader;
use smoothdarts::nn::GradientTarget;
use smoothdarts::run::TextTraining;

use super::{duration, time_step};
use crate::bench::memory;
use crate::datasets::text;
use crate::device::Selected;
use crate::exit::Exit;
use crate::output;

/// Prints what a training with these settings would take, with so many seeds.
///
/// # Errors
/// What the settings, the genotype or the text have wrong.
pub fn run(json: bool, config: &Config, seeds: u64, selected: &Selected) -> anyhow::Result<Exit> {
    let mut loader = TextLoader::for_training(text::open(config)?, config)?;
    let (words, steps) = (loader.text().vocabulary.len(), loader.steps(0));
    let training = TextTraining::new(config, loader.text(), steps, &selected.device)?;
    let (parameters, epochs) = (training.started().parameters, config.train.epochs);
    let of_word = training.job().multiply_adds(GradientTarget::Nothing);
    let step = time_step(training, &mut loader)?;
    let step = (step.perturbation + step.others).as_secs_f64();
    let (epoch, memory) = (step * steps as f64, memory::peak());
    let seconds = epoch * epochs as f64 * seeds as f64;
    if json {
        let object = json!({
            "device": selected.label,
            "hidden": config.recurrent.hidden,
            "vocabulary": words,
            "parameters": parameters,
            "multiply_adds": of_word,
            "epochs": epochs,
            "steps_per_epoch": steps,
            "seconds_per_step": step,
            "seconds_per_epoch": epoch,
            "trainings": seeds,
            "seconds": seconds,
            "memory_bytes": memory,
        });
        output::line(&object.to_string())?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    writeln!(text, "network     {} units, {words} words", config.recurrent.hidden)?;
    writeln!(text, "parameters  {parameters}")?;
    let millions = of_word as f64 / 1e6;
    writeln!(text, "arithmetic  {millions:.1} million multiply-adds for a word")?;
    writeln!(text, "device      {}", selected.label)?;
    writeln!(text, "step        {:.2?}, about {steps} steps in an epoch", duration(step))?;
    writeln!(text, "epoch       {:.1?}", duration(epoch))?;
    let (time, without) = (HumanDuration(duration(seconds)), "without the evaluation after each");
    write!(text, "training    about {time} ({epochs} epochs, {seeds} seeds, {without})")?;
    if let Some(bytes) = memory {
        write!(text, "\nmemory      about {} of the process", HumanBytes(bytes))?;
    }
    output::line(&text)?;
    Ok(Exit::Done)
}
