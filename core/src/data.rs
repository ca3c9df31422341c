//! Images: where they come from, how their files are read, and in which order and shape a search
//! sees them.
//!
//! Files become bytes outside of this crate. [`ALL`] is the catalogue of data sets;
//! [`Source::decode`] asks for the bytes of the files that it needs and checks all of them: a
//! damaged or foreign file ends in an error with its name, never in a panic and never in a large
//! allocation. [`embedded`] needs no file at all.
//!
//! [`Loader`] turns a [`Dataset`] into batches. Where the images are too many for the memory, what
//! makes batches of them needs two things from here: an [`Order`] says which images a batch has, and
//! [`photo::Photographs`] makes the input of each. In both ways a batch is a pure function of the config, the
//! epoch and the step, so there is nothing in here that a checkpoint would have to hold.

use std::fmt::Display;

mod augment;
pub mod cifar;
pub mod corpus;
mod files;
mod idx;
mod input;
mod loader;
mod mat;
mod order;
pub mod photo;
mod resize;
mod source;
mod svhn;
pub mod text;

pub use augment::Draw;
pub use files::Read;
pub use loader::{Loader, MAX_SIZE};
pub use order::{Order, Picks};
pub use source::{ALL, RemoteFile, Source, embedded, find};

/// Images as the files hold them: u8, `[count, height, width, channels]`, row-major (NHWC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// All pixels, image after image.
    pub pixels: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<u16>,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// 1 for gray, 3 for RGB.
    pub channels: usize,
}

impl Images {
    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Bytes of one image: height × width × channels.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// The pixels of image `index`; empty where there is no such image.
    pub fn image(&self, index: usize) -> &[u8] {
        let length = self.image_len();
        self.pixels.get(index * length..(index + 1) * length).unwrap_or_default()
    }

    /// Mean and standard deviation of pixel / 255, for each channel. A channel of one single value
    /// gets 1 for its deviation, so that it can be divided by.
    pub fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        let channels = self.channels.max(1);
        let (mut sums, mut squares) = (vec![0u64; channels], vec![0u64; channels]);
        for pixel in self.pixels.chunks_exact(channels) {
            for (channel, &value) in pixel.iter().enumerate() {
                sums[channel] += u64::from(value);
                squares[channel] += u64::from(value) * u64::from(value);
            }
        }
        let count = (self.pixels.len() / channels).max(1) as f64;
        let moments = sums.iter().zip(&squares).map(|(&sum, &square)| {
            let mean = sum as f64 / count;
            let deviation = (square as f64 / count - mean * mean).max(0.0).sqrt();
            let deviation = if deviation > 0.0 { deviation / 255.0 } else { 1.0 };
            ((mean / 255.0) as f32, deviation as f32)
        });
        moments.unzip()
    }

    /// Checks that the parts fit together.
    fn check(&self, part: &str, classes: usize) -> Result<(), DataError> {
        let size = [self.height, self.width, self.channels]
            .iter()
            .try_fold(self.labels.len(), |product, &side| product.checked_mul(side));
        if size != Some(self.pixels.len()) {
            let (h, w, c) = (self.height, self.width, self.channels);
            return Err(DataError::unusable(
                format!(
                    "the {part} images have {} labels and {} bytes of pixels, which do not make images of {h}×{w}×{c}",
                    self.labels.len(),
                    self.pixels.len(),
                ),
                "every label needs one image",
            ));
        }
        match self.labels.iter().position(|&label| usize::from(label) >= classes) {
            Some(index) => Err(DataError::unusable(
                format!(
                    "{part} image {index} has label {}, but there are {classes} classes",
                    self.labels[index]
                ),
                "labels count from 0",
            )),
            None => Ok(()),
        }
    }
}

/// A data set ready to search on.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Its name in the catalogue, or that of its folder.
    pub name: String,
    /// Images for training; a search splits them in two halves.
    pub train: Images,
    /// Images that no search touches.
    pub test: Images,
    /// Names of the classes, by label.
    pub class_names: Vec<String>,
    /// Mean of pixel / 255, for each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of pixel / 255, for each channel.
    pub std: Vec<f32>,
}

impl Dataset {
    /// A data set without published constants, such as a folder of images: mean and standard
    /// deviation are those of its training images.
    ///
    /// # Errors
    /// Parts that do not fit together.
    pub fn measured(
        name: String,
        train: Images,
        test: Images,
        class_names: Vec<String>,
    ) -> Result<Self, DataError> {
        let (mean, std) = train.moments();
        let dataset = Self { name, train, test, class_names, mean, std };
        dataset.check()?;
        Ok(dataset)
    }

    /// Checks that images, labels, classes and constants fit together.
    ///
    /// # Errors
    /// The first part that does not.
    pub fn check(&self) -> Result<(), DataError> {
        self.train.check("training", self.class_names.len())?;
        self.test.check("test", self.class_names.len())?;
        let channels = self.train.channels;
        let usable = self.std.iter().all(|&std| std.is_finite() && std > 0.0);
        if channels == 0 || [self.mean.len(), self.std.len()] != [channels; 2] || !usable {
            return Err(DataError::unusable(
                format!(
                    "images of {channels} channels cannot be normalised with mean {:?} and standard deviation {:?}",
                    self.mean, self.std
                ),
                "each channel needs one mean and one positive standard deviation",
            ));
        }
        Ok(())
    }
}

/// What a network has to know about the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// 1 for gray, 3 for RGB.
    pub channels: usize,
    /// Height and width in pixels.
    pub size: usize,
    /// Number of classes.
    pub classes: usize,
}

/// One batch, augmented and normalised.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// f32, NHWC.
    pub images: Vec<f32>,
    /// The class of each image.
    pub labels: Vec<u16>,
    /// Images, height, width, channels.
    pub shape: [usize; 4],
}

impl Batch {
    /// Its first `count` images; all of them where it has no more.
    pub fn first(mut self, count: usize) -> Self {
        let [images, height, width, channels] = self.shape;
        let count = count.min(images);
        self.images.truncate(count * height * width * channels);
        self.labels.truncate(count);
        Self { shape: [count, height, width, channels], ..self }
    }
}

impl Batch {
    /// Its images in their order, in as few parts as have at most `largest` images each and differ
    /// by at most one; 0 makes one part of all.
    pub fn parts(self, largest: usize) -> Vec<Self> {
        let [images, height, width, channels] = self.shape;
        let count = if largest == 0 { 1 } else { images.div_ceil(largest) };
        if count <= 1 {
            return vec![self];
        }
        let length = height * width * channels;
        let part = |index: usize| {
            let range = index * images / count..(index + 1) * images / count;
            Self {
                images: self.images[range.start * length..range.end * length].to_vec(),
                labels: self.labels[range.clone()].to_vec(),
                shape: [range.len(), height, width, channels],
            }
        };
        (0..count).map(part).collect()
    }
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Trains the weights.
    Train,
    /// Trains the architecture, and tells how good it is.
    Valid,
    /// What no search touches, and what a training is tested on after every epoch.
    Test,
}

/// What one step of a search consumes.
#[derive(Clone, Debug, PartialEq)]
pub struct StepBatches<B = Batch> {
    /// For the weights w, from the training half.
    pub train: B,
    /// For the architecture α, from the validation half; without images in a training, which has
    /// no α.
    pub valid: B,
}

/// Where a search gets its batches from: a [`Loader`], or something that runs one ahead.
pub trait Batches {
    /// A batch on the host.
    type Batch;

    /// The two batches of a step.
    ///
    /// # Errors
    /// [`DataError::Stopped`], where a supply that runs ahead has ended.
    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches<Self::Batch>, DataError>;

    /// Batch `index` of a part, for its accuracy after `epoch`.
    ///
    /// # Errors
    /// As for [`Self::step`].
    fn evaluation(
        &mut self,
        part: Part,
        epoch: usize,
        index: usize,
    ) -> Result<Self::Batch, DataError>;

    /// Batches of one evaluation of a part.
    fn evaluation_batches(&self, part: Part) -> usize;

    /// Steps of an epoch.
    fn steps(&self, epoch: usize) -> usize;

    /// About how many bytes the batches of a step take, so that no more of them are made ahead than
    /// memory has room for; 0 where they are small.
    fn step_bytes(&self) -> usize {
        0
    }
}

/// Why there are no images.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// The catalogue has no such name.
    #[error(
        "there is no data set {name:?}; did you mean {nearest:?}? `sdarts list data` shows all"
    )]
    Unknown {
        /// The name asked for.
        name: String,
        /// The most similar name of the catalogue.
        nearest: &'static str,
    },
    /// A file of the data set is not where it should be.
    #[error("{dataset} needs the file {file}, which is missing; `sdarts fetch {dataset}` gets it")]
    Missing {
        /// The data set.
        dataset: &'static str,
        /// The file, relative to the folder of the data set.
        file: String,
    },
    /// A file is there, but its bytes cannot be had.
    #[error("{file} cannot be read: {reason}; check its permissions and the disk")]
    Unreadable {
        /// The file, relative to the folder of the data set.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// The bytes of a file are not what they should be.
    #[error("{file}: expected {expected}, found {found}; {remedy}")]
    Malformed {
        /// The file, relative to the folder of the data set.
        file: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A file that should be an image and is none.
    #[error(
        "{file} is no image that can be read ({reason}); replace or remove it, or leave such files \
         out with data.skip_damaged"
    )]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The images are sound, but no search can run on them with this config.
    #[error("{problem}; {remedy}")]
    Unusable {
        /// What does not fit.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A setting does not fit the images.
    #[error("{problem}; {remedy}")]
    Setting {
        /// What does not fit.
        problem: String,
        /// What to set.
        remedy: String,
    },
    /// A supply that runs ahead has ended before the search did.
    #[error("no more batches: {0}; start the search again, it goes on from its checkpoint")]
    Stopped(String),
}

/// What to do about a damaged file.
const FETCH_AGAIN: &str = "the file is damaged or another one: delete it and run `sdarts fetch`";

impl DataError {
    fn malformed(file: &str, expected: impl Display, found: impl Display) -> Self {
        Self::Malformed {
            file: file.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
            remedy: FETCH_AGAIN,
        }
    }

    fn setting(problem: impl Display, remedy: impl Display) -> Self {
        Self::Setting { problem: problem.to_string(), remedy: remedy.to_string() }
    }

    fn unusable(problem: impl Display, remedy: impl Display) -> Self {
        Self::Unusable { problem: problem.to_string(), remedy: remedy.to_string() }
    }
}
