//! The order of the images, and their batches.

use std::sync::Arc;

use rand::RngExt;

use super::augment::Augment;
use super::resize::resize;
use super::{Batch, Batches, DataError, Dataset, ImageShape, Images, Part, StepBatches};
use crate::config::{AlphaBatches, Config, Split};
use crate::rng::{Stream, Streams, permutation};

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
    /// Indices of the training half, which trains w.
    train: Vec<usize>,
    /// Indices of the validation half, which trains α.
    valid: Vec<usize>,
    batch_size: usize,
    alpha_batches: AlphaBatches,
    augment_validation: bool,
    augment: Augment,
    streams: Streams,
}

impl Loader {
    /// Prepares the images of a data set: takes the first `data.train_images` for training, resizes
    /// all to `data.image_size` (the average of the covered area where the sides shrink by a
    /// whole factor, else bilinear), and splits those for training in two halves.
    ///
    /// # Errors
    /// Images that are not square or too large, halves smaller than one batch, or a data set
    /// whose parts do not fit together.
    pub fn new(dataset: Dataset, config: &Config) -> Result<Self, DataError> {
        dataset.check()?;
        let Dataset { mut train, test, class_names, mean, std, .. } = dataset;
        limit(&mut train, config.data.train_images);
        let size = image_size(&train, config.data.image_size)?;
        check_padding(config.data.crop_padding, size)?;
        let streams = Streams::new(config.seed);
        let (train_half, valid_half) = split(train.len(), config, streams)?;
        Ok(Self {
            inner: Arc::new(Inner {
                images: resize(train, size),
                test: resize(test, size),
                classes: class_names.len(),
                train: train_half,
                valid: valid_half,
                batch_size: config.search.batch_size,
                alpha_batches: config.quirks.alpha_batches,
                augment_validation: config.quirks.augment_validation,
                augment: Augment::new(&config.data, size, &mean, &std),
                streams,
            }),
        })
    }

    /// What a network has to know about the images.
    pub fn shape(&self) -> ImageShape {
        let Inner { images, classes, .. } = &*self.inner;
        ImageShape { channels: images.channels, size: images.height, classes: *classes }
    }

    /// Steps of one epoch: the training half in batches, of which the last may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        self.inner.train.len().div_ceil(self.inner.batch_size)
    }

    /// The batches of step `step` of epoch `epoch`.
    pub fn step(&self, epoch: usize, step: usize) -> StepBatches {
        let position = epoch * self.steps_per_epoch() + step;
        let inner = &*self.inner;
        StepBatches {
            train: inner.batch(
                &inner.images,
                &inner.train_indices(epoch, step),
                Some((Stream::TrainAugment, position)),
            ),
            valid: inner.batch(
                &inner.images,
                &inner.valid_indices(position),
                inner.augment_validation.then_some((Stream::ValidAugment, position)),
            ),
        }
    }

    /// Batches of one evaluation of a part, of which the last may be smaller.
    pub fn evaluation_batches(&self, part: Part) -> usize {
        let Inner { train, valid, test, batch_size, .. } = &*self.inner;
        let images = match part {
            Part::Train => train.len(),
            Part::Valid => valid.len(),
            Part::Test => test.len(),
        };
        images.div_ceil(*batch_size)
    }

    /// Batch `index` of a part in the order of the files, for its accuracy after `epoch`; empty
    /// beyond the last one. The validation half is augmented under `quirks.augment_validation`, the
    /// others never.
    pub fn evaluation(&self, part: Part, epoch: usize, index: usize) -> Batch {
        let inner = &*self.inner;
        let size = inner.batch_size;
        let position = epoch * self.evaluation_batches(part) + index;
        let augment = inner.augment_validation.then_some((Stream::EvaluateAugment, position));
        match part {
            Part::Train => inner.batch(&inner.images, chunk(&inner.train, index, size), None),
            Part::Valid => inner.batch(&inner.images, chunk(&inner.valid, index, size), augment),
            Part::Test => {
                let first = (index * size).min(inner.test.len());
                let all: Vec<usize> = (first..(first + size).min(inner.test.len())).collect();
                inner.batch(&inner.test, &all, None)
            }
        }
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
    /// One part of the epoch's permutation of the training half.
    fn train_indices(&self, epoch: usize, step: usize) -> Vec<usize> {
        self.shuffled_chunk(&self.train, (Stream::TrainOrder, epoch), step)
    }

    /// The images of the α-step at a global step (spec §2.4).
    fn valid_indices(&self, position: usize) -> Vec<usize> {
        match self.alpha_batches {
            AlphaBatches::Fresh => self.fresh_indices(position),
            AlphaBatches::Pass => {
                let batches = self.valid.len().div_ceil(self.batch_size);
                let (pass, batch) = (position / batches, position % batches);
                self.shuffled_chunk(&self.valid, (Stream::ValidOrder, pass), batch)
            }
        }
    }

    /// The first batch of a fresh permutation of the validation half. As nobody looks at the rest
    /// of the permutation, the Fisher–Yates shuffle stops after the first batch.
    fn fresh_indices(&self, position: usize) -> Vec<usize> {
        let mut rng = self.streams.at(Stream::ValidOrder, position as u64);
        let mut order = self.valid.clone();
        for index in 0..self.batch_size {
            order.swap(index, rng.random_range(index..self.valid.len()));
        }
        order.truncate(self.batch_size);
        order
    }

    fn shuffled_chunk(&self, half: &[usize], order: (Stream, usize), batch: usize) -> Vec<usize> {
        let order = permutation(&mut self.streams.at(order.0, order.1 as u64), half.len());
        chunk(&order, batch, self.batch_size).iter().map(|&place| half[place]).collect()
    }

    /// The images of these indices, augmented with the draws of one position of a stream.
    fn batch(&self, source: &Images, indices: &[usize], augment: Option<(Stream, usize)>) -> Batch {
        let mut rng = augment.map(|(stream, at)| self.streams.at(stream, at as u64));
        let mut images = Vec::with_capacity(indices.len() * source.image_len());
        for &index in indices {
            let draw = rng.as_mut().map(|rng| self.augment.draw(rng));
            self.augment.append(source.image(index), draw, &mut images);
        }
        let Images { height, width, channels, .. } = *source;
        Batch {
            images,
            labels: indices.iter().map(|&index| source.labels[index]).collect(),
            shape: [indices.len(), height, width, channels],
        }
    }
}

/// Batch `index` of a list; empty beyond its end.
fn chunk(list: &[usize], index: usize, size: usize) -> &[usize] {
    list.chunks(size).nth(index).unwrap_or_default()
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
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(size);
    }
    Err(DataError::setting(
        format!("images of {size}×{size} pixels are outside of 1 to {MAX_SIZE}"),
        "set data.image_size",
    ))
}

/// With a padding beyond the size a crop could miss the image altogether.
fn check_padding(padding: usize, size: usize) -> Result<(), DataError> {
    if padding < size {
        return Ok(());
    }
    Err(DataError::setting(
        format!("data.crop_padding = {padding} could crop images of {size}×{size} to nothing"),
        format!("set it to less than {size}"),
    ))
}

/// Indices of the training half and of the validation half.
fn split(
    images: usize,
    config: &Config,
    streams: Streams,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let mut order = match config.quirks.split {
        Split::Contiguous => (0..images).collect(),
        Split::Shuffled => permutation(&mut streams.at(Stream::Split, 0), images),
    };
    let portion = config.data.train_portion;
    // Rounded down, as the authors' code does.
    let valid = order.split_off(((portion * images as f64) as usize).min(images));
    let batch = config.search.batch_size;
    let smaller = order.len().min(valid.len());
    if batch > 0 && batch <= smaller {
        return Ok((order, valid));
    }
    Err(DataError::setting(
        format!(
            "{images} images split at data.train_portion = {portion} make halves of {} and {}, but a batch has {batch}",
            order.len(),
            valid.len()
        ),
        match smaller {
            0 => "use more images (data.train_images), or another data.train_portion".to_owned(),
            1 => "set search.batch_size to 1, or use more images (data.train_images)".to_owned(),
            _ => format!(
                "set search.batch_size to 1 to {smaller}, or use more images (data.train_images)"
            ),
        },
    ))
}
