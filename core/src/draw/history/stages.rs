//! Stages of a search, in which its edges have fewer and fewer operations.

use super::History;
use crate::cell::{Choice, Genotype, Rows};
use crate::event::{EpochFinished, StageStarted};
use crate::method;

impl History {
    /// The stage that an epoch belongs to, if it is not the first.
    pub fn stage(&self, epoch: usize) -> Option<&StageStarted> {
        self.stages.iter().rev().find(|stage| stage.epoch <= epoch)
    }

    /// The epochs of every stage, from the first to before the last, with its cells and the most operations of
    /// an edge; nothing of a search without stages.
    pub fn stretches(&self) -> Vec<Stretch> {
        let Some(started) = &self.started else { return Vec::new() };
        let config = &started.config;
        if config.stage_count() == 1 {
            return Vec::new();
        }
        let ended = self.epochs.last().map_or(0, |epoch| epoch.epoch + 1);
        let stretch = |stage: usize| Stretch {
            stage,
            epochs: stage * config.stage_epochs()..(stage + 1) * config.stage_epochs(),
            cells: config.cells_in(stage),
            operations: config.stages.operations.get(stage).copied().unwrap_or_default(),
        };
        (0..config.stage_count()).map(stretch).filter(|it| it.epochs.start < ended.max(1)).collect()
    }

    /// The stage in which an operation of an edge fell: the one that started without it. `None` where it is
    /// still there.
    pub fn fell(&self, choice: usize, row: usize, option: &str) -> Option<usize> {
        let is_there = |choices: &[Choice]| {
            let row = choices.get(choice).and_then(|choice| choice.rows.get(row));
            row.is_some_and(|row| row.options.iter().any(|it| it == option))
        };
        self.stages.iter().find(|stage| !is_there(&stage.choices)).map(|stage| stage.stage)
    }

    /// Whether an operation of an edge was there in an epoch.
    pub fn is_there(&self, epoch: usize, choice: usize, row: usize, option: &str) -> bool {
        let Some(stage) = self.stage(epoch) else { return true };
        self.fell(choice, row, option).is_none_or(|fell| fell > stage.stage)
    }

    /// What would be derived after the last epoch at every restriction of the skip connections, from the
    /// loosest; nothing of a method that restricts none.
    pub fn restrictions(&self) -> Vec<(usize, Genotype)> {
        let config = self.started.as_ref().map(|started| &started.config);
        let method = config.and_then(|config| method::of(config).ok());
        let last = method.zip(self.epochs.last());
        let of = |(method, epoch): (method::Method, &EpochFinished)| {
            method.restrictions(self.choices(), &epoch.probabilities)
        };
        last.map(of).unwrap_or_default()
    }

    /// An epoch with the options that the search started with.
    pub(super) fn with_all_options(&self, mut epoch: EpochFinished) -> EpochFinished {
        let Some(stage) = self.stage(epoch.epoch) else { return epoch };
        let widened = |rows: &[Rows], fallen: f32| -> Vec<Rows> {
            let choices = self.choices().iter().zip(&stage.choices).zip(rows);
            choices.map(|((all, left), rows)| widened(all, left, rows, fallen)).collect()
        };
        epoch.alpha = widened(&epoch.alpha, f32::NAN);
        epoch.probabilities = widened(&epoch.probabilities, 0.0);
        epoch
    }
}

/// The epochs of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// 0-based.
    pub stage: usize,
    /// From its first epoch to before that of the next.
    pub epochs: std::ops::Range<usize>,
    /// Cells of its supernet.
    pub cells: usize,
    /// Operations of an edge.
    pub operations: usize,
}

/// Numbers of the options that are left, as those of all; what fell has `fallen`.
fn widened(all: &Choice, left: &Choice, rows: &Rows, fallen: f32) -> Rows {
    let rows = all.rows.iter().zip(&left.rows).zip(rows);
    let row = rows.map(|((all, left), row)| {
        let of = |option: &String| {
            let column = left.options.iter().position(|it| it == option);
            column.and_then(|column| row.get(column)).copied().unwrap_or(fallen)
        };
        all.options.iter().map(of).collect()
    });
    row.collect()
}
