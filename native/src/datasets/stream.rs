//! Batches of images that stay on the disk: each is read, decoded and augmented when its turn comes,
//! by several threads at once. In memory is an index alone, so a million images need no more than
//! their names.
//!
//! A batch is the same whatever the number of threads: which images it has and what chance does to
//! each is decided before, in order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use smoothdarts::config::Config;
use smoothdarts::data::photo::{Photo, Photographs};
use smoothdarts::data::{
    Batch, Batches, DataError, Draw, ImageShape, Order, Part, Picks, StepBatches,
};

use super::archive::Archive;
use super::common::unusable;
use super::decode;
use super::folder::Listed;
use super::listing::{Listing, Skipped};
use crate::output;

/// Damaged files that are named; the others are counted.
const NAMED: usize = 20;

/// Where the images of one part are.
pub enum Files {
    /// Files in a folder.
    Folder(Listing),
    /// Ranges of an archive.
    Archive(Archive),
}

impl Default for Files {
    fn default() -> Self {
        Self::Folder(Listing::default())
    }
}

/// The images of a data set, by their places.
#[derive(Default)]
pub struct Parts {
    /// Names of the classes, by label.
    pub classes: Vec<String>,
    /// Images for training.
    pub train: Files,
    /// Images that no search touches.
    pub test: Files,
    /// Files that were left out.
    pub skipped: Skipped,
    /// What the user should know.
    pub notes: Vec<String>,
    /// Whether a network reads pixel / 255 as it is, without mean and deviation.
    pub unit: bool,
}

impl From<Listed> for Parts {
    fn from(listed: Listed) -> Self {
        let unused = listed.unused.map(|unused| {
            format!("{} is not used: the test images are those of test", unused.display())
        });
        Self {
            classes: listed.classes,
            train: Files::Folder(listed.train),
            test: Files::Folder(listed.test),
            skipped: listed.skipped,
            notes: unused.into_iter().collect(),
            unit: false,
        }
    }
}

impl Files {
    /// How many images.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        match self {
            Self::Folder(listing) => listing.len(),
            Self::Archive(archive) => archive.len(),
        }
    }

    fn label(&self, index: usize) -> u16 {
        match self {
            Self::Folder(listing) => listing.label(index),
            Self::Archive(archive) => archive.label(index),
        }
    }

    fn name(&self, index: usize) -> String {
        match self {
            Self::Folder(listing) => listing.path(index).display().to_string(),
            Self::Archive(archive) => archive.name(index),
        }
    }

    fn read(&self, index: usize) -> Result<Vec<u8>, String> {
        match self {
            Self::Folder(listing) => decode::read(&listing.path(index)),
            Self::Archive(archive) => archive.read(index),
        }
    }
}

/// The batches of images on the disk. Cloning it copies a pointer.
#[derive(Clone)]
pub struct Streamed {
    inner: Arc<Inner>,
}

struct Inner {
    train: Files,
    test: Files,
    shape: ImageShape,
    class_names: Vec<String>,
    order: Order,
    photographs: Photographs,
    pool: ThreadPool,
    skip_damaged: bool,
    /// Damaged files that were met, with what is wrong with them.
    damaged: Mutex<BTreeMap<String, String>>,
}

impl Streamed {
    /// Batches of `parts` in the order that `order` makes of the numbers of training and test images.
    ///
    /// # Errors
    /// No size of the images, or one that they cannot have; what `order` says; no threads.
    pub fn new(
        parts: Parts,
        config: &Config,
        order: impl FnOnce(usize, usize) -> Result<Order, DataError>,
    ) -> Result<Self, DataError> {
        let size = config.data.image_size;
        if size == 0 {
            return Err(unusable(
                "images that stay on the disk need a size".to_owned(),
                "set data.image_size, e.g. `--set data.image_size=224`",
            ));
        }
        let wanted = config.data.train_images;
        let count = parts.train.len();
        let images = if wanted == 0 { count } else { wanted.min(count) };
        let labels: Vec<u16> = (0..images).map(|index| parts.train.label(index)).collect();
        let inputs = if parts.unit { Photographs::unit } else { Photographs::new };
        // A pool of its own: in the one that computes, a step would wait for images that it stole.
        let pool = ThreadPoolBuilder::new()
            .num_threads(config.run.threads)
            .thread_name(|index| format!("images {index}"))
            .build()
            .map_err(|error| DataError::Stopped(format!("no threads to read images: {error}")))?;
        Ok(Self {
            inner: Arc::new(Inner {
                order: order(images, parts.test.len())?.of_classes(&labels, config)?,
                photographs: inputs(&config.data, size)?,
                shape: ImageShape { channels: 3, size, classes: parts.classes.len() },
                class_names: parts.classes,
                train: parts.train,
                test: parts.test,
                pool,
                skip_damaged: config.data.skip_damaged,
                damaged: Mutex::default(),
            }),
        })
    }

    /// What a network has to know about the images.
    pub fn shape(&self) -> ImageShape {
        self.inner.shape
    }

    /// Names of the classes, by label.
    pub fn class_names(&self) -> &[String] {
        &self.inner.class_names
    }

    /// Steps of one epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.inner.order.steps()
    }

    /// Threads that read images.
    pub fn threads(&self) -> usize {
        self.inner.pool.current_num_threads()
    }

    /// Files that were left out as damaged so far, each with what is wrong with it.
    pub fn damaged(&self) -> Vec<(String, String)> {
        let found = self.inner.damaged.lock().map(|found| found.clone()).unwrap_or_default();
        found.into_iter().collect()
    }
}

impl Batches for Streamed {
    type Batch = Batch;

    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches, DataError> {
        let StepBatches { train, valid } = self.inner.order.step(epoch, step);
        Ok(StepBatches { train: self.inner.batch(&train)?, valid: self.inner.batch(&valid)? })
    }

    fn evaluation(&mut self, part: Part, epoch: usize, index: usize) -> Result<Batch, DataError> {
        self.inner.batch(&self.inner.order.evaluation(part, epoch, index))
    }

    fn evaluation_batches(&self, part: Part) -> usize {
        self.inner.order.evaluation_batches(part)
    }

    fn steps(&self, _: usize) -> usize {
        self.steps_per_epoch()
    }

    fn step_bytes(&self) -> usize {
        let Inner { order, shape: ImageShape { size, channels, .. }, .. } = &*self.inner;
        let batches = if order.evaluation_batches(Part::Valid) > 0 { 2 } else { 1 };
        batches * order.batch_size() * size * size * channels * size_of::<f32>()
    }
}

impl Inner {
    /// The images of a batch. Damaged ones are left out where the settings say so: the batch is
    /// smaller by them.
    fn batch(&self, picks: &Picks) -> Result<Batch, DataError> {
        let files = if picks.test { &self.test } else { &self.train };
        let draws = self.photographs.draws(picks, self.order.streams());
        let jobs = picks.indices.par_iter().zip(&draws);
        let inputs: Vec<Result<Vec<f32>, DataError>> = self
            .pool
            .install(|| jobs.map(|(&index, &draw)| self.input(files, index, draw)).collect());
        let ImageShape { size, channels, .. } = self.shape;
        let mut images = Vec::with_capacity(inputs.len() * size * size * channels);
        let mut labels = Vec::with_capacity(inputs.len());
        for (&index, input) in picks.indices.iter().zip(inputs) {
            match input {
                Ok(input) => {
                    images.extend(input);
                    labels.push(files.label(index));
                }
                Err(DataError::Damaged { file, reason }) if self.skip_damaged => {
                    self.leave_out(file, reason);
                }
                // Of several faults the first in the order of the batch is told.
                Err(error) => return Err(error),
            }
        }
        if labels.is_empty() && !picks.indices.is_empty() {
            return Err(unusable(
                format!("all {} images of a batch are damaged", picks.indices.len()),
                "replace them, or take larger batches",
            ));
        }
        let shape = [labels.len(), size, size, channels];
        Ok(Batch { images, labels, shape })
    }

    fn input(
        &self,
        files: &Files,
        index: usize,
        draw: Option<Draw>,
    ) -> Result<Vec<f32>, DataError> {
        let damaged = |reason| DataError::Damaged { file: files.name(index), reason };
        let image = files.read(index).and_then(decode::decode).map_err(damaged)?.into_rgb8();
        let (width, height) = (image.width() as usize, image.height() as usize);
        let photo = Photo { pixels: image.into_raw(), width, height, channels: 3 };
        let ImageShape { size, channels, .. } = self.shape;
        let mut input = Vec::with_capacity(size * size * channels);
        self.photographs.input(&photo, draw, &mut input)?;
        Ok(input)
    }

    /// Tells of a damaged file once.
    fn leave_out(&self, file: String, reason: String) {
        let Ok(mut damaged) = self.damaged.lock() else { return };
        if damaged.contains_key(&file) {
            return;
        }
        let count = damaged.len() + 1;
        if count <= NAMED {
            output::note(&format!("warning: skipped {file}: {reason} ({count} damaged so far)"));
        } else if count.is_power_of_two() {
            output::note(&format!("warning: {count} damaged files were skipped so far"));
        }
        damaged.insert(file, reason);
    }
}
