//! Where each weight and each batch-norm statistic lies in its flat vector.

mod builder;

use std::collections::BTreeSet;
use std::ops::Range;

use super::norm::NormOptions;
use crate::rng::{Stream, Streams, uniform};
pub use builder::Builder;

/// Handle of a weight tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightId(pub(super) usize);

/// Handle of weights that a pass has as one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockId(pub(super) usize);

/// Handle of a batch-norm layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormId(pub(super) usize);

/// How a weight starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// U(−1/√fan_in, 1/√fan_in): PyTorch's default for convolutions and linear layers.
    FanIn(usize),
    /// U(−bound, bound).
    Uniform(f32),
    /// One value everywhere.
    Constant(f32),
}

/// One weight tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSlot {
    /// Module path in the reference code, e.g. `cells.0._ops.3._ops.4.op.1.weight`, so that
    /// weights move between code bases.
    pub name: String,
    /// Shape in the reference code: convolutions [out, in / groups, height, width].
    pub shape: Vec<usize>,
    /// Place in the flat vector.
    pub range: Range<usize>,
    /// How it starts.
    pub init: Init,
}

/// The statistics of one batch-norm layer.
#[derive(Clone, Debug, PartialEq)]
pub struct NormSlot {
    /// Module path in the reference code, without `.running_mean`.
    pub name: String,
    /// Place of its channels in the flat vectors of means and of variances.
    pub range: Range<usize>,
    /// What the layer was made with.
    pub options: NormOptions,
}

/// The places of all weights and statistics of a network. Slots stand in the order of construction;
/// in the flat vectors those that one kernel reads lie side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    weights: Vec<WeightSlot>,
    norms: Vec<NormSlot>,
    weight_blocks: Blocks,
    norm_blocks: Blocks,
    /// Where the flat vectors end: every further slot asks for it.
    ends: Ends,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    weights: usize,
    norms: usize,
}

impl Layout {
    /// Weight tensors, in order.
    pub fn weights(&self) -> &[WeightSlot] {
        &self.weights
    }

    /// Batch-norm layers, in order.
    pub fn norms(&self) -> &[NormSlot] {
        &self.norms
    }

    /// The place of a weight tensor.
    pub fn weight(&self, id: WeightId) -> &WeightSlot {
        &self.weights[id.0]
    }

    /// The place of the statistics of a batch-norm layer.
    pub fn norm(&self, id: NormId) -> &NormSlot {
        &self.norms[id.0]
    }

    /// Number of weights of the network.
    pub fn weight_count(&self) -> usize {
        self.ends.weights
    }

    /// Number of channels over all batch-norm layers.
    pub fn norm_channels(&self) -> usize {
        self.ends.norms
    }

    /// Initial weights: the flat vector. A weight's values follow from its index, wherever it lies.
    pub fn initial_weights(&self, streams: &Streams) -> Vec<f32> {
        let mut ordered = Vec::with_capacity(self.weight_count());
        for (index, slot) in self.weights.iter().enumerate() {
            let bound = match slot.init {
                Init::FanIn(fan_in) => 1.0 / (fan_in as f32).sqrt(),
                Init::Uniform(bound) => bound,
                Init::Constant(value) => {
                    ordered.extend(std::iter::repeat_n(value, slot.range.len()));
                    continue;
                }
            };
            let mut rng = streams.at(Stream::Weights, index as u64);
            ordered.extend(uniform(&mut rng, slot.range.len(), -bound, bound));
        }
        self.placed(&ordered)
    }

    /// Initial statistics: means 0, then variances 1.
    pub fn initial_statistics(&self) -> Vec<f32> {
        let channels = self.norm_channels();
        let mut flat = vec![0.0; channels];
        flat.resize(2 * channels, 1.0);
        flat
    }

    /// The values of weight 0, 1, …, from the flat vector: the order of checkpoints.
    ///
    /// # Shapes
    /// - `flat` and output: [`Layout::weight_count`]
    pub fn in_order(&self, flat: &[f32]) -> Vec<f32> {
        gathered(self.weights.iter().map(|slot| &slot.range), flat)
    }

    /// The flat vector, from the values of weight 0, 1, …: undoes [`Layout::in_order`].
    ///
    /// # Shapes
    /// - `ordered` and output: [`Layout::weight_count`]
    pub fn placed(&self, ordered: &[f32]) -> Vec<f32> {
        scattered(self.weights.iter().map(|slot| &slot.range), ordered)
    }

    /// The statistics of layer 0, 1, …, from the flat ones.
    ///
    /// # Shapes
    /// - `flat` and output: [2, channels of all layers]
    pub fn statistics_in_order(&self, flat: &[f32]) -> Vec<f32> {
        let (means, variances) = flat.split_at(self.norm_channels());
        let half = |flat| gathered(self.norms.iter().map(|slot| &slot.range), flat);
        [half(means), half(variances)].concat()
    }

    /// The flat statistics, from those of layer 0, 1, …: undoes [`Layout::statistics_in_order`].
    ///
    /// # Shapes
    /// - `ordered` and output: [2, channels of all layers]
    pub fn placed_statistics(&self, ordered: &[f32]) -> Vec<f32> {
        let (means, variances) = ordered.split_at(self.norm_channels());
        let half = |ordered| scattered(self.norms.iter().map(|slot| &slot.range), ordered);
        [half(means), half(variances)].concat()
    }

    /// The blocks and their places, in the order of the flat vector; without those that lost all
    /// their weights to others.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (BlockId, Range<usize>)> {
        self.weight_blocks.slots.iter().enumerate().filter_map(move |(index, slots)| {
            let (first, last) = (&self.weights[*slots.first()?], &self.weights[*slots.last()?]);
            Some((BlockId(index), first.range.start..last.range.end))
        })
    }

    /// The places of the blocks of norms, in the order of the flat vectors, which they tile.
    pub(super) fn norm_blocks(&self) -> impl Iterator<Item = Range<usize>> {
        self.norm_blocks.slots.iter().filter_map(|slots| {
            let (first, last) = (&self.norms[*slots.first()?], &self.norms[*slots.last()?]);
            Some(first.range.start..last.range.end)
        })
    }

    /// 1 for the weights of these slots and 0 for the others: the flat vector.
    pub fn mask(&self, slots: &BTreeSet<usize>) -> Vec<f32> {
        let mut mask = vec![0.0; self.weight_count()];
        let used = slots.iter().filter_map(|&slot| self.weights.get(slot));
        used.for_each(|slot| mask[slot.range.clone()].fill(1.0));
        mask
    }

    /// The block of each weight, and its place in that block.
    pub(super) fn places(&self) -> Vec<(BlockId, Range<usize>)> {
        let mut places = vec![(BlockId(0), 0..0); self.weights.len()];
        for (block, Range { start, .. }) in self.blocks() {
            for &slot in &self.weight_blocks.slots[block.0] {
                let range = &self.weights[slot].range;
                places[slot] = (block, range.start - start..range.end - start);
            }
        }
        places
    }

    fn join(&mut self, weights: &[WeightId]) -> BlockId {
        let (block, from) = self.weight_blocks.join(weights.iter().map(|id| id.0).collect());
        let moved = self.weight_blocks.slots[from..].iter().flatten();
        // They tile a part of the vector, before and after.
        let start = moved.clone().map(|slot| self.weights[*slot].range.start).min();
        moved.fold(start.unwrap_or(0), |start, &slot| put(&mut self.weights[slot].range, start));
        BlockId(block)
    }

    fn join_norms(&mut self, norms: &[NormId]) -> bool {
        let mut eps = norms.iter().map(|id| self.norms[id.0].options.eps);
        let first = eps.next();
        if eps.any(|eps| Some(eps) != first) {
            return false;
        }
        let (_, from) = self.norm_blocks.join(norms.iter().map(|id| id.0).collect());
        let moved = self.norm_blocks.slots[from..].iter().flatten();
        let start = moved.clone().map(|slot| self.norms[*slot].range.start).min();
        moved.fold(start.unwrap_or(0), |start, &slot| put(&mut self.norms[slot].range, start));
        true
    }
}

/// Which slots lie side by side: all of them in the order of the flat vector, in blocks. A block
/// keeps its index for ever, so one that loses its slots stays, empty.
#[derive(Clone, Debug, Default, PartialEq)]
struct Blocks {
    /// The slots of every block.
    slots: Vec<Vec<usize>>,
    /// The block of every slot.
    blocks: Vec<usize>,
}

impl Blocks {
    /// Adds the next slot, a block of its own.
    fn push(&mut self) {
        self.slots.push(vec![self.blocks.len()]);
        self.blocks.push(self.slots.len() - 1);
    }

    /// Takes these slots out of their blocks and makes them the last one. Returns its index, and that
    /// of the first block that changed: what lies before it stays. As a cell joins what it has just
    /// added, that is little, however many cells there are.
    fn join(&mut self, slots: Vec<usize>) -> (usize, usize) {
        let last = self.slots.len();
        let from = slots.iter().map(|&slot| self.blocks[slot]).min().unwrap_or(last);
        for block in &mut self.slots[from..] {
            block.retain(|slot| !slots.contains(slot));
        }
        slots.iter().for_each(|&slot| self.blocks[slot] = last);
        self.slots.push(slots);
        (last, from)
    }
}

/// Moves a range to `start` and returns its end.
fn put(range: &mut Range<usize>, start: usize) -> usize {
    *range = start..start + range.len();
    range.end
}

/// The values of these ranges, one after another.
fn gathered<'a>(ranges: impl Iterator<Item = &'a Range<usize>>, flat: &[f32]) -> Vec<f32> {
    ranges.flat_map(|range| &flat[range.clone()]).copied().collect()
}

/// The vector of which [`gathered`] gives these values; the ranges tile it.
fn scattered<'a>(ranges: impl Iterator<Item = &'a Range<usize>>, ordered: &[f32]) -> Vec<f32> {
    let (mut flat, mut rest) = (vec![0.0; ordered.len()], ordered);
    for range in ranges {
        let (values, after) = rest.split_at(range.len());
        flat[range.clone()].copy_from_slice(values);
        rest = after;
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of 2, 3, 4, 1 and 2 numbers and layers of 2, 1 and 3 channels.
    fn layout(join: impl FnOnce(&mut Builder, &[WeightId], &[NormId])) -> Layout {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let weights = [("a", 2), ("b", 3), ("c", 4), ("d", 1), ("e", 2)].map(|(name, size)| {
            let init = if size == 1 { Init::Constant(1.0) } else { Init::FanIn(size) };
            builder.weight(name, &[size], init)
        });
        let norms = [2, 1, 3].map(|channels| builder.norm(channels, NormOptions::new(false)));
        join(&mut builder, &weights, &norms);
        layout
    }

    fn joined() -> Layout {
        layout(|builder, weights, norms| {
            builder.join(&[weights[3], weights[0]]);
            builder.join(&[weights[4], weights[1]]);
            assert!(builder.join_norms(&[norms[2], norms[0]]));
        })
    }

    fn weight_ranges(layout: &Layout) -> Vec<Range<usize>> {
        layout.weights().iter().map(|slot| slot.range.clone()).collect()
    }

    fn norm_ranges(layout: &Layout) -> Vec<Range<usize>> {
        layout.norms().iter().map(|slot| slot.range.clone()).collect()
    }

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|number| number as f32).collect()
    }

    #[test]
    fn joined_ranges_lie_side_by_side_and_all_tile_the_vector() {
        let layout = joined();
        assert_eq!(weight_ranges(&layout), [5..7, 9..12, 0..4, 4..5, 7..9]);
        assert_eq!(norm_ranges(&layout), [4..6, 0..1, 1..4]);
        assert_eq!((layout.weight_count(), layout.norm_channels()), (12, 6));
    }

    #[test]
    fn what_is_added_after_a_join_comes_last() {
        let mut layout = joined();
        let mut builder = Builder::new(&mut layout);
        builder.weight("late", &[2, 2], Init::FanIn(2));
        builder.norm(4, NormOptions::new(false));
        assert_eq!(weight_ranges(&layout).last(), Some(&(12..16)));
        assert_eq!(norm_ranges(&layout).last(), Some(&(6..10)));
    }

    #[test]
    fn a_block_keeps_its_handle_and_its_weights_know_their_places_in_it() {
        let mut blocks = Vec::new();
        let layout = layout(|builder, weights, _| {
            blocks.push(builder.join(&[weights[3], weights[0]]));
            blocks.push(builder.join(&[weights[2], weights[1]]));
        });
        let of =
            |id: BlockId| layout.blocks().find(|(block, _)| *block == id).map(|(_, range)| range);
        assert_eq!(blocks.iter().map(|id| of(*id)).collect::<Vec<_>>(), [Some(2..5), Some(5..12)]);
        let tiles: Vec<Range<usize>> = layout.blocks().map(|(_, range)| range).collect();
        assert_eq!(tiles, [0..2, 2..5, 5..12], "the last weight is alone");
        let [first, second] = [blocks[0], blocks[1]];
        let places = layout.places();
        assert_eq!(places[..2], [(first, 1..3), (second, 4..7)]);
        assert_eq!(places[2..4], [(second, 0..4), (first, 0..1)]);
        assert_eq!(places[4].1, 0..2);
    }

    #[test]
    fn weights_joined_again_leave_their_block() {
        let mut blocks = Vec::new();
        let layout = layout(|builder, weights, _| {
            blocks.push(builder.join(&[weights[0], weights[1], weights[2]]));
            blocks.push(builder.join(&[weights[1], weights[3]]));
        });
        assert_eq!(weight_ranges(&layout), [2..4, 8..11, 4..8, 11..12, 0..2]);
        let found: Vec<_> = layout.blocks().skip(1).collect();
        assert_eq!(found, [(blocks[0], 2..8), (blocks[1], 8..12)]);
    }

    #[test]
    fn the_two_orders_are_turned_into_each_other() {
        let layout = joined();
        let flat = numbers(12);
        let ordered = layout.in_order(&flat);
        assert_eq!(ordered, [5.0, 6.0, 9.0, 10.0, 11.0, 0.0, 1.0, 2.0, 3.0, 4.0, 7.0, 8.0]);
        assert_eq!(layout.placed(&ordered), flat);
        let flat = numbers(12);
        let ordered = layout.statistics_in_order(&flat);
        assert_eq!(ordered[..6], [4.0, 5.0, 0.0, 1.0, 2.0, 3.0], "means");
        assert_eq!(ordered[6..], [10.0, 11.0, 6.0, 7.0, 8.0, 9.0], "variances");
        assert_eq!(layout.placed_statistics(&ordered), flat);
    }

    #[test]
    fn a_join_changes_no_initial_value() {
        let (apart, joined) = (layout(|_, _, _| ()), joined());
        let streams = Streams::new(7);
        let [before, after] = [&apart, &joined].map(|layout| layout.initial_weights(&streams));
        assert_ne!(before, after, "another order");
        for (apart, joined) in apart.weights().iter().zip(joined.weights()) {
            assert_eq!(apart.name, joined.name);
            assert_eq!(before[apart.range.clone()], after[joined.range.clone()], "{}", apart.name);
        }
    }
}
