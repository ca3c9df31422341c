//! The architecture parameters α, and p from them.

use burn::tensor::{Tensor, activation};

use crate::cell::{Choice, Row, Rows};
use crate::rng::{Stream, Streams, normal};

/// Row-softmax of every architecture tensor: p from α.
///
/// # Shapes
/// - each: [edges, operations]
pub fn probabilities(alpha: &[Tensor<2>]) -> Vec<Tensor<2>> {
    alpha.iter().map(|alpha| activation::softmax(alpha.clone(), 1)).collect()
}

/// Row-softmax on the host, in double precision.
pub fn softmax_rows(alpha: &Rows) -> Rows {
    let softmax = |row: &Vec<f32>| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = row.iter().map(|&logit| f64::from(logit - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.iter().map(|power| (power / sum) as f32).collect()
    };
    alpha.iter().map(softmax).collect()
}

/// Initial α: `scale`·N(0, 1), one row for every row of a choice; independent for every choice.
pub fn initial_alpha(choices: &[Choice], scale: f64, streams: &Streams) -> Vec<Rows> {
    let initial = |(index, choice): (usize, &Choice)| {
        let mut rng = streams.at(Stream::Alpha, index as u64);
        let row = |row: &Row| {
            let noise = normal(&mut rng, row.options.len());
            noise.into_iter().map(|value| (f64::from(value) * scale) as f32).collect()
        };
        choice.rows.iter().map(row).collect()
    };
    choices.iter().enumerate().map(initial).collect()
}
