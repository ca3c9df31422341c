//! What a table says of a cell that a search derived.

use smoothdarts::cell::nasbench101::Graph;
use smoothdarts::cell::nasbench101::oneshot::OneShot;

use super::table::Table;
use super::training::{Cell, Split};

/// The length of the trainings that results are told of (spec §7.4).
pub const EPOCHS: u32 = 108;

/// How good a cell truly is: means over its trainings of 108 epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Share of the test images that it gets wrong, from 0 to 1; `None` where the table does not tell.
    pub test_error: Option<f64>,
    /// Share of the validation images, likewise.
    pub valid_error: Option<f64>,
    /// How far the test error lies above the lowest one of the space, from 0 to 1.
    pub regret: Option<f64>,
}

impl Standing {
    /// Looks up the cell of this graph, which a search of `space` derived. `None`: it is not in the table,
    /// which any part of the benchmark may be, or not at all in the benchmark, as no way leads from its
    /// input to its output.
    ///
    /// # Errors
    /// A damaged table, exit code 3.
    pub fn of(table: &Table, graph: &Graph, space: &OneShot) -> anyhow::Result<Option<Self>> {
        let Some(hash) = graph.hash() else { return Ok(None) };
        Ok(table.find(hash)?.and_then(|cell| Self::of_cell(&cell, space)))
    }

    /// What is known of a cell; `None` if it was not trained for so many epochs.
    pub fn of_cell(cell: &Cell, space: &OneShot) -> Option<Self> {
        let error = |split| cell.accuracy(EPOCHS, split).map(|accuracy| 1.0 - accuracy);
        let [test_error, valid_error] = [Split::Test, Split::Valid].map(error);
        let regret = test_error.map(|error| error - space.best_test_error);
        let standing = Self { test_error, valid_error, regret };
        (test_error.is_some() || valid_error.is_some()).then_some(standing)
    }

    /// The same in words.
    pub fn words(standing: Option<&Self>) -> String {
        let Some(Self { test_error, valid_error, regret }) = standing else {
            return "the cell is not in the table".to_owned();
        };
        let percent = |value: &Option<f64>, unit: &str| {
            value.map_or_else(
                || "not in the table".to_owned(),
                |value| format!("{:.2}{unit}", 100.0 * value),
            )
        };
        let [test, valid] = [test_error, valid_error].map(|error| percent(error, "%"));
        let regret = percent(regret, " points");
        format!("true test error {test}, validation error {valid}, regret {regret}")
    }
}
