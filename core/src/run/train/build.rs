//! A training from its settings.

use burn::tensor::Device;

use super::state::Average;
use super::{ImageTraining, Train};
use crate::cell::{Genotype, codec};
use crate::config::{self, Config};
use crate::data::{Batch, ImageShape};
use crate::net::{DerivedShape, Network as _, Stem, derived};
use crate::nn::GradientTarget;
use crate::rng::Streams;
use crate::run::search::kernels;
use crate::run::state::Weights;
use crate::run::{Run, RunError};
use crate::task::{Model, Task, Training};

impl ImageTraining {
    /// A training on images from the start, on `device`, of the genotype that the settings name.
    ///
    /// # Errors
    /// If a setting, the genotype or the image size is wrong.
    pub fn new(
        config: &Config,
        images: ImageShape,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self, RunError> {
        config.validate()?;
        let genotype = codec::read(&config.train.genotype)?;
        let train = &config.train;
        let shape = DerivedShape {
            image_channels: images.channels,
            classes: images.classes,
            cells: train.cells,
            channels: train.channels,
            stem: match train.stem {
                config::Stem::Cifar => Stem::Small,
                config::Stem::Imagenet => Stem::ImageNet,
            },
            auxiliary: train.auxiliary,
        };
        let task = Training {
            image_size: images.size,
            label_smoothing: train.label_smoothing,
            auxiliary_weight: train.auxiliary_weight,
        };
        let network = (task, derived(&genotype, shape)?);
        Run::from_start(Train::new(config, genotype, network, steps_per_epoch, device))
    }

    /// Multiply-adds of a pass for one image, with those of the gradients that are wanted; the auxiliary
    /// head counts where a gradient is.
    pub fn multiply_adds(&self, target: GradientTarget) -> u64 {
        let Model { task, network, .. } = &self.job().model;
        network.multiply_adds(task.image_size, target)
    }
}

impl<T: Task<Batch = Batch, Carry = ()>> Train<T> {
    /// A training of this network, which was made of this genotype.
    pub fn new(
        config: &Config,
        genotype: Genotype,
        (task, network): (T, Box<T::Net>),
        steps_per_epoch: usize,
        device: &Device,
    ) -> Self {
        let streams = Streams::new(config.seed);
        let state = Weights::initial(network.layout(), &streams, device);
        let average = (config.train.ema > 0.0).then(|| Average {
            weights: state.weights.clone(),
            statistics: state.statistics.clone(),
        });
        Self {
            config: config.clone(),
            genotype,
            model: Model::new(task, network, kernels(config)),
            state,
            average,
            best: None,
            average_accuracy: None,
            tested: None,
            step: None,
            streams,
            device: device.clone(),
            steps_per_epoch,
        }
    }
}
