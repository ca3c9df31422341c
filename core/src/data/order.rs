//! Which images make which batch. Nothing in here looks at a pixel, so it is the same for images in
//! memory and for files that are read when their turn comes.

mod classes;

use std::sync::{Arc, Mutex};

use rand::RngExt;

use super::{DataError, Part, StepBatches};
use crate::config::{AlphaBatches, Config, Split};
use crate::rng::{Stream, Streams, permutation};

/// The images of one batch, and where the draws of their augmentation come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picks {
    /// Whether the indices are those of the test images; else of the training images.
    pub test: bool,
    /// The images, in the order of the batch.
    pub indices: Vec<usize>,
    /// Stream and position of the augmentation; none where the images stay as they are.
    pub augment: Option<(Stream, usize)>,
}

/// The order of the images of a run.
pub struct Order {
    /// Indices of the images that train w.
    train: Vec<usize>,
    /// Indices of the images that train α.
    valid: Vec<usize>,
    test: usize,
    batch_size: usize,
    /// Where the batches of the architecture come from; a training has none.
    architecture: Option<AlphaBatches>,
    augment_validation: bool,
    streams: Streams,
    /// The permutations of the current epoch. Every step takes one part of them, and with a million
    /// images they cost more than the step's share of decoding.
    shuffles: Mutex<Vec<Shuffle>>,
}

type Shuffle = ((Stream, usize), Arc<[usize]>);

impl Order {
    /// The order of a search: the training images split in two halves (spec §2.4).
    ///
    /// # Errors
    /// Halves smaller than one batch.
    pub fn search(images: usize, test: usize, config: &Config) -> Result<Self, DataError> {
        let streams = Streams::new(config.seed);
        let halves = split(images, config, streams)?;
        Ok(Self {
            architecture: Some(config.quirks.alpha_batches),
            augment_validation: config.quirks.augment_validation,
            ..Self::plain(halves, test, config.search.batch_size, streams)
        })
    }

    /// The order of a training: all training images train the weights, or the share `train.portion`
    /// of them; then the rest is for validation, and is never augmented. The validation batch of a
    /// step is empty.
    ///
    /// # Errors
    /// No images to evaluate on, or an epoch whose last batch would be a single image, of which batch
    /// norm can make no variance.
    pub fn training(images: usize, test: usize, config: &Config) -> Result<Self, DataError> {
        let streams = Streams::new(config.seed);
        let parts = training_split(images, test, config, streams)?;
        Ok(Self::plain(parts, test, config.train.batch_size, streams))
    }

    /// The order of a test: the training images in the two halves of a search, and the test images,
    /// evaluated in batches of any size. Nothing is augmented, and no half needs to fill a batch.
    ///
    /// # Errors
    /// A batch size of 0.
    pub fn testing(
        images: usize,
        test: usize,
        batch_size: usize,
        config: &Config,
    ) -> Result<Self, DataError> {
        if batch_size == 0 {
            return Err(no_batch(images, batch_size));
        }
        let streams = Streams::new(config.seed);
        let halves = divide(images, config.data.train_portion, config, streams);
        Ok(Self::plain(halves, test, batch_size, streams))
    }

    /// Each training image once in an epoch, shuffled, and the test images: what is timed.
    ///
    /// # Errors
    /// No images, or a batch size of 0.
    pub fn pass(
        images: usize,
        test: usize,
        batch_size: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        if images == 0 || batch_size == 0 {
            return Err(no_batch(images, batch_size));
        }
        let all = ((0..images).collect(), Vec::new());
        Ok(Self::plain(all, test, batch_size, Streams::new(seed)))
    }

    /// Without batches for an architecture, and with nothing augmented but what trains.
    fn plain(
        (train, valid): (Vec<usize>, Vec<usize>),
        test: usize,
        batch_size: usize,
        streams: Streams,
    ) -> Self {
        Self {
            train,
            valid,
            test,
            batch_size,
            architecture: None,
            augment_validation: false,
            streams,
            shuffles: Mutex::default(),
        }
    }

    /// Images of a batch; the last of an epoch may have fewer.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The streams that augmentation is drawn from.
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// Steps of one epoch: the training half in batches, of which the last may be smaller.
    pub fn steps(&self) -> usize {
        self.train.len().div_ceil(self.batch_size)
    }

    /// The images of step `step` of epoch `epoch`.
    pub fn step(&self, epoch: usize, step: usize) -> StepBatches<Picks> {
        let position = epoch * self.steps() + step;
        StepBatches {
            train: Picks {
                test: false,
                indices: self.shuffled_chunk(&self.train, (Stream::TrainOrder, epoch), step),
                augment: Some((Stream::TrainAugment, position)),
            },
            valid: Picks {
                test: false,
                indices: self.valid_indices(position),
                augment: self.augment_validation.then_some((Stream::ValidAugment, position)),
            },
        }
    }

    /// Batches of one evaluation of a part, of which the last may be smaller.
    pub fn evaluation_batches(&self, part: Part) -> usize {
        let images = match part {
            Part::Train => self.train.len(),
            Part::Valid => self.valid.len(),
            Part::Test => self.test,
        };
        images.div_ceil(self.batch_size)
    }

    /// Batch `index` of a part in the order of the files, for its accuracy after `epoch`; empty
    /// beyond the last one. The validation half is augmented under `quirks.augment_validation`, the
    /// others never.
    pub fn evaluation(&self, part: Part, epoch: usize, index: usize) -> Picks {
        let position = epoch * self.evaluation_batches(part) + index;
        let augment = self.augment_validation.then_some((Stream::EvaluateAugment, position));
        let (indices, augment) = match part {
            Part::Train => (chunk(&self.train, index, self.batch_size).to_vec(), None),
            Part::Valid => (chunk(&self.valid, index, self.batch_size).to_vec(), augment),
            Part::Test => {
                let first = index.saturating_mul(self.batch_size).min(self.test);
                ((first..(first + self.batch_size).min(self.test)).collect(), None)
            }
        };
        Picks { test: part == Part::Test, indices, augment }
    }

    /// The images of the α-step at a global step (spec §2.4).
    fn valid_indices(&self, position: usize) -> Vec<usize> {
        match self.architecture {
            None => Vec::new(),
            Some(AlphaBatches::Fresh) => self.fresh_indices(position),
            Some(AlphaBatches::Pass) => {
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
        let order = self.shuffle(order, half.len());
        chunk(&order, batch, self.batch_size).iter().map(|&place| half[place]).collect()
    }

    /// The permutation at one position of a stream, kept until another of the stream is asked for.
    fn shuffle(&self, at: (Stream, usize), count: usize) -> Arc<[usize]> {
        let fresh = || permutation(&mut self.streams.at(at.0, at.1 as u64), count).into();
        // A poisoned cache is no reason to stop: the permutation can be had without it.
        let Ok(mut kept) = self.shuffles.lock() else {
            return fresh();
        };
        if let Some((_, order)) = kept.iter().find(|(position, _)| *position == at) {
            return order.clone();
        }
        let order: Arc<[usize]> = fresh();
        kept.retain(|((stream, _), _)| *stream != at.0);
        kept.push((at, order.clone()));
        order
    }
}

fn no_batch(images: usize, batch_size: usize) -> DataError {
    DataError::unusable(
        format!("{images} training images make no batch of {batch_size}"),
        "a batch needs at least one image",
    )
}

/// Batch `index` of a list; empty beyond its end.
fn chunk(list: &[usize], index: usize, size: usize) -> &[usize] {
    list.chunks(size).nth(index).unwrap_or_default()
}

/// Indices of the first `portion` of the images and of the others, in the order of `quirks.split`.
fn divide(
    images: usize,
    portion: f64,
    config: &Config,
    streams: Streams,
) -> (Vec<usize>, Vec<usize>) {
    let mut order = match config.quirks.split {
        Split::Contiguous => (0..images).collect(),
        Split::Shuffled => permutation(&mut streams.at(Stream::Split, 0), images),
    };
    // Rounded down, as the authors' code does.
    let others = order.split_off(((portion * images as f64) as usize).min(images));
    (order, others)
}

/// Indices of the training half and of the validation half.
fn split(
    images: usize,
    config: &Config,
    streams: Streams,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let (portion, batch) = (config.data.train_portion, config.search.batch_size);
    let (train, valid) = divide(images, portion, config, streams);
    let smaller = train.len().min(valid.len());
    if batch > 0 && batch <= smaller {
        return Ok((train, valid));
    }
    Err(DataError::setting(
        format!(
            "{images} images split at data.train_portion = {portion} make halves of {} and {}, but a batch has {batch}",
            train.len(),
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

/// Indices of the images that a training trains on, and of those that it is validated on instead of
/// the test images.
fn training_split(
    images: usize,
    test: usize,
    config: &Config,
    streams: Streams,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let (portion, batch) = (config.train.portion, config.train.batch_size);
    let (train, valid) = divide(images, portion, config, streams);
    let evaluated = if portion < 1.0 { valid.len() } else { test };
    if evaluated == 0 {
        return Err(DataError::unusable(
            "there are no images to evaluate the network on",
            "add a folder of test images, or set train.portion below 1 to keep some back",
        ));
    }
    let last = train.len() % batch.max(1);
    if train.len() < 2 || batch < 2 || last == 1 {
        return Err(DataError::unusable(
            format!(
                "{} training images in batches of {batch} leave a batch of a single image, which \
                 batch norm cannot normalise",
                train.len()
            ),
            "set train.batch_size or data.train_images to another number",
        ));
    }
    Ok((train, valid))
}
