//! The first images of every batch.

use smoothdarts::data::{Batch, Batches, DataError, Part, StepBatches};

/// Batches of which so many images are taken.
pub struct First<B> {
    /// The whole batches.
    pub batches: B,
    /// Images of a batch.
    pub images: usize,
}

impl<B: Batches<Batch = Batch>> Batches for First<B> {
    type Batch = Batch;

    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches, DataError> {
        let StepBatches { train, valid } = self.batches.step(epoch, step)?;
        Ok(StepBatches { train: train.first(self.images), valid: valid.first(self.images) })
    }

    fn evaluation(&mut self, part: Part, epoch: usize, index: usize) -> Result<Batch, DataError> {
        Ok(self.batches.evaluation(part, epoch, index)?.first(self.images))
    }

    fn evaluation_batches(&self, part: Part) -> usize {
        self.batches.evaluation_batches(part)
    }

    fn steps(&self, epoch: usize) -> usize {
        self.batches.steps(epoch)
    }
}
