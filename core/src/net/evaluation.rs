//! The network that is trained from a genotype, as far as its size (spec appendix A).

use super::Classifier;
use super::topology::{self, Start};
use crate::cell::Genotype;
use crate::nn::{Builder, Layout, NormOptions};
use crate::ops::{self, Site, stem};

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
    /// head. `None` if an operation is not in the catalogue, or if there are not the two cells of a
    /// DARTS space.
    ///
    /// They are counted by laying the weights out, so the count cannot differ from the layers.
    pub fn parameters(&self, genotype: &Genotype) -> Option<usize> {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let norm = NormOptions::new(true);
        let [normal, reduce] = genotype.cells.as_slice() else { return None };
        let nodes = [normal, reduce].map(|cell| cell.outputs().len());
        let start = self.start(&mut builder);
        let cells = topology::cells(start, self.channels, self.cells, nodes);
        for cell in &cells {
            cell.preprocess(&mut builder, norm);
            let derived = if cell.reduction { reduce } else { normal };
            for (_, edge) in derived.edges() {
                let stride = if edge.source < derived.inputs.len() { cell.stride() } else { 1 };
                let site = Site { channels: cell.channels, stride, norm, pool_norm: false };
                ops::find(edge.operation.as_deref()?)?.build(&mut builder, site);
            }
        }
        Classifier::new(&mut builder, topology::outputs(start, &cells), self.classes);
        Some(layout.weight_count())
    }

    /// Lays out the stem.
    fn start(&self, builder: &mut Builder) -> Start {
        let mut conv = |inputs: usize, outputs: usize| {
            stem(builder, inputs, outputs);
        };
        let channels = self.channels;
        match self.stem {
            Stem::Small => {
                conv(3, 3 * channels);
                Start { channels: 3 * channels, halved: false }
            }
            Stem::ImageNet => {
                conv(3, channels / 2);
                conv(channels / 2, channels);
                conv(channels, channels);
                Start { channels, halved: true }
            }
        }
    }
}
