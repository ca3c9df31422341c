//! What a table has: cells, lengths of trainings, and how much of each space of NAS-Bench-1Shot1.

use std::collections::BTreeMap;

use serde::Serialize;
use smoothdarts::cell::nasbench101::Hash;
use smoothdarts::cell::nasbench101::oneshot::{self, OneShot};

use super::standing::EPOCHS;
use super::training::{Cell, Split};

/// What a table has.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Number of cells.
    pub cells: usize,
    /// Lengths of trainings, the shortest first.
    pub budgets: Vec<Length>,
    /// The spaces 1, 2 and 3.
    pub spaces: Vec<Coverage>,
}

/// The trainings of one length.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Length {
    /// Their number of epochs.
    pub epochs: u32,
    /// Cells that were trained so.
    pub cells: usize,
    /// Fewest trainings of such a cell.
    pub fewest_repeats: usize,
    /// Most trainings of such a cell.
    pub most_repeats: usize,
    /// Cells with a validation accuracy.
    pub valid: usize,
    /// Cells with a test accuracy.
    pub test: usize,
}

/// How much of a space a table has, of trainings of 108 epochs.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// Name of the space.
    pub space: &'static str,
    /// Networks of the space.
    pub networks: usize,
    /// Those with a validation accuracy.
    pub valid: usize,
    /// Those with a test accuracy.
    pub test: usize,
    /// The lowest validation error in the table, and whose it is.
    pub best_valid: Option<Best>,
    /// The lowest test error in the table, and whose it is.
    pub best_test: Option<Best>,
}

/// The best cell.
#[derive(Clone, Debug, Serialize)]
pub struct Best {
    /// Its mean error, from 0 to 1.
    pub error: f64,
    /// Its hash.
    pub hash: String,
    /// The lowest such error in all of NAS-Bench-101 (spec §7.4).
    pub of_space: f64,
}

impl Summary {
    /// Of these cells.
    ///
    /// # Errors
    /// That of the first cell that could not be read.
    pub fn of(cells: impl Iterator<Item = anyhow::Result<Cell>>) -> anyhow::Result<Self> {
        let mut lengths: BTreeMap<u32, Length> = BTreeMap::new();
        // Of the cells that were trained to the end: validation and test error.
        let (mut count, mut errors) = (0, BTreeMap::new());
        for cell in cells {
            let cell = cell?;
            count += 1;
            for (epochs, trainings) in &cell.trainings {
                lengths.entry(*epochs).or_default().add(&cell, *epochs, trainings.len());
            }
            let error = |split| cell.accuracy(EPOCHS, split).map(|accuracy| 1.0 - accuracy);
            let both = [Split::Valid, Split::Test].map(error);
            if both != [None, None] {
                errors.insert(cell.hash, both);
            }
        }
        let spaces = oneshot::ALL.iter().map(|space| Coverage::of(space, &errors)).collect();
        Ok(Self { cells: count, budgets: lengths.into_values().collect(), spaces })
    }
}

impl Length {
    fn add(&mut self, cell: &Cell, epochs: u32, repeats: usize) {
        self.epochs = epochs;
        self.fewest_repeats =
            if self.cells == 0 { repeats } else { self.fewest_repeats.min(repeats) };
        self.most_repeats = self.most_repeats.max(repeats);
        self.cells += 1;
        let has = |split| usize::from(cell.accuracy(epochs, split).is_some());
        self.valid += has(Split::Valid);
        self.test += has(Split::Test);
    }
}

impl Coverage {
    fn of(space: &OneShot, errors: &BTreeMap<Hash, [Option<f64>; 2]>) -> Self {
        let networks = space.networks();
        let found = networks.iter().filter_map(|hash| Some((*hash, *errors.get(hash)?)));
        let found: Vec<(Hash, [Option<f64>; 2])> = found.collect();
        let known = |index: usize| {
            found.iter().filter_map(move |(hash, errors)| Some((errors[index]?, hash)))
        };
        let best = |index: usize, of_space: f64| {
            let (error, hash) = known(index).min_by(|one, other| one.0.total_cmp(&other.0))?;
            Some(Best { error, hash: hash.to_string(), of_space })
        };
        Self {
            space: space.name,
            networks: networks.len(),
            valid: known(0).count(),
            test: known(1).count(),
            best_valid: best(0, space.best_valid_error),
            best_test: best(1, space.best_test_error),
        }
    }
}
