//! Files of records as TensorFlow writes them (TFRecord): length as u64, checksum of the length, data,
//! checksum of the data, all little-endian. The files of TensorBoard and of NAS-Bench-101 are such.

use std::io::{ErrorKind, Read};

use anyhow::anyhow;

use crate::exit::Exit;

/// The longest record that is read. Those of NAS-Bench-101 have some 400 bytes; a length that is wrong
/// must not fill the memory.
const LONGEST: u64 = 1 << 20;

/// A record with its length and its checksums.
pub fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// CRC-32C, rotated and shifted, because the checksum of data that holds its own checksum is weak.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Reads one record after another and keeps only the last.
pub struct Reader<R> {
    inner: R,
    data: Vec<u8>,
    /// Of the last record, from 1 on.
    number: u64,
    /// Where the last record begins.
    start: u64,
    /// Where the next one does.
    next: u64,
}

impl<R: Read> Reader<R> {
    /// A reader of these bytes; one with a buffer, as it is asked for 8 bytes and 4.
    pub fn new(inner: R) -> Self {
        Self { inner, data: Vec::new(), number: 0, start: 0, next: 0 }
    }

    /// Which record was read last, in words.
    pub fn place(&self) -> String {
        format!("record {} (at byte {})", self.number, self.start)
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// The data of the last record.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Goes to the next record; false at the end of the file.
    ///
    /// # Errors
    /// A file that ends inside a record, or a checksum that is not that of the length or of the data, exit
    /// code 3 with the record; and what reading says.
    pub fn advance(&mut self) -> anyhow::Result<bool> {
        (self.number, self.start) = (self.number + 1, self.next);
        let mut length = [0; 8];
        match self.fill(&mut length)? {
            0 => return Ok(false),
            8 => {}
            _ => return Err(self.cut()),
        }
        self.check(&length, "its length")?;
        let count = u64::from_le_bytes(length);
        if count > LONGEST {
            return Err(self.refused(&format!(
                "it says that it has {count} bytes; the longest that is read has {LONGEST}"
            )));
        }
        let mut data = std::mem::take(&mut self.data);
        data.resize(count as usize, 0);
        if self.fill(&mut data)? < data.len() {
            return Err(self.cut());
        }
        self.check(&data, "its data")?;
        self.data = data;
        self.next = self.start + 8 + 4 + count + 4;
        Ok(true)
    }

    /// Compares the checksum that comes next with that of these bytes.
    fn check(&mut self, bytes: &[u8], what: &str) -> anyhow::Result<()> {
        let mut written = [0; 4];
        if self.fill(&mut written)? < 4 {
            return Err(self.cut());
        }
        let found = masked(bytes);
        if found == written {
            return Ok(());
        }
        let [found, written] = [found, written].map(u32::from_le_bytes);
        Err(self.refused(&format!(
            "the checksum of {what} is {found:08x}, and the file says {written:08x}; it is damaged"
        )))
    }

    /// Fills the buffer as far as the file goes; returns how far that was.
    fn fill(&mut self, buffer: &mut [u8]) -> anyhow::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.inner.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(anyhow!(error).context(self.place())),
            }
        }
        Ok(filled)
    }

    fn cut(&self) -> anyhow::Error {
        self.refused("the file ends inside it; it was cut off")
    }

    fn refused(&self, problem: &str) -> anyhow::Error {
        anyhow!("{}: {problem}", self.place()).context(Exit::Data)
    }
}
