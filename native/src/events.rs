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
        let found = Found::of(path)?;
        if found.reach() < keep {
            bail!("{} holds fewer than the {keep} events before the checkpoint", path.display());
        }
        Self::after(path, &found, keep)
    }

    /// The same of a file that was read before, and that is right up to there.
    pub(crate) fn after(path: &Path, found: &Found, keep: u64) -> anyhow::Result<Self> {
        let named = || format!("cannot continue {}", path.display());
        let length = found.length(keep);
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

/// What stands in a file of events.
///
/// Lines become events one after another, where they are asked for: as values, the events of 560,000 steps
/// take 1.4 GB (`VmHWM` of the command of tests/soak.rs that continues such a run), and their text takes 80 MB.
pub(crate) struct Found {
    text: Vec<u8>,
}

impl Found {
    /// Reads a file; one that is not there has no lines. A last line without an end is what a
    /// running or killed process has not finished, and is left out.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn of(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        Ok(Self { text })
    }

    /// Of every whole line the event, or what is wrong with it.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Result<Event, LineError>> {
        let mut reader = Lines::default();
        self.texts().map(move |line| reader.read(line))
    }

    /// The whole lines, without their ends.
    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split_inclusive(|byte| *byte == b'\n').map_while(|line| line.strip_suffix(b"\n"))
    }

    /// How many lines are right before the first that is not.
    pub(crate) fn reach(&self) -> u64 {
        self.lines().take_while(Result::is_ok).count() as u64
    }

    /// Bytes of the first `keep` lines.
    fn length(&self, keep: u64) -> u64 {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        self.texts().take(keep).map(|line| line.len() as u64 + 1).sum()
    }
}

/// What helps where events are damaged or missing.
const REPAIR: &str = "the command of the search repairs the run directory, and says what is lost";

/// What the events of a run give together, as far as they are finished: a list of them, or a history. There are
/// at least those that its newest checkpoint counts: a file that was cut or deleted is not taken for a young run.
///
/// # Errors
/// If the file cannot be read or has fewer events, or the first line that is no event or is damaged.
pub fn of_run<T: FromIterator<Event>>(run: &Path) -> anyhow::Result<T> {
    // Before the events are read: a search that runs writes its events first.
    let counted = run_dir::counted_events(run);
    let path = run.join(FILE);
    let (text, file) = (Found::of(&path)?, path.display());
    let mut found = 0;
    let events = text.lines().map(|line| {
        found += 1;
        line.map_err(|error| anyhow!("{file}, line {found}: {error}; {REPAIR}"))
    });
    let whole = events.collect::<anyhow::Result<T>>()?;
    if found < counted {
        bail!(
            "{file} has {found} events, and {counted} were said before the newest checkpoint; {REPAIR}"
        );
    }
    Ok(whole)
}
