//! Images and their classes: mean cross-entropy, share of right answers.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{Scored, Task};
use crate::data::Batch;
use crate::net::Supernet;
use crate::nn::{GradientTarget, Pass, correct, cross_entropy};

/// The task of classifying square images of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classify {
    /// Height and width of the images.
    pub image_size: usize,
}

/// Images on the device, with their classes.
#[derive(Clone, Debug)]
pub struct ImageBatch {
    /// [batch, height, width, channels].
    pub images: Tensor<4>,
    /// `[batch]`.
    pub labels: Tensor<1, Int>,
}

impl ImageBatch {
    /// Brings images and labels to the device.
    pub fn new(batch: Batch, device: &Device) -> Self {
        let labels: Vec<i32> = batch.labels.iter().map(|&label| i32::from(label)).collect();
        let count = labels.len();
        let images = TensorData::new(batch.images, batch.shape);
        Self {
            images: Tensor::from_data(images, device),
            labels: Tensor::from_data(TensorData::new(labels, [count]), device),
        }
    }

    /// The numbers of the images, and the labels as numbers.
    pub(super) fn to_rows(&self) -> Vec<Tensor<1>> {
        let images = self.images.clone();
        let count = images.shape().num_elements();
        vec![images.reshape([count]), self.labels.clone().float()]
    }

    /// What [`Self::to_rows`] gave.
    pub(super) fn from_rows(rows: &[Tensor<1>], size: usize) -> Option<Self> {
        let [images, labels] = rows else { return None };
        let ([numbers], [count]) = (images.dims(), labels.dims());
        let shape = [count, size, size, numbers / (count * size * size).max(1)];
        Some(Self { images: images.clone().reshape(shape), labels: labels.clone().int() })
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.labels.dims()[0]
    }
}

impl Task for Classify {
    type Net = dyn Supernet;
    type Batch = Batch;
    type Input = ImageBatch;
    type Carry = ();

    fn upload(&self, batch: Batch, _: &(), device: &Device) -> ImageBatch {
        ImageBatch::new(batch, device)
    }

    fn count(&self, input: &ImageBatch) -> usize {
        input.count()
    }

    fn loss(
        &self,
        network: &Self::Net,
        input: &ImageBatch,
        p: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Scored<()> {
        let ImageBatch { images, labels } = input.clone();
        let images = if pass.is_tracked() { images.autodiff() } else { images };
        let logits = network.forward(images, p, pass);
        Scored {
            loss: cross_entropy(logits.clone(), labels),
            penalty: None,
            logits,
            right: None,
            carry: (),
        }
    }

    fn correct(&self, input: &ImageBatch, logits: Tensor<2>) -> Tensor<1> {
        correct(logits, input.labels.clone())
    }

    fn rows_of(&self, input: &ImageBatch) -> Option<Vec<Tensor<1>>> {
        Some(input.to_rows())
    }

    fn input_of(&self, rows: &[Tensor<1>]) -> Option<ImageBatch> {
        ImageBatch::from_rows(rows, self.image_size)
    }

    fn merged(&self, inputs: Vec<ImageBatch>) -> Vec<ImageBatch> {
        merged(&inputs)
    }

    fn multiply_adds(&self, network: &Self::Net, target: GradientTarget) -> u64 {
        network.multiply_adds(self.image_size, target)
    }
}

/// Images of a batch that is only evaluated. In eval mode no image sees another, so the size changes
/// no number beyond rounding, only the time: 441 points of preset `quick` on two busy cores took 184
/// seconds of processor time in batches of 128, and 262 in those of 32, where threads waited for each
/// other more. Without gradients, 128 images need less memory than the 64 of a step.
const EVALUATED: usize = 128;

/// The same images in batches of about [`EVALUATED`].
fn merged(inputs: &[ImageBatch]) -> Vec<ImageBatch> {
    let size = inputs.first().map_or(1, |input| input.count().max(1));
    let merge = |batches: &[ImageBatch]| ImageBatch {
        images: Tensor::cat(batches.iter().map(|batch| batch.images.clone()).collect(), 0),
        labels: Tensor::cat(batches.iter().map(|batch| batch.labels.clone()).collect(), 0),
    };
    inputs.chunks((EVALUATED / size).max(1)).map(merge).collect()
}
