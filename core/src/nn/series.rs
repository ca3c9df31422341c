//! A batch norm that is used many times in a pass, as that of a recurrent cell in every row of a text.

use std::ops::Range;

use burn::tensor::Tensor;
use shaders::{Kernels, product};

use super::layout::NormId;
use super::pass::Pass;
use super::uploads::Uploads;

/// Moments that one layer saw, use after use.
pub(super) struct Series {
    channels: Range<usize>,
    momentum: f64,
    /// [uses, 2, channels].
    moments: Tensor<3>,
    count: usize,
}

impl Pass {
    /// The running statistics of a layer, [2, channels]; none in train mode.
    pub fn running(&self, id: NormId) -> Option<Tensor<2>> {
        let running = self.running.as_ref()?;
        Some(running.of(self.norms[id.0].0.clone()))
    }

    /// Remembers what a layer saw in all its uses of this pass, each time over `count` numbers.
    ///
    /// # Shapes
    /// - `moments`: [uses, 2, channels], means and biased variances, in the order of the uses
    pub fn observe_uses(&mut self, id: NormId, moments: Tensor<3>, count: usize) {
        if self.shares() {
            return; // what it shares was seen in another pass
        }
        let (channels, options) = self.norms[id.0].clone();
        self.series.push(Series { channels, momentum: options.momentum, moments, count });
    }
}

impl Series {
    /// The running statistics after all uses in their order, as PyTorch updates them, in one sum: n uses of
    /// momentum m leave (1 − m)ⁿ·running + Σ_k m·(1 − m)^(n−1−k)·moments_k, with unbiased variances.
    ///
    /// # Shapes
    /// - `running` and output: [2, channels of all layers]
    pub fn updated(self, running: Tensor<2>, uploads: &Uploads) -> Tensor<2> {
        let Self { channels, momentum, moments, count } = self;
        let ([uses, _, width], device) = (moments.dims(), running.device());
        let share = |index: usize| {
            let later = (uses - 1 - index).min(i32::MAX as usize) as i32;
            (momentum * (1.0 - momentum).powi(later)) as f32
        };
        let shares = uploads.row((0..uses).map(share).collect(), &device).reshape([1, uses]);
        let mut scale = vec![1.0; 2 * width];
        scale[width..].fill(count as f32 / (count.max(2) - 1) as f32);
        let scale = uploads.row(scale, &device).reshape([2, width]);
        let moments = moments.reshape([uses, 2 * width]).transpose();
        let seen = product(Kernels::Composed, shares, moments).reshape([2, width]) * scale;
        let kept = (1.0 - momentum).powi(uses.min(i32::MAX as usize) as i32);
        let place = [0..2, channels];
        let updated = running.clone().slice(place.clone()).mul_scalar(kept) + seen;
        running.slice_assign(place, updated)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::nn::{Builder, GradientTarget, Layout, NormOptions, Statistics};
    use crate::rng::{Stream, Streams, normal};

    #[test]
    fn many_uses_at_once_are_the_same_as_one_after_another() {
        let (device, mut layout) = (Device::flex(), Layout::default());
        let mut builder = Builder::new(&mut layout);
        builder.norm(2, NormOptions::new(false));
        let id = builder.norm(3, NormOptions::new(false));
        let draws = normal(&mut Streams::new(1).at(Stream::Noise, 0), 7 * 6);
        let running: Vec<f32> = (0..10).map(|index| 0.3 * index as f32).collect();
        let mut expected = running.clone();
        for moments in draws.chunks(6) {
            for (channel, &value) in moments.iter().enumerate() {
                let (row, column) = (channel / 3, 2 + channel % 3);
                let value = if row == 0 { value } else { value * 5.0 / 4.0 };
                let place = &mut expected[5 * row + column];
                *place = 0.9 * *place + 0.1 * value;
            }
        }
        let rng = Streams::new(1).at(Stream::Noise, 1);
        let mut pass = Pass::new(
            &layout,
            &Tensor::zeros([0], &device),
            Statistics::Batch,
            GradientTarget::Nothing,
            Kernels::Composed,
            rng.into(),
        );
        pass.observe_uses(id, Tensor::from_data(TensorData::new(draws, [7, 2, 3]), &device), 5);
        let running = Tensor::from_data(TensorData::new(running, [2, 5]), &device);
        let found: Vec<f32> = pass.updated(running).into_data().iter::<f32>().collect();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
