//! The WGSL kernels of the depthwise convolutions and of their way back to x: plain ones for any number of
//! channels, ones that stage weights for multiples of 4.

use super::tiles::{self, stores};
use super::wgpu::program;
use super::{Prologue, Sizes};
use crate::device::Variant;
use crate::norm::wgpu::{GROUPS, STANDARD, declare};
use crate::wgpu::{Program, WORKGROUP};

const ARGUMENTS: [&str; 2] = [
    "unit, image, out_y, out_x, channel, &sums, &below",
    "unit, first, in_y, in_x, channel, &sums, &below",
];

const ARGUMENTS_TILED: [&str; 2] = [
    "unit, place.image, place.row, place.column, channel, &sums",
    "unit, first, place.row, place.column, channel, &sums",
];

/// The variant that runs: channels that fours do not divide are not staged.
fn possible(sizes: &Sizes, variant: Variant) -> Variant {
    if sizes.channels().is_multiple_of(4) { variant } else { Variant::Plain }
}

pub(super) fn depthwise(sizes: &Sizes, variant: Variant) -> Program {
    let variant = possible(sizes, variant);
    let (out, tile) = (sizes.out(), tiles::tile(sizes.out()[1], 1, variant));
    let (units, name) = (sizes.units.len(), "unit_depthwise");
    let (program, [arguments, _]) = match variant {
        Variant::Plain => {
            let source = include_str!("depthwise.wgsl");
            (tiled(name, source, sizes, units, (out, tile)), ARGUMENTS)
        }
        Variant::Tiled => {
            let source = include_str!("depthwise_tiled.wgsl");
            (staged(name, source, sizes, units, (out, tile)), ARGUMENTS_TILED)
        }
    };
    let store = |t| format!("u[(row + out_x + {t}u) * CHANNELS + channel] = (*sums)[{t}];");
    program
        .constant("kinds", tiles::functions(sizes, |kind| tiles::depthwise(sizes, kind, variant)))
        .constant("calls", tiles::calls(sizes, "depthwise", arguments))
        .constant("stores", stores(tile, "out_x", "OUT_WIDTH", store))
}

pub(super) fn x_gradient(sizes: &Sizes, variant: Variant) -> Program {
    let variant = possible(sizes, variant);
    let [height, width, _] = sizes.image;
    let tile = tiles::tile(width, sizes.stride, variant);
    let (sources, name) = (sizes.sources(), "unit_x_gradient");
    let (program, [_, arguments]) = match variant {
        Variant::Plain => {
            let source = include_str!("x_gradient.wgsl");
            (tiled(name, source, sizes, sources, ([height, width], tile)), ARGUMENTS)
        }
        Variant::Tiled => {
            let source = include_str!("x_gradient_tiled.wgsl");
            (staged(name, source, sizes, sources, ([height, width], tile)), ARGUMENTS_TILED)
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
        .constant("kinds", tiles::functions(sizes, |kind| tiles::back(sizes, kind, variant)))
        .constant("calls", tiles::calls(sizes, "back", arguments))
        .constant("stores", stores(tile, "in_x", "WIDTH", store))
}

/// Height and width of an activation, and the numbers of a row that a thread computes.
type Tiles = ([usize; 2], usize);

/// A template whose threads compute tiles of all rows, so high and wide, of so many activations.
fn tiled(
    name: &'static str,
    source: &'static str,
    sizes: &Sizes,
    activations: usize,
    tiles: Tiles,
) -> Program {
    let ([height, _], _) = tiles;
    let rows = tiles::rows(sizes, height);
    let threads = activations * places(sizes, tiles, rows) * sizes.channels();
    of_rows(program(name, [include_str!("rows.wgsl"), source], sizes, threads), tiles, rows)
        .sizes([("below", tiles::below(sizes, Variant::Plain))])
}

/// Threads for a channel of an activation.
fn places(sizes: &Sizes, ([_, width], tile): Tiles, rows: usize) -> usize {
    sizes.batch * rows * width.div_ceil(tile)
}

fn of_rows(program: Program, ([_, width], tile): Tiles, rows: usize) -> Program {
    program.sizes([("tile", tile), ("tiles", width.div_ceil(tile)), ("rows", rows)])
}

/// Fours that fit in the memory of a workgroup: 16 KiB in a browser.
const STAGED: usize = 1024;

/// Fours of neighbouring channels of a workgroup, at most.
const WIDEST: usize = 16;

/// The same for channels in fours, where the threads of a workgroup share their weights.
fn staged(
    name: &'static str,
    source: &'static str,
    sizes: &Sizes,
    activations: usize,
    tiles: Tiles,
) -> Program {
    let (channels, Prologue { relu, norm }) = (sizes.channels() / 4, sizes.prologue);
    let taps = sizes.units.iter().map(|unit| unit.size * unit.size).max().unwrap_or(1);
    let blocks = channels.div_ceil(WIDEST.min(STAGED / taps).max(1));
    let wide = channels.div_ceil(blocks);
    let ([rows, _], _) = tiles;
    let groups = activations * blocks * places(sizes, tiles, rows).div_ceil(WORKGROUP / wide);
    let shared = [GROUPS, STANDARD, include_str!("sizes.wgsl")];
    let pieces = [include_str!("activation_fours.wgsl"), include_str!("staged.wgsl"), source];
    let program = Program::of_pieces(name, shared, groups * WORKGROUP).and_pieces(pieces);
    let program = of_rows(sizes.fill(program), tiles, rows)
        .constant("live", if relu { "value > Number()" } else { "vec4(true)" })
        .sizes([("wide", wide), ("taps", taps), ("last", activations - 1)])
        // What is said last counts.
        .sizes([("channels", channels)])
        .number(4);
    declare(program, norm)
}
