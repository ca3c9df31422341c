//! The compact file of a table: cells sorted by hash, in blocks with a checksum each. Opening reads the
//! head and the index; looking a cell up reads one block. So a table of all 423,624 cells opens in
//! milliseconds, and nothing damaged is taken for an accuracy.
//!
//! All numbers are little-endian:
//!
//! | part | content |
//! |---|---|
//! | mark | [`MAGIC`] |
//! | head | u32: version, cells, budgets; for each budget u32: epochs, repeats |
//! | index | for each block: its first hash (16 bytes), the CRC-32C of its bytes |
//! | checksum | CRC-32C of everything before |
//! | blocks | 64 cells each, the last one fewer |
//! | ours | of version 2 only: u32 length, [`Ours`] as JSON, its CRC-32C |
//!
//! A cell is its hash, its parameters as u32 (0: not known), and for each budget and repeat three f64:
//! validation accuracy, test accuracy (both 0 to 1), seconds of training. NaN is not known.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use crc32c::crc32c;
use smoothdarts::cell::nasbench101::Hash;

use super::gather::Gather;
use super::ours::Ours;
use super::training::{Budget, Cell, Training};
use crate::exit::Exit;
use crate::run_dir::{self, persist, temporary};

/// The first bytes of such a file.
pub const MAGIC: &[u8; 8] = b"SDARTS\x01\x01";

const VERSION: u32 = 1;

/// Of a table with trainings of ours.
const WITH_OURS: u32 = 2;

/// Cells of a block: some 6 KB of trainings of one length.
const BLOCK: usize = 64;

/// Of one training.
const TRAINING_BYTES: usize = 3 * 8;

/// What is wrong with a file that is too short.
const CUT: &str = "it ends too early; it was cut off";

/// More lengths of trainings, or repeats of one, than any table has.
const MOST: u32 = 1 << 10;

/// A table that is open.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    file: File,
    cells: usize,
    budgets: Vec<Budget>,
    index: Vec<Block>,
    /// Where the blocks begin.
    blocks: u64,
    ours: Ours,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    first: Hash,
    checksum: u32,
}

impl Table {
    /// Writes all cells into a file; one that was there is replaced once the new one is whole.
    ///
    /// # Errors
    /// What the file system says, with the path.
    pub fn write(path: &Path, gather: &Gather) -> anyhow::Result<()> {
        Self::write_with(path, gather, &Ours::default())
    }

    /// The same with trainings of ours.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn write_with(path: &Path, gather: &Gather, ours: &Ours) -> anyhow::Result<()> {
        let (version, tail) = version_and_tail(ours)?;
        let budgets = gather.budgets();
        let blocks = gather.len().div_ceil(BLOCK);
        // The index comes first and is known last, so its place is kept free.
        let mut file = temporary(path, &vec![0; head_bytes(budgets.len(), blocks)])?;
        let named = || format!("cannot write {}", path.display());
        let mut out = BufWriter::new(file.as_file_mut());
        let mut index = Vec::with_capacity(blocks);
        let (mut cells, mut block) = (gather.cells().peekable(), Vec::new());
        while let Some(first) = cells.peek().map(|cell| cell.hash) {
            block.clear();
            cells.by_ref().take(BLOCK).for_each(|cell| encode(&cell, &budgets, &mut block));
            index.push(Block { first, checksum: crc32c(&block) });
            out.write_all(&block).with_context(named)?;
        }
        out.write_all(&tail).with_context(named)?;
        out.seek(SeekFrom::Start(0)).with_context(named)?;
        let head = head(version, gather.len(), &budgets, &index);
        out.write_all(&head).with_context(named)?;
        out.flush().with_context(named)?;
        drop(out);
        file.as_file().sync_all().with_context(named)?;
        persist(file, path)
    }

    /// Opens such a file.
    ///
    /// # Errors
    /// A file that is missing, is no such table, was cut off or is damaged: exit code 3.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot read the table {}", path.display());
        let file = File::open(path).with_context(named).context(Exit::Data)?;
        let length = file.metadata().with_context(named)?.len();
        let mut table = Self {
            path: path.to_owned(),
            file,
            cells: 0,
            budgets: Vec::new(),
            index: Vec::new(),
            blocks: 0,
            ours: Ours::default(),
        };
        table.read_head(length).map_err(|problem| table.refused(&problem))?;
        Ok(table)
    }

    /// Reads everything before the blocks.
    fn read_head(&mut self, length: u64) -> Result<(), String> {
        let mut head = self.bytes(0, MAGIC.len() + 12)?;
        let (mark, mut counts) = head.split_at(MAGIC.len());
        if mark != MAGIC {
            return Err("it is no table of `sdarts table convert`".to_owned());
        }
        let [version, cells, budgets] =
            [word(&mut counts)?, word(&mut counts)?, word(&mut counts)?];
        if ![VERSION, WITH_OURS].contains(&version) {
            return Err(format!(
                "it has version {version}, and this program reads versions {VERSION} and {WITH_OURS}; convert \
                 its source again"
            ));
        }
        let lengths = self.bytes(head.len() as u64, 8 * budgets.min(MOST) as usize)?;
        self.budgets = lengths.chunks_exact(8).map(budget).collect::<Result<_, String>>()?;
        self.cells = cells as usize;
        let blocks = self.cells.div_ceil(BLOCK);
        self.blocks = head_bytes(self.budgets.len(), blocks) as u64;
        let end = self.blocks + self.cells as u64 * self.cell_bytes() as u64;
        let ours = match version {
            VERSION => None,
            _ if length < end => Some(0),
            _ => Some(word(&mut self.bytes(end, 4)?.as_slice())?),
        };
        let expected = end + ours.map_or(0, |count| 8 + u64::from(count));
        // Before the index is read: a damaged number of cells must not ask for its memory.
        if length != expected {
            return Err(format!(
                "it has {length} bytes instead of {expected}; it was cut off or is damaged"
            ));
        }
        head.extend(lengths);
        let index = self.bytes(head.len() as u64, 20 * blocks)?;
        self.index = index.chunks_exact(20).map(block).collect::<Result<_, String>>()?;
        head.extend(index);
        let written = self.bytes(head.len() as u64, 4)?;
        if word(&mut written.as_slice())? != crc32c(&head) {
            return Err("its head or its index is damaged; convert its source again".to_owned());
        }
        if let Some(count) = ours {
            self.ours = self.read_ours(end + 4, count as usize)?;
        }
        Ok(())
    }

    fn read_ours(&self, start: u64, count: usize) -> Result<Ours, String> {
        let text = self.bytes(start, count)?;
        let written = self.bytes(start + count as u64, 4)?;
        if word(&mut written.as_slice())? != crc32c(&text) {
            return Err("its trainings of ours are damaged: they have another checksum".to_owned());
        }
        Ours::read(&text)
    }

    /// What `sdarts table fill` trained, apart from all other numbers.
    pub fn ours(&self) -> &Ours {
        &self.ours
    }

    /// Writes the table with these trainings of ours, and opens that. The file is replaced once the new one is
    /// whole.
    ///
    /// # Errors
    /// What the file system says, with the path, or a damaged table.
    pub fn with_ours(&self, path: &Path, ours: Ours) -> anyhow::Result<Self> {
        let (version, tail) = version_and_tail(&ours)?;
        let mut bytes = head(version, self.cells, &self.budgets, &self.index);
        for number in 0..self.index.len() {
            // Decoded as well, so that no damage is carried on.
            self.block(number)?;
        }
        let blocks = self.bytes(self.blocks, self.cells * self.cell_bytes());
        bytes.extend(blocks.map_err(|problem| self.refused(&problem))?);
        bytes.extend(tail);
        run_dir::replace(path, &bytes)?;
        Self::open(path)
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// Lengths of trainings, the shortest first.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// What the table knows of a cell; `None` if it does not have it.
    ///
    /// # Errors
    /// A block that cannot be read or is damaged: exit code 3.
    pub fn find(&self, hash: Hash) -> anyhow::Result<Option<Cell>> {
        let after = self.index.partition_point(|block| block.first <= hash);
        let Some(block) = after.checked_sub(1) else { return Ok(None) };
        let mut cells = self.block(block)?;
        let place = cells.binary_search_by_key(&hash, |cell| cell.hash);
        Ok(place.ok().map(|place| cells.swap_remove(place)))
    }

    /// All cells in the order of their hashes.
    pub fn all(&self) -> impl Iterator<Item = anyhow::Result<Cell>> {
        (0..self.index.len()).flat_map(|block| match self.block(block) {
            Ok(cells) => cells.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    fn block(&self, number: usize) -> anyhow::Result<Vec<Cell>> {
        let (first, size) = (number * BLOCK, self.cell_bytes());
        let count = BLOCK.min(self.cells - first);
        let cells = || {
            let bytes = self.bytes(self.blocks + (first * size) as u64, count * size)?;
            if crc32c(&bytes) != self.index[number].checksum {
                let last = first + count;
                return Err(format!(
                    "cells {} to {last} are damaged: their checksum is not the one in the index; convert \
                     its source again",
                    first + 1
                ));
            }
            let cells = bytes.chunks_exact(size).map(|cell| decode(cell, &self.budgets));
            let cells: Vec<Cell> = cells.collect::<Result<_, String>>()?;
            let begins = cells.first().is_some_and(|cell| cell.hash == self.index[number].first);
            if !begins || !cells.is_sorted_by(|cell, next| cell.hash < next.hash) {
                let first = first + 1;
                return Err(format!(
                    "its cells from {first} on are not in the order of their hashes; convert its source again"
                ));
            }
            Ok(cells)
        };
        cells().map_err(|problem: String| self.refused(&problem))
    }

    fn cell_bytes(&self) -> usize {
        16 + 4 + self.budgets.iter().map(|budget| budget.repeats * TRAINING_BYTES).sum::<usize>()
    }

    fn bytes(&self, start: u64, count: usize) -> Result<Vec<u8>, String> {
        let read = || {
            let (mut file, mut bytes) = (&self.file, Vec::new());
            file.seek(SeekFrom::Start(start))?;
            // As much as is there, and not as much as a damaged head says.
            file.take(count as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error: io::Error| error.to_string())?;
        if bytes.len() < count { Err(CUT.to_owned()) } else { Ok(bytes) }
    }

    fn refused(&self, problem: &str) -> anyhow::Error {
        anyhow!("the table {}: {problem}", self.path.display()).context(Exit::Data)
    }
}

fn head_bytes(budgets: usize, blocks: usize) -> usize {
    MAGIC.len() + 12 + 8 * budgets + 20 * blocks + 4
}

/// The version of a table with these trainings of ours, and what stands behind its blocks: their length, they, and
/// their checksum; nothing where there are none.
fn version_and_tail(ours: &Ours) -> anyhow::Result<(u32, Vec<u8>)> {
    if ours.is_empty() {
        return Ok((VERSION, Vec::new()));
    }
    let text = serde_json::to_vec(ours)?;
    let (length, checksum) = (text.len() as u32, crc32c(&text));
    Ok((WITH_OURS, [&length.to_le_bytes(), &*text, &checksum.to_le_bytes()].concat()))
}

fn head(version: u32, cells: usize, budgets: &[Budget], index: &[Block]) -> Vec<u8> {
    let counts = [version, cells as u32, budgets.len() as u32];
    let lengths = budgets.iter().flat_map(|budget| [budget.epochs, budget.repeats as u32]);
    let mut head = MAGIC.to_vec();
    counts.into_iter().chain(lengths).for_each(|number| head.extend(number.to_le_bytes()));
    for Block { first, checksum } in index {
        head.extend(first.0);
        head.extend(checksum.to_le_bytes());
    }
    let checksum = crc32c(&head);
    head.extend(checksum.to_le_bytes());
    head
}

fn budget(mut bytes: &[u8]) -> Result<Budget, String> {
    let [epochs, repeats] = [word(&mut bytes)?, word(&mut bytes)?];
    Ok(Budget { epochs, repeats: repeats.min(MOST) as usize })
}

fn block(mut bytes: &[u8]) -> Result<Block, String> {
    Ok(Block { first: hash(&mut bytes)?, checksum: word(&mut bytes)? })
}

fn encode(cell: &Cell, budgets: &[Budget], out: &mut Vec<u8>) {
    out.extend(cell.hash.0);
    out.extend(cell.parameters.unwrap_or(0).to_le_bytes());
    for budget in budgets {
        let trainings = cell.trained(budget.epochs);
        for repeat in 0..budget.repeats {
            let Training { valid, test, seconds } =
                trainings.get(repeat).copied().unwrap_or_default();
            let values = [valid, test, seconds].map(|value| value.unwrap_or(f64::NAN));
            out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
}

fn decode(mut bytes: &[u8], budgets: &[Budget]) -> Result<Cell, String> {
    let (hash, parameters) = (hash(&mut bytes)?, word(&mut bytes)?);
    let mut trainings = Vec::new();
    for budget in budgets {
        let mut repeats = Vec::new();
        for _ in 0..budget.repeats {
            let [valid, test, seconds] =
                [number(&mut bytes)?, number(&mut bytes)?, number(&mut bytes)?];
            let training = Training { valid, test, seconds };
            repeats.extend((training != Training::default()).then_some(training));
        }
        trainings.extend((!repeats.is_empty()).then_some((budget.epochs, repeats)));
    }
    Ok(Cell { hash, parameters: Some(parameters).filter(|&count| count > 0), trainings })
}

fn word(bytes: &mut &[u8]) -> Result<u32, String> {
    array(bytes).map(u32::from_le_bytes)
}

fn number(bytes: &mut &[u8]) -> Result<Option<f64>, String> {
    array(bytes).map(|bytes| Some(f64::from_le_bytes(bytes)).filter(|value| !value.is_nan()))
}

fn hash(bytes: &mut &[u8]) -> Result<Hash, String> {
    array(bytes).map(Hash)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], String> {
    let (array, rest) = bytes.split_first_chunk().ok_or(CUT)?;
    *bytes = rest;
    Ok(*array)
}
