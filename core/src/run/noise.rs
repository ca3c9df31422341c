//! What the passes of a run draw from.

use std::sync::Arc;

use super::Position;
use crate::nn::{Picked, Randomness, SkipDropout};
use crate::rng::{Stream, Streams};

/// Room for the forward passes of one step in the noise stream.
pub(super) const NOISE_PASSES: u64 = 1 << 20;

/// What passes are for: those of an evaluation draw from places of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Step,
    Evaluation,
}

/// Generators for the noise operation and drop-path, one for each pass, one after the other.
pub(super) struct Noise {
    streams: Streams,
    position: u64,
    drop_path: f64,
    /// Rate of dropout after skip connections.
    pub skip_dropout: f64,
    /// The options that the passes to come compute, where not all are.
    pub picked: Option<Arc<Picked>>,
}

impl Noise {
    /// The passes at a position, which drop paths with this probability.
    pub fn new(streams: Streams, at: Position, purpose: Purpose, drop_path: f64) -> Self {
        let evaluation = u64::from(purpose == Purpose::Evaluation);
        let position = (2 * at.total_steps + evaluation) * NOISE_PASSES;
        Self { streams, position, drop_path, skip_dropout: 0.0, picked: None }
    }

    /// That of the next pass.
    pub fn next(&mut self) -> Randomness {
        self.position += 1;
        let rng = self.streams.at(Stream::Noise, self.position);
        let skips = (self.skip_dropout > 0.0).then(|| SkipDropout {
            rate: self.skip_dropout,
            rng: self.streams.at(Stream::SkipDropout, self.position),
        });
        Randomness { rng, drop_path: self.drop_path, picked: self.picked.clone(), skips }
    }
}
