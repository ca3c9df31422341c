//! Batches that are made ahead are the batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use native::datasets::Prefetch;
use smoothdarts::config::Config;
use smoothdarts::data::{Batch, Batches, DataError, Loader, Part, StepBatches, embedded};

/// 5 steps and 5 evaluation batches, the last of each smaller than the others.
fn loader() -> Loader {
    let mut config = Config::default();
    config.data.train_images = 72;
    config.search.batch_size = 8;
    Loader::new(embedded().unwrap(), &config).unwrap()
}

#[test]
fn two_epochs_ahead_are_the_batches_of_the_loader() {
    let loader = loader();
    let mut ahead = Prefetch::new(loader.clone());
    assert_eq!((ahead.steps(0), ahead.evaluation_batches(Part::Valid)), (5, 5));
    for epoch in 0..2 {
        for step in 0..5 {
            assert!(ahead.step(epoch, step).unwrap() == loader.step(epoch, step));
        }
        for index in 0..5 {
            assert!(
                ahead.evaluation(Part::Valid, epoch, index).unwrap()
                    == loader.evaluation(Part::Valid, epoch, index)
            );
        }
    }
}

#[test]
fn any_other_order_gives_the_batches_of_the_loader_too() {
    let loader = loader();
    let mut ahead = Prefetch::new(loader.clone());
    for (epoch, step) in [(3, 4), (0, 0), (0, 1), (0, 1), (7, 2), (7, 3), (8, 0), (0, 4)] {
        assert!(ahead.step(epoch, step).unwrap() == loader.step(epoch, step));
        assert!(
            ahead.evaluation(Part::Valid, epoch, 1).unwrap()
                == loader.evaluation(Part::Valid, epoch, 1)
        );
    }
}

#[test]
fn a_search_that_stood_between_epoch_and_evaluation_goes_on_with_the_evaluation() {
    let fake = Fake::default();
    let mut ahead = Prefetch::new(fake.clone());
    ahead.seek(4, 3);
    assert_eq!(ahead.evaluation(Part::Valid, 4, 0).unwrap().labels, [4, 0]);
    // 1 that was asked for, 4 that wait, 1 that waits for room. A start at another position would
    // have taken a second thread with batches of its own.
    fake.wait_until_made(6);
    assert_eq!(fake.made(), 6);
}

#[test]
fn a_few_batches_are_made_before_they_are_asked_for_and_no_more() {
    let fake = Fake::default();
    let mut ahead = Prefetch::new(fake.clone());
    ahead.seek(0, 0);
    fake.wait_until_made(5);
    ahead.step(0, 0).unwrap();
    fake.wait_until_made(6);
    // Enough for many more.
    thread::sleep(Duration::from_millis(50));
    assert_eq!(fake.made(), 6);
}

#[test]
fn a_training_without_a_validation_half_goes_on_with_the_test_images() {
    let fake = Fake { trains: true, ..Fake::default() };
    let mut ahead = Prefetch::new(fake.clone());
    ahead.seek(2, 2);
    fake.wait_until_made(5);
    ahead.step(2, 2).unwrap();
    for index in 0..3 {
        assert_eq!(ahead.evaluation(Part::Test, 2, index).unwrap().labels, [2, index as u16]);
    }
    assert_eq!(ahead.step(3, 0).unwrap().train.labels, [3, 0]);
    // 5 that were asked for, 4 that wait, 1 that waits for room: no second thread was needed.
    fake.wait_until_made(10);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(fake.made(), 10);
}

#[test]
fn of_large_batches_fewer_wait() {
    let fake = Fake { bytes: 300 << 20, ..Fake::default() };
    let mut ahead = Prefetch::new(fake.clone());
    ahead.seek(0, 0);
    fake.wait_until_made(2);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(fake.made(), 2);
}

#[test]
fn dropping_a_full_supply_does_not_hang() {
    let fake = Fake::default();
    let mut ahead = Prefetch::new(fake.clone());
    ahead.seek(0, 0);
    fake.wait_until_made(5);
    let (sender, receiver) = channel();
    thread::spawn(move || {
        drop(ahead);
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(Duration::from_secs(10)).expect("the supply still waits for its thread");
}

#[test]
fn a_panic_in_the_thread_becomes_an_error_and_the_next_request_starts_anew() {
    let fake = Fake { panics_at: Some(2), ..Fake::default() };
    let mut ahead = Prefetch::new(fake);
    ahead.step(0, 0).unwrap();
    ahead.step(0, 1).unwrap();
    let error = ahead.step(0, 2).unwrap_err();
    assert!(
        matches!(&error, DataError::Stopped(why) if why.contains("step 2 is broken")),
        "{error}"
    );
    assert_eq!(ahead.step(1, 0).unwrap().train.labels, [1, 0]);
}

#[test]
fn an_error_of_the_thread_arrives_where_its_batch_is_asked_for() {
    let mut ahead = Prefetch::new(Fake { fails_at: Some(2), ..Fake::default() });
    ahead.evaluation(Part::Valid, 0, 0).unwrap();
    ahead.evaluation(Part::Valid, 0, 1).unwrap();
    let error = ahead.evaluation(Part::Valid, 0, 2).unwrap_err();
    assert_eq!(error, DataError::Stopped("evaluation 2".to_owned()));
    assert_eq!(ahead.step(1, 0).unwrap().train.labels, [1, 0]);
}

/// Batches whose labels are their positions: 3 steps and 3 evaluation batches in an epoch.
#[derive(Clone, Default)]
struct Fake {
    /// Step of each epoch.
    panics_at: Option<usize>,
    /// Evaluation batch of each epoch.
    fails_at: Option<usize>,
    made: Arc<AtomicUsize>,
    /// Whether there is no validation half.
    trains: bool,
    /// Of the batches of a step.
    bytes: usize,
}

impl Fake {
    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn wait_until_made(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.made() < count {
            assert!(Instant::now() < deadline, "only {} batches were made", self.made());
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn batch(&self, epoch: usize, index: usize) -> Batch {
        self.made.fetch_add(1, Ordering::SeqCst);
        Batch {
            images: vec![0.0; 2],
            labels: vec![epoch as u16, index as u16],
            shape: [2, 1, 1, 1],
        }
    }
}

impl Batches for Fake {
    type Batch = Batch;

    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches, DataError> {
        assert!(Some(step) != self.panics_at, "step {step} is broken");
        let train = self.batch(epoch, step);
        Ok(StepBatches { valid: train.clone(), train })
    }

    fn evaluation(&mut self, _: Part, epoch: usize, index: usize) -> Result<Batch, DataError> {
        if Some(index) == self.fails_at {
            return Err(DataError::Stopped(format!("evaluation {index}")));
        }
        Ok(self.batch(epoch, index))
    }

    fn evaluation_batches(&self, part: Part) -> usize {
        if self.trains && part == Part::Valid { 0 } else { 3 }
    }

    fn steps(&self, _: usize) -> usize {
        3
    }

    fn step_bytes(&self) -> usize {
        self.bytes
    }
}
