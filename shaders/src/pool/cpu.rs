//! The CPU twin, one image at a time through padded planes: the sum or the maximum of the three rows of a
//! window, then of what is left of its three columns. The way back of a mean is a depthwise convolution
//! with ones.

// `with_simd` needs a type parameter to compile a function once for each instruction set; plain
// loops, which the compiler vectorises, do not name it.
#![allow(clippy::extra_unused_type_parameters)]

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, with_simd};

use super::{Pool, PoolGradients, PoolOps, Windows};
use crate::cpu::aligned::Aligned;
use crate::cpu::block::Block;
use crate::cpu::convolve::{self, Plan};
use crate::cpu::planes::{Planes, Rows};
use crate::cpu::{self, Scratch, contiguous, for_chunks, lanes, values, with_scratch, zeros};
use crate::meter;

/// Pixels of a window.
const TAPS: usize = 9;

impl PoolOps for Flex {
    fn pool(x: FlexTensor, windows: Windows) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("pool");
        let x = contiguous(x);
        let mut out = Block::new(windows.output_shape().num_elements());
        let shared = Shared::new(&windows);
        let image: usize = windows.image().iter().product();
        let output: usize = windows.output().iter().product();
        for_chunks(&mut out, output, TAPS * output, |index, out| {
            let (kind, index) = (index / windows.shape[0], index % windows.shape[0]);
            let x = &values(&x)[index * image..][..image];
            with_scratch(|scratch| shared.pool(windows.kinds[kind], x, scratch, out));
        });
        (out.into_tensor(windows.output_shape()), x)
    }
}

impl PoolGradients for Flex {
    fn pool_gradient(kept: FlexTensor, gradient: FlexTensor, windows: Windows) -> FlexTensor {
        let _span = meter::span("pool_gradient");
        let (kept, gradient) = (contiguous(kept), contiguous(gradient));
        let shared = Shared::new(&windows);
        let image: usize = windows.image().iter().product();
        let output: usize = windows.output().iter().product();
        let mut sum = zeros(windows.shape[0] * image);
        for_chunks(&mut sum, image, TAPS * windows.kinds.len() * image, |index, sum| {
            let x = &values(&kept)[index * image..][..image];
            for (kind, pool) in windows.kinds.iter().enumerate() {
                let start = (kind * windows.shape[0] + index) * output;
                let gradient = &values(&gradient)[start..][..output];
                with_scratch(|scratch| match pool {
                    Pool::Max => shared.max_gradient(x, gradient, kind > 0, scratch, sum),
                    Pool::Average => shared.average_gradient(gradient, kind > 0, scratch, sum),
                });
            }
        });
        cpu::tensor(sum, windows.shape)
    }
}

impl Windows {
    fn ones(&self) -> convolve::Windows {
        convolve::Windows { image: self.image(), size: 3, stride: self.stride, dilation: 1 }
    }
}

/// Pixels of the window at `index` that lie in the image, along one direction.
fn inside(index: usize, stride: usize, size: usize) -> usize {
    let first = (index * stride).max(1) - 1;
    (index * stride + 2).min(size) - first
}

/// What the images of a batch have in common.
struct Shared<'a> {
    windows: &'a Windows,
    /// Of the input.
    planes: Planes,
    /// From the gradient of a mean, which is divided already, to that of the input.
    back: Plan,
    /// For a row of windows with so many rows in the image, 1 / the size of each, for every channel.
    shares: [Vec<f32>; 4],
}

impl<'a> Shared<'a> {
    fn new(windows: &'a Windows) -> Self {
        let [_, width, channels] = windows.output();
        let shares = |rows: usize| {
            let share = |column| {
                1.0 / (rows.max(1) * inside(column, windows.stride, windows.shape[2])) as f32
            };
            (0..width).flat_map(|column| std::iter::repeat_n(share(column), channels)).collect()
        };
        Self {
            windows,
            planes: Planes::new(windows.image(), windows.stride, 1, lanes()),
            back: Plan::transposed(&windows.ones(), &vec![1.0; channels * TAPS], lanes()),
            shares: std::array::from_fn(shares),
        }
    }

    /// 1 / the size of the windows of an output row.
    fn shares(&self, y: usize) -> &[f32] {
        &self.shares[inside(y, self.windows.stride, self.windows.shape[1])]
    }

    /// Of an image: the three rows of a window become one, and its three columns.
    fn pool(&self, pool: Pool, x: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        let Self { windows, planes, .. } = self;
        let [_, width, _] = windows.output();
        planes.copy(x, if pool == Pool::Max { f32::NEG_INFINITY } else { 0.0 }, &mut scratch.x);
        let (columns, joined) = (&mut scratch.gradient, &mut scratch.rows);
        columns.resize(planes.row());
        joined.resize(width * planes.pixel);
        match pool {
            Pool::Max => join(planes, windows, &Largest, &scratch.x, columns, joined, out),
            Pool::Average => join(planes, windows, self, &scratch.x, columns, joined, out),
        }
    }

    /// Of a mean, for an image, written to `out` or added to it.
    fn average_gradient(
        &self,
        gradient: &[f32],
        add: bool,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let Scratch { gradient: planes, rows, .. } = scratch;
        fill(self.back.planes, Divided { shared: self, gradient }, planes);
        self.back.image_rows(planes, 0..self.windows.shape[1], add, rows, out);
    }

    /// Of a maximum, for an image, written to `out` or added to it.
    fn max_gradient(
        &self,
        x: &[f32],
        gradient: &[f32],
        add: bool,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let Self { windows, planes, .. } = self;
        let [_, width, _] = windows.output();
        let Scratch { x: filled, gradient: sums, rows: row, .. } = scratch;
        planes.copy(x, f32::NEG_INFINITY, filled);
        sums.resize(filled.len());
        sums.fill(0.0);
        let mut place = vec![0; width * planes.pixel];
        row.resize(place.len());
        row.fill(0.0);
        spread(planes, windows, filled, gradient, row, &mut place, sums);
        planes.collect(sums, add, out);
    }
}

/// The gradient of a mean, divided by the sizes of the windows.
#[derive(Clone, Copy)]
struct Divided<'a> {
    shared: &'a Shared<'a>,
    gradient: &'a [f32],
}

impl Rows for Divided<'_> {
    #[inline(always)]
    fn write(&self, y: usize, row: &mut [f32]) {
        let (start, shares) = (y * row.len(), self.shared.shares(y));
        let values = self.gradient[start..][..row.len()].iter().zip(shares);
        row.iter_mut().zip(values).for_each(|(row, (value, share))| *row = value * share);
    }
}

#[with_simd]
fn fill<'a, S: Simd>(planes: Planes, image: Divided<'a>, filled: &mut Aligned) {
    planes.fill(0.0, filled, image);
}

/// Makes one number of three, and what comes of a row of windows.
trait Join {
    /// Must be `#[inline(always)]`, like the other.
    fn join(&self, numbers: [f32; 3]) -> f32;
    fn finish(&self, y: usize, row: &mut [f32]);
}

struct Largest;

impl Join for Largest {
    #[inline(always)]
    fn join(&self, [first, second, third]: [f32; 3]) -> f32 {
        let best = if wins(second, first) { second } else { first };
        if wins(third, best) { third } else { best }
    }

    #[inline(always)]
    fn finish(&self, _: usize, _: &mut [f32]) {}
}

/// A mean.
impl Join for Shared<'_> {
    #[inline(always)]
    fn join(&self, [first, second, third]: [f32; 3]) -> f32 {
        first + second + third
    }

    #[inline(always)]
    fn finish(&self, y: usize, row: &mut [f32]) {
        row.iter_mut().zip(self.shares(y)).for_each(|(value, share)| *value *= share);
    }
}

/// All windows of an image that lies in planes: their rows, then their columns.
#[with_simd]
fn join<S: Simd, J: Join>(
    planes: &Planes,
    windows: &Windows,
    way: &J,
    x: &[f32],
    columns: &mut [f32],
    joined: &mut [f32],
    out: &mut [f32],
) {
    let [_, width, channels] = windows.output();
    for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
        let row = |row| &x[planes.offset(y * windows.stride + row, 0)..];
        join_three(way, row(0), row(1), row(2), columns);
        let column = |column| &columns[planes.offset(0, column)..];
        join_three(way, column(0), column(1), column(2), joined);
        planes.put(joined, out, [0, 1], false);
        way.finish(y, out);
    }
}

#[inline(always)]
fn join_three(way: &impl Join, first: &[f32], second: &[f32], third: &[f32], out: &mut [f32]) {
    for (((out, first), second), third) in out.iter_mut().zip(first).zip(second).zip(third) {
        *out = way.join([*first, *second, *third]);
    }
}

/// Adds the gradient of every maximum to the sums, in the planes of the input, where the maximum is.
#[with_simd]
fn spread<S: Simd>(
    planes: &Planes,
    windows: &Windows,
    x: &[f32],
    gradient: &[f32],
    row: &mut [f32],
    place: &mut [u32],
    sums: &mut [f32],
) {
    let [_, width, channels] = windows.output();
    for (y, gradient) in gradient.chunks_exact(width * channels).enumerate() {
        planes.take(gradient, row);
        let mut offsets = [0; TAPS];
        for (tap, offset) in offsets.iter_mut().enumerate() {
            *offset = planes.offset(y * windows.stride + tap / 3, tap % 3);
        }
        find(x, offsets, place);
        for (tap, offset) in (0..).zip(offsets) {
            add_at(&mut sums[offset..], row, place, tap);
        }
    }
}

/// Whether `x` takes the place of `best`: NaN does, and stays, as in PyTorch.
#[inline(always)]
fn wins(x: f32, best: f32) -> bool {
    x > best || x.is_nan()
}

/// Which tap is the largest, the first one of equals.
#[inline(always)]
fn find(x: &[f32], offsets: [usize; TAPS], place: &mut [u32]) {
    let count = place.len();
    // As names and not as an array: else the loop is not vectorised, and all gradients of max pooling
    // in `sdarts bench --method darts --profile --device cpu --threads 1` take 544 ms instead of 35.
    let [a, b, c, d, e, f, g, h, i] = offsets;
    let [a, b, c] = [&x[a..][..count], &x[b..][..count], &x[c..][..count]];
    let [d, e, f] = [&x[d..][..count], &x[e..][..count], &x[f..][..count]];
    let [g, h, i] = [&x[g..][..count], &x[h..][..count], &x[i..][..count]];
    for (n, place) in place.iter_mut().enumerate() {
        let taps = [a[n], b[n], c[n], d[n], e[n], f[n], g[n], h[n], i[n]];
        let (mut best, mut at) = (taps[0], 0);
        for (tap, x) in (1..).zip(&taps[1..]) {
            let wins = wins(*x, best);
            best = if wins { *x } else { best };
            at = if wins { tap } else { at };
        }
        *place = at;
    }
}

#[inline(always)]
fn add_at(sums: &mut [f32], gradient: &[f32], place: &[u32], tap: u32) {
    for ((sum, gradient), place) in sums.iter_mut().zip(gradient).zip(place) {
        *sum += if *place == tap { *gradient } else { 0.0 };
    }
}
