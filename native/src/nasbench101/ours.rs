//! Trainings of ours in a table: of cells that runs derived, made small on the machine of the user
//! (`sdarts table fill`). They stand behind the numbers of the benchmark and apart from them: nothing joins the
//! two, for an accuracy of one size says nothing beside one of another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smoothdarts::cell::nasbench101::Hash;
use smoothdarts::config::Config;
use smoothdarts::config::layers::differences;

/// All of a table, of one size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ours {
    /// How each of them was trained; the genotype in it says nothing.
    pub config: Option<Config>,
    /// By the hash of the cell.
    cells: BTreeMap<String, Own>,
}

/// A training of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// The cell, as its matrix and labels.
    pub cell: String,
    /// Share of right answers on the test images after the last epoch, from 0 to 1.
    pub test: f64,
    /// Weights of its network.
    pub parameters: usize,
}

impl Ours {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// That of a cell.
    pub fn find(&self, hash: Hash) -> Option<&Own> {
        self.cells.get(&hash.to_string())
    }

    /// All of them, by hash.
    pub fn all(&self) -> impl Iterator<Item = (Hash, &Own)> {
        self.cells.iter().filter_map(|(hash, own)| Some((hash.parse().ok()?, own)))
    }

    /// Adds that of a cell, which was made with these settings.
    pub fn add(&mut self, hash: Hash, own: Own, config: &Config) {
        self.config.get_or_insert_with(|| config.clone());
        self.cells.insert(hash.to_string(), own);
    }

    /// The settings in which such trainings would differ from those that are there, in words.
    pub fn other_than(&self, config: &Config) -> Vec<String> {
        let Some(own) = &self.config else { return Vec::new() };
        let counts = |section: &str, key: &str| {
            !matches!((section, key), ("train", "genotype") | ("data", "dir")) && section != "table"
        };
        let all = differences(own, config).into_iter();
        let all = all.filter(|(setting, ..)| counts(setting.section, setting.key));
        all.map(|(setting, own, now)| format!("{} = {own}, now {now}", setting.name())).collect()
    }

    /// Their size in words.
    pub fn size(&self) -> String {
        self.config.as_ref().map_or_else(String::new, size)
    }

    /// Reads them from the end of a table.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("its trainings of ours cannot be read: {error}"))?;
        for (hash, own) in &read.cells {
            if hash.parse::<Hash>().is_err() || !(0.0..=1.0).contains(&own.test) {
                return Err(format!(
                    "its training of ours of cell {hash} has accuracy {}",
                    own.test
                ));
            }
        }
        Ok(read)
    }
}

/// The size of a training in words.
pub fn size(config: &Config) -> String {
    let Config { train, data, .. } = config;
    let images = match data.train_images {
        0 => "all images".to_owned(),
        count => format!("{count} images"),
    };
    let side = match data.image_size {
        0 => String::new(),
        side => format!(" at {side}x{side}"),
    };
    let epochs = if train.epochs == 1 { "epoch" } else { "epochs" };
    format!(
        "{} cells, {} channels, {} {epochs} on {images} of {}{side}",
        train.cells, train.channels, train.epochs, data.name
    )
}
