//! The CPU twin. A mean is a depthwise convolution with ones, divided by the size of the window. A
//! maximum goes through the same padded planes, a shift for each pixel of a window: of its three rows,
//! then of what is left of its three columns.

// `with_simd` needs a type parameter to compile a function once for each instruction set; plain
// loops, which the compiler vectorises, do not name it.
#![allow(clippy::extra_unused_type_parameters)]

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, with_simd};

use super::{Pool, PoolGradients, PoolOps, Windows};
use crate::cpu::block::Block;
use crate::cpu::convolve::{self, Plan};
use crate::cpu::planes::Planes;
use crate::cpu::{
    self, Kernel, Scratch, contiguous, dispatch, for_chunks, lanes, values, with_scratch, zeros,
};
use crate::meter;

/// Pixels of a window.
const TAPS: usize = 9;

impl PoolOps for Flex {
    fn pool(x: FlexTensor, windows: Windows) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("pool");
        let x = contiguous(x);
        let mut out = Block::new(windows.output_shape().num_elements());
        let results = out.chunks_exact_mut(windows.places_shape().num_elements().max(1));
        for (kind, out) in windows.kinds.iter().zip(results) {
            match kind {
                Pool::Max => maxima(values(&x), &windows, out),
                Pool::Average => {
                    let plan = Plan::forward(&windows.ones(), &ones(&windows), lanes());
                    convolve(&plan, values(&x), windows.shape[0], windows.output(), out);
                    divide(out, &windows);
                }
            }
        }
        (out.into_tensor(windows.output_shape()), x)
    }
}

impl PoolGradients for Flex {
    fn pool_gradient(kept: FlexTensor, gradient: FlexTensor, windows: Windows) -> FlexTensor {
        let _span = meter::span("pool_gradient");
        let (kept, gradient) = (contiguous(kept), contiguous(gradient));
        let results = values(&gradient).chunks_exact(windows.places_shape().num_elements().max(1));
        let gradient_of = |kind: &Pool, gradient: &[f32], out: &mut [f32]| match kind {
            Pool::Max => max_gradient(values(&kept), gradient, &windows, out),
            Pool::Average => average_gradient(gradient, &windows, out),
        };
        let (image, batch) = (windows.image().iter().product(), windows.shape[0]);
        let mut sum = zeros(batch * image);
        for (index, (kind, gradient)) in windows.kinds.iter().zip(results).enumerate() {
            if index == 0 {
                gradient_of(kind, gradient, &mut sum);
                continue;
            }
            let mut other = Block::new(batch * image);
            gradient_of(kind, gradient, &mut other);
            for_chunks(&mut sum, image, |index, sum| add(sum, &other[index * image..]));
        }
        cpu::tensor(sum, windows.shape)
    }
}

fn average_gradient(gradient: &[f32], windows: &Windows, out: &mut [f32]) {
    let mut gradient = gradient.to_vec();
    divide(&mut gradient, windows);
    let plan = Plan::transposed(&windows.ones(), &ones(windows), lanes());
    convolve(&plan, &gradient, windows.shape[0], windows.image(), out);
}

#[with_simd]
fn add<S: Simd>(sum: &mut [f32], other: &[f32]) {
    sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
}

impl Windows {
    fn ones(&self) -> convolve::Windows {
        convolve::Windows { image: self.image(), size: 3, stride: self.stride, dilation: 1 }
    }

    fn planes(&self) -> Planes {
        Planes::new(self.image(), self.stride, 1, lanes())
    }
}

fn ones(windows: &Windows) -> Vec<f32> {
    vec![1.0; windows.shape[3] * TAPS]
}

/// Pixels of the window at `index` that lie in the image, along one direction.
fn inside(index: usize, stride: usize, size: usize) -> usize {
    let first = (index * stride).max(1) - 1;
    (index * stride + 2).min(size) - first
}

/// Divides every pixel of a batch of outputs by the size of its window.
fn divide(outputs: &mut [f32], windows: &Windows) {
    let [height, width, channels] = windows.output();
    let [in_height, in_width, _] = windows.image();
    for_chunks(outputs, width * channels, |row, out| {
        let rows = inside(row % height, windows.stride, in_height);
        for (column, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let factor = 1.0 / (rows * inside(column, windows.stride, in_width)) as f32;
            pixel.iter_mut().for_each(|value| *value *= factor);
        }
    });
}

/// A convolution of a batch of images into images of this height, width and channels.
fn convolve(
    plan: &Plan,
    x: &[f32],
    batch: usize,
    [height, width, channels]: [usize; 3],
    out: &mut [f32],
) {
    struct Convolve<'a> {
        plan: &'a Plan,
        x: &'a [f32],
        scratch: &'a mut Scratch,
        row: usize,
        out: &'a mut [f32],
    }
    impl Kernel for Convolve<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd, const L: usize>(self) {
            let Self { plan, x, scratch, row, out } = self;
            plan.planes.copy(x, 0.0, &mut scratch.x);
            scratch.rows.resize(plan.scratch_row(), 0.0);
            for (y, out) in out.chunks_exact_mut(row).enumerate() {
                plan.row::<S, L>(&scratch.x, y, &mut scratch.rows, out);
            }
        }
    }
    let (image, row) = (x.len() / batch.max(1), width * channels);
    for_chunks(out, height * row, |index, out| {
        let x = &x[index * image..][..image];
        with_scratch(|scratch| dispatch(Convolve { plan, x, scratch, row, out }));
    });
}

fn maxima(x: &[f32], windows: &Windows, out: &mut [f32]) {
    let [height, width, channels] = windows.output();
    let image: usize = windows.image().iter().product();
    let planes = windows.planes();
    for_chunks(out, height * width * channels, |index, out| {
        with_scratch(|scratch| {
            planes.copy(&x[index * image..][..image], f32::NEG_INFINITY, &mut scratch.x);
            let (columns, best) = (&mut scratch.gradient, &mut scratch.rows);
            columns.resize(planes.row(), 0.0);
            best.resize(width * planes.pixel, 0.0);
            for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
                let row = |row| &scratch.x[planes.offset(y * windows.stride + row, 0)..];
                largest(row(0), row(1), row(2), columns);
                let column = |column| &columns[planes.offset(0, column)..];
                largest(column(0), column(1), column(2), best);
                planes.put(best, out, 0, 1);
            }
        });
    });
}

fn max_gradient(x: &[f32], gradient: &[f32], windows: &Windows, out: &mut [f32]) {
    let image: usize = windows.image().iter().product();
    let output: usize = windows.output().iter().product();
    let planes = windows.planes();
    for_chunks(out, image, |index, out| {
        let (x, gradient) = (&x[index * image..][..image], &gradient[index * output..][..output]);
        with_scratch(|scratch| max_gradient_of(x, gradient, windows, &planes, scratch, out));
    });
}

/// For one image.
fn max_gradient_of(
    x: &[f32],
    gradient: &[f32],
    windows: &Windows,
    planes: &Planes,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let [_, width, channels] = windows.output();
    let length = width * planes.pixel;
    let (mut row, mut place) = (vec![0.0; length], vec![0; length]);
    planes.copy(x, f32::NEG_INFINITY, &mut scratch.x);
    let (x, sums) = (&scratch.x, &mut scratch.gradient);
    sums.clear();
    sums.resize(x.len(), 0.0);
    for (y, gradient) in gradient.chunks_exact(width * channels).enumerate() {
        planes.take(gradient, &mut row);
        let offsets: [usize; TAPS] =
            std::array::from_fn(|tap| planes.offset(y * windows.stride + tap / 3, tap % 3));
        find(x, offsets, &mut place);
        for (tap, offset) in offsets.into_iter().enumerate() {
            add_at(&mut sums[offset..], &row, &place, tap as u32);
        }
    }
    planes.collect(sums, out);
}

/// Whether `x` takes the place of `best`: NaN does, and stays, as in PyTorch.
#[inline(always)]
fn wins(x: f32, best: f32) -> bool {
    x > best || x.is_nan()
}

/// The largest of three, number by number.
#[with_simd]
fn largest<S: Simd>(first: &[f32], second: &[f32], third: &[f32], out: &mut [f32]) {
    for (((out, first), second), third) in out.iter_mut().zip(first).zip(second).zip(third) {
        let best = if wins(*second, *first) { *second } else { *first };
        *out = if wins(*third, best) { *third } else { best };
    }
}

/// Which tap is the largest, the first one of equals.
#[with_simd]
fn find<S: Simd>(x: &[f32], offsets: [usize; TAPS], place: &mut [u32]) {
    let count = place.len();
    // As names and not as an array: else the loop is not vectorised, and all gradients of max pooling
    // in `sdarts bench --method darts --profile --device cpu --threads 1` take 544 ms instead of 35.
    let [a, b, c, d, e, f, g, h, i] = offsets.map(|offset| &x[offset..][..count]);
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

#[with_simd]
fn add_at<S: Simd>(sums: &mut [f32], gradient: &[f32], place: &[u32], tap: u32) {
    for ((sum, gradient), place) in sums.iter_mut().zip(gradient).zip(place) {
        *sum += if *place == tap { *gradient } else { 0.0 };
    }
}
