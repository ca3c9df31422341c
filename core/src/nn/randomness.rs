//! What a pass draws from, and what was drawn for it.

use std::sync::Arc;

use rand_pcg::Pcg64;

/// What one pass draws from: a generator, for the noise operation and for drop-path, and what a policy
/// drew for it. A generator alone means that nothing is dropped and that all options are computed.
#[derive(Clone, Debug)]
pub struct Randomness {
    /// The generator.
    pub rng: Pcg64,
    /// Probability that drop-path drops an edge, for every image by itself; only in train mode.
    pub drop_path: f64,
    /// The options that are computed, where not all are.
    pub picked: Option<Arc<Picked>>,
    /// Dropout after skip connections of stride 1, of every number by itself; only in train mode.
    pub skips: Option<SkipDropout>,
}

/// Dropout after skip connections: which share of the numbers becomes 0. The others grow, so that the mean stays.
#[derive(Clone, Debug)]
pub struct SkipDropout {
    /// The share.
    pub rate: f64,
    /// What it draws from.
    pub rng: Pcg64,
}

impl From<Pcg64> for Randomness {
    fn from(rng: Pcg64) -> Self {
        Self { rng, drop_path: 0.0, picked: None, skips: None }
    }
}

/// The one option of each row of p that a pass computes, choice by choice; `None` for a choice of which it
/// computes all. What is left out has no part in the pass: its weights get no gradient and its batch norms see
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked(pub Vec<Option<Vec<usize>>>);

impl Picked {
    /// What has a part in a pass at a p whose rows weigh one option or none. A row without any is that of an edge
    /// that is not there: of its first option comes p · value = 0. All options of a choice with other rows.
    pub fn weighed(p: &[Vec<Vec<f32>>]) -> Self {
        let of_row = |row: &Vec<f32>| {
            let mut weighed = (0..row.len()).filter(|&option| row[option] != 0.0);
            let first = weighed.next().unwrap_or(0);
            weighed.next().is_none().then_some(first)
        };
        Self(p.iter().map(|rows| rows.iter().map(of_row).collect()).collect())
    }
}

/// Probability of drop-path in an epoch: linear from 0 in the first to `largest` in the last
/// (spec §5.3).
pub fn drop_path(largest: f64, epoch: usize, epochs: usize) -> f64 {
    largest * epoch as f64 / (epochs.max(2) - 1) as f64
}
