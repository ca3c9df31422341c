//! How tasks of an array ended, as Slurm's accounts say it, where a cluster keeps them: what no run can say
//! itself, as that its node failed or its time was over.

use std::collections::BTreeMap;
use std::process::Command;

use crate::exit::Exit;
use crate::sweep::record::Failure;

/// States of tasks that ended, and not by themselves or their owner.
const FAILED: [&str; 7] =
    ["FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"];

/// Exit code of a process that was killed, where Slurm knows none: a node that failed tells nothing.
const KILLED: i32 = 137;

/// How tasks of a job failed, by their numbers. A task that is queued again has not. Empty where sacct is
/// missing or knows nothing.
pub fn failures(job: &str) -> BTreeMap<usize, Failure> {
    let mut sacct = Command::new("sacct");
    sacct.args(["--noheader", "--parsable2", "--allocations", "--format=JobID,State,ExitCode"]);
    let Ok(asked) = sacct.args(["--jobs", job]).output() else { return BTreeMap::new() };
    String::from_utf8_lossy(&asked.stdout).lines().filter_map(|line| failure(job, line)).collect()
}

/// The task of a line as `7_2|TIMEOUT|0:15`, and how it failed.
fn failure(job: &str, line: &str) -> Option<(usize, Failure)> {
    let mut fields = line.split('|');
    let (task, state, code) = (fields.next()?, fields.next()?, fields.next()?);
    let number = task.strip_prefix(job)?.strip_prefix('_')?.parse().ok()?;
    // As "CANCELLED by 1000".
    let state = state.split(' ').next().filter(|state| FAILED.contains(state))?;
    let (exit, signal) = code.split_once(':')?;
    let code = match (exit.parse().ok()?, signal.parse().ok()?) {
        (0, 0) => KILLED,
        (0, signal) => 128 + signal,
        (exit, _) => exit,
    };
    let stopped =
        [Exit::HungUp, Exit::Interrupted, Exit::Terminated].map(|it| i32::from(it.code()));
    let by_owner = state == "FAILED" && stopped.contains(&code);
    (!by_owner).then(|| (number, Failure { code, message: format!("Slurm says {state}") }))
}
