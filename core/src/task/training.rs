//! Images and their classes, for the network that is trained from a genotype: cross-entropy with label
//! smoothing, and that of the auxiliary head (spec §9).

use burn::tensor::{Device, Tensor};

use super::{ImageBatch, Scored, Task};
use crate::data::Batch;
use crate::net::{Classifier, Logits};
use crate::nn::{GradientTarget, Pass, correct, cross_entropy, smoothed_cross_entropy};

/// The task of training a network without choices on square images of one size.
///
/// In train mode the loss is the smoothed cross-entropy, and that of the auxiliary head times its weight
/// is added where the network has one; in eval mode it is the plain cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Height and width of the images.
    pub image_size: usize,
    /// Share of a target that goes to all classes alike; 0 in CIFAR training, 0.1 on ImageNet.
    pub label_smoothing: f64,
    /// Weight of the loss of the auxiliary head, 0.4 in the paper.
    pub auxiliary_weight: f64,
}

impl Task for Training {
    type Net = dyn Classifier;
    type Batch = Batch;
    type Input = ImageBatch;
    type Carry = ();

    fn upload(&self, batch: Batch, _: &(), device: &Device) -> ImageBatch {
        ImageBatch::new(batch, device)
    }

    fn count(&self, input: &ImageBatch) -> usize {
        input.count()
    }

    /// `p` has no entry: there is nothing to choose.
    fn loss(
        &self,
        network: &Self::Net,
        input: &ImageBatch,
        _: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Scored<()> {
        let ImageBatch { images, labels } = input.clone();
        let images = if pass.is_tracked() { images.autodiff() } else { images };
        let Logits { logits, auxiliary } = network.forward(images, pass);
        if !pass.is_training() {
            return Scored {
                loss: cross_entropy(logits.clone(), labels),
                penalty: None,
                logits,
                right: None,
                carry: (),
            };
        }
        let entropy = |logits| smoothed_cross_entropy(logits, labels.clone(), self.label_smoothing);
        let main = entropy(logits.clone());
        let loss = match auxiliary {
            Some(auxiliary) => main + entropy(auxiliary).mul_scalar(self.auxiliary_weight),
            None => main,
        };
        Scored { loss, penalty: None, logits, right: None, carry: () }
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

    fn multiply_adds(&self, network: &Self::Net, target: GradientTarget) -> u64 {
        network.multiply_adds(self.image_size, target)
    }
}
