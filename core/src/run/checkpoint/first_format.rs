//! Format 1, in which a search had ten phases and no observers: a run that an earlier version began
//! goes on here, to the same result.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Header, SCHEMA};
use crate::cell::Choice;
use crate::config::Config;
use crate::measure::early_stop::Watch;
use crate::measure::{self, Stop};
use crate::run::{Phase, Position, Progress, Tally};

#[derive(Deserialize)]
struct First {
    config: Config,
    architecture: Vec<Choice>,
    progress: FirstProgress,
}

#[derive(Deserialize)]
struct FirstProgress {
    phase: String,
    epoch: usize,
    step: usize,
    total_steps: u64,
    events: u64,
    loss_sum: f64,
    correct: f64,
    images: f64,
    seconds: f64,
    valid_accuracy: f64,
    alarmed: bool,
    #[serde(default)]
    watch: Watch,
}

/// Reads a header. The steps of the epoch, which it does not know, stay 0 until the run fills them
/// in.
pub(super) fn read(header: &str) -> Result<Header, serde_json::Error> {
    let First { config, architecture, progress: old } = serde_json::from_str(header)?;
    let stop = old.watch.verdict().filter(|_| !config.early_stop.simulate);
    let stop = stop.map(|it| Stop { epoch: it.epoch, genotype: it.genotype.clone() });
    let observers = BTreeMap::from([
        (measure::sharpness::ENTRY.name.to_owned(), serde_json::to_value(&old.watch)?),
        (measure::collapse::ENTRY.name.to_owned(), old.alarmed.into()),
    ]);
    let progress = Progress {
        phase: phase(&old.phase),
        position: Position {
            epoch: old.epoch,
            step: old.step,
            steps: 0,
            total_steps: old.total_steps,
        },
        tally: Tally {
            loss_sum: old.loss_sum,
            correct: old.correct,
            examples: old.images,
            seconds: old.seconds,
        },
        valid_accuracy: old.valid_accuracy,
        events: old.events,
        stop,
        ..Progress::default()
    };
    let checksum = String::new();
    Ok(Header { checksum, schema: SCHEMA, config, architecture, progress, observers })
}

fn phase(old: &str) -> Phase {
    match old {
        "start" => Phase::Start,
        "epoch_start" => Phase::EpochStart,
        "step" => Phase::Step,
        "epoch_end" => Phase::EpochEnd,
        "anytime" => Phase::Observe(0),
        "hessian" => Phase::Observe(1),
        "early_stop" | "alarm" => Phase::Observe(2),
        "finish" => Phase::Finish,
        _ => Phase::Done,
    }
}
