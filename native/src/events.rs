//! The file events.jsonl: writing it, continuing it, reading it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use smoothdarts::event::Event;

/// events.jsonl, open for writing.
pub struct EventLog {
    path: PathBuf,
    out: BufWriter<File>,
}

impl EventLog {
    /// Opens the file and cuts it back to its first `keep` events: what a killed process said after
    /// its last checkpoint will be said again. A torn last line goes with it.
    ///
    /// # Errors
    /// If the file holds fewer events, or what the file system says.
    pub fn open(path: &Path, keep: u64) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let named = || format!("cannot continue {}", path.display());
        let mut file = options.open(path).with_context(named)?;
        let Some(length) = length_of(&file, keep).with_context(named)? else {
            bail!(
                "{} holds fewer than the {keep} events before the checkpoint; it was changed from \
                 outside. Search again into another directory (--out)",
                path.display()
            );
        };
        file.set_len(length).with_context(named)?;
        file.seek(SeekFrom::Start(length)).with_context(named)?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file) })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&mut self, event: &Event) -> anyhow::Result<()> {
        let line = serde_json::to_string(event)?;
        writeln!(self.out, "{line}")
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Brings everything to the disk. A checkpoint may only be written after this: it counts the
    /// events before it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn sync(&mut self) -> anyhow::Result<()> {
        let sync = self.out.flush().and_then(|()| self.out.get_ref().sync_data());
        sync.with_context(|| format!("cannot write {} (is the disk full?)", self.path.display()))
    }
}

/// Number of bytes of the first `lines` complete lines, if there are so many.
fn length_of(file: &File, lines: u64) -> std::io::Result<Option<u64>> {
    let mut reader = BufReader::new(file);
    let (mut length, mut line) = (0, Vec::new());
    for _ in 0..lines {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
        length += read as u64;
    }
    Ok(Some(length))
}

/// The events in a file. A last line without an end is what a running or killed process has not
/// finished, and is left out.
///
/// # Errors
/// If the file cannot be read or a line is no event.
pub fn read(path: &Path) -> anyhow::Result<Vec<Event>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line)
            .with_context(|| format!("{}, line {}: this is no event", path.display(), index + 1))
    };
    complete.lines().enumerate().map(parse).collect()
}
