//! The kernels, an image at a time and pixel by pixel: the channels lie side by side.

// `with_simd` needs a type parameter to compile a function once for each instruction set; plain
// loops, which the compiler vectorises, do not name it.
#![allow(clippy::extra_unused_type_parameters)]

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, with_simd};

use super::{HalveGradients, HalveOps, Halves};
use crate::cpu::block::Block;
use crate::cpu::{contiguous, for_chunks, values};
use crate::meter;

impl HalveOps for Flex {
    fn halve(x: FlexTensor, halves: Halves) -> FlexTensor {
        let _span = meter::span("halve");
        let x = contiguous(x);
        let ([batch, ..], image, output) = (halves.shape, halves.image(), halves.image_output());
        let mut out = Block::new(batch * output);
        for_chunks(&mut out, output, image + output, |index, out| {
            largest(&halves, &values(&x)[index * image..][..image], out);
        });
        out.into_tensor(halves.output())
    }
}

impl HalveGradients for Flex {
    fn halve_gradient(x: FlexTensor, gradient: FlexTensor, halves: Halves) -> FlexTensor {
        let _span = meter::span("halve_gradient");
        let (x, gradient) = (contiguous(x), contiguous(gradient));
        let ([batch, ..], image, output) = (halves.shape, halves.image(), halves.image_output());
        let mut out = Block::new(batch * image);
        for_chunks(&mut out, image, 2 * image + output, |index, out| {
            let gradient = &values(&gradient)[index * output..][..output];
            back(&halves, &values(&x)[index * image..][..image], gradient, out);
        });
        out.into_tensor(halves.shape)
    }
}

impl Halves {
    /// Floats of an image of the input.
    fn image(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// Floats of an image of the output.
    fn image_output(&self) -> usize {
        self.output()[1..].iter().product()
    }

    /// Where the pixels of a window begin in its image, in row-major order, and how many of the four there are.
    #[inline(always)]
    fn window(&self, y: usize, x: usize) -> ([usize; 4], usize) {
        let [_, height, width, channels] = self.shape;
        let (mut places, mut count) = ([0; 4], 0);
        for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            // Above or left of the image the row or the column wraps round to the largest number.
            let row = (2 * y + dy).wrapping_sub(self.padding);
            let column = (2 * x + dx).wrapping_sub(self.padding);
            if row < height && column < width {
                places[count] = (row * width + column) * channels;
                count += 1;
            }
        }
        (places, count)
    }
}

#[with_simd]
fn largest<S: Simd>(halves: &Halves, x: &[f32], out: &mut [f32]) {
    let [_, _, width, channels] = halves.output();
    for (index, out) in out.chunks_exact_mut(channels).enumerate() {
        let (places, count) = halves.window(index / width, index % width);
        let [a, b, c, d] = places.map(|place| &x[place..][..channels]);
        match count {
            4 => {
                let taps = a.iter().zip(b).zip(c.iter().zip(d));
                for (out, ((a, b), (c, d))) in out.iter_mut().zip(taps) {
                    *out = larger(larger(larger(*a, *b), *c), *d);
                }
            }
            2 => {
                for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
                    *out = larger(*a, *b);
                }
            }
            _ => out.copy_from_slice(a),
        }
    }
}

/// NaN takes the place of a number and stays, as in PyTorch.
#[inline(always)]
fn larger(best: f32, x: f32) -> f32 {
    if wins(x, best) { x } else { best }
}

#[inline(always)]
fn wins(x: f32, best: f32) -> bool {
    x > best || x.is_nan()
}

#[with_simd]
fn back<S: Simd>(halves: &Halves, x: &[f32], gradient: &[f32], out: &mut [f32]) {
    let [_, _, width, channels] = halves.output();
    if halves.leaves_some_out() {
        out.fill(0.0);
    }
    let mut best = vec![0.0; channels];
    let mut place = vec![0_u32; channels];
    for (index, gradient) in gradient.chunks_exact(channels).enumerate() {
        let (places, count) = halves.window(index / width, index % width);
        best.copy_from_slice(&x[places[0]..][..channels]);
        place.fill(0);
        for (tap, start) in (0..).zip(&places[..count]).skip(1) {
            let taps = best.iter_mut().zip(&mut place).zip(&x[*start..][..channels]);
            for ((best, place), x) in taps {
                let wins = wins(*x, *best);
                *best = if wins { *x } else { *best };
                *place = if wins { tap } else { *place };
            }
        }
        for (tap, start) in (0_u32..).zip(&places[..count]) {
            let taps = out[*start..][..channels].iter_mut().zip(&place).zip(gradient);
            for ((out, place), gradient) in taps {
                *out = if *place == tap { *gradient } else { 0.0 };
            }
        }
    }
}

impl Halves {
    /// Whether some pixels are in no window: those of the last row or column of an odd side without padding.
    fn leaves_some_out(&self) -> bool {
        let [_, height, width, _] = self.shape;
        let odd = |side: usize| self.padding == 0 && side % 2 == 1;
        odd(height) || odd(width)
    }
}
