//! What a run on a text would take.

use anyhow::Context as _;
use smoothdarts::config::Config;
use smoothdarts::run::train::genotype_for_text;

use super::{COPIES, Estimate, F32, Remedies, STEM_PLANES};
use crate::exit::Exit;

const OF_TEXT: Remedies = [
    "recurrent.train_words",
    "recurrent.hidden",
    "search.batch_size or recurrent.bptt",
    "search.batch_size, recurrent.bptt or recurrent.hidden",
];

const OF_TEXT_TRAINING: Remedies = [
    "recurrent.train_words",
    "recurrent.hidden or data.vocabulary_limit",
    "train.batch_size or recurrent.bptt",
    "train.batch_size, recurrent.bptt or recurrent.hidden",
];

/// Planes of a hidden state for each edge of a recurrent cell, in each row of a sequence.
const RECURRENT_PLANES: f64 = 20.0;

/// The same for each node of a recurrent cell that is trained, and around the cell, for embedding and decoder.
/// With 64 units and batches of 256 columns penn_pgd (8 nodes) takes 336 MB and ENAS (11) 406 MB, with 850 units
/// and 16 columns 962 and 1,141 MB (`sdarts train --dry-run --json`).
const RECURRENT_NODE_PLANES: f64 = 10.0;
const AROUND_PLANES: f64 = 45.0;

impl Estimate {
    /// The estimate for a search of text with these settings and so many words in the vocabulary.
    pub fn of_text(config: &Config, vocabulary: usize, gpu: bool) -> Self {
        let (settings, vocabulary) = (&config.recurrent, vocabulary as f64);
        let (width, rows) = (settings.hidden as f64, settings.bptt as f64);
        let words = rows * config.search.batch_size as f64;
        // Node i of 8 reads i states: 36 edges, and a matrix of 2H² for each node; that of state 0 has twice 2H².
        Self {
            data: 0.0,
            weights: F32 * COPIES * (vocabulary * (width + 1.0) + 20.0 * width * width),
            stem: F32 * words * STEM_PLANES * width,
            cells: F32 * words * RECURRENT_PLANES * 36.0 * width,
            gpu,
            remedies: OF_TEXT,
        }
    }

    /// The estimate for the training of a recurrent cell with these settings and so many words in the vocabulary.
    ///
    /// # Errors
    /// If they have no genotype that can be read.
    pub fn of_text_training(config: &Config, vocabulary: usize, gpu: bool) -> anyhow::Result<Self> {
        let genotype = genotype_for_text(&config.train.genotype).context(Exit::Usage)?;
        let nodes = genotype.cells.first().map_or(0, |cell| cell.nodes.len()) as f64;
        let (settings, vocabulary) = (&config.recurrent, vocabulary as f64);
        let width = settings.hidden as f64;
        let words = settings.bptt as f64 * config.train.batch_size as f64;
        let matrices = (4.0 + 2.0 * nodes) * width * width;
        Ok(Self {
            data: 0.0,
            weights: F32 * COPIES * (vocabulary * (width + 1.0) + matrices),
            stem: F32 * words * AROUND_PLANES * width,
            cells: F32 * words * RECURRENT_NODE_PLANES * nodes * width,
            gpu,
            remedies: OF_TEXT_TRAINING,
        })
    }
}
