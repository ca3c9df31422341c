//! The macro topology of a network of cells (spec §1.3): what stands before each cell, its channels, and
//! where it reduces. The supernet and the network that is trained from a genotype have it in common.

use crate::nn::{Builder, NormOptions, Sequence};
use crate::ops::{factorized_reduce, relu_conv_norm};

/// Whether the cell at this place is one of the two that halve the image and double the channels: those at
/// 1/3 and 2/3.
pub(super) fn reduces(index: usize, cells: usize) -> bool {
    index == cells / 3 || index == 2 * cells / 3
}

/// What the first cell reads twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Channels of the stem.
    pub channels: usize,
    /// Whether the second input of the first cell is smaller than the first one.
    pub halved: bool,
}

/// A cell of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CellShape {
    /// Channels of the output of the cell before the previous one.
    before: usize,
    /// Channels of the output of the previous cell.
    previous: usize,
    /// Its own.
    pub channels: usize,
    /// Whether it halves the image.
    pub reduction: bool,
    /// Whether the previous one did: then its first input is twice as large as its second.
    previous_reduction: bool,
    /// Channels of its output, the concatenation of its nodes.
    pub outputs: usize,
}

/// The cells of a network: `cells` of them, `channels` in the first. A normal cell concatenates `nodes[0]`
/// nodes and a reduction cell `nodes[1]`.
pub(super) fn cells(
    start: Start,
    channels: usize,
    cells: usize,
    nodes: [usize; 2],
) -> Vec<CellShape> {
    let stem = start.channels;
    let (mut inputs, mut channels) = ([stem, stem], channels);
    let mut previous_reduction = start.halved;
    let cell = |index| {
        let reduction = reduces(index, cells);
        channels *= if reduction { 2 } else { 1 };
        let [before, previous] = inputs;
        let outputs = nodes[usize::from(reduction)] * channels;
        let shape =
            CellShape { before, previous, channels, reduction, previous_reduction, outputs };
        inputs = [previous, outputs];
        previous_reduction = reduction;
        shape
    };
    (0..cells).map(cell).collect()
}

/// Channels of what the classifier reads.
pub(super) fn outputs(start: Start, cells: &[CellShape]) -> usize {
    cells.last().map_or(start.channels, |last| last.outputs)
}

impl CellShape {
    /// What brings the two inputs of the cell to its channels and to the size of the second one.
    pub fn preprocess(&self, builder: &mut Builder, norm: NormOptions) -> [Sequence; 2] {
        let Self { before, previous, channels, previous_reduction, .. } = *self;
        let mut first = builder.child("preprocess0");
        let first = match previous_reduction {
            true => factorized_reduce(&mut first, before, channels, norm),
            false => relu_conv_norm(&mut first, before, channels, norm),
        };
        [first, relu_conv_norm(&mut builder.child("preprocess1"), previous, channels, norm)]
    }

    /// Stride of the edges that read an input of the cell.
    pub fn stride(&self) -> usize {
        if self.reduction { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (C_prev_prev, C_prev, C) of spec §1.3 for 8 cells of 16 channels and 20 of 36.
    #[test]
    fn the_channels_around_the_cells_are_those_of_the_paper() {
        let start = Start { channels: 48, halved: false };
        let found: Vec<_> = cells(start, 16, 8, [4, 4])
            .iter()
            .map(|cell| (cell.before, cell.previous, cell.channels, cell.reduction))
            .collect();
        let expected = [
            (48, 48, 16, false),
            (48, 64, 16, false),
            (64, 64, 32, true),
            (64, 128, 32, false),
            (128, 128, 32, false),
            (128, 128, 64, true),
            (128, 256, 64, false),
            (256, 256, 64, false),
        ];
        assert_eq!(found, expected);
        let start = Start { channels: 108, halved: false };
        let twenty = cells(start, 36, 20, [4, 4]);
        assert_eq!(outputs(start, &twenty), 576);
        let reductions: Vec<usize> = (0..20).filter(|index| twenty[*index].reduction).collect();
        assert_eq!(reductions, [6, 13]);
        let halved: Vec<usize> =
            (0..20).filter(|index| twenty[*index].previous_reduction).collect();
        assert_eq!(halved, [7, 14]);
    }
}
