//! The readers of what comes from elsewhere, with sound inputs to begin with. Each says what it read in a
//! few words, or why it did not. The ordinary tests and the targets of cargo-fuzz share them.

mod data;
mod page;
mod runs;
mod tables;
mod texts;

pub use data::{CIFAR, IDX, MATLAB, PYTORCH};
pub use page::{FIGURES, REQUEST};
pub use runs::{CHECKPOINT, EVENTS, HEADER, STATE};
pub use tables::{BENCHMARK, BENCHMARK_CSV, BENCHMARK_JSON, COMPACT, RECORDS, TABLE};
pub use texts::{GENOTYPE, SETTINGS};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use native::tfrecord;

/// A reader of bytes.
pub struct Reader {
    pub name: &'static str,
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What fuzzing found, packed.
    pub found: &'static [u8],
    pub read: fn(&[u8]) -> Result<String, String>,
}

/// All of them.
pub static ALL: [&Reader; 18] = [
    &IDX,
    &CIFAR,
    &MATLAB,
    &PYTORCH,
    &CHECKPOINT,
    &HEADER,
    &STATE,
    &EVENTS,
    &FIGURES,
    &GENOTYPE,
    &SETTINGS,
    &TABLE,
    &RECORDS,
    &BENCHMARK,
    &BENCHMARK_CSV,
    &BENCHMARK_JSON,
    &COMPACT,
    &REQUEST,
];

impl Reader {
    /// Inputs that fuzzing with a count of branches found, each of which reaches a place that none of the
    /// others does; and every one that was a fault.
    pub fn found(&self) -> Vec<Vec<u8>> {
        let (mut reader, mut all) = (tfrecord::Reader::new(GzDecoder::new(self.found)), Vec::new());
        while !self.found.is_empty() && reader.advance().unwrap() {
            all.push(reader.data().to_vec());
        }
        all
    }
}

/// Inputs as `found` has them: records one after another, as gzip.
pub fn packed(inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    for input in inputs {
        std::io::Write::write_all(&mut packer, &tfrecord::frame(input)).unwrap();
    }
    packer.finish().unwrap()
}

/// The file of `found`.
macro_rules! found {
    ($name:literal) => {
        include_bytes!(concat!("../../data/fuzz/", $name, ".gz"))
    };
}
use found;

/// What a reader says of an error: with all that led to it.
fn said(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}
