//! The directory of a run: who may write to it, and how its files are replaced so that a kill at any
//! moment loses nothing.
//!
//! | file | what |
//! |---|---|
//! | config.toml | every setting and where it came from; feeding it back repeats the run |
//! | events.jsonl | what the run said ([`smoothdarts::event`]), a line for each event |
//! | checkpoints/last.safetensors, previous.safetensors | the whole state, twice |
//! | genotype.json, genotype.py.txt | what was found or is trained, and as the tuple that Python code reads |
//! | weights.safetensors | weights of the supernet or of the trained network, with the names of the authors' code |
//! | weights-best.safetensors, weights-ema.safetensors | of a training: those of the best epoch, and their moving average |
//! | curves.csv | one row for each epoch |
//! | report.html | pictures of all this, in one file |
//! | test/ | what `sdarts test` draws: confusion.svg, confusion.csv |
//! | manifest.json | what made the result: versions, device, seed, time |
//! | selection.json, candidates/ | of a selection: who was chosen, and the short trainings |
//! | checksums/ | the checksum of every file that is replaced (`run_dir::checked`) |
//! | .lock | locked while a process writes here |
//!
//! Checkpoints and events carry their checksums themselves. All of them are verified whenever a
//! file is read.

mod atomic;
mod checked;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use smoothdarts::run::checkpoint::Checkpoint;

use crate::exit::Exit;
use atomic::directory;

pub use atomic::replace;
pub(crate) use atomic::{persist, temporary};
pub use checked::{Damaged, read, text, write};

/// What `sdarts select` writes beside these files ([`crate::selection`]).
pub const SELECTION: &str = "selection.json";

/// A run directory that this process alone writes to.
pub struct RunDir {
    path: PathBuf,
    /// Holds the lock until it is dropped; the system releases it even if the process is killed.
    _lock: File,
}

impl RunDir {
    /// Makes the directory where there is none, and locks it.
    ///
    /// # Errors
    /// Exit code 6 if another process has it, else what the file system says.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let checkpoints = path.join("checkpoints");
        fs::create_dir_all(&checkpoints)
            .with_context(|| format!("cannot create the run directory {}", path.display()))?;
        let lock = lock(path)?;
        // Nobody but the holder of the lock writes checkpoints.
        remove_leftovers(&checkpoints, Duration::ZERO)?;
        for folder in [path.to_owned(), path.join(checked::FOLDER)] {
            remove_leftovers(&folder, STALE)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Path of one of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a run was started here.
    pub fn has_run(&self) -> bool {
        self.file("config.toml").exists()
    }

    /// Whether there is a checkpoint.
    pub fn has_checkpoint(&self) -> bool {
        checkpoint_paths(&self.path).iter().any(|path| path.exists())
    }

    /// Replaces one of its files.
    ///
    /// # Errors
    /// What the file system says; the old file is then still there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        write(&self.file(name), bytes)
    }

    /// Puts one of its files aside, as `NAME.damaged`, and returns what to tell.
    ///
    /// # Errors
    /// What the file system says.
    pub fn set_aside(&self, name: &str) -> anyhow::Result<String> {
        let (file, aside) = (self.file(name), self.file(&format!("{name}.damaged")));
        fs::rename(&file, &aside).with_context(|| format!("cannot rename {}", file.display()))?;
        Ok(format!("it is kept as {}", aside.display()))
    }

    /// Adds a checkpoint and keeps the one before. At every moment at least one good checkpoint
    /// has its name.
    ///
    /// # Errors
    /// What the file system says; the checkpoints of before are then still there.
    pub fn write_checkpoint(&self, checkpoint: &Checkpoint) -> anyhow::Result<()> {
        let [last, previous] = checkpoint_paths(&self.path);
        let file = temporary(&last, &checkpoint.to_bytes()?)?;
        if last.exists() {
            fs::rename(&last, &previous)
                .with_context(|| format!("cannot rename {}", last.display()))?;
        }
        persist(file, &last)
    }
}

/// The newest checkpoint of a run; `None` where there are no checkpoints.
///
/// # Errors
/// If it cannot be read. Then the one before stands for another state: a search continues from it,
/// and nothing else takes it for the newest.
pub fn newest_checkpoint(run: &Path) -> anyhow::Result<Option<Checkpoint>> {
    let [last, previous] = checkpoint_paths(run);
    let Some(path) = [&last, &previous].into_iter().find(|path| path.exists()) else {
        return Ok(None);
    };
    let before = if path == &last && previous.exists() {
        format!(
            "; {} is the one before, and the command of the search continues from it",
            previous.display()
        )
    } else {
        String::new()
    };
    read_checkpoint(path).map(Some).map_err(|fault| anyhow!("{fault:#}{before}"))
}

/// How many events there must be, says the newest checkpoint that can be read.
pub(crate) fn counted_events(run: &Path) -> u64 {
    let readable = checkpoint_paths(run).into_iter().find_map(|path| read_checkpoint(&path).ok());
    readable.map_or(0, |checkpoint| checkpoint.events())
}

/// The checkpoint in a file.
///
/// # Errors
/// If the file cannot be read or is no checkpoint.
pub fn read_checkpoint(path: &Path) -> anyhow::Result<Checkpoint> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Checkpoint::from_bytes(&bytes).with_context(|| path.display().to_string())
}

/// Paths of the newest checkpoint and of the one before.
pub(crate) fn checkpoint_paths(run: &Path) -> [PathBuf; 2] {
    ["last", "previous"].map(|name| run.join(format!("checkpoints/{name}.safetensors")))
}

/// Keeps other processes out of a directory until the file is dropped.
///
/// # Errors
/// Exit code 6 if another process has it, else what the file system says.
pub fn lock(run: &Path) -> anyhow::Result<File> {
    let path = run.join(".lock");
    let named = || format!("cannot lock {}", path.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).with_context(named)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy(run, &mut file)),
        Err(TryLockError::Error(error)) => return Err(error).with_context(named),
    }
    file.set_len(0).and_then(|()| file.rewind()).with_context(named)?;
    write!(file, "{}", std::process::id()).with_context(named)?;
    Ok(file)
}

fn busy(run: &Path, lock: &mut File) -> anyhow::Error {
    let mut process = String::new();
    // One that was killed leaves its number to the next, which has just taken the lock and writes its own.
    std::thread::sleep(Duration::from_millis(100));
    // Windows lets nobody read a locked file; then the message has no number.
    let known = lock.read_to_string(&mut process).is_ok() && !process.is_empty();
    let process = if known { format!("process {process}") } else { "another process".to_owned() };
    anyhow!("{process} works in {}; wait for it or choose another --out", run.display())
        .context(Exit::Busy)
}

/// Temporary files of this age in a run directory are nobody's any more: `report` and `landscape`
/// write there without the lock.
const STALE: Duration = Duration::from_secs(600);

/// Removes what a killed process left half-written.
fn remove_leftovers(folder: &Path, age: Duration) -> anyhow::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let temporary = name.to_string_lossy().starts_with('.')
            && path.extension().is_some_and(|extension| extension == "tmp");
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed >= age));
        if temporary && (old || age.is_zero()) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Refuses to write a file where there is no folder for it: before the work, not after it.
///
/// # Errors
/// Exit code 2.
pub fn must_have_folder(path: &Path) -> anyhow::Result<()> {
    if directory(path).is_dir() {
        return Ok(());
    }
    let (file, folder) = (path.display(), directory(path).display());
    Err(anyhow!("cannot write {file}: there is no folder {folder}").context(Exit::Usage))
}

/// Refuses to replace a file that a run wrote: its checksum stands for what the run wrote.
///
/// # Errors
/// Exit code 2.
pub fn must_not_be_of_run(path: &Path) -> anyhow::Result<()> {
    if !checked::has_checksum(path) {
        return Ok(());
    }
    let fault = format!("{} is a file of a run; choose another --out", path.display());
    Err(anyhow!(fault).context(Exit::Usage))
}

/// Refuses a path that is no run directory.
///
/// # Errors
/// Exit code 2.
pub fn must_be_run(path: &Path) -> anyhow::Result<()> {
    if !path.join("config.toml").exists() {
        let shown = path.display();
        let fault = match path.join(SELECTION).exists() {
            true => anyhow!(
                "{shown} is a selection that does not train its winner yet: its own command continues \
                 it; its candidates are the run directories in {shown}/candidates"
            ),
            false => anyhow!("{shown} is not a run directory: it has no config.toml"),
        };
        return Err(fault.context(Exit::Usage));
    }
    Ok(())
}
