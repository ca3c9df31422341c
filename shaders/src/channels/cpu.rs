//! The CPU twin: row of windows by row of windows, some of them for each thread.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::{ChannelGradients, ChannelOps, Division, Part, There};
use crate::cpu::block::Block;
use crate::cpu::{contiguous, for_chunks, gate, values};
use crate::meter;

/// Numbers of the activation that are worth a thread.
const CHUNK: usize = 1 << 14;

impl ChannelOps for Flex {
    fn channels(x: FlexTensor, base: FlexTensor, part: Part) -> FlexTensor {
        let _span = meter::span("channels");
        let (x, base) = (contiguous(x), part.has_base.then(|| contiguous(base)));
        let mut out = Block::new(part.shape().num_elements());
        let (rows, [row, first, others]) = (part.division.rows_at_once(), part.division.rows());
        let out_row = if part.is_first { first } else { others };
        for_chunks(&mut out, rows * out_row, rows * (row + out_row), |index, out| {
            let start = index * rows;
            let x = values(&x)[start * row..].chunks_exact(row);
            out.chunks_exact_mut(out_row).zip(x).for_each(|(out, x)| part.largest(x, out));
            if let Some(base) = &base {
                let base = &values(base)[start * out_row..];
                out.iter_mut().zip(base).for_each(|(out, base)| *out += base);
            }
        });
        out.into_tensor(part.shape())
    }
}

impl ChannelGradients for Flex {
    fn channels_gradient(
        x: FlexTensor,
        known: FlexTensor,
        first: FlexTensor,
        others: FlexTensor,
        there: There,
        division: Division,
    ) -> FlexTensor {
        let _span = meter::span("channels_gradient");
        let [x, known, first, others] = [x, known, first, others].map(contiguous);
        let (rows, [row, of_first, of_others]) = (division.rows_at_once(), division.rows());
        let mut out = Block::new(division.shape.iter().product());
        for_chunks(&mut out, rows * row, 4 * rows * row, |index, out| {
            for (at, out) in (index * rows..).zip(out.chunks_exact_mut(row)) {
                match there.known {
                    true => out.copy_from_slice(&values(&known)[at * row..][..row]),
                    false => out.fill(0.0),
                }
                if there.first {
                    division.add_first(&values(&first)[at * of_first..][..of_first], out);
                }
                if there.others {
                    let gradient = &values(&others)[at * of_others..][..of_others];
                    division.add_others(&values(&x)[at * row..][..row], gradient, out);
                }
            }
        });
        out.into_tensor(division.shape)
    }
}

/// Calls a function of the module for as many channels at once as both numbers are multiples of. A length that
/// is known needs no call for a copy, and no loop.
macro_rules! by_width {
    ($function:ident, $count:expr, ($($argument:expr),*)) => {
        match $count {
            count if count % 8 == 0 => $function::<8>($($argument),*),
            count if count % 4 == 0 => $function::<4>($($argument),*),
            _ => $function::<1>($($argument),*),
        }
    };
}

impl Division {
    /// Rows of windows that a thread takes at once.
    fn rows_at_once(&self) -> usize {
        (CHUNK / self.rows()[0].max(1)).max(1)
    }

    /// Adds the gradient of the first channels of a row of windows.
    fn add_first(&self, gradient: &[f32], out: &mut [f32]) {
        let (channels, count) = (self.shape[3], self.first);
        by_width!(add, count, ([0, channels, count], gradient, out));
    }

    /// Adds the gradient of every window of a row to the first of its largest numbers.
    fn add_others(&self, x: &[f32], gradient: &[f32], out: &mut [f32]) {
        let [_, _, width, channels] = self.shape;
        let (first, count) = (self.first, self.others().len());
        match self.size {
            1 => by_width!(add, count, ([first, channels, count], gradient, out)),
            _ => by_width!(add_largest, count, ([first, channels, width], x, gradient, out)),
        }
    }
}

impl Part {
    /// The largest number of every window of a row.
    fn largest(&self, x: &[f32], out: &mut [f32]) {
        let ([_, _, width, channels], first) = (self.division.shape, self.channels().start);
        let count = self.channels().len();
        match self.size() {
            1 => by_width!(copy, count, ([first, channels, count], x, out)),
            _ => by_width!(largest, count, ([first, channels, width], x, out)),
        }
    }
}

/// `W` numbers from a place on.
#[inline(always)]
fn at<const W: usize>(x: &[f32], start: usize) -> &[f32; W] {
    &x[start..][..W].as_chunks::<W>().0[0]
}

/// Copies `count` channels, from `first` on, of every pixel.
fn copy<const W: usize>([first, channels, count]: [usize; 3], x: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks_exact(channels).zip(out.chunks_exact_mut(count)) {
        let x = x[first..first + count].as_chunks::<W>().0;
        out.as_chunks_mut::<W>().0.iter_mut().zip(x).for_each(|(out, x)| *out = *x);
    }
}

/// The opposite, added.
fn add<const W: usize>([first, channels, count]: [usize; 3], x: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks_exact(count).zip(out.chunks_exact_mut(channels)) {
        let out = out[first..first + count].as_chunks_mut::<W>().0;
        for (out, x) in out.iter_mut().zip(x.as_chunks::<W>().0) {
            out.iter_mut().zip(x).for_each(|(out, x)| *out += x);
        }
    }
}

/// Where the pixels of the 2×2 window at this column lie in two rows of `width` pixels.
#[inline(always)]
fn pixels([first, channels, width]: [usize; 3], column: usize) -> [usize; 4] {
    [0, 1, width, width + 1].map(|pixel| (2 * column + pixel) * channels + first)
}

/// The largest numbers of the windows of two rows, of the channels from `first` on.
fn largest<const W: usize>(sizes: [usize; 3], x: &[f32], out: &mut [f32]) {
    let [first, channels, _] = sizes;
    for (column, out) in out.chunks_exact_mut(channels - first).enumerate() {
        let starts = pixels(sizes, column);
        for (block, out) in out.as_chunks_mut::<W>().0.iter_mut().enumerate() {
            let [a, b, c, d] = starts.map(|start| at::<W>(x, start + block * W));
            for lane in 0..W {
                out[lane] = a[lane].max(b[lane]).max(c[lane]).max(d[lane]);
            }
        }
    }
}

/// Adds the gradients of those to the first of the largest numbers of every window.
fn add_largest<const W: usize>(sizes: [usize; 3], x: &[f32], gradient: &[f32], out: &mut [f32]) {
    let [first, channels, _] = sizes;
    for (column, gradient) in gradient.chunks_exact(channels - first).enumerate() {
        let starts = pixels(sizes, column);
        for (block, gradient) in gradient.as_chunks::<W>().0.iter().enumerate() {
            let starts = starts.map(|start| start + block * W);
            let (mut best, mut place) = (*at::<W>(x, starts[0]), [0_u32; W]);
            for (pixel, start) in (1..).zip(&starts[1..]) {
                let x = at::<W>(x, *start);
                for lane in 0..W {
                    let wins = x[lane] > best[lane];
                    best[lane] = if wins { x[lane] } else { best[lane] };
                    place[lane] = if wins { pixel } else { place[lane] };
                }
            }
            for (pixel, start) in (0..).zip(starts) {
                let out = &mut out[start..][..W].as_chunks_mut::<W>().0[0];
                for lane in 0..W {
                    out[lane] += gate(gradient[lane], place[lane] == pixel);
                }
            }
        }
    }
}
