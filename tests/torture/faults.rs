//! What a run leaves when a call to the system fails, or the process dies in it: a clear error, and a run
//! that ends, when it is started again, like one in which nothing happened.
//!
//! `strace` injects the faults (Debian: `strace`), one into one call of a whole run; every write, sync and
//! rename of it is one of the calls. `SDARTS_FAULTS` sets how many faults are tried on each command, spread
//! evenly over all of them; with `SDARTS_REQUIRE_STRACE` the tests fail where they cannot trace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::works::{SEARCH, TRAINING, Work};
use crate::command::Outcome;

/// Faults that an ordinary run of the tests tries on each command.
const TRIED: usize = 8;

/// Calls that change files, and what happens to them: no space left, a broken disk, a kill in the call.
const FAULTS: [(&str, &str); 8] = [
    ("write", "error=ENOSPC"),
    ("write", "signal=SIGKILL"),
    ("fsync,fdatasync", "error=EIO"),
    ("fsync,fdatasync", "signal=SIGKILL"),
    ("rename,renameat,renameat2", "error=EIO"),
    ("rename,renameat,renameat2", "signal=SIGKILL"),
    ("ftruncate", "error=EIO"),
    ("unlink,unlinkat", "error=EIO"),
];

/// The work under `strace` with these options; what it traces goes to the file `calls`.
fn traced(work: &Work, folder: &Path, options: &[&str]) -> Outcome {
    let alone = work.command(folder, &[]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "calls"]).args(options);
    strace.arg(alone.get_program()).args(alone.get_args());
    strace.current_dir(folder).stdin(Stdio::null());
    Outcome::of(strace)
}

fn calls(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Whether calls can be traced here: containers may forbid it.
fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-f", "-qq", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

/// How many of the calls with these names the thread made that made most of them: `strace` counts those of
/// each thread by themselves. The name of a call stands between the number of its thread and a bracket.
fn most(calls: &[String], names: &str) -> usize {
    let mut threads = BTreeMap::<&str, usize>::new();
    for call in calls {
        let Some((thread, call)) = call.split_once(' ') else { continue };
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        if names.split(',').any(|it| it == name) {
            *threads.entry(thread).or_default() += 1;
        }
    }
    threads.into_values().max().unwrap_or(0)
}

/// Every fault that can happen once: the calls, what happens, and to which of them. One whole run is traced
/// for it, in this folder.
fn all(work: &Work, folder: &Path) -> Vec<(&'static str, &'static str, usize)> {
    let names = FAULTS.map(|(names, _)| names).join(",");
    traced(work, folder, &["-e", &format!("trace={names}")]).done();
    let calls = calls(folder);
    let faults = FAULTS.into_iter().flat_map(|(names, fault)| {
        (1..=most(&calls, names)).map(move |which| (names, fault, which))
    });
    faults.collect()
}

fn inject(work: &Work) {
    if !can_trace() {
        let missing = "strace cannot trace here (Debian: strace); left out";
        assert!(std::env::var_os("SDARTS_REQUIRE_STRACE").is_none(), "{missing}");
        eprintln!("{missing}");
        return;
    }
    let tried = std::env::var("SDARTS_FAULTS").map_or(TRIED, |count| count.parse().unwrap());
    let expected = tempfile::tempdir().unwrap();
    let all = all(work, expected.path());
    let (mut injected, step) = (0, (all.len() / tried.max(1)).max(1));
    for &(names, fault, which) in all.iter().skip(step / 2).step_by(step) {
        let folder = tempfile::tempdir().unwrap();
        let inject = format!("inject={names}:{fault}:when={which}");
        let options = ["-e", &format!("trace={names}"), "-e", &inject];
        let outcome = traced(work, folder.path(), &options);
        let is_killed = fault.contains("SIGKILL");
        let said = calls(folder.path()).iter().any(|call| call.contains("INJECTED"));
        injected += usize::from(said || is_killed && outcome.code.is_none());
        let place = format!("{fault} in call {which} of {names}: {outcome:?}");
        assert!(!outcome.stderr.contains("panicked"), "{place}");
        let tells = outcome.code == Some(0) || outcome.stderr.contains("error");
        assert!(is_killed || tells, "an error says what went wrong: {place}");
        work.end(folder.path(), expected.path(), &place);
    }
    eprintln!("{}: {} faults that there are, {injected} injected", work.name, all.len());
    assert!(injected >= tried.min(all.len()) * 3 / 4, "{injected} of {tried} faults were injected");
}

#[test]
fn a_call_of_a_search_that_fails_or_kills_costs_nothing_but_time() {
    inject(&SEARCH);
}

#[test]
fn a_call_of_a_training_that_fails_or_kills_costs_nothing_but_time() {
    inject(&TRAINING);
}
