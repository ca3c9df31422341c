//! Processes that fight for one run directory.

use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use tempfile::tempdir;

use super::works::{SEARCH, TRAINING, Work};
use crate::command::Outcome;

/// Far more epochs than any round takes.
const LONG: &[&str] = &["--epochs=30"];

const ROUNDS: usize = 4;

/// Waits until one of two has ended; returns it, and the other one.
fn first(mut processes: [Child; 2]) -> [Child; 2] {
    loop {
        for index in [0, 1] {
            if processes[index].try_wait().unwrap().is_some() {
                let [one, other] = processes;
                return if index == 0 { [one, other] } else { [other, one] };
            }
        }
        sleep(Duration::from_millis(2));
    }
}

/// In each round two processes start at once. The one that has lost says who has won, which is killed in
/// the middle of its work then.
fn fight(work: &Work) {
    let (folder, expected) = (tempdir().unwrap(), work.undisturbed(LONG));
    for round in 0..ROUNDS {
        let start = || work.command(folder.path(), LONG).spawn().unwrap();
        let [lost, mut won] = first([start(), start()]);
        let lost = Outcome::from(lost.wait_with_output().unwrap());
        let place = format!("round {round} of the {}: {}", work.name, lost.stderr);
        assert_eq!(lost.code, Some(6), "{place}");
        // It names no process where it looked before the winner had written its number.
        let by_number = lost.stderr.contains(&format!("process {} works in run", won.id()));
        assert!(by_number || lost.stderr.contains("another process works in run"), "{place}");
        assert!(won.try_wait().unwrap().is_none(), "both have lost {place}");
        won.kill().unwrap();
        won.wait().unwrap();
    }
    let again = Outcome::of(work.command(folder.path(), LONG)).done();
    assert!(!again.stderr.contains("warning"), "{}", again.stderr);
    super::works::must_equal(folder.path(), expected.path(), "the fight");
}

#[test]
fn of_two_searches_that_want_one_directory_one_works_and_the_other_says_which() {
    fight(&SEARCH);
}

#[test]
fn of_two_trainings_that_want_one_directory_one_works_and_the_other_says_which() {
    fight(&TRAINING);
}
