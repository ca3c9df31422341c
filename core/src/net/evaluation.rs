//! The networks that the paper trained, and their sizes (spec appendix A).

use super::{DerivedShape, derived};
use crate::cell::Genotype;

/// What a network starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// One convolution to three times the channels, for images of 32×32 pixels.
    Small,
    /// Three convolutions of stride 2, for images of 224×224 pixels.
    ImageNet,
}

/// The network that is trained from scratch with a found genotype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Its start.
    pub stem: Stem,
    /// Cells; those at 1/3 and 2/3 reduce.
    pub cells: usize,
    /// Channels of the first cell.
    pub channels: usize,
    /// Classes.
    pub classes: usize,
}

impl Evaluation {
    /// The network of the paper's Table 1: CIFAR-10, 20 cells, 36 channels.
    pub const CIFAR10: Self = Self { stem: Stem::Small, cells: 20, channels: 36, classes: 10 };
    /// That of Table 2: ImageNet, 14 cells, 48 channels.
    pub const IMAGENET: Self =
        Self { stem: Stem::ImageNet, cells: 14, channels: 48, classes: 1000 };

    /// Weights of this network with the cells of `genotype`, on RGB images and without the auxiliary
    /// head. `None` if there is no such network, or if there are not the two cells of a DARTS space.
    ///
    /// They are counted by laying the network out, so the count cannot differ from it.
    pub fn parameters(&self, genotype: &Genotype) -> Option<usize> {
        let [_, _] = genotype.cells.as_slice() else { return None };
        let network = derived(genotype, self.shape(false)).ok()?;
        Some(network.layout().weight_count())
    }

    /// The shape of this network for RGB images.
    pub fn shape(&self, auxiliary: bool) -> DerivedShape {
        let Self { stem, cells, channels, classes } = *self;
        DerivedShape { image_channels: 3, classes, cells, channels, stem, auxiliary }
    }
}
