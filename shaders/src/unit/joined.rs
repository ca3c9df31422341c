//! The WGSL kernel of whole units: the depthwise convolution and the pointwise product in one launch.
//!
//! Apart they write u and read it again, at stride 1 as many numbers as x and z have together; joined they move half
//! of the memory, with half of the launches. The price is that a workgroup computes all channels of its pixels, so that they
//! must fit in its memory: beyond 128 channels they do not, and two launches do the work.

use super::Sizes;
use super::depthwise::{FORWARD_TILED, Layout, Staged, staged_in};
use super::product::{lines, products};
use super::tiles;
use crate::device::Variant;
use crate::norm::blocks::Blocks;
use crate::wgpu::{Program, WORKGROUP};

/// Pixels of a workgroup, at least: the weights are staged once for all of them.
const FEWEST: usize = 32;

/// Bytes of a vector of four numbers.
const VECTOR: usize = 16;

/// What a workgroup keeps in its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Block {
    /// Numbers of a row that a thread computes.
    tile: usize,
    /// Pixels.
    pixels: usize,
    /// Fours of inputs whose pointwise weights are staged at once.
    slice: usize,
    /// Vectors for the depthwise weights of a unit, and for a slice of its pointwise weights after them.
    staged: usize,
}

impl Block {
    /// The largest one that fits in so many bytes; `None` where that is too little, or where fours do not divide the
    /// channels.
    pub(super) fn new(sizes: &Sizes, memory: usize) -> Option<Self> {
        let possible =
            |count: usize| count.is_multiple_of(4) && (4..=4 * WORKGROUP).contains(&count);
        if !possible(sizes.channels()) || !possible(sizes.outputs) {
            return None;
        }
        let vectors = memory / VECTOR;
        let [from, to] = [sizes.channels() / 4, sizes.outputs / 4];
        let of_tile = |widest| {
            let tile = tiles::tile(sizes.out()[1], 1, widest);
            let pixels = WORKGROUP / from * tile;
            let room = vectors.checked_sub(pixels * from)?;
            let slice = from.min(room / (4 * to));
            // For moments every thread has a vector there.
            let staged = (from * sizes.most_taps()).max(4 * to * slice).max(WORKGROUP);
            let fits = pixels >= FEWEST && slice > 0 && staged <= room;
            fits.then_some(Self { tile, pixels, slice, staged })
        };
        [4, 2, 1].into_iter().find_map(of_tile)
    }

    /// Its pixels as they lie in memory, for their moments; `None` where a row ends within a thread's numbers.
    pub(super) fn blocks(&self, sizes: &Sizes) -> Option<Blocks> {
        let [height, width] = sizes.out();
        width.is_multiple_of(self.tile).then_some(Blocks {
            side: sizes.outputs / 4,
            pixels: self.pixels,
            all_pixels: sizes.batch * height * width,
            vectors: sizes.units.len() * sizes.outputs / 4,
        })
    }
}

/// A launch for all units, and for the moments of what they give where blocks of them are told.
pub(super) fn joined(sizes: &Sizes, block: &Block, blocks: Option<Blocks>) -> Program {
    let &Block { tile, pixels, slice, staged: vectors } = block;
    let [from, to] = [sizes.channels() / 4, sizes.outputs / 4];
    let each = pixels.div_ceil(WORKGROUP / to);
    let layout = Layout { activations: sizes.units.len(), image: sizes.out(), tile };
    let function = |kind| tiles::depthwise(sizes, kind, tile, Variant::Tiled);
    let staged = Staged { wide: from, vectors };
    let program = staged_in("unit", include_str!("joined.wgsl"), sizes, &layout, staged);
    // Behind x, its norm, the weights and z.
    let found = 3 + sizes.prologue.norm.map_or(0, |norm| 1 + usize::from(norm.affine));
    Blocks::program(blocks, program, each, found)
        .constant("kinds", tiles::functions(sizes, function))
        .constant("calls", tiles::calls(sizes, "depthwise", FORWARD_TILED))
        .constant("keeps", lines(tile, keep))
        .constant("starts", lines(each, start))
        .constant("products", lines(each, |n| products(n, "middle")))
        .constant("puts", lines(each, put))
        .sizes([("slice", slice)])
}

fn keep(t: usize) -> String {
    format!("    middle[({t}u * LANES + lane) * CHANNELS + channel] = (*sums)[{t}];\n")
}

fn start(n: usize) -> String {
    format!("    let start{n} = start_of(pixel + {n}u * OUT_LANES);\n    var sum{n} = vec4(0.0);\n")
}

fn put(n: usize) -> String {
    let pixel = format!("pixel + {n}u * OUT_LANES");
    format!(
        "    let there{n} = works && is_there(pixel_block, {pixel});
    if there{n} {{
        put(pixel_block, number, {pixel}, output, sum{n});
    }}
"
    )
}

#[cfg(test)]
mod tests {
    use naga::AddressSpace;

    use super::*;
    use crate::unit::{Prologue, Unit};

    fn bank(channels: usize, size: usize, width: usize) -> Sizes {
        let unit = |size| Unit { source: 0, size, dilation: 1 };
        let (units, prologue) = ([unit(3), unit(size)].into(), Prologue { relu: true, norm: None });
        let image = [width, width, channels];
        Sizes {
            batch: 4,
            image,
            stride: 1,
            outputs: channels,
            units,
            prologue,
            deferred: Default::default(),
        }
    }

    /// Bytes that the variables of a workgroup take; of a text that is no WGSL more than there are.
    fn memory_of(program: &Program) -> usize {
        let Ok(module) = naga::front::wgsl::parse_str(&program.text()) else { return usize::MAX };
        let variables = module.global_variables.iter().map(|(_, variable)| variable);
        let of_groups = variables.filter(|variable| variable.space == AddressSpace::WorkGroup);
        of_groups.map(|it| module.types[it.ty].inner.size(module.to_ctx()) as usize).sum()
    }

    #[test]
    fn a_workgroup_takes_no_more_memory_than_there_is() {
        for memory in [16, 24, 32, 48].map(|kib| kib << 10) {
            for (channels, size, width) in
                [(4, 3, 5), (16, 5, 32), (20, 7, 9), (64, 5, 8), (144, 3, 8)]
            {
                let bank = bank(channels, size, width);
                let taken = Block::new(&bank, memory)
                    .map(|block| memory_of(&joined(&bank, &block, block.blocks(&bank))));
                assert!(
                    taken.is_none_or(|taken| taken <= memory),
                    "{channels} channels: {taken:?}"
                );
            }
        }
    }

    #[test]
    fn the_units_of_the_paper_are_one_launch_in_a_browser_too() {
        for (channels, width) in [(16, 32), (32, 16), (64, 8)] {
            let block = Block::new(&bank(channels, 5, width), 16 << 10);
            assert!(block.is_some(), "{channels} channels");
        }
        let fits = |channels| Block::new(&bank(channels, 5, 8), 48 << 10).is_some();
        assert!(!fits(256), "they would not fit");
        assert!(!fits(6), "fours do not divide them");
    }
}
