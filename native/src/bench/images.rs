//! Batches of random numbers: a step takes the same time whatever the images show.

use smoothdarts::config::Config;
use smoothdarts::data::{self, Batch, Batches, DataError, ImageShape, Part, StepBatches};
use smoothdarts::rng::{Stream, Streams, normal};

use crate::datasets::IMAGENET;

/// Height and width of CIFAR and SVHN, where `data.image_size` does not say.
const SIZE: usize = 32;

/// The shape of the images that a config asks for, without its files: RGB and 10 classes for a
/// folder of images, whose classes are not known, 1,000 for ImageNet.
pub fn shape(config: &Config) -> ImageShape {
    let size = if config.data.image_size == 0 { SIZE } else { config.data.image_size };
    let (channels, classes) = match data::find(&config.data.name) {
        Ok(source) => (source.mean.len(), source.classes.len()),
        Err(_) if config.data.name == IMAGENET => (3, 1000),
        Err(_) => (3, 10),
    };
    ImageShape { channels, size, classes }
}

/// The same two batches in every step, N(0, 1) like normalised images.
pub struct RandomImages(StepBatches);

impl RandomImages {
    /// Batches of the size that the config asks for.
    pub fn new(config: &Config) -> Self {
        let count = config.search.batch_size;
        let batch = |position| batch(config, count, shape(config), position);
        Self(StepBatches { train: batch(0), valid: batch(1) })
    }
}

/// So many images, N(0, 1), and classes in turn.
pub fn batch(config: &Config, count: usize, image: ImageShape, position: u64) -> Batch {
    let shape = [count, image.size, image.size, image.channels];
    let mut rng = Streams::new(config.seed).at(Stream::TrainOrder, position);
    Batch {
        images: normal(&mut rng, shape.iter().product()),
        labels: (0..count).map(|index| (index % image.classes) as u16).collect(),
        shape,
    }
}

impl Batches for RandomImages {
    type Batch = Batch;

    fn step(&mut self, _: usize, _: usize) -> Result<StepBatches, DataError> {
        Ok(self.0.clone())
    }

    fn evaluation(&mut self, _: Part, _: usize, _: usize) -> Result<Batch, DataError> {
        Ok(self.0.valid.clone())
    }

    fn evaluation_batches(&self, _: Part) -> usize {
        1
    }

    fn steps(&self, _: usize) -> usize {
        usize::MAX
    }
}
