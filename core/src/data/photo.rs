//! Photographs of any size, and how they become images of one size: the transforms that networks
//! for ImageNet are trained and tested with (spec §9.2), as torchvision does them on images of
//! Pillow, in u8.
//!
//! - training, `resized-crop`: a random part ([`crop::random`]) resized to the size of the network,
//!   then the colours jittered ([`jitter`]). The flip and the normalisation come after, and are
//!   those of every other image.
//! - training, `crop`: the largest square in the middle, resized; the padded crop comes after.
//! - evaluation: the shorter side resized to 8/7 of the size (256 for 224), then the middle. With
//!   `crop` the largest square in the middle, as in training.
//!
//! A photograph smaller than the crop is enlarged, as torchvision does. Images in memory have their size
//! already: random parts are parts of that, and evaluation takes them whole.

use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::DataError;
use super::augment::{Augment, Draw};
use super::order::Picks;
use crate::config::{self, Transform};
use crate::rng::Streams;

pub mod crop;
pub mod jitter;
pub mod resample;

use crop::Rect;

/// Mean of pixel / 255 over ImageNet, for each channel: what every published network for it uses.
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Standard deviation of pixel / 255 over ImageNet, for each channel.
pub const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// One image: u8, `[height, width, channels]`, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Its pixels, row after row.
    pub pixels: Vec<u8>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 for gray, 3 for RGB.
    pub channels: usize,
}

impl Photo {
    /// The whole of it.
    pub fn rect(&self) -> Rect {
        Rect { left: 0, top: 0, width: self.width, height: self.height }
    }
}

/// From images of any size to u8 images of one size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resizer {
    size: usize,
    transform: Transform,
    strengths: jitter::Strengths,
}

impl Resizer {
    pub fn new(data: &config::Data, size: usize) -> Self {
        let colour = data.colour_jitter;
        Self {
            size,
            transform: data.transform,
            strengths: jitter::Strengths {
                brightness: colour,
                contrast: colour,
                saturation: colour,
                hue: data.hue_jitter,
            },
        }
    }

    /// Whether training images need draws of their own here.
    pub fn draws(&self) -> bool {
        self.transform == Transform::ResizedCrop || !self.strengths.are_zero()
    }

    /// What a network is trained on. `seed` is the random state of this one image.
    pub fn train(&self, photo: &Photo, seed: [u8; 32]) -> Photo {
        let mut rng = Pcg64::from_seed(seed);
        let mut image = match self.transform {
            Transform::Crop => self.square(photo),
            Transform::ResizedCrop => {
                let part = crop::random(&mut rng, photo.width, photo.height);
                resample::resize(photo, part, self.size, self.size)
            }
        };
        jitter::apply(&mut image, &self.strengths, &mut rng);
        image
    }

    /// What a network is tested on.
    pub fn evaluate(&self, photo: &Photo) -> Photo {
        match self.transform {
            Transform::Crop => self.square(photo),
            Transform::ResizedCrop => {
                resample::shorter_side(photo, evaluation_side(self.size), self.size)
            }
        }
    }

    fn square(&self, photo: &Photo) -> Photo {
        resample::resize(photo, crop::middle(photo), self.size, self.size)
    }
}

/// The shorter side before the middle is cut out: 256 for 224.
pub fn evaluation_side(size: usize) -> usize {
    (size as f64 * 256.0 / 224.0).round_ties_even() as usize
}

/// From a photograph to the input of a network, for images that are read when their turn comes.
pub struct Photographs {
    augment: Augment,
}

impl Photographs {
    /// Inputs of `size`×`size` pixels, normalised with the constants of ImageNet.
    ///
    /// # Errors
    /// A size that images cannot have, or a padded crop that could miss the image.
    pub fn new(data: &config::Data, size: usize) -> Result<Self, DataError> {
        Self::normalised_by(data, size, (&MEAN, &STD))
    }

    /// The same for a network that reads pixel / 255, neither centred nor scaled.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn unit(data: &config::Data, size: usize) -> Result<Self, DataError> {
        Self::normalised_by(data, size, (&[0.0; 3], &[1.0; 3]))
    }

    fn normalised_by(
        data: &config::Data,
        size: usize,
        (mean, std): (&[f32; 3], &[f32; 3]),
    ) -> Result<Self, DataError> {
        super::loader::check_size(size)?;
        super::loader::check_padding(data.crop_padding, size)?;
        Ok(Self { augment: Augment::new(data, size, mean, std) })
    }

    /// What chance decides for the images of a batch, in their order.
    pub fn draws(&self, picks: &Picks, streams: Streams) -> Vec<Option<Draw>> {
        self.augment.draws(picks, streams)
    }

    /// Appends the input of one RGB photograph: f32, NHWC. Without a draw it is what a network is
    /// tested on.
    ///
    /// # Errors
    /// A photograph without pixels, or not in RGB.
    pub fn input(
        &self,
        photo: &Photo,
        draw: Option<Draw>,
        out: &mut Vec<f32>,
    ) -> Result<(), DataError> {
        let Photo { width, height, channels, .. } = *photo;
        let whole = width * height * channels;
        if whole == 0 || whole != photo.pixels.len() || channels != MEAN.len() {
            return Err(DataError::unusable(
                format!("{width}×{height} pixels of {channels} channels are no photograph"),
                "remove it",
            ));
        }
        self.augment.append_photo(photo, draw, out);
        Ok(())
    }
}
