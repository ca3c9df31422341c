//! The gradient of a product for its matrix: Σ over the pixels of input · gradient.

use std::ops::Range;

use macerator::{Scalar, Simd, Vector};

use super::aligned::Aligned;
use super::matrix::Pixels;
use super::narrow::{self, Dealt};
use super::planes::copy_or_add;
use super::{Kernel, load, store, zero};

/// The gradient of a [`super::matrix::Product`] for its matrix, of one image.
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
        let x = Pixels { row: count * pixel, ..Pixels::side_by_side(x, pixel) };
        if pixel.is_multiple_of(L) {
            // Vectors of inputs, which lie side by side in `out`.
            let gradient = Pixels::side_by_side(gradient, outputs);
            let layout = Layout { inputs: outputs, outputs: inputs, input: inputs, output: 1 };
            return outer::<S, L>([1, count], gradient, x, out, layout);
        }
        let gradient = whole_vectors::<L>(gradient, [outputs; 2], count, filled);
        let layout = Layout { inputs, outputs, input: 1, output: inputs };
        outer::<S, L>([1, count], x, gradient, out, layout);
    }
}

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
        return Pixels { row: width * pixel, ..Pixels::side_by_side(values, pixel) };
    }
    scratch.resize(values.len() / channels * pixel);
    scratch.fill(0.0);
    for (filled, values) in scratch.chunks_exact_mut(pixel).zip(values.chunks_exact(channels)) {
        copy_or_add(values, false, &mut filled[..channels]);
    }
    Pixels { row: width * pixel, ..Pixels::side_by_side(scratch, pixel) }
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
    let wide = if L == 16 { layout.outputs / (2 * L) * 2 * L } else { 0 };
    for first in (0..wide).step_by(2 * L) {
        columns::<S, L, 2>(size, x, gradient, (out, first), layout);
    }
    for first in (wide..layout.outputs).step_by(L) {
        columns::<S, L, 1>(size, x, gradient, (out, first), layout);
    }
}

/// `V` vectors of outputs, from `first` on. Eight sums hide the latency of one; where there are registers for
/// sixteen, each number that is loaded serves for more of them. What is left of 36 inputs goes four at once.
#[inline(always)]
fn columns<S: Simd, const L: usize, const V: usize>(
    size: [usize; 2],
    x: Pixels,
    gradient: Pixels,
    (out, first): (&mut [f32], usize),
    layout: Layout,
) {
    let (inputs, gradient) = (layout.inputs, gradient.from(first));
    let mut input = 0;
    if L == 16 && V == 1 {
        input = tiles::<S, L, V, 16>(input..inputs, size, [x, gradient], (out, first), layout);
    }
    input = tiles::<S, L, V, 8>(input..inputs, size, [x, gradient], (out, first), layout);
    input = tiles::<S, L, V, 4>(input..inputs, size, [x, gradient], (out, first), layout);
    tiles::<S, L, V, 1>(input..inputs, size, [x, gradient], (out, first), layout);
}

/// Computes as many tiles of `I` inputs as there are. The next input.
#[inline(always)]
fn tiles<S: Simd, const L: usize, const V: usize, const I: usize>(
    inputs: Range<usize>,
    size: [usize; 2],
    [x, gradient]: [Pixels; 2],
    (out, output): (&mut [f32], usize),
    layout: Layout,
) -> usize {
    let mut first = inputs.start;
    while first + I <= inputs.end {
        let mut sums = [[[0.0; L]; V]; I];
        tile::<S, L, V, I>(size, x.from(first), gradient, &mut sums);
        add(&sums, [first, output], out, layout);
        first += I;
    }
    first
}

/// Adds the sums of some inputs, from the first one on, with some vectors of outputs.
#[inline(always)]
fn add<const L: usize, const V: usize>(
    sums: &[[[f32; L]; V]],
    [input, output]: [usize; 2],
    out: &mut [f32],
    layout: Layout,
) {
    for (input, sum) in (input..).zip(sums) {
        if layout.output == 1 {
            // Number by number it takes as long as the sums of 64 pixels of 64 channels.
            let width = (V * L).min(layout.outputs - output);
            let out = &mut out[input * layout.input + output..][..width];
            out.iter_mut().zip(sum.as_flattened()).for_each(|(out, value)| *out += value);
            continue;
        }
        for (output, value) in (output..layout.outputs).zip(sum.as_flattened()) {
            out[output * layout.output + input * layout.input] += value;
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const L: usize, const V: usize, const I: usize>(
    [height, width]: [usize; 2],
    x: Pixels,
    gradient: Pixels,
    out: &mut [[[f32; L]; V]; I],
) {
    let mut sums: [[Vector<S, f32>; V]; I] = [[zero(); V]; I];
    for y in 0..height {
        let (mut at, mut gradient_at) = (y * x.row, y * gradient.row);
        for _ in 0..width {
            let values = x.values[at..][..I].iter();
            let mut vectors: [Vector<S, f32>; V] = [zero(); V];
            let parts = gradient.values[gradient_at..][..V * L].as_chunks::<L>().0;
            for (vector, part) in vectors.iter_mut().zip(parts) {
                *vector = load(part);
            }
            for (sums, x) in sums.iter_mut().zip(values) {
                let x: Vector<S, f32> = x.splat();
                for (sum, vector) in sums.iter_mut().zip(&vectors) {
                    *sum = x.mul_add(*vector, *sum);
                }
            }
            at += x.pixel;
            gradient_at += gradient.pixel;
        }
    }
    for (out, sums) in out.iter_mut().zip(&sums) {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = store(*sum);
        }
    }
}
