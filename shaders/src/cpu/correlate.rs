//! The way back of a depthwise convolution to its weights, through the padded planes of both ways.

use macerator::{Simd, Vector};

use super::convolve::{Windows, pixels};
use super::planes::Planes;
use super::{Kernel, load, store, zero};

/// Weights whose gradient is accumulated at once: as many as leave registers for operands.
const TAPS: usize = 9;

/// The gradient for the weights, [channels, taps], is Σ over all pixels of output gradient · input.
pub(crate) struct Correlation<'a> {
    pub(crate) windows: &'a Windows,
    /// The input in the planes of the forward pass.
    pub(crate) x: (&'a Planes, &'a [f32]),
    /// The output gradient in the planes of the way back.
    pub(crate) gradient: (&'a Planes, &'a [f32]),
    /// What the sums are added to.
    pub(crate) out: &'a mut [f32],
}

impl Kernel for Correlation<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(mut self) {
        let out = std::mem::take(&mut self.out);
        let (planes, _) = self.x;
        let taps = self.windows.taps();
        for first in (0..taps).step_by(TAPS) {
            // Past the last weight the last one is computed again.
            let offsets = std::array::from_fn(|tap| self.offset((first + tap).min(taps - 1)));
            for vector in 0..planes.period() {
                let sums = match planes.period() {
                    1 => self.sums::<S, L, 1>(&offsets, vector),
                    2 => self.sums::<S, L, 2>(&offsets, vector),
                    4 => self.sums::<S, L, 4>(&offsets, vector),
                    8 => self.sums::<S, L, 8>(&offsets, vector),
                    period => self.single::<S, L>(&offsets, vector, period),
                };
                // A vector is a part of a pixel, or several pixels.
                let channel = vector * L % planes.pixel;
                for (tap, sum) in (first..taps).zip(&sums) {
                    for pixel in sum.chunks(planes.pixel) {
                        for (channel, value) in (channel..planes.channels).zip(pixel) {
                            out[channel * taps + tap] += value;
                        }
                    }
                }
            }
        }
    }
}

impl Correlation<'_> {
    fn offset(&self, tap: usize) -> usize {
        let Windows { size, dilation, .. } = *self.windows;
        self.x.0.offset(tap / size * dilation, tap % size * dilation)
    }

    /// The input from the first window of output row `y` on, and the gradient of that row.
    #[inline(always)]
    fn rows(&self, y: usize) -> (&[f32], &[f32]) {
        let ((planes, x), (border, gradient)) = (self.x, self.gradient);
        let start = border.offset(y + border.padding, border.padding);
        (
            &x[y * self.windows.stride * planes.row()..],
            &gradient[start..][..border.flat(border.width)],
        )
    }

    #[inline(always)]
    fn sums<S: Simd, const L: usize, const P: usize>(
        &self,
        offsets: &[usize; TAPS],
        vector: usize,
    ) -> [[f32; L]; TAPS] {
        let mut sums: [Vector<S, f32>; TAPS] = [zero(); TAPS];
        for y in 0..self.windows.output()[0] {
            let (x, gradient) = self.rows(y);
            let (groups, last) = gradient.as_chunks::<L>().0.as_chunks::<P>().0.as_chunks::<4>();
            for (index, group) in groups.iter().enumerate() {
                correlate::<S, L, P, 4>(&x[index * 4 * P * L..], offsets, group, vector, &mut sums);
            }
            for (index, last) in last.iter().enumerate() {
                let x = &x[(groups.len() * 4 + index) * P * L..];
                correlate::<S, L, P, 1>(x, offsets, &[*last], vector, &mut sums);
            }
        }
        stored(sums)
    }

    #[inline(always)]
    fn single<S: Simd, const L: usize>(
        &self,
        offsets: &[usize; TAPS],
        vector: usize,
        period: usize,
    ) -> [[f32; L]; TAPS] {
        let mut sums: [Vector<S, f32>; TAPS] = [zero(); TAPS];
        for y in 0..self.windows.output()[0] {
            let (x, gradient) = self.rows(y);
            let vectors = gradient.as_chunks::<L>().0.iter().enumerate();
            for (index, gradient) in vectors.skip(vector).step_by(period) {
                correlate::<S, L, 1, 1>(&x[index * L..], offsets, &[[*gradient]], 0, &mut sums);
            }
        }
        stored(sums)
    }
}

/// Not `sums.map(store)`: that is not inlined, and then compiled without vectors.
#[inline(always)]
fn stored<S: Simd, const L: usize>(sums: [Vector<S, f32>; TAPS]) -> [[f32; L]; TAPS] {
    let mut out = [[0.0; L]; TAPS];
    for (out, sum) in out.iter_mut().zip(&sums) {
        *out = store(*sum);
    }
    out
}

/// Adds gradient · x for `N` pixels and every tap.
#[inline(always)]
fn correlate<S: Simd, const L: usize, const P: usize, const N: usize>(
    x: &[f32],
    offsets: &[usize; TAPS],
    gradient: &[[[f32; L]; P]; N],
    vector: usize,
    sums: &mut [Vector<S, f32>; TAPS],
) {
    let mut loaded: [Vector<S, f32>; N] = [zero(); N];
    for (loaded, pixel) in loaded.iter_mut().zip(gradient) {
        *loaded = load(&pixel[vector]);
    }
    for (sum, offset) in sums.iter_mut().zip(offsets) {
        let x = pixels::<L, P, N>(&x[*offset..]);
        for (x, gradient) in x.iter().zip(&loaded) {
            *sum = load::<S, L>(&x[vector]).mul_add(*gradient, *sum);
        }
    }
}
