//! A step that is read late says what it says when it is read at once.

use pollster::block_on;
use smoothdarts::event::Event;
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::run::{Advanced, RunError};

use super::tiny;

#[test]
fn a_search_that_is_read_late_says_the_same_and_is_saved_after_any_event() {
    let mut observed = tiny::config("s2", "darts-hessian");
    observed.hessian.every = 1;
    let staged = super::stages::config("p-darts-adv");
    for config in [tiny::config("s5", "sdarts-adv"), observed, staged] {
        let (events, last) = tiny::whole(&config);
        let mut loader = tiny::loader(&config);
        let mut late = tiny::search(&config, &loader);
        late.set_reads_late(true);
        assert_eq!(tiny::run(&mut late, &mut loader).unwrap(), events);
        assert!(block_on(late.checkpoint()).unwrap() == last);

        for stop in 1..events.len() {
            let mut first = tiny::search(&config, &loader);
            first.set_reads_late(true);
            let mut said = Vec::new();
            while said.len() < stop {
                said.extend(block_on(first.advance(&mut loader)).unwrap());
            }
            let saved = block_on(first.checkpoint()).unwrap().to_bytes().unwrap();
            let saved = Checkpoint::from_bytes(&saved).unwrap();
            assert_eq!(saved.events(), stop as u64);
            let mut second = tiny::search(&config, &loader);
            second.set_reads_late(stop % 2 == 0);
            second.restore(&saved).unwrap();
            let rest = tiny::run(&mut second, &mut loader).unwrap();
            assert_eq!(rest, events[stop..], "stopped after event {stop}");
            assert!(block_on(second.checkpoint()).unwrap() == last);
            // The one that was saved goes on as well.
            assert_eq!(tiny::run(&mut first, &mut loader).unwrap(), events[stop..]);
        }
    }
}

/// Part by part, for the first step of the first epoch: nothing is said until the second one has ended.
#[test]
fn the_first_step_is_heard_after_the_second_and_the_last_before_the_epoch_ends() {
    let config = tiny::config("s5", "darts");
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    search.set_reads_late(true);
    let mut heard = Vec::new();
    loop {
        match block_on(search.advance_part(&mut loader)).unwrap() {
            Advanced::Said(Event::Step(step)) => heard.push((step.step, search.position())),
            Advanced::Said(Event::EpochFinished(_)) => break,
            Advanced::Said(_) | Advanced::Part => {}
            Advanced::Over => panic!("no epoch"),
        }
    }
    // An epoch has three steps.
    assert_eq!(heard, [(0, (0, 2)), (1, (1, 0)), (2, (1, 0))]);
}

#[test]
fn a_search_that_is_read_at_once_from_now_on_leaves_no_step_out() {
    let config = tiny::config("s5", "darts");
    let (events, _) = tiny::whole(&config);
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    let mut said = Vec::new();
    for index in 0.. {
        search.set_reads_late(index % 3 != 2);
        let Some(event) = block_on(search.advance(&mut loader)).unwrap() else { break };
        said.push(event);
    }
    assert_eq!(said, events);
}

#[test]
fn a_divergence_that_is_read_late_ends_the_search_and_is_not_saved() {
    let config = tiny::diverging();
    let mut loader = tiny::loader(&config);
    let until = |late: bool, loader: &mut _| {
        let mut search = tiny::search(&config, loader);
        search.set_reads_late(late);
        let mut said = Vec::new();
        loop {
            match block_on(search.advance(&mut *loader)) {
                Ok(event) => said.extend(event),
                Err(error) => return (said, error.to_string(), search),
            }
        }
    };
    let (said, error, _) = until(false, &mut loader);
    let (said_late, error_late, mut search) = until(true, &mut loader);
    assert_eq!((&said_late, &error_late), (&said, &error));
    let saved = block_on(search.checkpoint());
    assert!(matches!(saved, Err(RunError::Diverged { .. })));

    // Before it is heard, it is found by who saves.
    let mut search = tiny::search(&config, &loader);
    search.set_reads_late(true);
    for event in said {
        assert_eq!(block_on(search.advance(&mut loader)).unwrap(), Some(event));
    }
    assert_eq!(block_on(search.checkpoint()).unwrap_err().to_string(), error);
}
