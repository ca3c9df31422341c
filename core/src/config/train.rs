//! The settings of a training: which network is made of a genotype, and how it learns (spec §9.1
//! and §9.2). The defaults are those of the paper for CIFAR-10.

use serde::{Deserialize, Serialize};

use super::{Setting, WeightsOptimiser};

choice! {
    /// How the learning rate falls over a training.
    Schedule {
        /// lr·(1 + cos(π·e/E))/2, in every epoch the rate of its start.
        Cosine,
        /// Linear: by lr/(E − 5) an epoch, in the last five epochs by a fifth of that (ImageNet).
        Linear,
    }
}

choice! {
    /// What a trained network starts with.
    Stem {
        /// One convolution to three times the channels, for small images.
        Cifar,
        /// Three convolutions of stride 2, for images of 224×224 pixels.
        Imagenet,
    }
}

/// Epochs at the end of the linear schedule that have a slope of their own.
pub const LAST_EPOCHS: usize = 5;

section! {
    /// The training of a network whose cells are those of a genotype.
    TRAIN = "train", Train {
        /// Genotype that is trained, as text (the Python tuple, JSON or a NAS-Bench-201 string); empty in a search.
        genotype: String = String::new(),
        /// Stem of the network: cifar (small images) or imagenet (224×224 pixels).
        stem: Stem = Stem::Cifar,
        /// Cells of the network; reductions stand at 1/3 and 2/3. With N cells in a stage, a
        /// nasbench201 network has 3N + 2.
        cells: usize = 20,
        /// Channels of the first cell (C).
        channels: usize = 36,
        /// Train with an auxiliary head after the second reduction.
        auxiliary: bool = true,
        /// Weight of the loss of the auxiliary head.
        auxiliary_weight: f64 = 0.4,
        /// Probability of drop-path that the last epoch would end with: drop_path · e / E in epoch e.
        drop_path: f64 = 0.2,
        /// Share of the target that label smoothing spreads over all classes.
        label_smoothing: f64 = 0.0,
        /// Epochs of the training (E).
        epochs: usize = 600,
        /// Images in a batch.
        batch_size: usize = 96,
        /// Images that go through the network at once; a batch is done in parts of at most so many,
        /// whose gradients are added up, to fit a small memory. Batch norm then sees the parts. 0 does a batch at once.
        micro_batch: usize = 0,
        /// How the learning rate falls: cosine or linear.
        schedule: Schedule = Schedule::Cosine,
        /// Learning rate that it falls from.
        learning_rate: f64 = 0.025,
        /// Epochs in which the learning rate rises linearly to its full value, instead of the schedule.
        warmup_epochs: usize = 0,
        /// Momentum.
        momentum: f64 = 0.9,
        /// Weight decay, added to the gradient.
        weight_decay: f64 = 3e-4,
        /// Largest 2-norm of the whole gradient; 0 switches the clip off.
        clip: f64 = 5.0,
        /// Decay of the moving average of the weights, which is evaluated and saved too; 0 keeps none.
        ema: f64 = 0.0,
        /// Share of the training images that is trained on; 1 takes all and evaluates on the test
        /// images, less evaluates on the rest and never reads a test image.
        portion: f64 = 1.0,
    }
}

impl Train {
    /// Its SGD; the learning rate is the one that the schedule falls from.
    pub fn optimiser(&self) -> WeightsOptimiser {
        WeightsOptimiser {
            learning_rate: self.learning_rate,
            learning_rate_min: 0.0,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            clip: self.clip,
        }
    }
}
