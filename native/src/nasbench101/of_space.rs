//! What a table knows of the networks of one space: what a search asks after every epoch. All of it is
//! read at the start, so that a damaged file ends no search in its middle.

use std::collections::HashMap;

use smoothdarts::cell::Genotype;
use smoothdarts::cell::codec::nb101;
use smoothdarts::cell::nasbench101::Hash;
use smoothdarts::cell::nasbench101::oneshot::OneShot;
use smoothdarts::space::Space;
use smoothdarts::space::table::{Known, Lookup, TableError};

use super::standing::{EPOCHS, Standing};
use super::table::Table;

/// The networks of a space that a table has, of trainings of 108 epochs.
#[derive(Debug)]
pub struct OfSpace {
    space: &'static OneShot,
    standings: HashMap<Hash, Standing>,
    /// The test errors of all networks of the space, the lowest first; empty where the table lacks some.
    ranking: Vec<f64>,
    /// Test accuracies of trainings of ours, from 0 to 1.
    ours: HashMap<Hash, f64>,
}

impl OfSpace {
    /// Reads the whole table once.
    ///
    /// # Errors
    /// A damaged block, exit code 3.
    pub fn read(table: &Table, space: &'static OneShot) -> anyhow::Result<Self> {
        let (networks, mut standings) = (space.networks(), HashMap::new());
        for cell in table.all() {
            let cell = cell?;
            let standing = Standing::of_cell(&cell, space);
            standings.extend(
                standing.filter(|_| networks.contains(&cell.hash)).map(|it| (cell.hash, it)),
            );
        }
        let errors = standings.values().filter_map(|standing| standing.test_error);
        let mut ranking: Vec<f64> = errors.collect();
        ranking.sort_by(f64::total_cmp);
        if ranking.len() < networks.len() {
            ranking.clear();
        }
        let ours = table.ours().all().map(|(hash, own)| (hash, own.test));
        let ours = ours.filter(|(hash, _)| networks.contains(hash)).collect();
        Ok(Self { space, standings, ranking, ours })
    }

    /// Networks of the space that have a training of ours.
    pub fn ours(&self) -> usize {
        self.ours.len()
    }

    /// How much of the space it has, in words; `None` if that is everything.
    pub fn lacks(&self) -> Option<String> {
        let networks = self.space.networks().len();
        let count =
            |value: fn(&Standing) -> Option<f64>| self.standings.values().filter_map(value).count();
        let (test, valid) = (count(|it| it.test_error), count(|it| it.valid_error));
        (test < networks).then(|| {
            format!(
                "of the {networks} networks of space {} it has test accuracies of {test} and \
                 validation accuracies of {valid} after {EPOCHS} epochs; of other cells it can say \
                 nothing",
                self.space.name
            )
        })
    }
}

impl Lookup for OfSpace {
    fn covers(&self, space: &Space) -> Result<(), TableError> {
        if space.name == self.space.name {
            return Ok(());
        }
        Err(TableError::OtherBenchmark { space: space.name.to_owned() })
    }

    fn cells(&self) -> usize {
        self.standings.len()
    }

    fn known(&self, genotype: &Genotype) -> Option<Known> {
        let hash = nb101::graph(genotype)?.hash()?;
        let own_accuracy = self.ours.get(&hash).map(|accuracy| 100.0 * accuracy);
        let Some(standing) = self.standings.get(&hash) else {
            return own_accuracy.map(|_| Known { own_accuracy, ..Known::default() });
        };
        let accuracy = |error: f64| 100.0 - 100.0 * error;
        let place = |error: f64| 1 + self.ranking.partition_point(|&other| other < error);
        Some(Known {
            test_accuracy: standing.test_error.map(accuracy),
            valid_accuracy: standing.valid_error.map(accuracy),
            rank: standing.test_error.filter(|_| !self.ranking.is_empty()).map(place),
            regret: standing.regret.map(|regret| 100.0 * regret),
            own_accuracy,
        })
    }
}
