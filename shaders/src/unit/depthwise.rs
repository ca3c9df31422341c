//! The WGSL kernels of the depthwise convolutions and of their way back to x: plain ones for any number of
//! channels, ones that stage weights for multiples of 4.

use super::tiles::{self, stores};
use super::wgpu::program;
use super::{Prologue, Sizes};
use crate::device::Variant;
use crate::norm::wgpu::{GROUPS, STANDARD, declare};
use crate::wgpu::{Program, WORKGROUP};

const FORWARD: &str = "unit, image, out_y, out_x, channel, &sums, &below";

const BACK: &str = "unit, first, in_y, in_x, channel, &sums, &below";

/// What the function of a kind of units takes.
pub(super) const FORWARD_TILED: &str = "unit, place.image, place.row, place.column, channel, &sums";

const BACK_TILED: &str = "unit, first, place.row, place.column, channel, &sums";

/// The variant that runs: channels that fours do not divide are not staged.
fn possible(sizes: &Sizes, variant: Variant) -> Variant {
    if sizes.channels().is_multiple_of(4) { variant } else { Variant::Plain }
}

/// What the threads of a kernel compute.
pub(super) struct Layout {
    /// Activations, each so high and wide.
    pub(super) activations: usize,
    pub(super) image: [usize; 2],
    /// Numbers of a row that a thread computes.
    pub(super) tile: usize,
}

impl Layout {
    /// Threads for a row.
    fn tiles(&self) -> usize {
        self.image[1].div_ceil(self.tile)
    }
}

pub(super) fn depthwise(sizes: &Sizes, variant: Variant) -> Program {
    let variant = possible(sizes, variant);
    let image = sizes.out();
    let tile = tiles::tile(image[1], 1, tiles::widest(variant));
    let layout = Layout { activations: sizes.units.len(), image, tile };
    let name = "unit_depthwise";
    let (program, arguments) = match variant {
        Variant::Plain => (tiled(name, include_str!("depthwise.wgsl"), sizes, &layout), FORWARD),
        Variant::Tiled => {
            (staged(name, include_str!("depthwise_tiled.wgsl"), sizes, &layout), FORWARD_TILED)
        }
    };
    let function = |kind| tiles::depthwise(sizes, kind, tile, variant);
    let store = |t| format!("u[(row + out_x + {t}u) * CHANNELS + channel] = (*sums)[{t}];");
    program
        .constant("kinds", tiles::functions(sizes, function))
        .constant("calls", tiles::calls(sizes, "depthwise", arguments))
        .constant("stores", stores(tile, "out_x", "OUT_WIDTH", store))
}

pub(super) fn x_gradient(sizes: &Sizes, variant: Variant) -> Program {
    let variant = possible(sizes, variant);
    let [height, width, _] = sizes.image;
    let tile = tiles::tile(width, sizes.stride, tiles::widest(variant));
    let layout = Layout { activations: sizes.sources(), image: [height, width], tile };
    let name = "unit_x_gradient";
    let (program, arguments) = match variant {
        Variant::Plain => (tiled(name, include_str!("x_gradient.wgsl"), sizes, &layout), BACK),
        Variant::Tiled => {
            (staged(name, include_str!("x_gradient_tiled.wgsl"), sizes, &layout), BACK_TILED)
        }
    };
    // By moments of the batch, and with γ and β, the scale comes with the rest of the way back.
    let constant = sizes.prologue.norm.is_some_and(|norm| !norm.of_batch && !norm.affine);
    let factor = if constant { " * norm.scale" } else { "" };
    let store = |t: usize| {
        let place = format!("(row + in_x + {t}u) * CHANNELS + channel");
        let passes = format!("live(normed(x[{place}], norm))");
        format!("out[{place}] = select(Number(), (*sums)[{t}]{factor}, {passes});")
    };
    program
        .constant("sources", sizes.source_cases())
        .constant("kinds", tiles::functions(sizes, |kind| tiles::back(sizes, kind, tile, variant)))
        .constant("calls", tiles::calls(sizes, "back", arguments))
        .constant("stores", stores(tile, "in_x", "WIDTH", store))
}

/// A template whose threads compute tiles of all rows.
fn tiled(name: &'static str, source: &'static str, sizes: &Sizes, layout: &Layout) -> Program {
    let rows = tiles::rows(sizes, layout.image[0]);
    let threads = layout.activations * sizes.batch * rows * layout.tiles() * sizes.channels();
    program(name, [include_str!("rows.wgsl"), source], sizes, threads)
        .sizes([("tile", layout.tile), ("tiles", layout.tiles()), ("rows", rows)])
        .sizes([("below", tiles::below(sizes, Variant::Plain))])
}

/// Fours that fit in the memory of a workgroup: 16 KiB in a browser.
const STAGED: usize = 1024;

/// Fours of neighbouring channels of a workgroup, at most.
const WIDEST: usize = 16;

/// The same for channels in fours, where the threads of a workgroup share their weights.
fn staged(name: &'static str, source: &'static str, sizes: &Sizes, layout: &Layout) -> Program {
    let (channels, taps) = (sizes.channels() / 4, sizes.most_taps());
    let blocks = channels.div_ceil(WIDEST.min(STAGED / taps).max(1));
    let wide = channels.div_ceil(blocks);
    staged_in(name, source, sizes, layout, Staged { wide, vectors: taps * wide })
}

/// What a workgroup stages.
pub(super) struct Staged {
    /// Fours of channels that it computes.
    pub(super) wide: usize,
    /// Vectors of four numbers that it has memory for.
    pub(super) vectors: usize,
}

pub(super) fn staged_in(
    name: &'static str,
    source: &'static str,
    sizes: &Sizes,
    layout: &Layout,
    Staged { wide, vectors }: Staged,
) -> Program {
    let (channels, Prologue { relu, norm }) = (sizes.channels() / 4, sizes.prologue);
    let &Layout { activations, image: [rows, _], tile } = layout;
    let places = sizes.batch * rows * layout.tiles();
    let groups = activations * channels.div_ceil(wide) * places.div_ceil(WORKGROUP / wide);
    let shared = [GROUPS, STANDARD, include_str!("sizes.wgsl")];
    let pieces = [include_str!("activation_fours.wgsl"), include_str!("staged.wgsl"), source];
    let program = Program::of_pieces(name, shared, groups * WORKGROUP).and_pieces(pieces);
    let program = sizes
        .fill(program)
        .constant("live", if relu { "value > Number()" } else { "vec4(true)" })
        .sizes([("tile", tile), ("tiles", layout.tiles()), ("rows", rows)])
        .sizes([("wide", wide), ("staged", vectors), ("last", activations - 1)])
        // What is said last counts.
        .sizes([("channels", channels)])
        .number(4);
    declare(program, norm)
}
