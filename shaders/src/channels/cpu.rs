//! The CPU twin: pixel by pixel, a row of windows for each thread.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::{ChannelGradients, ChannelOps, Part};
use crate::cpu::block::Block;
use crate::cpu::{contiguous, for_chunks, values};
use crate::meter;

impl ChannelOps for Flex {
    fn channels(x: FlexTensor, part: Part) -> FlexTensor {
        let _span = meter::span("channels");
        let x = contiguous(x);
        let [row, out_row] = part.rows();
        let mut out = Block::new(part.shape().num_elements());
        for_chunks(&mut out, out_row, |index, out| {
            part.largest(&values(&x)[index * row..][..row], out);
        });
        out.into_tensor(part.shape())
    }
}

impl ChannelGradients for Flex {
    fn channels_gradient(
        x: FlexTensor,
        known: FlexTensor,
        gradient: FlexTensor,
        is_known: bool,
        part: Part,
    ) -> FlexTensor {
        let _span = meter::span("channels_gradient");
        let [x, known, gradient] = [x, known, gradient].map(contiguous);
        let [row, out_row] = part.rows();
        let mut out = Block::new(part.shape.iter().product());
        for_chunks(&mut out, row, |index, out| {
            match is_known {
                true => out.copy_from_slice(&values(&known)[index * row..][..row]),
                false => out.fill(0.0),
            }
            let gradient = &values(&gradient)[index * out_row..][..out_row];
            part.add(&values(&x)[index * row..][..row], gradient, out);
        });
        out.into_tensor(part.shape)
    }
}

impl Part {
    /// Where the channels of the window at this column lie in a row of windows, pixel by pixel.
    fn pixels(&self, column: usize) -> impl Iterator<Item = usize> {
        let [_, _, width, channels] = self.shape;
        let (size, first) = (self.size, self.channels.start);
        (0..size * size).map(move |pixel| {
            let (y, x) = (pixel / size, column * size + pixel % size);
            (y * width + x) * channels + first
        })
    }

    fn largest(&self, x: &[f32], out: &mut [f32]) {
        let count = self.channels.len();
        for (column, out) in out.chunks_exact_mut(count).enumerate() {
            for (pixel, start) in self.pixels(column).enumerate() {
                let x = &x[start..][..count];
                match pixel {
                    0 => out.copy_from_slice(x),
                    _ => out.iter_mut().zip(x).for_each(|(out, x)| *out = out.max(*x)),
                }
            }
        }
    }

    /// Adds the gradient of every window to the first of its largest numbers.
    fn add(&self, x: &[f32], gradient: &[f32], out: &mut [f32]) {
        let count = self.channels.len();
        for (column, gradient) in gradient.chunks_exact(count).enumerate() {
            if self.size == 1 {
                let start = self.pixels(column).next().unwrap_or(0);
                let both = out[start..][..count].iter_mut().zip(gradient);
                both.for_each(|(out, gradient)| *out += gradient);
                continue;
            }
            for (channel, gradient) in gradient.iter().enumerate() {
                let places = self.pixels(column).map(|start| start + channel);
                let first =
                    places.reduce(|best, place| if x[place] > x[best] { place } else { best });
                if let Some(place) = first {
                    out[place] += gradient;
                }
            }
        }
    }
}
