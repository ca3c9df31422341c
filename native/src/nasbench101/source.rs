//! The files that tables of NAS-Bench-101 come as, told apart by what is in them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::Context as _;

use super::gather::{Gather, refused};
use super::table::MAGIC;
use super::{csv, json, record};
use crate::byte_progress::ByteProgress;
use crate::exit::Exit;
use crate::tfrecord::Reader;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What `sdarts table convert` writes.
    Compact,
    /// The format of the benchmark.
    Records,
    /// A text with a header and a row for each cell.
    Csv,
    /// An object of lists.
    Json,
}

impl Kind {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compact => "compact table",
            Self::Records => "TFRecord",
            Self::Csv => "CSV",
            Self::Json => "JSON",
        }
    }

    /// What a file is, by its first bytes.
    ///
    /// # Errors
    /// Exit code 3 if it cannot be read or is empty.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let mut start = Vec::new();
        open(path)?
            .take(MAGIC.len() as u64)
            .read_to_end(&mut start)
            .with_context(|| named(path))?;
        let text = start.trim_ascii_start();
        let ending = path.extension().is_some_and(|ending| ending == "tfrecord");
        Ok(match () {
            () if start.is_empty() => return Err(refused(&named(path), "it is empty")),
            () if start == MAGIC => Self::Compact,
            // The high bytes of the length of the first record; no text has them.
            () if start.contains(&0) || ending => Self::Records,
            () if text.starts_with(b"{") || text.starts_with(b"[") => Self::Json,
            () => Self::Csv,
        })
    }
}

/// Reads all of a file that is not compact. TFRecord is read as a stream: memory is needed for the
/// cells, and not for the file.
///
/// # Errors
/// The first record, line or entry that is wrong, or that there is none: exit code 3.
pub fn read(path: &Path, kind: Kind) -> anyhow::Result<Gather> {
    let gather = match kind {
        // As a stream: only its cells are kept.
        Kind::Records => records(path),
        _ => parse(&whole(path)?, kind),
    };
    let gather = gather.with_context(|| named(path))?;
    if gather.is_empty() {
        return Err(refused(&named(path), "it has no cells"));
    }
    Ok(gather)
}

/// The same of bytes, which the errors give no name.
///
/// # Errors
/// As for [`read`], but that there is no cell in it.
pub fn parse(bytes: &[u8], kind: Kind) -> anyhow::Result<Gather> {
    match kind {
        Kind::Compact => Err(refused("the file", "it is a compact table already")),
        Kind::Records => gather(bytes, |_| ()),
        Kind::Csv => csv::read(bytes),
        Kind::Json => json::read(bytes),
    }
}

fn records(path: &Path) -> anyhow::Result<Gather> {
    let file = open(path)?;
    let length = file.metadata().with_context(|| named(path))?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut progress = ByteProgress::new(&name, length, 0);
    gather(BufReader::with_capacity(1 << 16, file), |position| progress.show(position))
}

/// Reads records, and tells now and then how far it is.
fn gather(source: impl Read, mut show: impl FnMut(u64)) -> anyhow::Result<Gather> {
    let (mut reader, mut gather) = (Reader::new(source), Gather::default());
    let mut number = 0;
    while reader.advance()? {
        number += 1;
        let added = record::add(&mut gather, number, reader.data());
        added.map_err(|problem| refused(&reader.place(), &problem))?;
        // A look at the clock for each of a million records would show.
        if number % 1024 == 0 {
            show(reader.position());
        }
    }
    Ok(gather)
}

fn whole(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).with_context(|| named(path))?;
    Ok(bytes)
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot read {}", named(path))).context(Exit::Data)
}

fn named(path: &Path) -> String {
    format!("the table {}", path.display())
}
