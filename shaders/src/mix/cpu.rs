//! The CPU twin: all candidates of a chunk while the chunk of the sum is in the cache.

// `with_simd` needs a type parameter to compile a function once for each instruction set; plain
// loops, which the compiler vectorises, do not name it.
#![allow(clippy::extra_unused_type_parameters)]

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, with_simd};

use super::{MixGradients, MixOps, SLOTS};
use crate::cpu::{self, contiguous, for_chunks, values};

/// Floats of a chunk: it and a candidate's fit into 32 KiB, the smallest first-level cache.
const CHUNK: usize = 4096;

impl MixOps for Flex {
    fn mix(
        x0: FlexTensor,
        x1: FlexTensor,
        x2: FlexTensor,
        x3: FlexTensor,
        x4: FlexTensor,
        x5: FlexTensor,
        x6: FlexTensor,
        x7: FlexTensor,
        weights: FlexTensor,
        count: usize,
    ) -> FlexTensor {
        let shape = x0.shape();
        let candidates = used([x0, x1, x2, x3, x4, x5, x6, x7], count);
        let weights = contiguous(weights);
        let mut out = vec![0.0; shape.num_elements()];
        for_chunks(&mut out, CHUNK, |index, out| {
            for (candidate, weight) in candidates.iter().zip(values(&weights)) {
                add_scaled(chunk(candidate, index, out.len()), *weight, out);
            }
        });
        cpu::tensor(out, shape)
    }
}

impl MixGradients for Flex {
    fn mix_x_gradient(gradient: FlexTensor, weights: FlexTensor, index: usize) -> FlexTensor {
        let (gradient, weights) = (contiguous(gradient), contiguous(weights));
        let weight = values(&weights).get(index).copied().unwrap_or_default();
        let mut out = vec![0.0; gradient.shape().num_elements()];
        for_chunks(&mut out, CHUNK, |index, out| {
            add_scaled(chunk(&gradient, index, out.len()), weight, out);
        });
        cpu::tensor(out, gradient.shape())
    }

    fn mix_weight_gradient(
        x0: FlexTensor,
        x1: FlexTensor,
        x2: FlexTensor,
        x3: FlexTensor,
        x4: FlexTensor,
        x5: FlexTensor,
        x6: FlexTensor,
        x7: FlexTensor,
        gradient: FlexTensor,
        count: usize,
    ) -> FlexTensor {
        let candidates = used([x0, x1, x2, x3, x4, x5, x6, x7], count);
        let gradient = contiguous(gradient);
        let length = gradient.shape().num_elements();
        let mut partial = vec![0.0; length.div_ceil(CHUNK) * count];
        for_chunks(&mut partial, count, |index, out| {
            let length = CHUNK.min(length - index * CHUNK);
            let gradient = chunk(&gradient, index, length);
            for (candidate, out) in candidates.iter().zip(out) {
                *out = dot(chunk(candidate, index, length), gradient);
            }
        });
        let mut sums = vec![0.0; count];
        for partial in partial.chunks_exact(count.max(1)) {
            sums.iter_mut().zip(partial).for_each(|(sum, value)| *sum += value);
        }
        cpu::tensor(sums, [count])
    }
}

/// The slots that are used, in row-major order.
fn used(slots: [FlexTensor; SLOTS], count: usize) -> Vec<FlexTensor> {
    slots.into_iter().take(count).map(contiguous).collect()
}

fn chunk(tensor: &FlexTensor, index: usize, length: usize) -> &[f32] {
    &values(tensor)[index * CHUNK..][..length]
}

#[with_simd]
fn add_scaled<S: Simd>(x: &[f32], weight: f32, out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += weight * x;
    }
}

/// In 32 partial sums, since the order of a single one would forbid vectors.
#[with_simd]
fn dot<S: Simd>(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 32];
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let last: f32 = last_a.iter().zip(last_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + last
}
