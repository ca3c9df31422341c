//! The runs of a sweep as processes of this program on this machine.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::plan::Run;
use super::record::Failure;
use super::standing::{self, Standing, State};
use crate::exit::Exit;
use crate::signals::{self, Stop};

/// How often the runs are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long a directory is left alone that another process works in.
const BUSY: Duration = Duration::from_secs(2);

/// Lines that are kept of what a run says.
const LINES: usize = 40;

/// The variable that says how many threads a process takes that is not told otherwise (rayon). A flag
/// would change the settings that the run stores.
const THREADS: &str = "RAYON_NUM_THREADS";

/// The code of a run that SIGUSR1 ended before it listened; other signals then have their own codes.
#[cfg(unix)]
const EARLY: i32 = 128 + signal_hook::consts::SIGUSR1;
#[cfg(not(unix))]
const EARLY: i32 = 138;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its results are there.
    Done,
    /// A signal stopped it, and it can go on.
    Stopped,
    /// It failed.
    Failed(Failure),
}

/// What happened.
pub enum News<'a> {
    /// A run begins.
    Began(&'a Run),
    /// A run ended.
    Ended(&'a Run, &'a Ended),
    /// Some time passed.
    Tick,
}

/// How many runs there may be at a time.
pub struct Limits {
    /// Runs.
    pub jobs: usize,
    /// Bytes of all of them together.
    pub memory: f64,
    /// What is handed on of `--memory-limit`.
    pub memory_limit: Option<u64>,
}

/// A run that waits for its turn.
struct Waiting<'a> {
    run: &'a Run,
    bytes: f64,
    /// Not to be started before.
    not_before: Instant,
}

/// A run that runs.
struct Worker<'a> {
    run: &'a Run,
    bytes: f64,
    child: Child,
    said: JoinHandle<VecDeque<String>>,
}

/// The runs of a sweep that are left to do.
pub struct Workers<'a> {
    out: &'a Path,
    limits: Limits,
    waiting: Vec<Waiting<'a>>,
    running: Vec<Worker<'a>>,
    /// The signal that was handed on.
    stopped: Option<Exit>,
}

impl<'a> Workers<'a> {
    /// Workers for these runs, of which each takes so many bytes.
    pub fn new(out: &'a Path, limits: Limits, runs: Vec<(&'a Run, f64)>) -> Self {
        let not_before = Instant::now();
        let waiting =
            runs.into_iter().map(|(run, bytes)| Waiting { run, bytes, not_before }).collect();
        Self { out, limits, waiting, running: Vec::new(), stopped: None }
    }

    /// Runs them all, or until a signal comes, which is handed on: then it waits for their checkpoints.
    /// Returns the exit code that the signal asks for.
    ///
    /// # Errors
    /// If no process can be started, or what `tell` says; the runs that run are then stopped.
    pub fn work(
        mut self,
        stop: &Stop,
        mut tell: impl FnMut(News) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<Exit>> {
        let worked = self.until_over(stop, &mut tell);
        if worked.is_err() {
            self.signal(Exit::Terminated);
            for mut worker in self.running.drain(..) {
                // Nobody is left to hear how it ended.
                let _ = worker.child.wait();
            }
        }
        worked.map(|()| self.stopped)
    }

    fn until_over(
        &mut self,
        stop: &Stop,
        tell: &mut impl FnMut(News) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        loop {
            if self.stopped.is_none()
                && let Some(exit) = stop.requested()
            {
                self.signal(exit);
                self.stopped = Some(exit);
                self.waiting.clear();
            }
            self.reap(tell)?;
            while let Some(index) = self.next() {
                let Waiting { run, bytes, .. } = self.waiting.remove(index);
                // Another process may have worked on it until now.
                if Standing::of(run, self.out, None).state == State::Done {
                    tell(News::Ended(run, &Ended::Done))?;
                    continue;
                }
                self.start(run, bytes)?;
                tell(News::Began(run))?;
            }
            if self.running.is_empty() && self.waiting.is_empty() {
                return Ok(());
            }
            tell(News::Tick)?;
            thread::sleep(LOOK);
        }
    }

    /// The first waiting run for which there is room. One that takes more than there is runs alone, and
    /// says itself what is wrong.
    fn next(&self) -> Option<usize> {
        if self.running.len() >= self.limits.jobs {
            return None;
        }
        let taken: f64 = self.running.iter().map(|worker| worker.bytes).sum();
        let fits = |bytes: f64| self.running.is_empty() || taken + bytes <= self.limits.memory;
        let now = Instant::now();
        self.waiting.iter().position(|it| {
            let due = it.not_before <= now && fits(it.bytes);
            due && !standing::is_locked(&it.run.directory(self.out))
        })
    }

    fn start(&mut self, run: &'a Run, bytes: f64) -> anyhow::Result<()> {
        let program = program()?;
        let mut command = Command::new(&program);
        command.args(&run.arguments).arg("--out").arg(run.directory(self.out)).arg("--quiet");
        if let Some(bytes) = self.limits.memory_limit {
            command.arg(format!("--memory-limit={bytes}"));
        }
        share_cores(&mut command, self.limits.jobs);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // In a group of its own, so that Ctrl-C comes to it once, from here.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let stderr = child.stderr.take().context("a process without stderr")?;
        let said = thread::spawn(|| last_lines(stderr));
        self.running.push(Worker { run, bytes, child, said });
        Ok(())
    }

    /// Takes in the runs that ended.
    fn reap(&mut self, tell: &mut impl FnMut(News) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut index = 0;
        while let Some(worker) = self.running.get_mut(index) {
            let named = || format!("cannot wait for the run {}", worker.run.name);
            let Some(status) = worker.child.try_wait().with_context(named)? else {
                index += 1;
                continue;
            };
            let Worker { run, bytes, said, .. } = self.running.remove(index);
            let said = said.join().unwrap_or_default();
            if status.code() == Some(i32::from(Exit::Busy.code())) && self.stopped.is_none() {
                let not_before = Instant::now() + BUSY;
                self.waiting.insert(0, Waiting { run, bytes, not_before });
                continue;
            }
            tell(News::Ended(run, &ended(status, &said)))?;
        }
        Ok(())
    }

    /// Hands a signal on.
    fn signal(&self, exit: Exit) {
        for worker in &self.running {
            signals::send(&worker.child, exit);
        }
    }
}

/// The file of this program.
///
/// # Errors
/// If the system does not tell.
pub fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot tell where this program lies")
}

/// Gives one of so many processes its share of the cores, unless settings or the user say otherwise.
pub fn share_cores(command: &mut Command, jobs: usize) {
    if std::env::var_os(THREADS).is_none() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        command.env(THREADS, (cores / jobs.max(1)).max(1).to_string());
    }
}

/// Reads until the process ends, so that it never waits for a reader.
fn last_lines(from: ChildStderr) -> VecDeque<String> {
    let mut lines = VecDeque::new();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(&line).into_owned());
    }
    lines
}

fn ended(status: ExitStatus, said: &VecDeque<String>) -> Ended {
    let code = status.code().unwrap_or_else(|| 128 + killed_by(status));
    let stops = [Exit::HungUp, Exit::Interrupted, Exit::Terminated, Exit::Preempted];
    if status.success() {
        Ended::Done
    } else if code == EARLY || stops.iter().any(|exit| i32::from(exit.code()) == code) {
        Ended::Stopped
    } else {
        Ended::Failed(Failure { code, message: reason(status, said) })
    }
}

/// The error that a process said, of one or more lines; else the last lines.
pub fn message<'a>(
    said: impl ExactSizeIterator<Item = &'a String> + DoubleEndedIterator + Clone,
) -> String {
    let error = said.clone().rposition(|line| line.starts_with("error: "));
    let from = error.unwrap_or(said.len().saturating_sub(3));
    let lines: Vec<&str> = said.skip(from).map(String::as_str).collect();
    lines.join("\n").trim().trim_start_matches("error: ").to_owned()
}

/// The same of one that may have been killed.
fn reason(status: ExitStatus, said: &VecDeque<String>) -> String {
    let text = message(said.iter());
    match killed_by(status) {
        0 => text,
        signal => {
            let memory = if signal == 9 { "; was the memory exhausted?" } else { "" };
            format!("killed by signal {signal}{memory} {text}").trim().to_owned()
        }
    }
}

#[cfg(unix)]
fn killed_by(status: ExitStatus) -> i32 {
    std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0)
}

#[cfg(not(unix))]
fn killed_by(_: ExitStatus) -> i32 {
    0
}
