//! Small matrix products for one image: pixels × channels with channels × channels. The matrix
//! stays in the first-level cache, so no blocking beyond the registers is needed, which is what a
//! general product spends its time on at 16 to 64 columns.

use std::ops::Range;

use macerator::{Scalar, Simd, Vector};

use super::aligned::Aligned;
use super::narrow::{self, Dealt, Narrow};
use super::{Kernel, dispatch, load, store, zero};

/// Vectors of outputs of a register tile, if there is more than one.
const VECTORS: usize = 2;

/// Inputs of a pixel that are taken without looking at bounds between them: a product of 16 channels reached 92 GFLOP/s
/// instead of 75 (a core of an Intel Xeon).
const INPUTS: usize = 4;

/// Pixels in memory, which may overlap: the windows of a convolution do.
#[derive(Clone, Copy)]
pub(crate) struct Pixels<'a> {
    pub(crate) values: &'a [f32],
    /// Floats from one pixel to the next.
    pub(crate) pixel: usize,
    /// Floats from one row of a pixel to the next, where it is a window.
    pub(crate) row: usize,
    /// Pixels of a line, and floats from its first to that of the next; `None` where all are in one.
    pub(crate) lines: Option<[usize; 2]>,
}

impl<'a> Pixels<'a> {
    /// Pixels of so many floats, one after another.
    pub(crate) fn side_by_side(values: &'a [f32], pixel: usize) -> Self {
        Self { values, pixel, row: 0, lines: None }
    }

    /// From this float on.
    #[inline(always)]
    pub(crate) fn from(self, start: usize) -> Self {
        Self { values: &self.values[start..], ..self }
    }
}

/// Goes over pixels one after another, line after line.
struct Walk {
    /// Floats from one pixel to the next.
    pixel: usize,
    /// Pixels of a line, and floats from its first to that of the next.
    lines: [usize; 2],
    /// Pixels that the line has left.
    left: usize,
    /// Where the next one begins.
    at: usize,
}

impl Walk {
    /// From pixel `first` on.
    #[inline(always)]
    fn new(pixel: usize, lines: [usize; 2], first: usize) -> Self {
        let [width, line] = lines;
        let (above, before) = (first / width, first % width);
        Self { pixel, lines, left: width - before, at: above * line + before * pixel }
    }

    /// Where the next `R` pixels begin.
    #[inline(always)]
    fn next<const R: usize>(&mut self) -> [usize; R] {
        let [width, line] = self.lines;
        let mut starts = [0; R];
        for start in &mut starts {
            if self.left == 0 {
                self.left = width;
                self.at = self.at + line - width * self.pixel;
            }
            *start = self.at;
            self.left -= 1;
            self.at += self.pixel;
        }
        starts
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
        let x = Pixels::side_by_side(x, from);
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

    /// `out` = `x` · matrix for pixels that lie `pixel` floats apart in `out`.
    #[inline(always)]
    pub(crate) fn multiply<S: Simd, const L: usize>(
        &self,
        x: Pixels,
        out: &mut [f32],
        pixel: usize,
    ) {
        let wide = self.wide * self.block;
        let (wides, last) = self.values.split_at(wide * self.rows * self.inputs);
        // Eight sums hide the latency of one. AVX-512 has registers for sixteen, for which less is loaded: products of
        // 32 and 64 channels reach 140 and 155 GFLOP/s of a core instead of 120 and 130 (measured as `Run` says).
        match L {
            16 => self.blocks::<S, L, VECTORS, 8, 4>((wides, 0), x, out, pixel),
            _ => self.blocks::<S, L, VECTORS, 4, 2>((wides, 0), x, out, pixel),
        }
        self.blocks::<S, L, 1, 8, 4>((last, wide), x, out, pixel);
    }

    /// Blocks from output `start` on. Tiles of `V` vectors of outputs and `P` pixels, then half as many, then
    /// one.
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
    let mut walk = x.lines.map(|lines| Walk::new(x.pixel, lines, first));
    while first + R <= pixels.end {
        let sums = match &mut walk {
            // The places of pixels in one line are found by the processor: with a walk `bank_and_moments` took 5 %
            // longer (`sdarts bench --space s5 --method darts --set search.batch_size=16 --profile`).
            None => {
                let place = |r: usize| r * x.pixel;
                tile::<S, L, V, R>(x.from(first * x.pixel), place, block)
            }
            Some(walk) => {
                let starts: [usize; R] = walk.next();
                tile::<S, L, V, R>(x, |r| starts[r], block)
            }
        };
        put::<S, L, V>(&sums, width, &mut out[first * pixel..], pixel);
        first += R;
    }
    first
}

/// Stores the first `width` outputs of every pixel of a tile.
#[inline(always)]
fn put<S: Simd, const L: usize, const V: usize>(
    sums: &[[Vector<S, f32>; V]],
    width: usize,
    out: &mut [f32],
    pixel: usize,
) {
    for (r, sums) in sums.iter().enumerate() {
        let out = &mut out[r * pixel..][..width];
        if let Some(out) = out.as_chunks_mut::<L>().0.first_chunk_mut::<V>() {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = store(*sum);
            }
            continue;
        }
        let mut values = [[0.0; L]; V];
        for (value, sum) in values.iter_mut().zip(sums) {
            *value = store(*sum);
        }
        // The length of a copy that is known needs no call: what is left of 36 outputs, and of 72.
        match width {
            4 => known::<4>(values.as_flattened(), out),
            8 => known::<8>(values.as_flattened(), out),
            _ => out.copy_from_slice(&values.as_flattened()[..width]),
        }
    }
}

#[inline(always)]
fn known<const N: usize>(values: &[f32], out: &mut [f32]) {
    if let (Some(values), Some(out)) = (values.first_chunk::<N>(), out.first_chunk_mut::<N>()) {
        *out = *values;
    }
}

/// The `R` pixels of `x` that begin at `place` · the block of a matrix with so many inputs a row.
#[inline(always)]
fn tile<S: Simd, const L: usize, const V: usize, const R: usize>(
    x: Pixels,
    place: impl Fn(usize) -> usize,
    (matrix, inputs): (&[[[f32; L]; V]], usize),
) -> [[Vector<S, f32>; V]; R] {
    let mut sums: [[Vector<S, f32>; V]; R] = [[zero(); V]; R];
    for (y, matrix) in matrix.chunks_exact(inputs).enumerate() {
        let mut rows: [&[f32]; R] = [&[]; R];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = &x.values[y * x.row + place(r)..][..inputs];
        }
        let (blocks, last) = matrix.as_chunks::<INPUTS>();
        for (index, block) in blocks.iter().enumerate() {
            let mut parts: [&[f32; INPUTS]; R] = [&[0.0; INPUTS]; R];
            for (part, row) in parts.iter_mut().zip(&rows) {
                *part = &row.as_chunks().0[index];
            }
            for (input, vectors) in block.iter().enumerate() {
                multiply_add(&mut sums, vectors, |r| parts[r][input]);
            }
        }
        for (input, vectors) in (blocks.len() * INPUTS..).zip(last) {
            multiply_add(&mut sums, vectors, |r| rows[r][input]);
        }
    }
    sums
}

/// Adds an input of every pixel, `x`, times its vectors of the matrix.
#[inline(always)]
fn multiply_add<S: Simd, const L: usize, const V: usize>(
    sums: &mut [[Vector<S, f32>; V]],
    vectors: &[[f32; L]; V],
    x: impl Fn(usize) -> f32,
) {
    for (r, sums) in sums.iter_mut().enumerate() {
        let x: Vector<S, f32> = x(r).splat();
        for (sum, vector) in sums.iter_mut().zip(vectors) {
            *sum = x.mul_add(load(vector), *sum);
        }
    }
}
