//! The way back of a depthwise convolution to its weights, through the padded planes of both ways.

use macerator::{Simd, Vector};

use super::convolve::{READ, RUN_LANES, Run, Windows, pixels};
use super::planes::{OfPixels, Planes};
use super::{Kernel, load, store, zero};

/// Taps whose sums are accumulated at once: as many as leave registers for operands.
const TAPS: usize = 9;

/// The gradient for the weights, [taps, channels], is Σ over all pixels of output gradient · input.
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
    fn run<S: Simd, const L: usize>(self) {
        let period = self.x.0.period();
        self.of_pixels::<S, L>(period);
    }
}

/// The sums of `K` taps of each of `R` runs, of one vector of the pixels.
type Sums<V, const K: usize, const R: usize> = [[V; K]; R];

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

    /// `R` runs of `K` taps, `D` pixels from each to the next, for `N` pixels at once.
    #[inline(always)]
    fn runs<
        S: Simd,
        const L: usize,
        const P: usize,
        const R: usize,
        const K: usize,
        const D: usize,
        const N: usize,
    >(
        mut self,
    ) {
        let out = std::mem::take(&mut self.out);
        let taps = self.windows.taps();
        for first in (0..taps).step_by(R * K) {
            // Past the last run the last one is computed again.
            let offsets = std::array::from_fn(|run| self.offset((first + run * K).min(taps - K)));
            for vector in 0..P {
                let mut sums: Sums<Vector<S, f32>, K, R> = [[zero(); K]; R];
                for y in 0..self.windows.output()[0] {
                    let (mut x, gradient) = self.rows(y);
                    let pixels = gradient.as_chunks::<L>().0.as_chunks::<P>().0;
                    let (groups, last) = pixels.as_chunks::<N>();
                    for group in groups {
                        correlate::<S, L, P, R, K, D, N>(x, &offsets, group, vector, &mut sums);
                        x = &x[N * P * L..];
                    }
                    for last in last {
                        correlate::<S, L, P, R, K, D, 1>(x, &offsets, &[*last], vector, &mut sums);
                        x = &x[P * L..];
                    }
                }
                self.add::<S, L, K, R>(&sums, first, vector, out);
            }
        }
    }

    /// Adds the sums of a vector, from tap `first` on.
    #[inline(always)]
    fn add<S: Simd, const L: usize, const K: usize, const R: usize>(
        &self,
        sums: &Sums<Vector<S, f32>, K, R>,
        first: usize,
        vector: usize,
        out: &mut [f32],
    ) {
        let (planes, _) = self.x;
        // A vector is a part of a pixel, or several pixels.
        let channel = vector * L % planes.pixel;
        let rows = out.chunks_exact_mut(planes.channels).skip(first);
        for (row, sum) in rows.zip(sums.as_flattened()) {
            let sum: [f32; L] = store(*sum);
            for pixel in sum.chunks(planes.pixel) {
                row[channel..].iter_mut().zip(pixel).for_each(|(out, value)| *out += value);
            }
        }
    }
}

impl OfPixels for Correlation<'_> {
    #[inline(always)]
    fn whole<S: Simd, const L: usize, const P: usize>(self) {
        match self.windows.run(self.x.0) {
            Run { taps: 3, dilation: 1 } if L == RUN_LANES => self.runs::<S, L, P, 3, 3, 1, 8>(),
            Run { taps: 3, dilation: 2 } if L == RUN_LANES => self.runs::<S, L, P, 3, 3, 2, 8>(),
            Run { taps: 5, dilation: 1 } if L == RUN_LANES => self.runs::<S, L, P, 3, 5, 1, 4>(),
            Run { taps: 5, dilation: 2 } if L == RUN_LANES => self.runs::<S, L, P, 3, 5, 2, 4>(),
            _ => self.runs::<S, L, P, TAPS, 1, 1, 4>(),
        }
    }

    #[inline(always)]
    fn many<S: Simd, const L: usize>(mut self, period: usize) {
        let out = std::mem::take(&mut self.out);
        let taps = self.windows.taps();
        for first in (0..taps).step_by(TAPS) {
            let offsets = std::array::from_fn(|tap| self.offset((first + tap).min(taps - 1)));
            for vector in 0..period {
                let mut sums: Sums<Vector<S, f32>, 1, TAPS> = [[zero(); 1]; TAPS];
                for y in 0..self.windows.output()[0] {
                    let (x, gradient) = self.rows(y);
                    let vectors = gradient.as_chunks::<L>().0.iter().enumerate();
                    for (index, gradient) in vectors.skip(vector).step_by(period) {
                        let (x, pixel) = (&x[index * L..], [[*gradient]]);
                        correlate::<S, L, 1, TAPS, 1, 1, 1>(x, &offsets, &pixel, 0, &mut sums);
                    }
                }
                self.add::<S, L, 1, TAPS>(&sums, first, vector, out);
            }
        }
    }
}

/// Adds gradient · x for `N` pixels and every tap of the runs that begin at these places.
#[inline(always)]
fn correlate<
    S: Simd,
    const L: usize,
    const P: usize,
    const R: usize,
    const K: usize,
    const D: usize,
    const N: usize,
>(
    x: &[f32],
    offsets: &[usize; R],
    gradient: &[[[f32; L]; P]; N],
    vector: usize,
    sums: &mut Sums<Vector<S, f32>, K, R>,
) {
    let mut gradients: [Vector<S, f32>; N] = [zero(); N];
    for (loaded, pixel) in gradients.iter_mut().zip(gradient) {
        *loaded = load(&pixel[vector]);
    }
    for (sums, offset) in sums.iter_mut().zip(offsets) {
        let mut read: [Vector<S, f32>; READ] = [zero(); READ];
        for (read, x) in read.iter_mut().zip(pixels::<L, P>(&x[*offset..], N + (K - 1) * D)) {
            *read = load(&x[vector]);
        }
        for (n, gradient) in gradients.iter().enumerate() {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum = read[n + k * D].mul_add(*gradient, *sum);
            }
        }
    }
}
