//! Small matrix products for one image: pixels × channels with channels × channels. The matrix
//! stays in the first-level cache, so no blocking beyond the registers is needed, which is what a
//! general product spends its time on at 16 to 64 columns.

use std::ops::Range;

use macerator::{Scalar, Simd, Vector};

use super::aligned::Aligned;
use super::narrow::{self, Dealt, Narrow};
use super::planes::copy_or_add;
use super::{Kernel, dispatch, load, store, zero};

/// Vectors of outputs of a register tile, if there is more than one.
const VECTORS: usize = 2;

/// Pixels in memory, which may overlap: the windows of a convolution do.
#[derive(Clone, Copy)]
pub(crate) struct Pixels<'a> {
    pub(crate) values: &'a [f32],
    /// Floats from one pixel to the next.
    pub(crate) pixel: usize,
    /// Floats from one row to the next.
    pub(crate) row: usize,
}

impl<'a> Pixels<'a> {
    /// From this float on.
    #[inline(always)]
    pub(crate) fn from(self, start: usize) -> Self {
        Self { values: &self.values[start..], ..self }
    }
}

/// Floats of an image that a product takes at once, with what comes before and after it: half of the
/// smallest first-level cache.
const BLOCK: usize = 2048;

/// A matrix [inputs, outputs] for pixels side by side.
pub(crate) enum Product {
    /// Pixels that fill vectors.
    Wide(Packed),
    /// Pixels of few channels.
    Narrow(Narrow),
}

impl Product {
    /// From `at`(input, output).
    pub(crate) fn new(
        [inputs, outputs]: [usize; 2],
        lanes: usize,
        at: impl Fn(usize, usize) -> f32,
    ) -> Self {
        match narrow::fits(inputs, outputs, lanes) {
            true => Self::Narrow(Narrow::new(at)),
            false => Self::Wide(Packed::new([1, inputs, outputs], lanes, at)),
        }
    }

    /// `out` = `x` · matrix for pixels `from` floats apart in `x` and `to` floats in `out`.
    pub(crate) fn multiply(
        &self,
        x: &[f32],
        out: &mut [f32],
        [from, to]: [usize; 2],
        dealt: &mut Dealt,
    ) {
        let x = Pixels { values: x, pixel: from, row: 0 };
        dispatch(Multiplication { product: self, x, out, to, dealt });
    }
}

/// Rows of `row` floats that a product takes at once.
pub(crate) fn rows_at_once(row: usize) -> usize {
    (BLOCK / row.max(1)).max(1)
}

struct Multiplication<'a> {
    product: &'a Product,
    x: Pixels<'a>,
    out: &'a mut [f32],
    to: usize,
    dealt: &'a mut Dealt,
}

impl Kernel for Multiplication<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { product, x, out, to, dealt } = self;
        match product {
            Product::Wide(matrix) => matrix.multiply::<S, L>(x, out, to),
            Product::Narrow(matrix) => {
                let count = out.len();
                matrix.multiply::<S, L>(&x.values[..count], out, dealt);
            }
        }
    }
}

/// The gradient of a [`Product`] for its matrix, of one image.
pub(crate) struct Gradient<'a> {
    /// Floats from one pixel of the input to the next.
    pub(crate) pixel: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) x: &'a [f32],
    /// Of the output.
    pub(crate) gradient: &'a [f32],
    /// [output, input], to which it is added.
    pub(crate) out: &'a mut [f32],
    /// Memory for pixels that are filled up.
    pub(crate) filled: &'a mut Aligned,
    pub(crate) dealt: &'a mut Dealt,
}

impl Kernel for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { pixel, inputs, outputs, x, gradient, out, filled, dealt } = self;
        if narrow::fits(inputs, outputs, L) {
            return narrow::outer::<S, L>(&x[..gradient.len()], gradient, out, dealt);
        }
        let count = gradient.len() / outputs;
        let x = Pixels { values: x, pixel, row: count * pixel };
        let gradient = whole_vectors::<L>(gradient, [outputs; 2], count, filled);
        let layout = Layout { inputs, outputs, input: 1, output: inputs };
        outer::<S, L>([1, count], x, gradient, out, layout);
    }
}

/// A matrix [rows · inputs, outputs] as blocks of the outputs of a tile: of [`VECTORS`] vectors, and what is
/// left in one where it fits, as 4 of 36 outputs do. Filled up with zeros.
pub(crate) struct Packed {
    /// Rows of pixels that an output is made of: 1, or those of a window.
    rows: usize,
    /// Floats of each.
    inputs: usize,
    outputs: usize,
    /// [block][row][input] vectors.
    values: Aligned,
    /// Blocks of several vectors, and floats of those.
    wide: usize,
    block: usize,
}

impl Packed {
    /// From `at`(row · inputs + input, output).
    pub(crate) fn new(
        [rows, inputs, outputs]: [usize; 3],
        lanes: usize,
        at: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let (block, depth) = (VECTORS * lanes, rows * inputs);
        let wide = outputs / block + usize::from(outputs % block > lanes);
        let left = outputs.saturating_sub(wide * block).div_ceil(lanes);
        let mut values = Aligned::new((wide * block + left * lanes) * depth);
        let (wides, last) = values.split_at_mut(wide * block * depth);
        for (values, start, block) in [(wides, 0, block), (last, wide * block, lanes)] {
            for (index, row) in values.chunks_exact_mut(block).enumerate() {
                let (first, input) = (start + index / depth * block, index % depth);
                for (output, value) in (first..outputs).zip(row) {
                    *value = at(input, output);
                }
            }
        }
        Self { rows, inputs, outputs, values, wide, block }
    }

    /// `out` = `x` · matrix for the pixels of one row, which lie `pixel` floats apart in `out`.
    #[inline(always)]
    pub(crate) fn multiply<S: Simd, const L: usize>(
        &self,
        x: Pixels,
        out: &mut [f32],
        pixel: usize,
    ) {
        let wide = self.wide * self.block;
        let (wides, last) = self.values.split_at(wide * self.rows * self.inputs);
        self.blocks::<S, L, VECTORS, 4, 2>((wides, 0), x, out, pixel);
        self.blocks::<S, L, 1, 8, 4>((last, wide), x, out, pixel);
    }

    /// Blocks from output `start` on. Tiles of `V` vectors of outputs and `P` pixels, then half as many, then
    /// one. Eight sums hide the latency of one.
    #[inline(always)]
    fn blocks<S: Simd, const L: usize, const V: usize, const P: usize, const HALF: usize>(
        &self,
        (blocks, start): (&[f32], usize),
        x: Pixels,
        out: &mut [f32],
        pixel: usize,
    ) {
        let (pixels, depth) = (out.len().div_ceil(pixel), self.rows * self.inputs);
        for (index, block) in blocks.chunks_exact(depth * V * L).enumerate() {
            let block = (block.as_chunks::<L>().0.as_chunks::<V>().0, self.inputs);
            let first = start + index * V * L;
            let (out, width) = (&mut out[first..], (V * L).min(self.outputs - first));
            let next = tiles::<S, L, V, P>(0..pixels, x, block, out, [width, pixel]);
            let next = tiles::<S, L, V, HALF>(next..pixels, x, block, out, [width, pixel]);
            tiles::<S, L, V, 1>(next..pixels, x, block, out, [width, pixel]);
        }
    }
}

/// Computes as many tiles of `R` pixels as there are. The next pixel.
#[inline(always)]
fn tiles<S: Simd, const L: usize, const V: usize, const R: usize>(
    pixels: Range<usize>,
    x: Pixels,
    block: (&[[[f32; L]; V]], usize),
    out: &mut [f32],
    [width, pixel]: [usize; 2],
) -> usize {
    let mut first = pixels.start;
    while first + R <= pixels.end {
        let mut values = [[[0.0; L]; V]; R];
        tile::<S, L, V, R>(x.from(first * x.pixel), block, &mut values);
        put(&values, width, &mut out[first * pixel..], pixel);
        first += R;
    }
    first
}

/// Copies the first `width` outputs of every pixel of a tile.
#[inline(always)]
fn put<const L: usize, const V: usize>(
    values: &[[[f32; L]; V]],
    width: usize,
    out: &mut [f32],
    pixel: usize,
) {
    for (r, values) in values.iter().enumerate() {
        let (values, out) = (values.as_flattened(), &mut out[r * pixel..]);
        // The length of a copy that is known needs no call: whole blocks, and what is left of 36 outputs.
        match width {
            4 => known::<4>(values, out),
            8 => known::<8>(values, out),
            16 => known::<16>(values, out),
            32 => known::<32>(values, out),
            _ => out[..width].copy_from_slice(&values[..width]),
        }
    }
}

#[inline(always)]
fn known<const N: usize>(values: &[f32], out: &mut [f32]) {
    if let (Some(values), Some(out)) = (values.first_chunk::<N>(), out.first_chunk_mut::<N>()) {
        *out = *values;
    }
}

/// `values` = `R` pixels of `x` · the block of a matrix with so many inputs a row.
#[inline(always)]
fn tile<S: Simd, const L: usize, const V: usize, const R: usize>(
    x: Pixels,
    (matrix, inputs): (&[[[f32; L]; V]], usize),
    values: &mut [[[f32; L]; V]; R],
) {
    let mut sums: [[Vector<S, f32>; V]; R] = [[zero(); V]; R];
    for (y, matrix) in matrix.chunks_exact(inputs).enumerate() {
        let mut rows: [&[f32]; R] = [&[]; R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = &x.values[y * x.row + r * x.pixel..][..inputs];
        }
        for input in 0..inputs {
            let vectors = &matrix[input];
            for (sums, row) in sums.iter_mut().zip(&rows) {
                let x: Vector<S, f32> = row[input].splat();
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = x.mul_add(load(vector), *sum);
                }
            }
        }
    }
    for (values, sums) in values.iter_mut().zip(&sums) {
        for (value, sum) in values.iter_mut().zip(sums) {
            *value = store(*sum);
        }
    }
}

/// Inputs of a register tile of [`outer`]: eight sums hide the latency of one.
const INPUTS: usize = 8;

/// Pixels of `channels` floats, side by side in rows of `width`, so that each part of a pixel can be
/// read in whole vectors: as they are, or filled up in `scratch`.
#[inline(always)]
pub(crate) fn whole_vectors<'a, const L: usize>(
    values: &'a [f32],
    [channels, part]: [usize; 2],
    width: usize,
    scratch: &'a mut Aligned,
) -> Pixels<'a> {
    let pixel = channels - part + part.next_multiple_of(L);
    if pixel == channels {
        return Pixels { values, pixel, row: width * pixel };
    }
    scratch.resize(values.len() / channels * pixel);
    scratch.fill(0.0);
    for (filled, values) in scratch.chunks_exact_mut(pixel).zip(values.chunks_exact(channels)) {
        copy_or_add(values, false, &mut filled[..channels]);
    }
    Pixels { values: scratch, pixel, row: width * pixel }
}

/// A matrix of `inputs` × `outputs` numbers at these distances in memory.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Floats from one input to the next.
    pub(crate) input: usize,
    /// Floats from one output to the next.
    pub(crate) output: usize,
}

/// `out`\[input, output\] += Σ over [height, width] pixels of `x`\[pixel, input\] ·
/// `gradient`\[pixel, output\]: the gradient of a product for its matrix. The pixels of `gradient`
/// are readable in whole vectors; what stands past the outputs does not count.
#[inline(always)]
pub(crate) fn outer<S: Simd, const L: usize>(
    size: [usize; 2],
    x: Pixels,
    gradient: Pixels,
    out: &mut [f32],
    layout: Layout,
) {
    let Layout { inputs, outputs, .. } = layout;
    let tiles = inputs / INPUTS * INPUTS;
    for first in (0..outputs).step_by(L) {
        let gradient = gradient.from(first);
        let mut sums = [[0.0; L]; INPUTS];
        for input in (0..tiles).step_by(INPUTS) {
            outer_tile::<S, L, INPUTS>(size, x.from(input), gradient, &mut sums);
            add(&sums, [input, first], out, layout);
        }
        // Of one input a sum waits for the last: four at once where there are as many, as in 36.
        let fours = tiles + (inputs - tiles) / 4 * 4;
        let mut sums = [[0.0; L]; 4];
        for input in (tiles..fours).step_by(4) {
            outer_tile::<S, L, 4>(size, x.from(input), gradient, &mut sums);
            add(&sums, [input, first], out, layout);
        }
        let mut sums = [[0.0; L]; 1];
        for input in fours..inputs {
            outer_tile::<S, L, 1>(size, x.from(input), gradient, &mut sums);
            add(&sums, [input, first], out, layout);
        }
    }
}

/// Adds the sums of some inputs, from the first one on, with a vector of outputs.
#[inline(always)]
fn add<const L: usize>(
    sums: &[[f32; L]],
    [input, output]: [usize; 2],
    out: &mut [f32],
    layout: Layout,
) {
    for (input, sum) in (input..).zip(sums) {
        for (output, value) in (output..layout.outputs).zip(sum) {
            out[output * layout.output + input * layout.input] += value;
        }
    }
}

#[inline(always)]
fn outer_tile<S: Simd, const L: usize, const I: usize>(
    [height, width]: [usize; 2],
    x: Pixels,
    gradient: Pixels,
    out: &mut [[f32; L]; I],
) {
    let mut sums: [Vector<S, f32>; I] = [zero(); I];
    for y in 0..height {
        let (mut at, mut gradient_at) = (y * x.row, y * gradient.row);
        for _ in 0..width {
            let values = x.values[at..][..I].iter();
            let gradient_values = &gradient.values[gradient_at..][..L].as_chunks::<L>().0[0];
            let vector = load::<S, L>(gradient_values);
            for (sum, x) in sums.iter_mut().zip(values) {
                *sum = x.splat::<S>().mul_add(vector, *sum);
            }
            at += x.pixel;
            gradient_at += gradient.pixel;
        }
    }
    for (out, sum) in out.iter_mut().zip(&sums) {
        *out = store(*sum);
    }
}
