//! Ctrl-C, SIGTERM, SIGHUP and SIGUSR1: the search finishes its step and writes a checkpoint. SIGUSR1 is what
//! batch systems can be told to send before a time limit; its exit code says that the run is to be started again.

use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::Exit;

/// How often the watching thread looks; people do not notice a twentieth of a second.
const LOOK: Duration = Duration::from_millis(50);

/// Whether somebody wants the search to stop.
#[derive(Clone)]
pub struct Stop {
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
    hung_up: Arc<AtomicBool>,
    preempted: Arc<AtomicBool>,
}

impl Stop {
    /// Listens from now on. `say` is called on another thread: the first signal is answered with
    /// what happens next, the second with what takes so long, the third ends the program at once.
    ///
    /// # Errors
    /// If the system refuses a handler.
    pub fn listen(say: impl Fn(&str) + Send + 'static) -> anyhow::Result<Self> {
        let stop = Self {
            interrupted: Arc::default(),
            terminated: Arc::default(),
            hung_up: Arc::default(),
            preempted: Arc::default(),
        };
        let news = Arc::new(AtomicBool::new(false));
        let mut signals = vec![(SIGINT, &stop.interrupted), (SIGTERM, &stop.terminated)];
        #[cfg(unix)]
        signals.push((signal_hook::consts::SIGUSR1, &stop.preempted));
        #[cfg(unix)]
        if !ignores_hang_up() {
            signals.push((signal_hook::consts::SIGHUP, &stop.hung_up));
        }
        for (signal, seen) in signals {
            for seen in [seen, &news] {
                flag::register(signal, Arc::clone(seen)).context("cannot listen to signals")?;
            }
        }
        let this = stop.clone();
        thread::spawn(move || this.answer(&news, &say));
        Ok(stop)
    }

    /// The exit code to stop with, once a signal came.
    pub fn requested(&self) -> Option<Exit> {
        if self.terminated.load(Ordering::SeqCst) {
            Some(Exit::Terminated)
        } else if self.hung_up.load(Ordering::SeqCst) {
            Some(Exit::HungUp)
        } else if self.preempted.load(Ordering::SeqCst) {
            Some(Exit::Preempted)
        } else {
            self.interrupted.load(Ordering::SeqCst).then_some(Exit::Interrupted)
        }
    }

    fn answer(&self, news: &AtomicBool, say: &impl Fn(&str)) {
        let mut signals = 0;
        loop {
            thread::sleep(LOOK);
            if !news.swap(false, Ordering::SeqCst) {
                continue;
            }
            signals += 1;
            match signals {
                1 => say("stopping: this step will be finished and a checkpoint written"),
                2 => say(
                    "still waiting for the step in progress to end, then for the checkpoint; once \
                     more ends the program at once, and the run continues from its last checkpoint",
                ),
                _ => std::process::exit(i32::from(
                    self.requested().unwrap_or(Exit::Interrupted).code(),
                )),
            }
        }
    }
}

/// Whether the process was started to outlive its terminal, as `nohup` does it. Where the system does
/// not tell (it is asked in the way of Linux), it counts as so: then the signal is left alone.
/// (signal-hook does not tell either, and sigaction is unsafe code.)
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & 1 << (signal_hook::consts::SIGHUP - 1) != 0)
}

/// Sends a process the signal of an end; on Windows nothing, where Ctrl-C comes to every process of a
/// console. (The standard library only kills.)
#[cfg(unix)]
pub fn send(child: &Child, exit: Exit) {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = match exit {
        Exit::HungUp => Signal::HUP,
        Exit::Terminated => Signal::TERM,
        Exit::Preempted => Signal::USR1,
        _ => Signal::INT,
    };
    if let Some(process) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // One that has ended needs no signal.
        let _ = kill_process(process, signal);
    }
}

/// See above.
#[cfg(not(unix))]
pub fn send(_: &Child, _: Exit) {}
