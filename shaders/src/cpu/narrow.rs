//! Products of pixels of few channels. A pixel of four fills a quarter or half of a vector, and a
//! [`Packed`](super::matrix::Packed) matrix leaves the rest idle. Here pixels are dealt out to a plane for
//! each channel, vectors run along the planes, and the products come back as pixels.

use macerator::{Scalar, Simd, Vector};

use super::{load, store, zero};

/// Channels of a pixel, in and out. Eight fill the vectors of AVX2.
const CHANNELS: usize = 4;

/// Pixels that are dealt out at once, whole vectors: they, and what is made of them, stay in the
/// first-level cache.
const PIXELS: usize = 256;

/// Pixels as a plane for each channel.
type Planes = [[f32; PIXELS]; CHANNELS];

/// Memory for two blocks of pixels.
#[derive(Default)]
pub(crate) struct Dealt(Vec<Planes>);

impl Dealt {
    pub(crate) const EMPTY: Self = Self(Vec::new());

    #[inline(always)]
    fn both(&mut self) -> &mut [Planes; 2] {
        if self.0.len() != 2 {
            self.0 = vec![[[0.0; PIXELS]; CHANNELS]; 2];
        }
        &mut self.0.as_chunks_mut().0[0]
    }
}

/// Whether a product of pixels with so many channels is for this module.
pub(crate) fn fits(inputs: usize, outputs: usize, lanes: usize) -> bool {
    [inputs, outputs] == [CHANNELS; 2] && lanes > CHANNELS
}

/// A matrix, [input, output].
pub(crate) struct Narrow([[f32; CHANNELS]; CHANNELS]);

/// Four vectors for each of four.
type Square<S> = [[Vector<S, f32>; CHANNELS]; CHANNELS];

impl Narrow {
    /// From `at`(input, output).
    pub(crate) fn new(at: impl Fn(usize, usize) -> f32) -> Self {
        Self(std::array::from_fn(|input| std::array::from_fn(|output| at(input, output))))
    }

    /// `out` = `x` · matrix for pixels side by side.
    #[inline(always)]
    pub(crate) fn multiply<S: Simd, const L: usize>(
        &self,
        x: &[f32],
        out: &mut [f32],
        dealt: &mut Dealt,
    ) {
        let mut matrix: Square<S> = [[zero(); CHANNELS]; CHANNELS];
        for (row, values) in matrix.iter_mut().zip(&self.0) {
            for (vector, value) in row.iter_mut().zip(values) {
                *vector = value.splat();
            }
        }
        let ([from, to], size) = (dealt.both(), PIXELS * CHANNELS);
        for (x, out) in x.chunks(size).zip(out.chunks_mut(size)) {
            let vectors = deal::<L>(x, from);
            let [a, b, c, d] = to;
            let [a, b, c, d] = [all::<L>(a), all(b), all(c), all(d)];
            for index in 0..vectors {
                let mut sums: [Vector<S, f32>; CHANNELS] = [zero(); CHANNELS];
                for (x, row) in at::<L>(from, index).into_iter().zip(&matrix) {
                    let x = load::<S, L>(x);
                    for (sum, weight) in sums.iter_mut().zip(row) {
                        *sum = x.mul_add(*weight, *sum);
                    }
                }
                let [p, q, r, s] = &sums;
                (a[index], b[index]) = (store(*p), store(*q));
                (c[index], d[index]) = (store(*r), store(*s));
            }
            collect(to, out);
        }
    }
}

/// `out`\[output, input\] += Σ over the pixels of `x`\[pixel, input\] · `gradient`\[pixel, output\].
#[inline(always)]
pub(crate) fn outer<S: Simd, const L: usize>(
    x: &[f32],
    gradient: &[f32],
    out: &mut [f32],
    dealt: &mut Dealt,
) {
    let mut sums: Square<S> = [[zero(); CHANNELS]; CHANNELS];
    let ([inputs, outputs], size) = (dealt.both(), PIXELS * CHANNELS);
    for (x, gradient) in x.chunks(size).zip(gradient.chunks(size)) {
        deal::<L>(x, inputs);
        let vectors = deal::<L>(gradient, outputs);
        for index in 0..vectors {
            let inputs = at::<L>(inputs, index);
            for (output, sums) in at::<L>(outputs, index).into_iter().zip(&mut sums) {
                let output = load::<S, L>(output);
                for (input, sum) in inputs.iter().zip(sums) {
                    *sum = load::<S, L>(input).mul_add(output, *sum);
                }
            }
        }
    }
    for (out, sum) in out.iter_mut().zip(sums.as_flattened()) {
        *out += store::<S, L>(*sum).iter().sum::<f32>();
    }
}

/// The vectors of a plane.
#[inline(always)]
fn all<const L: usize>(plane: &mut [f32; PIXELS]) -> &mut [[f32; L]] {
    plane.as_chunks_mut().0
}

/// The vector at an index of every plane.
#[inline(always)]
fn at<const L: usize>([a, b, c, d]: &Planes, index: usize) -> [&[f32; L]; CHANNELS] {
    [a, b, c, d].map(|plane| &plane.as_chunks().0[index])
}

/// Fills the planes with pixels, and the last vector up with zeros. How many vectors that are.
#[inline(always)]
fn deal<const L: usize>(x: &[f32], [a, b, c, d]: &mut Planes) -> usize {
    let pixels = x.as_chunks::<CHANNELS>().0;
    let count = pixels.len();
    let vectors = count.div_ceil(L);
    for plane in [&mut *a, b, c, d] {
        plane[count..vectors * L].fill(0.0);
    }
    let [a, b, c, d] = [&mut a[..count], &mut b[..count], &mut c[..count], &mut d[..count]];
    for (index, pixel) in pixels.iter().enumerate() {
        [a[index], b[index], c[index], d[index]] = *pixel;
    }
    vectors
}

/// The opposite.
#[inline(always)]
fn collect([a, b, c, d]: &Planes, out: &mut [f32]) {
    let pixels = out.as_chunks_mut::<CHANNELS>().0;
    let count = pixels.len();
    let [a, b, c, d] = [&a[..count], &b[..count], &c[..count], &d[..count]];
    for (index, pixel) in pixels.iter_mut().enumerate() {
        *pixel = [a[index], b[index], c[index], d[index]];
    }
}
