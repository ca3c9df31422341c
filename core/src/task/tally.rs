//! Means over the batches of an evaluation.

use burn::tensor::{Device, Tensor};

use crate::nn::{ReadError, read};

/// The sums of losses and of right answers. They stay on the device until they are asked for: one
/// read for all batches.
pub struct Tally {
    /// [loss · examples, right answers].
    sums: Tensor<1>,
    examples: f64,
}

impl Tally {
    /// Of no batch.
    pub fn new(device: &Device) -> Self {
        Self { sums: Tensor::zeros([2], device), examples: 0.0 }
    }

    /// Adds the loss and the right answers of a batch of `count` examples, `[1]` each.
    pub fn add(&mut self, (loss, correct): (Tensor<1>, Tensor<1>), count: usize) {
        let count = count as f64;
        let both = vec![loss.mul_scalar(count), correct];
        self.sums = self.sums.clone() + Tensor::cat(both, 0);
        self.examples += count;
    }

    /// Mean loss and share of right answers; not numbers without a batch.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn means(self) -> Result<(f64, f64), ReadError> {
        let sums = read(self.sums).await?;
        let mean = |sum: Option<&f32>| sum.map_or(f64::NAN, |&sum| f64::from(sum) / self.examples);
        Ok((mean(sums.first()), mean(sums.last())))
    }
}
