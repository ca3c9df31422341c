//! The file events.jsonl: writing it, continuing it, reading it. What a line is says
//! [`smoothdarts::event::line`].

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use smoothdarts::event::Event;
use smoothdarts::event::line::{self, LineError, Lines};

use crate::run_dir;

/// Its name in a run directory.
pub const FILE: &str = "events.jsonl";

/// events.jsonl, open for writing.
pub struct EventLog {
    path: PathBuf,
    out: BufWriter<File>,
    /// Lines that it has.
    lines: u64,
}

impl EventLog {
    /// Opens the file and cuts it back to its first `keep` events: what a killed process said after
    /// its last checkpoint will be said again. A torn last line goes with it.
    ///
    /// # Errors
    /// If the file holds fewer events, or what the file system says.
    pub fn open(path: &Path, keep: u64) -> anyhow::Result<Self> {
        let named = || format!("cannot continue {}", path.display());
        let found = Found::of(path)?;
        let Some(length) = found.length(keep) else {
            bail!("{} holds fewer than the {keep} events before the checkpoint", path.display());
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).with_context(named)?;
        file.set_len(length).with_context(named)?;
        file.seek(SeekFrom::Start(length)).with_context(named)?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file), lines: keep })
    }

    /// Adds an event, and returns its line.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&mut self, event: &Event) -> anyhow::Result<String> {
        let line = line::write(event, self.lines)?;
        writeln!(self.out, "{line}")
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.lines += 1;
        Ok(line)
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

/// What stands in a file of events: of every whole line the event, or what is wrong with it.
pub(crate) struct Found {
    pub(crate) lines: Vec<Result<Event, LineError>>,
    /// Bytes up to the end of each line.
    ends: Vec<u64>,
}

impl Found {
    /// Reads a file; one that is not there has no lines. A last line without an end is what a
    /// running or killed process has not finished, and is left out.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn of(path: &Path) -> anyhow::Result<Self> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            bytes => bytes.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let (mut found, mut reader) =
            (Self { lines: Vec::new(), ends: Vec::new() }, Lines::default());
        let mut end = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some((b'\n', line)) = line.split_last() else { break };
            end += line.len() as u64 + 1;
            found.lines.push(reader.read(line));
            found.ends.push(end);
        }
        Ok(found)
    }

    /// How many lines are right before the first that is not.
    pub(crate) fn reach(&self) -> u64 {
        self.lines.iter().take_while(|line| line.is_ok()).count() as u64
    }

    /// Bytes of the first `keep` lines, if there are so many and all are right.
    fn length(&self, keep: u64) -> Option<u64> {
        let last = usize::try_from(keep).ok()?;
        let length = if last == 0 { Some(0) } else { self.ends.get(last - 1).copied() };
        length.filter(|_| keep <= self.reach())
    }
}

/// The events in a file, as far as they are finished.
///
/// # Errors
/// If the file cannot be read, or the first line that is no event or is damaged.
pub fn read(path: &Path) -> anyhow::Result<Vec<Event>> {
    let event = |(index, line): (usize, Result<Event, LineError>)| {
        line.map_err(|error| {
            let (file, line) = (path.display(), index + 1);
            anyhow!("{file}, line {line}: {error}; {REPAIR}")
        })
    };
    Found::of(path)?.lines.into_iter().enumerate().map(event).collect()
}

/// What helps where events are damaged or missing.
const REPAIR: &str = "the command of the search repairs the run directory, and says what is lost";

/// The events of a run. There are at least those that its newest checkpoint counts: a file that was
/// cut or deleted is not taken for a young run.
///
/// # Errors
/// As [`read`], and if there are fewer.
pub fn of_run(run: &Path) -> anyhow::Result<Vec<Event>> {
    // Before the events are read: a search that runs writes its events first.
    let counted = run_dir::counted_events(run);
    let (path, shown) = (run.join(FILE), run.display());
    let events = read(&path)?;
    if (events.len() as u64) < counted {
        let found = events.len();
        bail!(
            "{shown}/{FILE} has {found} events, and {counted} were said before the newest checkpoint; {REPAIR}"
        );
    }
    Ok(events)
}
