//! Numbers that describe a cell (paper §7.4 and Table 5; spec §11.2 and §11.3) and the size of the
//! network that is trained from a genotype (spec appendix A).

use std::collections::BTreeSet;

use crate::arch::parameter_free_share;
use crate::genotype::{Gene, Genotype};
use crate::nn::{Builder, Init, Layout, NormOptions};
use crate::ops::{self, Site, factorized_reduce, relu_conv_norm, stem};

/// States of a cell that are its inputs: the outputs of the two cells before.
const INPUTS: usize = 2;

/// What the shape of one cell comes to.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct CellStatistics {
    /// Width in units of the channels c: every node that reads a cell input counts by the share of
    /// its predecessors that are cell inputs.
    pub width: f64,
    /// Edges on the longest path from an input to the output; the concatenation is the last edge.
    pub depth: usize,
    /// Share of parameter-free operations among the genes (Table 5).
    pub parameter_free: f64,
}

impl CellStatistics {
    /// The statistics of one cell. `genes` has two genes for each node, as in a [`Genotype`], and
    /// `concat` the states that form the output; all are 0 where there is no gene.
    pub fn of(genes: &[Gene], concat: &[usize]) -> Self {
        Self {
            width: width(genes),
            depth: depth(genes, concat),
            parameter_free: f64::from(parameter_free_share(genes)),
        }
    }

    /// Those of the normal cell, which are the ones that the paper reports.
    pub fn normal(genotype: &Genotype) -> Self {
        Self::of(&genotype.normal, &genotype.normal_concat)
    }

    /// Those of the normal and of the reduction cell.
    pub fn both(genotype: &Genotype) -> [Self; 2] {
        [Self::normal(genotype), Self::of(&genotype.reduce, &genotype.reduce_concat)]
    }
}

fn width(genes: &[Gene]) -> f64 {
    let share = |node: &[Gene]| {
        // GDAS may take two operations on one edge; that is one predecessor.
        let sources: BTreeSet<usize> = node.iter().map(|gene| gene.source).collect();
        let inputs = sources.iter().filter(|&&source| source < INPUTS).count();
        inputs as f64 / sources.len() as f64
    };
    genes.chunks(2).map(share).sum()
}

fn depth(genes: &[Gene], concat: &[usize]) -> usize {
    let mut depths = vec![0; INPUTS];
    for node in genes.chunks(2) {
        let sources = node.iter().map(|gene| depths.get(gene.source).copied().unwrap_or(0));
        depths.push(sources.max().map_or(0, |deepest| deepest + 1));
    }
    let deepest = concat.iter().filter_map(|&state| depths.get(state)).max();
    deepest.map_or(0, |deepest| deepest + usize::from(!genes.is_empty()))
}

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
    /// head. `None` if an operation is not in the catalogue.
    ///
    /// They are counted by laying the weights out, so the count cannot differ from the layers.
    pub fn parameters(&self, genotype: &Genotype) -> Option<usize> {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let builder = &mut builder;
        let (mut before, mut previous, mut previous_reduction) = self.stem(builder);
        let (mut channels, norm) = (self.channels, NormOptions::new(true));
        for index in 0..self.cells {
            let reduction = index == self.cells / 3 || index == 2 * self.cells / 3;
            channels *= if reduction { 2 } else { 1 };
            if previous_reduction {
                factorized_reduce(builder, before, channels, norm);
            } else {
                relu_conv_norm(builder, before, channels, norm);
            }
            relu_conv_norm(builder, previous, channels, norm);
            let (genes, concat) = match reduction {
                true => (&genotype.reduce, &genotype.reduce_concat),
                false => (&genotype.normal, &genotype.normal_concat),
            };
            for gene in genes {
                let stride = if reduction && gene.source < INPUTS { 2 } else { 1 };
                let site = Site { channels, stride, norm, pool_norm: false };
                ops::find(&gene.operation)?.build(builder, site);
            }
            (before, previous) = (previous, concat.len() * channels);
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
