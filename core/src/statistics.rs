//! The size of the network that is trained from a genotype (spec appendix A).

use crate::cell::Genotype;
use crate::nn::{Builder, Init, Layout};
use crate::ops::{self, Site, factorized_reduce, relu_conv_norm, stem};

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
        let builder = &mut builder;
        let (mut before, mut previous, mut previous_reduction) = self.stem(builder);
        let mut channels = self.channels;
        for index in 0..self.cells {
            let reduction = index == self.cells / 3 || index == 2 * self.cells / 3;
            channels *= if reduction { 2 } else { 1 };
            if previous_reduction {
                factorized_reduce(builder, before, channels, true);
            } else {
                relu_conv_norm(builder, before, channels, true);
            }
            relu_conv_norm(builder, previous, channels, true);
            let cell = genotype.cells.get(usize::from(reduction))?;
            for (_, edge) in cell.edges() {
                let stride = if reduction && edge.source < cell.inputs.len() { 2 } else { 1 };
                let site = Site { channels, stride, affine: true, pool_norm: false };
                ops::find(edge.operation.as_deref()?)?.build(builder, site);
            }
            (before, previous) = (previous, cell.outputs().len() * channels);
            previous_reduction = reduction;
        }
        builder.weight("weight", &[self.classes, previous], Init::FanIn(previous));
        builder.weight("bias", &[self.classes], Init::FanIn(previous));
        Some(layout.weight_count())
    }

    /// Channels of the two inputs of the first cell, and whether the second one is smaller.
    fn stem(&self, builder: &mut Builder) -> (usize, usize, bool) {
        let mut conv = |inputs: usize, outputs: usize| {
            stem(builder, inputs, outputs);
        };
        let channels = self.channels;
        match self.stem {
            Stem::Small => {
                conv(3, 3 * channels);
                (3 * channels, 3 * channels, false)
            }
            Stem::ImageNet => {
                conv(3, channels / 2);
                conv(channels / 2, channels);
                conv(channels, channels);
                (channels, channels, true)
            }
        }
    }
}
