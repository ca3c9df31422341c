//! The cells of a source while it is read: they come in any order, and one training at a time.
//!
//! Three trainings of one length take 72 bytes here, and a cell some 60. What the file has beside them is
//! read and forgotten: 1,270,872 records of 66,111 cells, a file of 516 MB, took 54 MB of memory.

use std::collections::{BTreeMap, HashMap};

use anyhow::anyhow;
use smoothdarts::cell::nasbench101::{Graph, Hash};

use super::training::{Budget, Cell, Training};
use crate::exit::Exit;

/// Trainings of one length that a cell has in NAS-Bench-101.
const REPEATS: usize = 3;

/// Cells by hash, with their trainings.
#[derive(Debug, Default)]
pub struct Gather {
    places: HashMap<Hash, usize>,
    cells: Vec<Known>,
    /// For every number of epochs the trainings of all cells, as far as the last one that has some.
    lengths: BTreeMap<u32, Vec<[Stored; REPEATS]>>,
}

#[derive(Debug)]
struct Known {
    parameters: Option<u32>,
    /// Place in the source where it came first.
    first: u64,
}

/// Validation accuracy, test accuracy, seconds; NaN for what is not known.
type Stored = [f64; 3];

const NOTHING: Stored = [f64::NAN; 3];

/// A cell as a source names it.
#[derive(Debug)]
pub(super) struct Named {
    /// Its hash.
    pub hash: Hash,
    /// The graph behind the hash, where the source tells it.
    pub graph: Option<Graph>,
    /// Weights of its network.
    pub parameters: Option<u32>,
}

/// What is wrong with a place of a source: exit code 3.
pub(super) fn refused(place: &str, problem: &str) -> anyhow::Error {
    anyhow!("{place}: {problem}").context(Exit::Data)
}

impl Gather {
    /// Number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The number of a cell here, and where it came first if it was there before.
    ///
    /// # Errors
    /// A hash that is not that of the graph, a graph that the benchmark does not have, other parameters
    /// than before: what is wrong, in words.
    pub(super) fn cell(
        &mut self,
        number: u64,
        named: Named,
    ) -> Result<(usize, Option<u64>), String> {
        let Named { hash, graph, parameters } = named;
        if let Some(&place) = self.places.get(&hash) {
            let known = &self.cells[place];
            return if known.parameters == parameters {
                Ok((place, Some(known.first)))
            } else {
                let [before, now] = [known.parameters, parameters].map(Option::unwrap_or_default);
                Err(format!("cell {hash} has {now} parameters here and {before} before"))
            };
        }
        if let Some(graph) = graph {
            check(hash, &graph)?;
        }
        let place = self.cells.len();
        self.places.insert(hash, place);
        self.cells.push(Known { parameters, first: number });
        Ok((place, None))
    }

    /// Adds a training of cell `place`.
    ///
    /// # Errors
    /// An accuracy outside of 0 to 1, a time below 0, a training that is there already, or more trainings
    /// than a cell has: what is wrong, in words.
    pub(super) fn training(
        &mut self,
        place: usize,
        epochs: u32,
        training: Training,
    ) -> Result<(), String> {
        let Training { valid, test, seconds } = training;
        for (accuracy, of) in [(valid, "validation"), (test, "test")] {
            if let Some(accuracy) = accuracy.filter(|accuracy| !(0.0..=1.0).contains(accuracy)) {
                return Err(format!("{accuracy} is no {of} accuracy from 0 to 1"));
            }
        }
        if let Some(seconds) = seconds.filter(|it| !(it.is_finite() && *it >= 0.0)) {
            return Err(format!("{seconds} is no training time in seconds"));
        }
        let rows = self.lengths.entry(epochs).or_default();
        rows.resize(rows.len().max(place + 1), [NOTHING; REPEATS]);
        let row = &mut rows[place];
        if row.iter().any(|&stored| load(stored) == Some(training)) {
            return Err(format!("this training of {epochs} epochs is there already"));
        }
        let free = row.iter_mut().find(|stored| load(**stored).is_none());
        *free.ok_or_else(|| {
            format!("the cell has {REPEATS} trainings of {epochs} epochs already; the benchmark has no more")
        })? = [valid, test, seconds].map(|value| value.unwrap_or(f64::NAN));
        Ok(())
    }

    /// Lengths of trainings, the shortest first.
    pub fn budgets(&self) -> Vec<Budget> {
        let count = |row: &[Stored; REPEATS]| row.iter().filter_map(|&it| load(it)).count();
        let budget = |(&epochs, rows): (&u32, &Vec<[Stored; REPEATS]>)| Budget {
            epochs,
            repeats: rows.iter().map(count).max().unwrap_or(0),
        };
        self.lengths.iter().map(budget).collect()
    }

    /// All cells in the order of their hashes.
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        let mut order: Vec<(Hash, usize)> =
            self.places.iter().map(|(&hash, &place)| (hash, place)).collect();
        order.sort_unstable();
        order.into_iter().map(|(hash, place)| {
            let of = |(&epochs, rows): (&u32, &Vec<[Stored; REPEATS]>)| {
                let row = rows.get(place).into_iter().flatten();
                let trainings: Vec<Training> = row.filter_map(|&stored| load(stored)).collect();
                (!trainings.is_empty()).then_some((epochs, trainings))
            };
            let trainings = self.lengths.iter().filter_map(of).collect();
            Cell { hash, parameters: self.cells[place].parameters, trainings }
        })
    }
}

/// A training; `None` where nothing of it is known.
fn load(stored: Stored) -> Option<Training> {
    let [valid, test, seconds] = stored.map(|value| Some(value).filter(|value| !value.is_nan()));
    let training = Training { valid, test, seconds };
    (training != Training::default()).then_some(training)
}

fn check(hash: Hash, graph: &Graph) -> Result<(), String> {
    if !graph.is_valid() {
        return Err(format!(
            "{graph} is no cell of NAS-Bench-101: pruned, those have at most 7 vertices and 9 edges"
        ));
    }
    match graph.hash() {
        Some(found) if found == hash => Ok(()),
        found => {
            let found = found.map_or_else(String::new, |found| found.to_string());
            Err(format!("the hash of {graph} is {found}, and the file says {hash}"))
        }
    }
}
