//! Flat vectors, cut once into what the layers read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::Tensor;
use shaders::Kernels;

use super::layout::Layout;

/// Running statistics, cut once into what the layers read.
#[derive(Clone, Debug)]
pub struct RunningStatistics {
    all: Tensor<2>,
    /// [2, channels] of each block of layers, by its first channel.
    blocks: Rc<BTreeMap<usize, Tensor<2>>>,
}

impl RunningStatistics {
    /// Those of the network with this layout.
    ///
    /// # Shapes
    /// - `all`: [2, channels of all layers]
    pub fn new(layout: &Layout, kernels: Kernels, all: Tensor<2>) -> Self {
        let places: Vec<Range<usize>> = layout.norm_blocks().collect();
        let widths: Vec<usize> = places.iter().map(Range::len).collect();
        let pieces = shaders::split_with_sizes(kernels, all.clone(), &widths);
        let blocks = places.into_iter().map(|place| place.start).zip(pieces).collect();
        Self { all, blocks: Rc::new(blocks) }
    }

    /// Those of some channels, [2, channels].
    pub(super) fn of(&self, channels: Range<usize>) -> Tensor<2> {
        let block = self.blocks.get(&channels.start);
        match block.filter(|block| block.dims()[1] == channels.len()) {
            Some(block) => block.clone(),
            None => self.all.clone().slice([0..2, channels]),
        }
    }
}

/// Weights, cut once into the blocks that the layers read.
#[derive(Clone, Debug)]
pub struct WeightBlocks {
    /// In the order of the flat vector.
    pub(super) blocks: Rc<[Tensor<1>]>,
}

impl WeightBlocks {
    /// Those of the network with this layout.
    ///
    /// # Shapes
    /// - `all`: [`Layout::weight_count`]
    pub fn new(layout: &Layout, kernels: Kernels, all: Tensor<1>) -> Self {
        let sizes: Vec<usize> = layout.blocks().map(|(_, range)| range.len()).collect();
        Self { blocks: shaders::split_with_sizes(kernels, all, &sizes).into() }
    }
}
