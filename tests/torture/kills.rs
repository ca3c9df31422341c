//! Kills at random moments, over and over.
//!
//! `SDARTS_KILLS` sets how many there are of each command. The seed is fixed, the moments are not: what a
//! process has done by then depends on the machine.

use std::thread::sleep;
use std::time::Instant;

use smoothdarts::rng::{Stream, Streams, uniform};
use tempfile::tempdir;

use super::works::{SEARCH, SELECTION, TEXT, TRAINING, Work, must_equal, reached};
use crate::command::Outcome;

/// Kills of each command in an ordinary run of the tests.
const KILLS: usize = 3;

/// Runs are killed after random times up to that of a whole one; one that ends before has to be right.
fn torture(work: &Work, seed: u64) {
    let kills = std::env::var("SDARTS_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let began = Instant::now();
    let expected = work.undisturbed(&[]);
    let whole = began.elapsed();
    let mut rng = Streams::new(seed).at(Stream::Split, 0);
    let (mut folder, mut events) = (tempdir().unwrap(), 0);
    let (mut killed, mut gained, mut runs) = (0, 0, 1);
    while killed < kills {
        let after = whole.mul_f32(uniform(&mut rng, 1, 0.0, 1.0)[0]);
        let mut child = work.command(folder.path(), &[]).spawn().unwrap();
        sleep(after);
        child.kill().unwrap();
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        let place = format!("kill {} of the {}, after {after:?}", killed + 1, work.name);
        match outcome.code {
            None => {
                let now = reached(&folder.path().join("run"), &place);
                assert!(now >= events, "{events} events before and {now} after {place}");
                gained += usize::from(now > events);
                (events, killed) = (now, killed + 1);
            }
            Some(_) => {
                assert_eq!(outcome.code, Some(0), "{place}: {}", outcome.stderr);
                must_equal(folder.path(), expected.path(), &place);
                (folder, events, runs) = (tempdir().unwrap(), 0, runs + 1);
            }
        }
    }
    work.end(folder.path(), expected.path(), "all kills");
    eprintln!(
        "{}: {killed} kills, {gained} of them after a new checkpoint; {runs} runs ended, and all were right",
        work.name
    );
}

#[test]
fn a_search_that_is_killed_again_and_again_ends_like_one_that_was_not() {
    torture(&SEARCH, 1);
}

#[test]
fn a_training_that_is_killed_again_and_again_ends_like_one_that_was_not() {
    torture(&TRAINING, 2);
}

#[test]
fn a_training_on_a_text_that_is_killed_again_and_again_ends_like_one_that_was_not() {
    torture(&TEXT, 3);
}

#[test]
fn a_selection_that_is_killed_again_and_again_ends_like_one_that_was_not() {
    torture(&SELECTION, 4);
}
