//! Depthwise convolutions of one image, through the padded planes of [`Planes`]: all loops run over
//! contiguous vectors and none has a border case.

use std::ops::Range;

use macerator::{Simd, Vector};

use super::aligned::Aligned;
use super::planes::{OfPixels, Planes};
use super::{Kernel, dispatch, load, store, zero};

/// Vectors of the output that a kernel works on at once: as many as leave registers for operands.
const GROUP: usize = 8;

/// Floats of the vectors whose registers hold a run: those of AVX-512, of which there are 32.
pub(super) const RUN_LANES: usize = 16;

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

    /// The taps of a row of the kernel if they are a run, else each by itself.
    pub(super) fn run(&self, planes: &Planes) -> Run {
        let Self { size, stride, dilation, .. } = *self;
        let is_run = stride == 1 && planes.is_of_vectors(RUN_LANES);
        match (size, dilation) {
            (3 | 5, 1 | 2) if is_run => Run { taps: size, dilation },
            _ => Run { taps: 1, dilation: 1 },
        }
    }
}

/// Taps that lie whole vectors apart: a vector of the input is loaded once for all of them. With a load for each tap
/// a depthwise convolution of 16 channels reached 75 GFLOP/s of a core at 3×3 weights and 95 at 5×5, with runs 110 and
/// 140 (an Intel Xeon; `sdarts bench --loops` prints it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) taps: usize,
    /// Pixels from one tap to the next.
    pub(super) dilation: usize,
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
    /// First taps of the runs of phase (y mod steps) · steps + x mod steps.
    phases: Vec<Vec<Tap>>,
    run: Run,
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
        let run = windows.run(&planes);
        let tap = |index: usize| Tap {
            offset: planes.offset(index / size * dilation, index % size * dilation),
            weight: index,
        };
        let phases = vec![(0..windows.taps()).step_by(run.taps).map(tap).collect()];
        let weights = pack(&planes, weight, windows.taps());
        let width = windows.output()[1];
        Self { planes, distance: stride, steps: 1, phases, run, weights, width }
    }

    /// Its way back. Input pixel y gets weight i from output pixel (y + padding − i · dilation) /
    /// stride, where that is whole. With stride 1 it is the convolution with the weights in reverse.
    pub(crate) fn transposed(windows: &Windows, weight: &[f32], lanes: usize) -> Self {
        let Windows { stride, dilation, size, .. } = *windows;
        if stride == 1 {
            let reversed = weight.chunks_exact(windows.taps()).flat_map(|taps| taps.iter().rev());
            let reversed: Vec<f32> = reversed.copied().collect();
            let mut plan = Self::forward(windows, &reversed, lanes);
            // In the order of the weights, as ever: small networks go on from older checkpoints bit for bit.
            plan.phases.iter_mut().for_each(|taps| taps.reverse());
            return plan;
        }
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
        let (run, width) = (Run { taps: 1, dilation: 1 }, windows.image[1]);
        Self { planes, distance: 1, steps: stride, phases, run, weights, width }
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
        let period = self.plan.planes.period();
        self.of_pixels::<S, L>(period);
    }
}

impl Convolution<'_> {
    /// What row `y` is made of: its runs, and the planes from its first window on.
    #[inline(always)]
    fn parts(&self, y: usize) -> (&[Tap], &[f32]) {
        let Plan { planes, steps, distance, phases, .. } = self.plan;
        let start = y / steps * distance * planes.row();
        (&phases[y % steps * steps + self.phase], &self.planes[start..])
    }

    /// In runs of `K` taps, `D` pixels from each to the next.
    #[inline(always)]
    fn runs<S: Simd, const L: usize, const P: usize, const K: usize, const D: usize>(mut self) {
        let out = std::mem::take(&mut self.out);
        let weights = self.plan.weights.as_chunks::<L>().0.as_chunks::<P>().0;
        for (index, y) in self.rows.clone().enumerate() {
            let (taps, x) = self.parts(y);
            let row = &mut out[index * self.plan.row()..][..self.plan.written()];
            let pixels = row.as_chunks_mut::<L>().0.as_chunks_mut::<P>().0;
            convolve_row::<S, L, P, K, D>(x, taps, weights, self.add, pixels);
        }
    }
}

impl OfPixels for Convolution<'_> {
    #[inline(always)]
    fn whole<S: Simd, const L: usize, const P: usize>(self) {
        match self.plan.run {
            Run { taps: 3, dilation: 1 } if L == RUN_LANES => self.runs::<S, L, P, 3, 1>(),
            Run { taps: 3, dilation: 2 } if L == RUN_LANES => self.runs::<S, L, P, 3, 2>(),
            Run { taps: 5, dilation: 1 } if L == RUN_LANES => self.runs::<S, L, P, 5, 1>(),
            Run { taps: 5, dilation: 2 } if L == RUN_LANES => self.runs::<S, L, P, 5, 2>(),
            _ => self.runs::<S, L, P, 1, 1>(),
        }
    }

    /// One vector of the pixels after the other: 36 channels are three vectors of
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
                let taps = (taps, self.plan.run);
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
    (taps, run): (&[Tap], Run),
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
    for (tap, k) in taps.iter().flat_map(|tap| (0..run.taps).map(move |k| (tap, k))) {
        let weight = load(&weights[(tap.weight + k) * period + vector]);
        let x = &x[tap.offset + k * run.dilation * period * L..][..((N - 1) * period + 1) * L];
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
fn convolve_row<S: Simd, const L: usize, const P: usize, const K: usize, const D: usize>(
    x: &[f32],
    taps: &[Tap],
    weights: &[[[f32; L]; P]],
    add: bool,
    out: &mut [[[f32; L]; P]],
) {
    let (groups, rest) = out.as_chunks_mut::<GROUP>();
    let (fours, last) = rest.as_chunks_mut::<4>();
    let mut x = x;
    for group in groups {
        convolve_group::<S, L, P, K, D, GROUP>(x, taps, weights, add, group);
        x = &x[GROUP * P * L..];
    }
    for four in fours {
        convolve_group::<S, L, P, K, D, 4>(x, taps, weights, add, four);
        x = &x[4 * P * L..];
    }
    for last in last {
        let last = std::array::from_mut(last);
        convolve_group::<S, L, P, K, D, 1>(x, taps, weights, add, last);
        x = &x[P * L..];
    }
}

/// Pixels that are read at once for a run, at most: those of five taps two pixels apart.
pub(super) const READ: usize = GROUP + 8;

/// `N` pixels, vector by vector: every weight is loaded once for all of them, and every vector of the input for all
/// taps of a run.
#[inline(always)]
fn convolve_group<
    S: Simd,
    const L: usize,
    const P: usize,
    const K: usize,
    const D: usize,
    const N: usize,
>(
    x: &[f32],
    taps: &[Tap],
    weights: &[[[f32; L]; P]],
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
            let mut read: [Vector<S, f32>; READ] = [zero(); READ];
            for (read, x) in read.iter_mut().zip(pixels::<L, P>(&x[tap.offset..], N + (K - 1) * D))
            {
                *read = load(&x[vector]);
            }
            for (k, weight) in weights[tap.weight..][..K].iter().enumerate() {
                let weight = load(&weight[vector]);
                for (sum, x) in sums.iter_mut().zip(&read[k * D..]) {
                    *sum = x.mul_add(weight, *sum);
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            out[vector] = store(*sum);
        }
    }
}

/// The first pixels of `P` vectors each: one bounds check for all of them.
#[inline(always)]
pub(super) fn pixels<const L: usize, const P: usize>(x: &[f32], count: usize) -> &[[[f32; L]; P]] {
    x[..count * P * L].as_chunks::<L>().0.as_chunks::<P>().0
}
