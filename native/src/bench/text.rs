//! Batches of random words: a step takes the same time whatever a text says.

use serde::Serialize;
use smoothdarts::config::Config;
use smoothdarts::data::text::TextBatch;
use smoothdarts::data::{Batches, DataError, Part, StepBatches};
use smoothdarts::space::{self, Reads};

/// Words of Penn Treebank.
pub const VOCABULARY: usize = 10_000;

/// Sizes of a recurrent network and of what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TextSizes {
    /// Width of the hidden state.
    pub hidden: usize,
    /// Words of a sequence.
    pub bptt: usize,
    /// Words of the vocabulary.
    pub vocabulary: usize,
}

/// Those of a config whose space reads text.
///
/// # Errors
/// An unknown space.
pub fn sizes(config: &Config) -> anyhow::Result<Option<TextSizes>> {
    let reads = space::find(&config.search.space)?.reads();
    Ok((reads == Reads::Text).then(|| TextSizes::of(config)))
}

impl TextSizes {
    /// Those of a config.
    pub fn of(config: &Config) -> Self {
        let settings = &config.recurrent;
        Self { hidden: settings.hidden, bptt: settings.bptt, vocabulary: VOCABULARY }
    }
}

/// The same two batches in every step.
pub struct RandomText(StepBatches<TextBatch>);

impl RandomText {
    /// Batches of the size that the config asks for.
    pub fn new(config: &Config) -> Self {
        Self::of_columns(config, config.search.batch_size)
    }

    /// Batches of so many columns.
    pub fn of_columns(config: &Config, columns: usize) -> Self {
        let batch = |position| batch(config, columns, position);
        Self(StepBatches { train: batch(0), valid: batch(1) })
    }
}

/// So many columns of whole sequences.
fn batch(config: &Config, columns: usize, position: u64) -> TextBatch {
    let rows = config.recurrent.bptt;
    // Bits of a multiple of the golden ratio: any words, and the same in every process.
    let word = |index: u64| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % VOCABULARY as u64;
    let first = position << 32 | config.seed;
    let text: Vec<u32> =
        (0..((rows + 1) * columns) as u64).map(|index| word(first + index) as u32).collect();
    TextBatch {
        words: text[..rows * columns].to_vec(),
        next: text[columns..].to_vec(),
        columns,
        wanted: rows,
    }
}

impl Batches for RandomText {
    type Batch = TextBatch;

    fn step(&mut self, _: usize, _: usize) -> Result<StepBatches<TextBatch>, DataError> {
        Ok(self.0.clone())
    }

    fn evaluation(&mut self, _: Part, _: usize, _: usize) -> Result<TextBatch, DataError> {
        Ok(self.0.valid.clone())
    }

    fn evaluation_batches(&self, _: Part) -> usize {
        1
    }

    fn steps(&self, _: usize) -> usize {
        usize::MAX
    }
}
