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
            let mut put = |p: usize, values: &[[f32; L]; V]| {
                let out = &mut out[p * self.outputs + first..][..width];
                out.copy_from_slice(&values.as_flattened()[..width]);
            };
            let tiles = pixels / PIXELS * PIXELS;
            for p in (0..tiles).step_by(PIXELS) {
                let rows = std::array::from_fn(|r| &x[(p + r) * pixel..][..self.inputs]);
                for (r, values) in tile::<S, L, V, PIXELS>(rows, block).iter().enumerate() {
                    put(p + r, values);
                }
            }
            for p in tiles..pixels {
                let [values] = tile::<S, L, V, 1>([&x[p * pixel..][..self.inputs]], block);
                put(p, &values);
            }
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const L: usize, const V: usize, const R: usize>(
    rows: [&[f32]; R],
    matrix: &[[[f32; L]; V]],
) -> [[[f32; L]; V]; R] {
    let mut sums: [[Vector<S, f32>; V]; R] = [[load(&[0.0; L]); V]; R];
    for (input, matrix) in matrix.iter().enumerate() {
        let matrix: [Vector<S, f32>; V] = std::array::from_fn(|vector| load(&matrix[vector]));
        for (sums, row) in sums.iter_mut().zip(rows) {
            let x: Vector<S, f32> = row[input].splat();
            for (sum, matrix) in sums.iter_mut().zip(matrix) {
                *sum = x.mul_add(matrix, *sum);
            }
        }
    }
    sums.map(|sums| sums.map(store))
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
    for first in (0..filled).step_by(L) {
        for input in (0..inputs).step_by(INPUTS) {
            // Past the last input the last one is computed again.
            let columns = std::array::from_fn(|index| (input + index).min(inputs - 1));
            let sums = outer_tile::<S, L>((x, pixel), columns, (&gradient[first..], filled));
            for (input, sum) in (input..inputs).zip(sums) {
                for (output, value) in (first..outputs).zip(sum) {
                    out[output * inputs + input] += value;
                }
            }
        }
    }
}

#[inline(always)]
fn outer_tile<S: Simd, const L: usize>(
    (x, pixel): (&[f32], usize),
    columns: [usize; INPUTS],
    (gradient, filled): (&[f32], usize),
) -> [[f32; L]; INPUTS] {
    let mut sums: [Vector<S, f32>; INPUTS] = [load(&[0.0; L]); INPUTS];
    for (x, gradient) in x.chunks(pixel).zip(gradient.chunks(filled)) {
        let Some(gradient) = gradient.first_chunk::<L>() else { break };
        let gradient = load::<S, L>(gradient);
        for (sum, column) in sums.iter_mut().zip(columns) {
            *sum = x[column].splat::<S>().mul_add(gradient, *sum);
        }
    }
    sums.map(store)
}
