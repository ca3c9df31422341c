//! The CPU twin: one image at a time, twice through its pixels while they are in the cache, and
//! sums over images in their order.

// `with_simd` needs a type parameter to compile a function once for each instruction set; plain
// loops, which the compiler vectorises, do not name it.
#![allow(clippy::extra_unused_type_parameters)]

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, Vector, with_simd};

use super::{NormGradients, NormOps, Standard};
use crate::cpu::block::Block;
use crate::cpu::columns::{self, Columns, Formula, ROWS, Total};
use crate::cpu::{self, contiguous, for_chunks, values, zeros};
use crate::meter;

impl NormOps for Flex {
    fn normalise(x: FlexTensor, moments: FlexTensor, standard: Standard) -> FlexTensor {
        let _span = meter::span("normalise");
        let (x, moments) = (contiguous(x), contiguous(moments));
        let shape = x.shape();
        let scales = Scale::list(values(&moments), standard);
        let mut out = Block::new(shape.num_elements());
        let (image, batch) = (image_size(&shape), shape[0] / standard.groups);
        for_chunks(&mut out, image, 2 * image, |index, out| {
            scale_image(&values(&x)[index * image..][..image], &scales[index / batch], out);
        });
        out.into_tensor(shape)
    }
}

impl NormGradients for Flex {
    fn moments(x: FlexTensor, groups: usize) -> FlexTensor {
        let _span = meter::span("moments");
        let x = contiguous(x);
        let shape = x.shape();
        let channels = shape[3];
        let (image, columns) = (image_size(&shape), Columns::new(channels));
        // Mean and sum of squares of every image, [image, 2, channels].
        let mut partial = vec![0.0; shape[0] * 2 * channels];
        for_chunks(&mut partial, 2 * channels, 2 * image, |index, out| {
            image_moments(&values(&x)[index * image..][..image], columns, out);
        });
        let moments = merge(&partial, groups, channels, shape[1] * shape[2]);
        cpu::tensor(moments, [2, groups * channels])
    }

    fn normalise_gradient(
        y: FlexTensor,
        gradient: FlexTensor,
        moments: FlexTensor,
        standard: Standard,
    ) -> FlexTensor {
        let _span = meter::span("normalise_gradient");
        let (y, gradient, moments) = (contiguous(y), contiguous(gradient), contiguous(moments));
        let shape = y.shape();
        let channels = shape[3];
        let (image, columns) = (image_size(&shape), Columns::new(channels));
        let mut partial = vec![0.0; shape[0] * 2 * channels];
        let part = |tensor, index| &values(tensor)[index * image..][..image];
        if standard.of_batch {
            for_chunks(&mut partial, 2 * channels, 2 * image, |index, out| {
                image_sums(part(&y, index), part(&gradient, index), columns, out);
            });
        }
        let scales = Scale::list(values(&moments), standard);
        let batch = shape[0] / standard.groups;
        let pixels = batch * shape[1] * shape[2];
        let partial = partial.chunks_exact(batch * 2 * channels);
        let pull =
            |(scale, partial): (&Scale, &[f32])| Pull::new(&scale.factor, columns, partial, pixels);
        let pulls: Vec<Pull> = scales.iter().zip(partial).map(pull).collect();
        let mut out = zeros(shape.num_elements());
        for_chunks(&mut out, image, 3 * image, |index, out| {
            pull_image(part(&y, index), part(&gradient, index), &pulls[index / batch], out);
        });
        cpu::tensor(out, shape)
    }
}

fn image_size(shape: &[usize]) -> usize {
    shape[1] * shape[2] * shape[3]
}

/// Mean and 1/√(variance + eps), repeated to strips.
#[derive(Clone)]
pub(crate) struct Scale {
    pub(crate) mean: Vec<f32>,
    pub(crate) factor: Vec<f32>,
}

impl Scale {
    /// Leaves the numbers of so many channels as they are.
    pub(crate) fn identity(channels: usize) -> Self {
        let strip = Columns::new(channels).strip();
        Self { mean: vec![0.0; strip], factor: vec![1.0; strip] }
    }

    /// Of every group, from its moments.
    pub(crate) fn list(moments: &[f32], standard: Standard) -> Vec<Self> {
        let (means, variances) = moments.split_at(moments.len() / 2);
        let columns = Columns::new(means.len() / standard.groups.max(1));
        let group = |(mean, variance): (&[f32], &[f32])| {
            let factor = variance.iter().map(|variance| (variance + standard.eps).sqrt().recip());
            Self { mean: columns.repeat(mean.iter().copied()), factor: columns.repeat(factor) }
        };
        let channels = columns.channels();
        means.chunks_exact(channels).zip(variances.chunks_exact(channels)).map(group).collect()
    }
}

/// γ and β of a group, for x − mean: γ/√(variance + eps) and β, repeated to strips.
#[derive(Clone)]
pub(crate) struct Affine {
    pub(crate) factor: Vec<f32>,
    pub(crate) shift: Vec<f32>,
}

impl Affine {
    /// γ = 1 and β = 0.
    pub(crate) fn none(scale: &Scale) -> Self {
        Self { factor: scale.factor.clone(), shift: vec![0.0; scale.factor.len()] }
    }

    /// Of every group, from [2, groups · channels] and the scales of the groups.
    pub(crate) fn list(affine: &[f32], scales: &[Scale]) -> Vec<Self> {
        let (gammas, betas) = affine.split_at(affine.len() / 2);
        let columns = Columns::new(gammas.len() / scales.len().max(1));
        let channels = columns.channels();
        let both = gammas.chunks_exact(channels).zip(betas.chunks_exact(channels));
        let group = |((gamma, beta), scale): ((&[f32], &[f32]), &Scale)| {
            let mut factor = columns.repeat(gamma.iter().copied());
            factor.iter_mut().zip(&scale.factor).for_each(|(gamma, factor)| *gamma *= factor);
            Self { factor, shift: columns.repeat(beta.iter().copied()) }
        };
        both.zip(scales).map(group).collect()
    }
}

/// out = (x − mean) · factor.
#[with_simd]
fn scale_image<S: Simd>(x: &[f32], scale: &Scale, out: &mut [f32]) {
    let strip = scale.mean.len();
    for (x, out) in x.chunks(strip).zip(out.chunks_mut(strip)) {
        let scale = scale.mean.iter().zip(&scale.factor);
        for ((x, out), (mean, factor)) in x.iter().zip(out).zip(scale) {
            *out = (x - mean) * factor;
        }
    }
}

/// Σ (x − mean)².
#[derive(Clone, Copy)]
struct Squares;

impl Formula for Squares {
    #[inline(always)]
    fn at<S: Simd>(
        self,
        [mean, ..]: &[Vector<S, f32>; ROWS],
        x: Vector<S, f32>,
        _: Vector<S, f32>,
        sum: Vector<S, f32>,
    ) -> Vector<S, f32> {
        (x - *mean).mul_add(x - *mean, sum)
    }
}

/// Means of the columns, then Σ (x − mean)², into `out`, [2, channels].
pub(crate) fn image_moments(x: &[f32], columns: Columns, out: &mut [f32]) {
    let (means, squares) = out.split_at_mut(out.len() / 2);
    let pixels = x.len() / means.len();
    let zeros = vec![0.0; columns.strip()];
    let mut sums = zeros.clone();
    columns::sum(Total, [&*zeros; ROWS], [x; 2], &mut sums);
    means.copy_from_slice(&columns.fold(&sums));
    means.iter_mut().for_each(|mean| *mean /= pixels as f32);
    let mean = columns.repeat(means.iter().copied());
    sums.fill(0.0);
    columns::sum(Squares, [&*mean; ROWS], [x; 2], &mut sums);
    squares.copy_from_slice(&columns.fold(&sums));
}

/// Moments of every group, [2, groups · channels], from those of its images, [group, image, 2,
/// channels].
pub(crate) fn merge(partial: &[f32], groups: usize, channels: usize, pixels: usize) -> Vec<f32> {
    let mut out = vec![0.0; 2 * groups * channels];
    let (means, variances) = out.split_at_mut(groups * channels);
    let groups = partial.chunks_exact((partial.len() / groups.max(1)).max(1));
    let moments = means.chunks_exact_mut(channels).zip(variances.chunks_exact_mut(channels));
    for (partial, (mean, variance)) in groups.zip(moments) {
        merge_images(partial, mean, variance, pixels);
    }
    out
}

/// Every image has the same number of pixels, so the mean is that of the means, and the squares are
/// those within the images and those between them.
fn merge_images(partial: &[f32], mean: &mut [f32], variance: &mut [f32], pixels: usize) {
    let images = partial.chunks_exact(2 * mean.len());
    let count = images.len() as f32;
    for image in images.clone() {
        mean.iter_mut().zip(image).for_each(|(mean, value)| *mean += value / count);
    }
    for image in images {
        let (means, squares) = image.split_at(mean.len());
        let between = means.iter().zip(&*mean).map(|(value, mean)| (value - mean).powi(2));
        for ((variance, within), between) in variance.iter_mut().zip(squares).zip(between) {
            *variance += (within / pixels as f32 + between) / count;
        }
    }
}

/// Σ gradient and Σ gradient · y of the columns, into `out`, [2, channels].
#[with_simd]
fn image_sums<S: Simd>(y: &[f32], gradient: &[f32], columns: Columns, out: &mut [f32]) {
    let strip = columns.strip();
    let mut sums = vec![0.0; strip];
    let mut products = vec![0.0; strip];
    for (y, gradient) in y.chunks(strip).zip(gradient.chunks(strip)) {
        let sums = sums.iter_mut().zip(&mut products);
        for ((sum, product), (y, gradient)) in sums.zip(y.iter().zip(gradient)) {
            *sum += gradient;
            *product += gradient * y;
        }
    }
    let (first, second) = out.split_at_mut(out.len() / 2);
    first.copy_from_slice(&columns.fold(&sums));
    second.copy_from_slice(&columns.fold(&products));
}

/// The gradient of batch norm, factor · (gradient − mean(gradient) − y · mean(gradient · y)), as
/// factor · gradient − shift − y · slope, repeated to strips.
pub(crate) struct Pull {
    pub(crate) factor: Vec<f32>,
    pub(crate) shift: Vec<f32>,
    pub(crate) slope: Vec<f32>,
}

impl Pull {
    /// Of a group with this factor, from its [image, 2, channels] sums over `count` pixels in all; with sums
    /// of 0 it is the gradient by given moments.
    pub(crate) fn new(factor: &[f32], columns: Columns, partial: &[f32], count: usize) -> Self {
        let channels = columns.channels();
        let mut sums = vec![0.0; 2 * channels];
        for image in partial.chunks_exact(2 * channels) {
            sums.iter_mut().zip(image).for_each(|(sum, value)| *sum += value);
        }
        let scaled = |sums: &[f32]| {
            let scaled = sums.iter().zip(factor);
            columns.repeat(scaled.map(|(sum, factor)| sum * factor / count as f32))
        };
        let (shift, slope) = sums.split_at(channels);
        Self { factor: factor.to_vec(), shift: scaled(shift), slope: scaled(slope) }
    }
}

#[with_simd]
fn pull_image<S: Simd>(y: &[f32], gradient: &[f32], pull: &Pull, out: &mut [f32]) {
    let strip = pull.factor.len();
    let inputs = y.chunks(strip).zip(gradient.chunks(strip));
    for ((y, gradient), out) in inputs.zip(out.chunks_mut(strip)) {
        let pull = pull.factor.iter().zip(&pull.shift).zip(&pull.slope);
        for (((y, gradient), out), ((factor, shift), slope)) in
            y.iter().zip(gradient).zip(out).zip(pull)
        {
            *out = gradient * factor - shift - y * slope;
        }
    }
}
