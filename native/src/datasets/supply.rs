//! The batches that settings ask for, from memory or from the disk.

use std::path::Path;

use anyhow::Context as _;
use smoothdarts::config::{Config, Keep, Transform};
use smoothdarts::data::{
    Batch, Batches, DataError, Dataset, ImageShape, Loader, Order, Part, StepBatches,
};

use super::folder::{self, FOLDER, Listed};
use super::imagenet::{self, IMAGENET};
use super::open::{cannot_open, no_such_folder, note_skipped, open, open_folder};
use super::stream::{Parts, Streamed};
use crate::output;

/// Most bytes of pixels that `data.keep = "auto"` holds in memory.
const MOST_IN_MEMORY: usize = 1 << 30;

/// Batches of images. Cloning it copies a pointer.
#[derive(Clone)]
pub enum Supply {
    /// Of images in memory.
    Memory(Loader),
    /// Of files that are read when their turn comes.
    Disk(Streamed),
}

/// The batches of a search: its training images are split in two halves.
///
/// # Errors
/// As for [`open`], and halves smaller than a batch.
pub fn supply(config: &Config) -> anyhow::Result<Supply> {
    supply_with(config, |images, test| Order::search(images, test, config))
}

/// The same in another order, which `order` makes of the numbers of training and test images.
///
/// # Errors
/// As for [`open`], and what `order` says.
pub fn supply_with(
    config: &Config,
    order: impl FnOnce(usize, usize) -> Result<Order, DataError>,
) -> anyhow::Result<Supply> {
    Opened::of(config)?.supply(config, order)
}

/// A data set that is known, of which no batch was made yet.
pub enum Opened {
    /// Its images are in memory.
    Memory(Dataset),
    /// They stay on the disk.
    Disk(Parts),
}

/// How large a data set is.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Images to train on, `data.train_images` at most.
    pub train: usize,
    /// Images to test on.
    pub test: usize,
    /// Their side in the network.
    pub side: usize,
    /// Their channels.
    pub channels: usize,
    /// How many classes there are.
    pub classes: usize,
    /// Whether they are in memory.
    pub in_memory: bool,
}

impl Opened {
    /// Reads what `data` names, or lists it.
    ///
    /// # Errors
    /// As for [`open`].
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        let (name, dir) = (config.data.name.as_str(), Path::new(&config.data.dir));
        if dir.as_os_str().is_empty() || ![FOLDER, IMAGENET].contains(&name) {
            return Ok(Self::Memory(open(config)?));
        }
        if !dir.is_dir() {
            return Err(no_such_folder(name, dir).into());
        }
        let context = || cannot_open(name, dir);
        let (skip, test) = (config.data.skip_damaged, config.reads_test_data());
        let parts = if name == IMAGENET {
            imagenet::open(dir, skip, test).with_context(context)?
        } else {
            let listed = folder::list(dir, skip, test).with_context(context)?;
            if in_memory(&listed, config) {
                return Ok(Self::Memory(open_folder(listed, config)?));
            }
            Parts::from(listed)
        };
        parts.notes.iter().for_each(|note| output::note(note));
        if !parts.skipped.is_empty() {
            note_skipped(dir, &parts.skipped);
        }
        Ok(Self::Disk(parts))
    }

    /// Names of its classes, by label.
    pub fn class_names(&self) -> &[String] {
        match self {
            Self::Memory(dataset) => &dataset.class_names,
            Self::Disk(parts) => &parts.classes,
        }
    }

    /// The same for a network that reads pixel / 255, without mean and deviation.
    pub fn unit(mut self) -> Self {
        match &mut self {
            Self::Memory(dataset) => {
                dataset.mean.fill(0.0);
                dataset.std.fill(1.0);
            }
            Self::Disk(parts) => parts.unit = true,
        }
        self
    }

    /// How large it is.
    pub fn sizes(&self, config: &Config) -> Sizes {
        let wanted = match config.data.train_images {
            0 => usize::MAX,
            wanted => wanted,
        };
        let side =
            |own: usize| if config.data.image_size == 0 { own } else { config.data.image_size };
        match self {
            Self::Memory(dataset) => Sizes {
                train: dataset.train.len().min(wanted),
                test: dataset.test.len(),
                side: side(dataset.train.height),
                channels: dataset.train.channels,
                classes: dataset.class_names.len(),
                in_memory: true,
            },
            Self::Disk(parts) => Sizes {
                train: parts.train.len().min(wanted),
                test: parts.test.len(),
                side: side(imagenet::SIZE),
                channels: 3,
                classes: parts.classes.len(),
                in_memory: false,
            },
        }
    }

    /// Its batches in the order that `order` makes of the numbers of training and test images.
    ///
    /// # Errors
    /// As for [`Loader::with_order`] and [`Streamed::new`].
    pub fn supply(
        self,
        config: &Config,
        order: impl FnOnce(usize, usize) -> Result<Order, DataError>,
    ) -> anyhow::Result<Supply> {
        let parts = match self {
            Self::Memory(dataset) => {
                return Ok(Supply::Memory(Loader::with_order(dataset, config, order)?));
            }
            Self::Disk(parts) => parts,
        };
        let mut sized = config.clone();
        if config.data.name == IMAGENET && config.data.image_size == 0 {
            sized.data.image_size = imagenet::SIZE;
        }
        let context = || cannot_open(&config.data.name, Path::new(&config.data.dir));
        Ok(Supply::Disk(Streamed::new(parts, &sized, order).with_context(context)?))
    }
}

/// Whether the images of a folder are read once and kept.
fn in_memory(listed: &Listed, config: &Config) -> bool {
    match config.data.keep {
        Keep::Memory => true,
        Keep::Disk => false,
        // A random part of a photograph has to come from the whole of it.
        Keep::Auto if config.data.transform == Transform::ResizedCrop => false,
        Keep::Auto => {
            let size = config.data.image_size;
            let pixels = match size {
                // All images have the size of the first; what it is if it is damaged, reading tells.
                0 if !listed.train.is_empty() => image::image_dimensions(listed.train.path(0))
                    .map_or(0, |(width, height)| width as usize * height as usize),
                _ => size.saturating_mul(size),
            };
            let images = listed.train.len() + listed.test.len();
            images.saturating_mul(pixels.saturating_mul(3)) <= MOST_IN_MEMORY
        }
    }
}

impl Supply {
    /// What a network has to know about the images.
    pub fn shape(&self) -> ImageShape {
        match self {
            Self::Memory(loader) => loader.shape(),
            Self::Disk(streamed) => streamed.shape(),
        }
    }

    /// Steps of one epoch.
    pub fn steps_per_epoch(&self) -> usize {
        match self {
            Self::Memory(loader) => loader.steps_per_epoch(),
            Self::Disk(streamed) => streamed.steps_per_epoch(),
        }
    }
}

impl Batches for Supply {
    type Batch = Batch;

    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches, DataError> {
        match self {
            Self::Memory(loader) => Batches::step(loader, epoch, step),
            Self::Disk(streamed) => streamed.step(epoch, step),
        }
    }

    fn evaluation(&mut self, part: Part, epoch: usize, index: usize) -> Result<Batch, DataError> {
        match self {
            Self::Memory(loader) => Batches::evaluation(loader, part, epoch, index),
            Self::Disk(streamed) => streamed.evaluation(part, epoch, index),
        }
    }

    fn evaluation_batches(&self, part: Part) -> usize {
        match self {
            Self::Memory(loader) => loader.evaluation_batches(part),
            Self::Disk(streamed) => streamed.evaluation_batches(part),
        }
    }

    fn steps(&self, _: usize) -> usize {
        self.steps_per_epoch()
    }

    fn step_bytes(&self) -> usize {
        match self {
            Self::Memory(loader) => loader.step_bytes(),
            Self::Disk(streamed) => streamed.step_bytes(),
        }
    }
}
