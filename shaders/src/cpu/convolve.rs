//! Depthwise convolutions of one image, through the padded planes of [`Planes`]: all loops run over
//! contiguous vectors and none has a border case.

use std::ops::Range;

use macerator::{Simd, Vector};

use super::aligned::Aligned;
use super::planes::Planes;
use super::{Kernel, dispatch, load, store, zero};

/// Vectors of the output that a kernel works on at once: as many as leave registers for operands.
const GROUP: usize = 8;

/// All sizes of a convolution of every channel by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Windows {
    /// Height, width and channels of the input.
    pub(crate) image: [usize; 3],
    /// Height and width of the kernel.
    pub(crate) size: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
}

impl Windows {
    pub(crate) fn padding(&self) -> usize {
        self.dilation * (self.size / 2)
    }

    /// Height, width and channels of the output.
    pub(crate) fn output(&self) -> [usize; 3] {
        let [height, width, channels] = self.image;
        [height.div_ceil(self.stride), width.div_ceil(self.stride), channels]
    }

    pub(crate) fn taps(&self) -> usize {
        self.size * self.size
    }
}

/// A convolution as shifts of padded planes. Pixel `phase + steps · i` of an output row is the sum
/// over the taps of that phase; a forward pass has one phase, the way back through stride s has s
/// in each direction, and each weight belongs to one of them.
pub(crate) struct Plan {
    /// Layout of what is convolved.
    pub(crate) planes: Planes,
    /// Rows of the planes from one output row to the next, in units of one row of phases.
    distance: usize,
    /// Phases in each direction.
    steps: usize,
    /// Taps of phase (y mod steps) · steps + x mod steps.
    phases: Vec<Vec<Tap>>,
    /// [tap][vector of a pixel] vectors.
    weights: Aligned,
    /// Pixels of an output row.
    width: usize,
}

/// One weight of the kernel at its place.
#[derive(Clone, Copy)]
struct Tap {
    /// From the start of an output row in the planes to what this weight multiplies.
    offset: usize,
    /// Index of the weight in row-major order.
    weight: usize,
}

impl Plan {
    /// The convolution with `weight`, [channels, taps].
    pub(crate) fn forward(windows: &Windows, weight: &[f32], lanes: usize) -> Self {
        let Windows { stride, dilation, size, .. } = *windows;
        let planes = Planes::new(windows.image, stride, windows.padding(), lanes);
        let tap = |index: usize| Tap {
            offset: planes.offset(index / size * dilation, index % size * dilation),
            weight: index,
        };
        let phases = vec![(0..windows.taps()).map(tap).collect()];
        let weights = pack(&planes, weight, windows.taps());
        Self { planes, distance: stride, steps: 1, phases, weights, width: windows.output()[1] }
    }

    /// Its way back. Input pixel y gets weight i from output pixel (y + padding − i · dilation) /
    /// stride, where that is whole.
    pub(crate) fn transposed(windows: &Windows, weight: &[f32], lanes: usize) -> Self {
        let Windows { stride, dilation, size, .. } = *windows;
        let border = windows.padding().div_ceil(stride);
        let planes = Planes::new(windows.output(), 1, border, lanes);
        let shift = |phase: usize, index: usize| {
            let distance = phase + windows.padding() + border * stride - index * dilation;
            distance.is_multiple_of(stride).then_some(distance / stride)
        };
        let phase = |phase: usize| {
            let tap = |index: usize| {
                let y = shift(phase / stride, index / size)?;
                let x = shift(phase % stride, index % size)?;
                Some(Tap { offset: planes.offset(y, x), weight: index })
            };
            (0..windows.taps()).filter_map(tap).collect()
        };
        let phases = (0..stride * stride).map(phase).collect();
        let weights = pack(&planes, weight, windows.taps());
        Self { planes, distance: 1, steps: stride, phases, weights, width: windows.image[1] }
    }

    /// Floats from one row of a phase to the next, filled up.
    fn row(&self) -> usize {
        self.width.div_ceil(self.steps) * self.planes.pixel
    }

    /// Floats that are written for a row of a phase: whole vectors.
    fn written(&self) -> usize {
        self.planes.flat(self.width.div_ceil(self.steps))
    }

    /// Some output rows of one phase of columns, filled up, one after another.
    pub(crate) fn rows(&self, planes: &[f32], rows: Range<usize>, phase: usize, out: &mut Aligned) {
        // A row may be written past its end; the next one writes over that.
        out.resize(rows.len().saturating_sub(1) * self.row() + self.written());
        dispatch(Convolution { plan: self, planes, rows, phase, add: false, out });
    }

    /// Some output rows, NHWC, written to `out` or added to it.
    pub(crate) fn image_rows(
        &self,
        planes: &[f32],
        rows: Range<usize>,
        add: bool,
        scratch: &mut Aligned,
        out: &mut [f32],
    ) {
        let width = self.width * self.planes.channels;
        if self.steps == 1 && self.written() == width {
            return dispatch(Convolution { plan: self, planes, rows, phase: 0, add, out });
        }
        for phase in 0..self.steps.min(self.width) {
            self.rows(planes, rows.clone(), phase, scratch);
            for (index, out) in out.chunks_exact_mut(width).enumerate() {
                self.planes.put(&scratch[index * self.row()..], out, [phase, self.steps], add);
            }
        }
    }
}

/// Output rows of one phase of columns.
struct Convolution<'a> {
    plan: &'a Plan,
    planes: &'a [f32],
    rows: Range<usize>,
    phase: usize,
    /// Whether they are added to what is there.
    add: bool,
    out: &'a mut [f32],
}

impl Kernel for Convolution<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        match self.plan.planes.period() {
            1 => self.whole::<S, L, 1>(),
            2 => self.whole::<S, L, 2>(),
            4 => self.whole::<S, L, 4>(),
            8 => self.whole::<S, L, 8>(),
            period => self.many::<S, L>(period),
        }
    }
}

impl Convolution<'_> {
    /// What row `y` is made of: its taps, and the planes from its first window on.
    #[inline(always)]
    fn parts(&self, y: usize) -> (&[Tap], &[f32]) {
        let Plan { planes, steps, distance, phases, .. } = self.plan;
        let start = y / steps * distance * planes.row();
        (&phases[y % steps * steps + self.phase], &self.planes[start..])
    }

    /// Pixels of `P` vectors each.
    #[inline(always)]
    fn whole<S: Simd, const L: usize, const P: usize>(mut self) {
        let out = std::mem::take(&mut self.out);
        let weights = self.plan.weights.as_chunks::<L>().0;
        for (index, y) in self.rows.clone().enumerate() {
            let (taps, x) = self.parts(y);
            let row = &mut out[index * self.plan.row()..][..self.plan.written()];
            let pixels = row.as_chunks_mut::<L>().0.as_chunks_mut::<P>().0;
            convolve_row::<S, L, P>(x, taps, weights, self.add, pixels);
        }
    }

    /// Pixels of any number of vectors, one of them after the other: 36 channels are three vectors of
    /// AVX-512 or five of AVX2.
    #[inline(always)]
    fn many<S: Simd, const L: usize>(mut self, period: usize) {
        let out = std::mem::take(&mut self.out);
        let weights = self.plan.weights.as_chunks::<L>().0;
        for (index, y) in self.rows.clone().enumerate() {
            let (taps, x) = self.parts(y);
            let row = &mut out[index * self.plan.row()..][..self.plan.written()];
            let row = row.as_chunks_mut::<L>().0;
            for vector in 0..period {
                let weights = (weights, period, vector);
                let mut first = 0;
                while first + GROUP * period <= row.len() {
                    let x = &x[(first + vector) * L..];
                    let out = &mut row[first + vector..];
                    convolve_strided::<S, L, GROUP>(x, taps, weights, self.add, out);
                    first += GROUP * period;
                }
                while first < row.len() {
                    let x = &x[(first + vector) * L..];
                    let out = &mut row[first + vector..];
                    convolve_strided::<S, L, 1>(x, taps, weights, self.add, out);
                    first += period;
                }
            }
        }
    }
}

/// One vector of `N` pixels, which are `period` vectors apart.
#[inline(always)]
fn convolve_strided<S: Simd, const L: usize, const N: usize>(
    x: &[f32],
    taps: &[Tap],
    (weights, period, vector): (&[[f32; L]], usize, usize),
    add: bool,
    out: &mut [[f32; L]],
) {
    let mut sums: [Vector<S, f32>; N] = [zero(); N];
    if add {
        for (n, sum) in sums.iter_mut().enumerate() {
            *sum = load(&out[n * period]);
        }
    }
    for tap in taps {
        let weight = load(&weights[tap.weight * period + vector]);
        let x = &x[tap.offset..][..((N - 1) * period + 1) * L];
        for (n, sum) in sums.iter_mut().enumerate() {
            let x = x[n * period * L..][..L].as_chunks::<L>().0;
            *sum = load::<S, L>(&x[0]).mul_add(weight, *sum);
        }
    }
    for (n, sum) in sums.iter().enumerate() {
        out[n * period] = store(*sum);
    }
}

/// Weights [channels, taps] as [tap][vector of a pixel] vectors.
fn pack(planes: &Planes, weight: &[f32], taps: usize) -> Aligned {
    let floats = planes.flat(1);
    let mut packed = Aligned::new(taps * floats);
    for (tap, row) in packed.chunks_exact_mut(floats).enumerate() {
        for (lane, value) in row.iter_mut().enumerate() {
            let channel = lane % planes.pixel;
            if channel < planes.channels {
                *value = weight[channel * taps + tap];
            }
        }
    }
    packed
}

/// A row of pixels of `P` vectors each.
#[inline(always)]
fn convolve_row<S: Simd, const L: usize, const P: usize>(
    x: &[f32],
    taps: &[Tap],
    weights: &[[f32; L]],
    add: bool,
    out: &mut [[[f32; L]; P]],
) {
    let (groups, rest) = out.as_chunks_mut::<GROUP>();
    let (fours, last) = rest.as_chunks_mut::<4>();
    let mut x = x;
    for group in groups {
        convolve_group::<S, L, P, GROUP>(x, taps, weights, add, group);
        x = &x[GROUP * P * L..];
    }
    for four in fours {
        convolve_group::<S, L, P, 4>(x, taps, weights, add, four);
        x = &x[4 * P * L..];
    }
    for last in last {
        convolve_group::<S, L, P, 1>(x, taps, weights, add, std::array::from_mut(last));
        x = &x[P * L..];
    }
}

/// `N` pixels, vector by vector: every weight is loaded once for all of them.
#[inline(always)]
fn convolve_group<S: Simd, const L: usize, const P: usize, const N: usize>(
    x: &[f32],
    taps: &[Tap],
    weights: &[[f32; L]],
    add: bool,
    out: &mut [[[f32; L]; P]; N],
) {
    for vector in 0..P {
        let mut sums: [Vector<S, f32>; N] = [zero(); N];
        if add {
            for (sum, out) in sums.iter_mut().zip(&*out) {
                *sum = load(&out[vector]);
            }
        }
        for tap in taps {
            let weight = load(&weights[tap.weight * P + vector]);
            let x = pixels::<L, P, N>(&x[tap.offset..]);
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = load::<S, L>(&x[vector]).mul_add(weight, *sum);
            }
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            out[vector] = store(*sum);
        }
    }
}

/// The first `N` pixels of `P` vectors each: one bounds check for all of them.
#[inline(always)]
pub(super) fn pixels<const L: usize, const P: usize, const N: usize>(
    x: &[f32],
) -> &[[[f32; L]; P]; N] {
    &x[..N * P * L].as_chunks::<L>().0.as_chunks::<P>().0.as_chunks::<N>().0[0]
}
