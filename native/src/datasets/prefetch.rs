//! Batches that are ready before the search asks for them.
//!
//! A thread makes them in the order in which a search consumes them: the steps of an epoch, its
//! evaluation (on the validation half; on the test images in a training that has no such half), the
//! next epoch. As a batch is a pure function of its position, running ahead cannot
//! change any of them, and where the guess of the order is wrong the thread starts anew.

use std::any::Any;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use smoothdarts::data::{Batches, DataError, Part, StepBatches};

use super::supply::Supply;

/// Batches that wait at most. Making one takes far less time than searching on it, so a few hide
/// the jitter; at 64 images of 32×32 RGB a step waits in 1.6 MB.
const DEPTH: usize = 4;

/// Bytes of them at most, but for one: 64 images of 224×224 RGB take 39 MB, 1024 of them 617 MB.
const MOST_BYTES: usize = 512 << 20;

/// A supply of batches that runs ahead.
pub struct Prefetch<B: Batches = Supply> {
    batches: B,
    ahead: Option<Ahead<B::Batch>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Step { epoch: usize, step: usize },
    Evaluation { epoch: usize, index: usize },
}

enum Ready<T> {
    Step(StepBatches<T>),
    Evaluation(T),
}

impl<B: Batches<Batch: Send> + Clone + Send + 'static> Prefetch<B> {
    /// A supply that starts with the first request, or with [`Self::seek`].
    pub fn new(batches: B) -> Self {
        Self { batches, ahead: None }
    }

    /// Starts to run ahead at this step: it will be the first one asked for. Without this call, or
    /// if it is not, the supply is still right; it only starts later.
    ///
    /// After the last step of an epoch its evaluation comes first.
    pub fn seek(&mut self, epoch: usize, step: usize) {
        self.start(Position::Step { epoch, step }.normalised(&self.batches));
    }

    /// The thread that will hand out this position next, started anew where there is none.
    fn start(&mut self, position: Position) -> &Ahead<B::Batch> {
        let matching = self.ahead.take().filter(|ahead| ahead.next == position);
        let batches = &self.batches;
        self.ahead.insert(matching.unwrap_or_else(|| Ahead::start(batches.clone(), position)))
    }

    fn take(&mut self, position: Position) -> Result<Ready<B::Batch>, DataError> {
        match self.start(position).receive() {
            Some(Ok(ready)) => {
                let next = position.next(&self.batches);
                if let Some(ahead) = &mut self.ahead {
                    ahead.next = next;
                }
                Ok(ready)
            }
            Some(Err(error)) => {
                self.ahead = None;
                Err(error)
            }
            // The channel closes without an error only if the thread panicked.
            None => Err(self.ahead.take().map_or_else(unexpected, Ahead::fault)),
        }
    }
}

impl<B: Batches<Batch: Send> + Clone + Send + 'static> Batches for Prefetch<B> {
    type Batch = B::Batch;

    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches<B::Batch>, DataError> {
        match self.take(Position::Step { epoch, step })? {
            Ready::Step(batches) => Ok(batches),
            Ready::Evaluation(_) => Err(unexpected()),
        }
    }

    fn evaluation(
        &mut self,
        part: Part,
        epoch: usize,
        index: usize,
    ) -> Result<B::Batch, DataError> {
        if part != after_epoch(&self.batches) {
            // No run goes on to it: there is nothing to run ahead of.
            return self.batches.evaluation(part, epoch, index);
        }
        match self.take(Position::Evaluation { epoch, index })? {
            Ready::Evaluation(batch) => Ok(batch),
            Ready::Step(_) => Err(unexpected()),
        }
    }

    fn evaluation_batches(&self, part: Part) -> usize {
        self.batches.evaluation_batches(part)
    }

    fn steps(&self, epoch: usize) -> usize {
        self.batches.steps(epoch)
    }
}

impl Position {
    fn next(self, batches: &impl Batches) -> Self {
        let next = match self {
            Self::Step { epoch, step } => Self::Step { epoch, step: step + 1 },
            Self::Evaluation { epoch, index } => Self::Evaluation { epoch, index: index + 1 },
        };
        next.normalised(batches)
    }

    /// A position beyond the end of its part is the beginning of the part that follows.
    fn normalised(self, batches: &impl Batches) -> Self {
        match self {
            Self::Step { epoch, step } if step >= batches.steps(epoch) => {
                Self::Evaluation { epoch, index: 0 }.normalised(batches)
            }
            Self::Evaluation { epoch, index }
                if index >= batches.evaluation_batches(after_epoch(batches)) =>
            {
                Self::Step { epoch: epoch + 1, step: 0 }
            }
            position => position,
        }
    }

    fn make<B: Batches>(self, batches: &mut B) -> Result<Ready<B::Batch>, DataError> {
        match self {
            Self::Step { epoch, step } => batches.step(epoch, step).map(Ready::Step),
            Self::Evaluation { epoch, index } => {
                let part = after_epoch(batches);
                batches.evaluation(part, epoch, index).map(Ready::Evaluation)
            }
        }
    }
}

/// The part that is evaluated after an epoch.
fn after_epoch(batches: &impl Batches) -> Part {
    if batches.evaluation_batches(Part::Valid) > 0 { Part::Valid } else { Part::Test }
}

/// How many steps may wait.
fn depth(batches: &impl Batches) -> usize {
    MOST_BYTES.checked_div(batches.step_bytes()).map_or(DEPTH, |fit| fit.clamp(1, DEPTH))
}

/// The thread. It ends when its receiver is gone, and does not know where the search ends: at most
/// [`DEPTH`] batches are made in vain.
struct Ahead<T> {
    /// What the receiver gives next.
    next: Position,
    receiver: Option<Receiver<Result<Ready<T>, DataError>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Ahead<T> {
    fn start(mut batches: impl Batches<Batch = T> + Send + 'static, next: Position) -> Self {
        let (sender, receiver) = sync_channel(depth(&batches));
        let thread = thread::spawn(move || supply(&mut batches, next, &sender));
        Self { next, receiver: Some(receiver), thread: Some(thread) }
    }
}

impl<T> Ahead<T> {
    /// `None` if the thread has ended.
    fn receive(&self) -> Option<Result<Ready<T>, DataError>> {
        self.receiver.as_ref()?.recv().ok()
    }

    /// Why the thread has ended without a word.
    fn fault(mut self) -> DataError {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(payload)) => DataError::Stopped(panic_message(&*payload).to_owned()),
            _ => unexpected(),
        }
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        // First the receiver: a thread that waits for room in the channel wakes up and ends.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            // A panic in batches that nobody asked for concerns nobody.
            let _ = thread.join();
        }
    }
}

fn supply<B: Batches>(
    batches: &mut B,
    start: Position,
    sender: &SyncSender<Result<Ready<B::Batch>, DataError>>,
) {
    let mut position = start;
    loop {
        let ready = position.make(batches);
        let failed = ready.is_err();
        if sender.send(ready).is_err() || failed {
            return;
        }
        position = position.next(batches);
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the thread that makes them panicked")
}

fn unexpected() -> DataError {
    DataError::Stopped("the thread that makes them ended before the search".to_owned())
}
