//! What a search leaves when a call to the system fails, or the process dies in it: a clear error, and a run
//! that ends, when it is started again, like one in which nothing happened.
//!
//! `strace` injects the faults (Debian: `strace`), one into one call of a whole run; every write, sync and
//! rename of it is one of the calls. `SDARTS_FAULTS` sets how many faults are tried, spread evenly over all of
//! them; with `SDARTS_REQUIRE_STRACE` the test fails where it cannot trace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command::{Outcome, TINY, sdarts};

/// Faults that an ordinary run of the tests tries.
const TRIED: usize = 16;

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

/// What a finished run has to leave, whatever happened on the way.
const RESULTS: [&str; 3] = ["genotype.json", "weights.safetensors", "config.toml"];

fn search(folder: &Path) -> Command {
    sdarts(folder, &[TINY, &["--out=run"]].concat())
}

/// The search under `strace` with these options; what it traces goes to the file `calls`.
fn traced(folder: &Path, options: &[&str]) -> Outcome {
    let search = search(folder);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "calls"]).args(options);
    strace.arg(search.get_program()).args(search.get_args());
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

/// Calls of the thread that made most of them: `strace` counts those of each thread by themselves.
fn most(calls: &[String]) -> usize {
    let mut threads = BTreeMap::<&str, usize>::new();
    for thread in
        calls.iter().filter(|call| call.contains('(')).filter_map(|it| it.split(' ').next())
    {
        *threads.entry(thread).or_default() += 1;
    }
    threads.into_values().max().unwrap_or(0)
}

/// Every fault that can happen once: the calls, what happens, and to which of them.
fn all(folder: &Path) -> Vec<(&'static str, &'static str, usize)> {
    let mut all = Vec::new();
    for (names, fault) in FAULTS {
        let trace = format!("trace={names}");
        traced(folder, &["-e", &trace]).done();
        all.extend((1..=most(&calls(folder))).map(|which| (names, fault, which)));
        fs::remove_dir_all(folder.join("run")).unwrap();
    }
    all
}

#[test]
fn a_call_that_fails_or_kills_costs_nothing_but_time() {
    if !can_trace() {
        let missing = "strace cannot trace here (Debian: strace); left out";
        assert!(std::env::var_os("SDARTS_REQUIRE_STRACE").is_none(), "{missing}");
        eprintln!("{missing}");
        return;
    }
    let tried = std::env::var("SDARTS_FAULTS").map_or(TRIED, |count| count.parse().unwrap());
    let expected = tempfile::tempdir().unwrap();
    let all = all(expected.path());
    Outcome::of(search(expected.path())).done();
    let (mut injected, step) = (0, (all.len() / tried.max(1)).max(1));
    for &(names, fault, which) in all.iter().skip(step / 2).step_by(step) {
        let folder = tempfile::tempdir().unwrap();
        let inject = format!("inject={names}:{fault}:when={which}");
        let outcome = traced(folder.path(), &["-e", &format!("trace={names}"), "-e", &inject]);
        let is_killed = fault.contains("SIGKILL");
        let said = calls(folder.path()).iter().any(|call| call.contains("INJECTED"));
        injected += usize::from(said || is_killed && outcome.code.is_none());
        let place = format!("{fault} in call {which} of {names}: {outcome:?}");
        assert!(!outcome.stderr.contains("panicked"), "{place}");
        let tells = outcome.code == Some(0) || outcome.stderr.contains("error");
        assert!(is_killed || tells, "an error says what went wrong: {place}");
        let again = Outcome::of(search(folder.path()));
        assert_eq!(again.code, Some(0), "the run goes on after {place}: {}", again.stderr);
        for result in RESULTS {
            let [found, expected] =
                [&folder, &expected].map(|folder| fs::read(folder.path().join("run").join(result)));
            assert!(found.unwrap() == expected.unwrap(), "{result} differs after {place}");
        }
    }
    eprintln!("{} kinds of faults, {injected} injected", all.len());
    assert!(injected >= tried.min(all.len()) * 3 / 4, "{injected} of {tried} faults were injected");
}
