//! The CPU twin: pixel by pixel, some rows of windows for each thread.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::{ChannelGradients, ChannelOps, Part};
use crate::cpu::block::Block;
use crate::cpu::{contiguous, for_chunks, values};
use crate::meter;

/// Numbers of the activation that are worth a thread.
const CHUNK: usize = 1 << 14;

impl ChannelOps for Flex {
    fn channels(x: FlexTensor, part: Part) -> FlexTensor {
        let _span = meter::span("channels");
        let x = contiguous(x);
        let ([row, out_row], rows) = (part.rows(), part.rows_at_once());
        let mut out = Block::new(part.shape().num_elements());
        for_chunks(&mut out, rows * out_row, |index, out| {
            let x = values(&x)[index * rows * row..].chunks_exact(row);
            out.chunks_exact_mut(out_row).zip(x).for_each(|(out, x)| part.largest(x, out));
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
        let [x, mut known, gradient] = [x, known, gradient].map(contiguous);
        let ([row, out_row], rows) = (part.rows(), part.rows_at_once());
        let (chunk, length) = (rows * row, part.shape.iter().product::<usize>());
        let add = |index: usize, out: &mut [f32]| {
            let x = values(&x)[index * chunk..].chunks_exact(row);
            let gradient = values(&gradient)[index * rows * out_row..].chunks_exact(out_row);
            let rows = out.chunks_exact_mut(row).zip(x).zip(gradient);
            rows.for_each(|((out, x), gradient)| part.add(x, gradient, out));
        };
        let is_own = known.is_unique() && known.layout().contiguous_offsets() == Some((0, length));
        if is_known && is_own {
            for_chunks(&mut known.storage_mut::<f32>()[..length], chunk, add);
            return known;
        }
        let mut out = Block::new(length);
        for_chunks(&mut out, chunk, |index, out| {
            match is_known {
                true => out.copy_from_slice(&values(&known)[index * chunk..][..out.len()]),
                false => out.fill(0.0),
            }
            add(index, out);
        });
        out.into_tensor(part.shape)
    }
}

impl Part {
    /// Rows of windows that a thread takes at once.
    fn rows_at_once(&self) -> usize {
        (CHUNK / self.rows()[0].max(1)).max(1)
    }

    /// Where the channels of the window at this column lie in a row of windows, pixel by pixel.
    fn pixels(&self, column: usize) -> impl Iterator<Item = usize> {
        let [_, _, width, channels] = self.shape;
        let (size, first) = (self.size, self.channels.start);
        (0..size * size).map(move |pixel| {
            let (y, x) = (pixel / size, column * size + pixel % size);
            (y * width + x) * channels + first
        })
    }

    /// The largest number of every window of a row.
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

    /// Adds the gradient of every window of a row to the first of its largest numbers.
    fn add(&self, x: &[f32], gradient: &[f32], out: &mut [f32]) {
        let count = self.channels.len();
        if self.size == 1 {
            let pixels = out.chunks_exact_mut(self.shape[3]).zip(gradient.chunks_exact(count));
            return pixels.for_each(|(out, gradient)| {
                let both = out[self.channels.clone()].iter_mut().zip(gradient);
                both.for_each(|(out, gradient)| *out += gradient);
            });
        }
        for (column, gradient) in gradient.chunks_exact(count).enumerate() {
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
