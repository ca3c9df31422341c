//! The batches of images in memory.

use std::sync::Arc;

use super::augment::Augment;
use super::order::{Order, Picks};
use super::resize::resize;
use super::{Batch, Batches, DataError, Dataset, ImageShape, Images, Part, StepBatches};
use crate::config::Config;

/// Sides of images, in pixels, that a cell search can mean.
pub const MAX_SIZE: usize = 1024;

/// The batches of a search. Cloning it copies a pointer.
///
/// Every batch is a pure function of the config and its position: [`Loader::step`] gives the same
/// images whether the steps before it ran or not, on whichever thread.
#[derive(Clone)]
pub struct Loader {
    inner: Arc<Inner>,
}

struct Inner {
    images: Images,
    /// What no search touches.
    test: Images,
    classes: usize,
    order: Order,
    augment: Augment,
}

impl Loader {
    /// Prepares the images of a data set for a search: takes the first `data.train_images` for
    /// training, resizes all to `data.image_size` (the average of the covered area where the sides
    /// shrink by a whole factor, else bilinear), and splits those for training in two halves.
    ///
    /// # Errors
    /// Images that are not square or too large, halves smaller than one batch, or a data set
    /// whose parts do not fit together.
    pub fn new(dataset: Dataset, config: &Config) -> Result<Self, DataError> {
        Self::with_order(dataset, config, |images, test| Order::search(images, test, config))
    }

    /// The same with another order, which `order` makes of the numbers of training and test images.
    ///
    /// # Errors
    /// As for [`Self::new`], and what `order` says.
    pub fn with_order(
        dataset: Dataset,
        config: &Config,
        order: impl FnOnce(usize, usize) -> Result<Order, DataError>,
    ) -> Result<Self, DataError> {
        dataset.check()?;
        let Dataset { mut train, test, class_names, mean, std, .. } = dataset;
        limit(&mut train, config.data.train_images);
        let size = image_size(&train, config.data.image_size)?;
        check_padding(config.data.crop_padding, size)?;
        let order = order(train.len(), test.len())?.of_classes(&train.labels, config)?;
        Ok(Self {
            inner: Arc::new(Inner {
                images: resize(train, size),
                test: resize(test, size),
                classes: class_names.len(),
                order,
                augment: Augment::new(&config.data, size, &mean, &std),
            }),
        })
    }

    /// Prepares the images of a data set for a training: all of the images that [`Self::new`] would
    /// split train the weights, or the share `train.portion` of them; then the rest is for
    /// validation, and is never augmented. A step has no batch for the architecture.
    ///
    /// # Errors
    /// As for [`Self::new`]; also no images to evaluate on, or an epoch whose last batch would be a
    /// single image, of which batch norm can make no variance.
    pub fn for_training(dataset: Dataset, config: &Config) -> Result<Self, DataError> {
        Self::with_order(dataset, config, |images, test| Order::training(images, test, config))
    }

    /// What a network has to know about the images.
    pub fn shape(&self) -> ImageShape {
        let Inner { images, classes, .. } = &*self.inner;
        ImageShape { channels: images.channels, size: images.height, classes: *classes }
    }

    /// Steps of one epoch: the training half in batches, of which the last may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        self.inner.order.steps()
    }

    /// The batches of step `step` of epoch `epoch`.
    pub fn step(&self, epoch: usize, step: usize) -> StepBatches {
        let StepBatches { train, valid } = self.inner.order.step(epoch, step);
        StepBatches { train: self.inner.batch(&train), valid: self.inner.batch(&valid) }
    }

    /// Batches of one evaluation of a part, of which the last may be smaller.
    pub fn evaluation_batches(&self, part: Part) -> usize {
        self.inner.order.evaluation_batches(part)
    }

    /// Batch `index` of a part in the order of the files, for its accuracy after `epoch`; empty
    /// beyond the last one. The validation half is augmented under `quirks.augment_validation`, the
    /// others never.
    pub fn evaluation(&self, part: Part, epoch: usize, index: usize) -> Batch {
        self.inner.batch(&self.inner.order.evaluation(part, epoch, index))
    }
}

impl Batches for Loader {
    type Batch = Batch;

    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches, DataError> {
        Ok(Self::step(self, epoch, step))
    }

    fn evaluation(&mut self, part: Part, epoch: usize, index: usize) -> Result<Batch, DataError> {
        Ok(Self::evaluation(self, part, epoch, index))
    }

    fn evaluation_batches(&self, part: Part) -> usize {
        Self::evaluation_batches(self, part)
    }

    fn steps(&self, _: usize) -> usize {
        self.steps_per_epoch()
    }
}

impl Inner {
    /// The images of a batch, augmented with the draws of its position.
    fn batch(&self, picks: &Picks) -> Batch {
        let source = if picks.test { &self.test } else { &self.images };
        let draws = self.augment.draws(picks, self.order.streams());
        let mut images = Vec::with_capacity(picks.indices.len() * source.image_len());
        for (&index, draw) in picks.indices.iter().zip(draws) {
            self.augment.append(source.image(index), draw, &mut images);
        }
        let Images { height, width, channels, .. } = *source;
        Batch {
            images,
            labels: picks.indices.iter().map(|&index| source.labels[index]).collect(),
            shape: [picks.indices.len(), height, width, channels],
        }
    }
}

/// Keeps the first `count` images; 0 keeps all.
fn limit(images: &mut Images, count: usize) {
    if count > 0 && count < images.len() {
        images.pixels.truncate(count * images.image_len());
        images.labels.truncate(count);
    }
}

/// The side that images will have.
fn image_size(images: &Images, wanted: usize) -> Result<usize, DataError> {
    let (height, width) = (images.height, images.width);
    if wanted == 0 && height != width {
        return Err(DataError::unusable(
            format!("the images are {height}×{width}, but a search needs square ones"),
            "set data.image_size",
        ));
    }
    let size = if wanted == 0 { height } else { wanted };
    check_size(size).map(|()| size)
}

/// Whether a network can see images of this side.
pub(super) fn check_size(size: usize) -> Result<(), DataError> {
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    Err(DataError::setting(
        format!("images of {size}×{size} pixels are outside of 1 to {MAX_SIZE}"),
        "set data.image_size",
    ))
}

/// With a padding beyond the size a crop could miss the image altogether.
pub(super) fn check_padding(padding: usize, size: usize) -> Result<(), DataError> {
    if padding < size {
        return Ok(());
    }
    Err(DataError::setting(
        format!("data.crop_padding = {padding} could crop images of {size}×{size} to nothing"),
        format!("set it to less than {size}"),
    ))
}
