//! The settings of a training: which network is made of a genotype, and how it learns (spec §9.1
//! and §9.2), and of the selection among several genotypes (§9.3). The defaults are those of the paper
//! for CIFAR-10.

use serde::{Deserialize, Serialize};

use super::{Config, Setting, WeightsOptimiser};

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
        /// Evaluations go through it in parts, too.
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
        /// images, less evaluates on the rest and never reads a test image. Of a text these are its first words,
        /// and what is evaluated is the validation text.
        portion: f64 = 1.0,
        /// Epochs before the last that do not count when the validation loss of a text is compared with the best
        /// so far: where it is worse, SGD becomes averaged SGD (ASGD) for the rest of the training.
        nonmonotone: usize = 5,
    }
}

/// How many times longer the full training of the paper is than a short one: 600 epochs and 100.
const SHORTER: usize = 6;

section! {
    /// The short trainings that choose one of several genotypes; they are otherwise as `train` says.
    SELECT = "select", Select {
        /// Epochs of each short training; 0 takes a sixth of train.epochs, as 100 of 600 (Liu et al. 2019).
        epochs: usize = 0,
        /// Share of the training images that they train on; the rest ranks them. 0.5 are the halves of the search.
        portion: f64 = 0.5,
        /// Cells of their networks; 0 takes train.cells.
        cells: usize = 0,
        /// Channels of the first cell of their networks; 0 takes train.channels.
        channels: usize = 0,
    }
}

impl Select {
    /// What a short training has other than the full one: the name of each setting, and its value.
    pub fn changes(&self, full: &Train) -> [(&'static str, String); 4] {
        let or = |own: usize, other: usize| if own == 0 { other } else { own };
        [
            ("train.epochs", or(self.epochs, full.epochs.div_ceil(SHORTER)).to_string()),
            ("train.portion", self.portion.to_string()),
            ("train.cells", or(self.cells, full.cells).to_string()),
            ("train.channels", or(self.channels, full.channels).to_string()),
        ]
    }
}

impl Config {
    /// Whether they are those of a training: they have a genotype to train.
    pub fn trains(&self) -> bool {
        !self.train.genotype.is_empty()
    }

    /// Whether test data is read: by a training that keeps some of the training data back, none is.
    pub fn reads_test_data(&self) -> bool {
        !(self.trains() && self.train.portion < 1.0)
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
