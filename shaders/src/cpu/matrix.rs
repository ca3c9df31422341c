//! Small matrix products for one image: pixels × channels with channels × channels. The matrix
//! stays in the first-level cache, so no blocking beyond the registers is needed, which is what a
//! general product spends its time on at 16 to 64 columns.

use macerator::{Scalar, Simd, Vector};

use super::{load, store};

/// Pixels of a register tile: with two vectors of outputs, eight sums hide the latency of one.
const PIXELS: usize = 4;

/// Vectors of outputs of a register tile.
const VECTORS: usize = 2;

/// A matrix [inputs, outputs] as blocks of the outputs of a tile, filled up with zeros.
pub(crate) struct Packed {
    inputs: usize,
    outputs: usize,
    /// [block][input] vectors.
    values: Vec<f32>,
    block: usize,
}

impl Packed {
    /// From `at`(input, output).
    pub(crate) fn new(
        [inputs, outputs]: [usize; 2],
        lanes: usize,
        at: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let block = if outputs > lanes { VECTORS * lanes } else { lanes };
        let mut values = vec![0.0; outputs.div_ceil(block) * inputs * block];
        for (index, row) in values.chunks_exact_mut(block).enumerate() {
            let (first, input) = (index / inputs * block, index % inputs);
            for (output, value) in (first..outputs).zip(row) {
                *value = at(input, output);
            }
        }
        Self { inputs, outputs, values, block }
    }

    /// `out` = `x` · matrix, where the pixels of `x` lie `pixel` floats apart, those of `out` side
    /// by side.
    #[inline(always)]
    pub(crate) fn multiply<S: Simd, const L: usize>(
        &self,
        x: &[f32],
        pixel: usize,
        out: &mut [f32],
    ) {
        if self.block == L {
            self.blocks::<S, L, 1>(x, pixel, out);
        } else {
            self.blocks::<S, L, VECTORS>(x, pixel, out);
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const L: usize, const V: usize>(
        &self,
        x: &[f32],
        pixel: usize,
        out: &mut [f32],
    ) {
        let pixels = out.len() / self.outputs;
        for (index, block) in self.values.chunks_exact(self.inputs * self.block).enumerate() {
            let block = block.as_chunks::<L>().0.as_chunks::<V>().0;
            let first = index * self.block;
            let width = self.block.min(self.outputs - first);
            let tiles = pixels / PIXELS * PIXELS;
            let mut values = [[[0.0; L]; V]; PIXELS];
            for p in (0..tiles).step_by(PIXELS) {
                tile::<S, L, V, PIXELS>(&x[p * pixel..], pixel, block, &mut values);
                self.put(&values, width, &mut out[p * self.outputs + first..]);
            }
            let mut values = [[[0.0; L]; V]; 1];
            for p in tiles..pixels {
                tile::<S, L, V, 1>(&x[p * pixel..], pixel, block, &mut values);
                self.put(&values, width, &mut out[p * self.outputs + first..]);
            }
        }
    }

    /// Copies the first `width` outputs of every pixel of a tile.
    #[inline(always)]
    fn put<const L: usize, const V: usize>(
        &self,
        values: &[[[f32; L]; V]],
        width: usize,
        out: &mut [f32],
    ) {
        for (r, values) in values.iter().enumerate() {
            let (values, out) = (values.as_flattened(), &mut out[r * self.outputs..]);
            // The length of a copy that is known needs no call.
            match out.first_chunk_mut::<16>() {
                Some(out) if width == 16 && V * L == 16 => out.copy_from_slice(values),
                _ => out[..width].copy_from_slice(&values[..width]),
            }
        }
    }
}

/// `values` = `R` pixels of `x`, which lie `pixel` floats apart, · the block of a matrix.
#[inline(always)]
fn tile<S: Simd, const L: usize, const V: usize, const R: usize>(
    x: &[f32],
    pixel: usize,
    matrix: &[[[f32; L]; V]],
    values: &mut [[[f32; L]; V]; R],
) {
    let inputs = matrix.len();
    let mut rows: [&[f32]; R] = [&[]; R];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = &x[r * pixel..][..inputs];
    }
    let mut sums: [[Vector<S, f32>; V]; R] = [[load(&[0.0; L]); V]; R];
    for input in 0..inputs {
        let vectors = &matrix[input];
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let x: Vector<S, f32> = row[input].splat();
            for (sum, vector) in sums.iter_mut().zip(vectors) {
                *sum = x.mul_add(load(vector), *sum);
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

/// `out`\[output, input\] += Σ over pixels of `x`\[pixel, input\] · `gradient`\[pixel, output\]: the
/// gradient of a product for its matrix. The pixels of `x` lie `pixel` floats apart; those of
/// `gradient` are filled up with zeros to `filled` floats, whole vectors.
#[inline(always)]
pub(crate) fn outer<S: Simd, const L: usize>(
    (x, pixel, inputs): (&[f32], usize, usize),
    (gradient, filled, outputs): (&[f32], usize, usize),
    out: &mut [f32],
) {
    let tiles = inputs / INPUTS * INPUTS;
    for first in (0..filled).step_by(L) {
        let gradient = (&gradient[first..], filled);
        let mut add = |input: usize, sums: &[[f32; L]]| {
            for (input, sum) in (input..).zip(sums) {
                for (output, value) in (first..outputs).zip(sum) {
                    out[output * inputs + input] += value;
                }
            }
        };
        let mut sums = [[0.0; L]; INPUTS];
        for input in (0..tiles).step_by(INPUTS) {
            outer_tile::<S, L, INPUTS>((&x[input..], pixel), gradient, &mut sums);
            add(input, &sums);
        }
        let mut sums = [[0.0; L]; 1];
        for input in tiles..inputs {
            outer_tile::<S, L, 1>((&x[input..], pixel), gradient, &mut sums);
            add(input, &sums);
        }
    }
}

#[inline(always)]
fn outer_tile<S: Simd, const L: usize, const I: usize>(
    (x, pixel): (&[f32], usize),
    (gradient, filled): (&[f32], usize),
    out: &mut [[f32; L]; I],
) {
    let mut sums: [Vector<S, f32>; I] = [load(&[0.0; L]); I];
    for (x, gradient) in x.chunks(pixel).zip(gradient.chunks(filled)) {
        let (Some(gradient), Some(x)) = (gradient.first_chunk::<L>(), x.first_chunk::<I>()) else {
            break;
        };
        let gradient = load::<S, L>(gradient);
        for (sum, x) in sums.iter_mut().zip(x) {
            *sum = x.splat::<S>().mul_add(gradient, *sum);
        }
    }
    for (out, sum) in out.iter_mut().zip(&sums) {
        *out = store(*sum);
    }
}
