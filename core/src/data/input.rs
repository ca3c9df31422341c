//! The bytes of one file, read from front to back, with its name for the errors.
//!
//! Every length in a file is a claim. Nothing here reserves memory for a claim: buffers grow with
//! the bytes that are really there, up to [`MAX_BYTES`].

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};

use super::DataError;

/// The most that one array of a file may take: more than the largest file of the catalogue (0.23
/// GB), and less than the 2 GiB that a 32-bit target can hold in one piece. So a small file that
/// inflates without end stops here.
pub(super) const MAX_BYTES: u64 = 2_000_000_000;

/// A file that is being read.
pub(super) struct Input<'a> {
    file: &'a str,
    reader: Box<dyn Read + 'a>,
}

impl<'a> Input<'a> {
    /// Reads `bytes`, through gzip where they begin like a gzip file.
    pub fn new(file: &'a str, bytes: &'a [u8]) -> Self {
        let reader: Box<dyn Read + 'a> = match bytes {
            [0x1F, 0x8B, ..] => Box::new(GzDecoder::new(bytes)),
            _ => Box::new(bytes),
        };
        Self { file, reader }
    }

    /// Reads `bytes` as they are.
    pub fn plain(file: &'a str, bytes: &'a [u8]) -> Self {
        Self { file, reader: Box::new(bytes) }
    }

    /// Reads `bytes` as a zlib stream.
    pub fn zlib(file: &'a str, bytes: &'a [u8]) -> Self {
        Self { file, reader: Box::new(ZlibDecoder::new(bytes)) }
    }

    /// The error of this file.
    pub fn malformed(
        &self,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> DataError {
        DataError::malformed(self.file, expected, found)
    }

    /// Up to `count` bytes: fewer where the file ends before.
    pub fn up_to(&mut self, count: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        match self.reader.by_ref().take(count).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.malformed(
                "intact compressed data",
                format!("a fault after {} bytes ({error})", bytes.len()),
            )),
        }
    }

    /// The next `count` bytes; `what` names them in the error.
    pub fn bytes(&mut self, count: u64, what: &str) -> Result<Vec<u8>, DataError> {
        if count > MAX_BYTES {
            return Err(self.malformed(
                format!("at most {MAX_BYTES} bytes of {what}"),
                format!("a header that claims {count}"),
            ));
        }
        let bytes = self.up_to(count)?;
        if bytes.len() as u64 == count {
            return Ok(bytes);
        }
        Err(self.malformed(
            format!("{count} bytes of {what}"),
            format!("the end of the file after {} of them", bytes.len()),
        ))
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], DataError> {
        let bytes = self.bytes(N as u64, what)?;
        let found = bytes.len();
        bytes.try_into().map_err(|_| self.malformed(format!("{N} bytes of {what}"), found))
    }

    /// Checks that nothing is left. For compressed data this also checks the checksum.
    pub fn end(&mut self, after: &str) -> Result<(), DataError> {
        if self.up_to(1)?.is_empty() {
            return Ok(());
        }
        Err(self.malformed(format!("the end of the file after {after}"), "further bytes"))
    }
}
