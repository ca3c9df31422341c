//! The CPU twin: all candidates of a chunk while the chunk of the sum is in the first-level cache.

// `with_simd` needs a type parameter to compile a function once for each instruction set; plain
// loops, which the compiler vectorises, do not name it.
#![allow(clippy::extra_unused_type_parameters)]

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, with_simd};

use super::{MixGradients, MixOps, Mixture, SLOTS, Slots};
use crate::cpu::block::Block;
use crate::cpu::columns::Columns;
use crate::cpu::{self, contiguous, for_parts, values};
use crate::meter;
use crate::norm::Standard;
use crate::norm::cpu::Scale;

/// Floats of a chunk: it and a candidate's fit into 32 KiB, the smallest first-level cache.
const CHUNK: usize = 4096;

impl MixOps for Flex {
    fn mix(
        base: FlexTensor,
        slots: Slots<Self>,
        weights: FlexTensor,
        mixture: Mixture,
    ) -> FlexTensor {
        let _span = meter::span("mix");
        let shape = slots.x0.shape();
        let weights = contiguous(weights);
        let candidates = Candidate::list(slots, values(&weights), &mixture);
        let chunk = chunk(mixture.channels);
        let base = mixture.base.then(|| contiguous(base));
        let mut sum = Block::new(shape.num_elements());
        for_parts([(&mut *sum, chunk)], |index, [out]| {
            match &base {
                Some(base) => out.copy_from_slice(&values(base)[index * chunk..][..out.len()]),
                None => out.fill(0.0),
            }
            for candidate in &candidates {
                add_scaled(candidate.part(index * chunk, out.len()), &candidate.scale, out);
            }
        });
        sum.into_tensor(shape)
    }
}

impl MixGradients for Flex {
    fn mix_sums(slots: Slots<Self>, gradient: FlexTensor, mixture: Mixture) -> FlexTensor {
        let _span = meter::span("mix_sums");
        let candidates = Candidate::list(slots, &[1.0; SLOTS], &mixture);
        let gradient = contiguous(gradient);
        let (chunk, channels) = (chunk(mixture.channels), mixture.channels);
        let length = gradient.shape().num_elements();
        let rows = (mixture.count + 1) * channels;
        let mut partial = vec![0.0; length.div_ceil(chunk) * rows];
        for_parts([(&mut partial, rows)], |index, [out]| {
            let start = index * chunk;
            let gradient = &values(&gradient)[start..][..chunk.min(length - start)];
            let (first, products) = out.split_at_mut(channels);
            column_sums(gradient, Columns::new(channels), first);
            for (candidate, out) in candidates.iter().zip(products.chunks_exact_mut(channels)) {
                let x = candidate.part(start, gradient.len());
                column_products(x, gradient, &candidate.scale, Columns::new(channels), out);
            }
        });
        let mut sums = vec![0.0; rows];
        for partial in partial.chunks_exact(rows.max(1)) {
            sums.iter_mut().zip(partial).for_each(|(sum, value)| *sum += value);
        }
        cpu::tensor(sums, mixture.sums_shape())
    }

    fn mix_x_gradient(
        x: FlexTensor,
        moments: FlexTensor,
        weights: FlexTensor,
        gradient: FlexTensor,
        sums: FlexTensor,
        index: usize,
        norm: Option<Standard>,
    ) -> FlexTensor {
        let _span = meter::span("mix_x_gradient");
        let shape = gradient.shape();
        let (x, gradient, weights) = (contiguous(x), contiguous(gradient), contiguous(weights));
        let (moments, sums) = (contiguous(moments), contiguous(sums));
        let weight = values(&weights).get(index).copied().unwrap_or_default();
        let scale = scale(values(&moments), norm, shape[3]);
        let way = Way::new(&scale, weight, values(&sums), index, &shape, norm);
        let (chunk, length) = (chunk(shape[3]), shape.num_elements());
        let mut out = Block::new(length);
        for_parts([(&mut *out, chunk)], |index, [out]| {
            let part = |tensor| &values(tensor)[index * chunk..][..out.len()];
            match way.through_moments {
                true => pull(part(&x), part(&gradient), &way, out),
                false => scaled(part(&gradient), &way.plain.factor, out),
            }
        });
        out.into_tensor(shape)
    }
}

/// Floats of a chunk: whole strips.
fn chunk(channels: usize) -> usize {
    let strip = Columns::new(channels).strip();
    strip * (CHUNK / strip).max(1)
}

fn scale(moments: &[f32], norm: Option<Standard>, channels: usize) -> Scale {
    norm.map_or_else(|| Scale::identity(channels), |norm| Scale::new(moments, norm.eps))
}

/// A candidate in row-major order with (x − mean) · factor, where the factor has its weight in it.
struct Candidate {
    x: FlexTensor,
    scale: Scale,
}

impl Candidate {
    fn list(slots: Slots<Flex>, weights: &[f32], mixture: &Mixture) -> Vec<Self> {
        let (x, moments) = slots.into_lists();
        let used = x.into_iter().zip(moments).zip(mixture.norms).take(mixture.count);
        let candidate = |(((x, moments), norm), weight): (_, &f32)| {
            let moments = contiguous(moments);
            let mut scale = scale(values(&moments), norm, mixture.channels);
            scale.factor.iter_mut().for_each(|factor| *factor *= weight);
            Self { x: contiguous(x), scale }
        };
        used.zip(weights).map(candidate).collect()
    }

    fn part(&self, start: usize, length: usize) -> &[f32] {
        &values(&self.x)[start..][..length]
    }
}

/// The gradient for one candidate, repeated to strips: g·factor − shift − (x − mean)·slope.
struct Way {
    plain: Scale,
    mean: Vec<f32>,
    shift: Vec<f32>,
    slope: Vec<f32>,
    /// Whether there is a shift and a slope.
    through_moments: bool,
}

impl Way {
    fn new(
        scale: &Scale,
        weight: f32,
        sums: &[f32],
        index: usize,
        shape: &[usize],
        norm: Option<Standard>,
    ) -> Self {
        let channels = shape[3];
        let through_moments = norm.is_some_and(|norm| norm.of_batch);
        let factor: Vec<f32> = scale.factor.iter().map(|factor| factor * weight).collect();
        let (mut shift, mut slope) = (Vec::new(), Vec::new());
        if through_moments {
            let count = (shape[0] * shape[1] * shape[2]) as f32;
            let columns = Columns::new(channels);
            let row =
                |row: usize| columns.repeat(sums[row * channels..][..channels].iter().copied());
            shift = row(0).iter().zip(&factor).map(|(sum, f)| sum / count * f).collect();
            let factors = factor.iter().zip(&scale.factor);
            let means = row(index + 1).into_iter().map(|sum| sum / count);
            slope = means.zip(factors).map(|(mean, (f, r))| mean * f * r).collect();
        }
        let plain = Scale { mean: vec![0.0; factor.len()], factor };
        Self { plain, mean: scale.mean.clone(), shift, slope, through_moments }
    }
}

/// out += (x − mean) · factor.
#[with_simd]
fn add_scaled<S: Simd>(x: &[f32], scale: &Scale, out: &mut [f32]) {
    let strip = scale.mean.len();
    for (x, out) in x.chunks(strip).zip(out.chunks_mut(strip)) {
        let scale = scale.mean.iter().zip(&scale.factor);
        for ((x, out), (mean, factor)) in x.iter().zip(out).zip(scale) {
            *out += (x - mean) * factor;
        }
    }
}

/// out = x · factor.
#[with_simd]
fn scaled<S: Simd>(x: &[f32], factors: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks(factors.len()).zip(out.chunks_mut(factors.len())) {
        for ((x, out), factor) in x.iter().zip(out).zip(factors) {
            *out = x * factor;
        }
    }
}

#[with_simd]
fn column_sums<S: Simd>(x: &[f32], columns: Columns, out: &mut [f32]) {
    let mut sums = vec![0.0; columns.strip()];
    for x in x.chunks(sums.len()) {
        sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    }
    out.copy_from_slice(&columns.fold(&sums));
}

/// Σ gradient · (x − mean) · factor of the columns.
#[with_simd]
fn column_products<S: Simd>(
    x: &[f32],
    gradient: &[f32],
    scale: &Scale,
    columns: Columns,
    out: &mut [f32],
) {
    let strip = columns.strip();
    let mut products = vec![0.0; strip];
    for (x, gradient) in x.chunks(strip).zip(gradient.chunks(strip)) {
        let terms = products.iter_mut().zip(x.iter().zip(gradient)).zip(&scale.mean);
        for ((product, (x, gradient)), mean) in terms {
            *product += gradient * (x - mean);
        }
    }
    products.iter_mut().zip(&scale.factor).for_each(|(product, factor)| *product *= factor);
    out.copy_from_slice(&columns.fold(&products));
}

#[with_simd]
fn pull<S: Simd>(x: &[f32], gradient: &[f32], way: &Way, out: &mut [f32]) {
    let strip = way.mean.len();
    let inputs = x.chunks(strip).zip(gradient.chunks(strip));
    for ((x, gradient), out) in inputs.zip(out.chunks_mut(strip)) {
        let first = way.plain.factor.iter().zip(&way.shift);
        let second = way.mean.iter().zip(&way.slope);
        for (((x, gradient), out), ((factor, shift), (mean, slope))) in
            x.iter().zip(gradient).zip(out).zip(first.zip(second))
        {
            *out = gradient * factor - shift - (x - mean) * slope;
        }
    }
}
