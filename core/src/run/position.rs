//! Where a run stands.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::measure::Stop;

/// What a run does next. What follows what is said in one place, `Progress::follow`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Say what is about to run.
    #[default]
    Start,
    /// Start an epoch.
    EpochStart,
    /// One step.
    Step,
    /// Evaluate and end the epoch.
    EpochEnd,
    /// Let the observer of this index look.
    Observe(usize),
    /// Go on to the next stage.
    Stage,
    /// Say what was found.
    Finish,
    /// Nothing: the run is over.
    Done,
}

/// What follows an epoch, as a job sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next epoch.
    Go,
    /// A stage, and then the next epoch.
    Stage,
    /// The end.
    Stop,
}

/// A place in a run. It is kept and never computed from a count of steps, so epochs may differ in
/// length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// 0-based epoch.
    pub epoch: usize,
    /// 0-based step in the epoch: the next one, or the number of steps when all are taken.
    pub step: usize,
    /// Steps of this epoch.
    pub steps: usize,
    /// Steps taken in all epochs: the position in the random streams.
    pub total_steps: u64,
}

impl Position {
    /// Goes on to the next step.
    pub(super) fn advance(&mut self) {
        self.step += 1;
        self.total_steps += 1;
    }

    /// The epoch and the step that were taken last; before the first, the first.
    ///
    /// `steps` gives the steps of an epoch.
    pub fn last(&self, steps: impl Fn(usize) -> usize) -> (usize, usize) {
        match (self.epoch, self.step) {
            (epoch, step) if step > 0 => (epoch, step - 1),
            (0, _) => (0, 0),
            (epoch, _) => (epoch - 1, steps(epoch - 1).saturating_sub(1)),
        }
    }

    /// Epochs whose steps are all taken, and steps of the next one.
    pub fn taken(&self) -> (usize, usize) {
        let whole = self.step > 0 && self.step == self.steps;
        if whole { (self.epoch + 1, 0) } else { (self.epoch, self.step) }
    }
}

/// Sums over an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Sum of the training loss over the examples.
    pub loss_sum: f64,
    /// Right answers.
    pub correct: f64,
    /// Training examples seen.
    pub examples: f64,
    /// Seconds spent.
    pub seconds: f64,
}

impl Tally {
    /// Adds the sums of a step.
    pub(super) fn count(&mut self, sums: &Self) {
        self.loss_sum += sums.loss_sum;
        self.correct += sums.correct;
        self.examples += sums.examples;
    }
}

/// Where a run stands, and what it still has to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it does next.
    pub phase: Phase,
    /// Where.
    pub position: Position,
    /// Sums over this epoch.
    pub tally: Tally,
    /// Validation accuracy after the last finished epoch.
    pub valid_accuracy: f64,
    /// The perplexity then, of a run of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_perplexity: Option<f64>,
    /// Events said so far.
    pub events: u64,
    /// Events of an observer, or of a step that was read late, that are not said yet.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub unsaid: VecDeque<Event>,
    /// That an observer ended the run, and with which result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

impl Progress {
    /// Goes on to what follows: the one table of it.
    pub(super) fn follow(&mut self, observers: usize, next: Next) {
        let Position { epoch, step, steps, .. } = self.position;
        self.phase = match self.phase {
            Phase::Start => Phase::EpochStart,
            Phase::EpochStart => Phase::Step,
            Phase::Step if step < steps => Phase::Step,
            Phase::Step => Phase::EpochEnd,
            Phase::EpochEnd if observers > 0 => Phase::Observe(0),
            Phase::Observe(index) if index + 1 < observers => Phase::Observe(index + 1),
            Phase::EpochEnd | Phase::Observe(_) => {
                self.position = Position { epoch: epoch + 1, step: 0, ..self.position };
                match next {
                    _ if self.stop.is_some() => Phase::Finish,
                    Next::Go => Phase::EpochStart,
                    Next::Stage => Phase::Stage,
                    Next::Stop => Phase::Finish,
                }
            }
            Phase::Stage => Phase::EpochStart,
            Phase::Finish | Phase::Done => Phase::Done,
        };
    }
}
