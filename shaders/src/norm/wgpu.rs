//! The WGSL kernels: one thread for each channel and chunk of pixels where sums are taken, one for
//! each number where not.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;

use super::{NormGradients, NormOps, Standard, moments_shape};
use crate::wgpu::{ACCESS, Program, chunks, contiguous, empty, fold};

impl NormOps for CubeBackend {
    fn normalise(x: CubeTensor, moments: CubeTensor, standard: Standard) -> CubeTensor {
        let (x, moments) = (contiguous(x), contiguous(moments));
        let y = empty(&x, x.shape());
        normalise(&x.shape(), standard.eps).launch(&[&x, &moments, &y]);
        y
    }
}

impl NormGradients for CubeBackend {
    fn moments(x: CubeTensor) -> CubeTensor {
        let x = contiguous(x);
        let shape = x.shape();
        let partial = empty(&x, [chunks(pixels(&shape)), 2, shape[3]]);
        let out = empty(&x, moments_shape(&shape));
        moments(&shape).launch(&[&x, &partial]);
        merge(&shape).launch(&[&partial, &out]);
        out
    }

    fn normalise_gradient(
        y: CubeTensor,
        gradient: CubeTensor,
        moments: CubeTensor,
        standard: Standard,
    ) -> CubeTensor {
        let (y, gradient, moments) = (contiguous(y), contiguous(gradient), contiguous(moments));
        let shape = y.shape();
        if !standard.of_batch {
            let out = empty(&y, shape.clone());
            scale(&shape, standard.eps).launch(&[&gradient, &moments, &out]);
            return out;
        }
        let chunks = chunks(pixels(&shape));
        let partial = empty(&y, [chunks, 2, shape[3]]);
        gradient_products(&shape, None).launch(&[&y, &gradient, &partial]);
        let sums = fold(&partial, chunks, moments_shape(&shape));
        let out = empty(&y, shape.clone());
        pull(&shape, standard.eps).launch(&[&y, &gradient, &moments, &sums, &out]);
        out
    }
}

/// Chunks of pixels that a sum for a channel is cut into.
pub(crate) fn channel_chunks(shape: &Shape) -> usize {
    chunks(pixels(shape))
}

/// [2, channels] from the sums of the chunks.
pub(crate) fn merge_sums(partial: &CubeTensor, shape: &Shape) -> CubeTensor {
    fold(partial, channel_chunks(shape), moments_shape(shape))
}

fn pixels(shape: &Shape) -> usize {
    shape[0] * shape[1] * shape[2]
}

/// A template for one thread for each number.
fn pointwise(name: &'static str, source: &'static str, shape: &Shape, eps: f32) -> Program {
    Program::new(name, source, shape.num_elements())
        .sizes([("channels", shape[3]), ("pixels", pixels(shape))])
        .constant("eps", format!("{eps:e}"))
}

/// A template for one thread for each channel and chunk of pixels.
fn chunked(name: &'static str, source: &'static str, shape: &Shape) -> Program {
    let pixels = pixels(shape);
    let chunk = pixels.div_ceil(chunks(pixels));
    Program::new(name, source, chunks(pixels) * shape[3]).sizes([
        ("channels", shape[3]),
        ("pixels", pixels),
        ("chunk", chunk),
    ])
}

fn normalise(shape: &Shape, eps: f32) -> Program {
    pointwise("normalise", include_str!("normalise.wgsl"), shape, eps)
}

fn moments(shape: &Shape) -> Program {
    chunked("moments", include_str!("moments.wgsl"), shape)
}

fn merge(shape: &Shape) -> Program {
    let pixels = pixels(shape);
    let chunk = pixels.div_ceil(chunks(pixels));
    Program::new("merge", include_str!("merge.wgsl"), shape[3]).sizes([
        ("pixels", pixels),
        ("chunk", chunk),
        ("chunks", chunks(pixels)),
    ])
}

/// The sums of a gradient and of its product with x after `norm`, for every channel and chunk of
/// pixels: buffers x, the moments if there is a norm, the gradient, [chunk, 2, channels].
pub(crate) fn gradient_products(shape: &Shape, norm: Option<Standard>) -> Program {
    let (pixels, chunks) = (pixels(shape), channel_chunks(shape));
    let source = include_str!("gradient_products.wgsl");
    with_standard("gradient_products", source, shape, norm, chunks * shape[3])
        .sizes([("pixels", pixels), ("chunk", pixels.div_ceil(chunks))])
}

/// A template that reads x through the norm: see [`declare`].
pub(crate) fn with_standard(
    name: &'static str,
    source: &'static str,
    shape: &Shape,
    norm: Option<Standard>,
    threads: usize,
) -> Program {
    let program = Program::of_pieces(name, [STANDARD, source], threads);
    declare(program.sizes([("channels", shape[3])]), norm)
}

/// Declares x and, where there is a norm, its moments, as the first bindings, and the functions
/// `standard(value, channel)` and `scale(channel)`.
pub(crate) const STANDARD: &str = include_str!("standard.wgsl");

/// Fills what [`STANDARD`] leaves open but the channels; `{{ next }}` to `{{ fourth }}` are the
/// free bindings.
pub(crate) fn declare(program: Program, norm: Option<Standard>) -> Program {
    let (moments, standard, scale, next) = match norm {
        None => (String::new(), "value".to_owned(), "1.0".to_owned(), 1),
        Some(Standard { eps, .. }) => {
            let moments =
                format!("@group(0) @binding(1) var<storage, {ACCESS}> moments: array<f32>;");
            let scale = format!("inverseSqrt(moments[CHANNELS + channel] + {eps:e})");
            (moments, format!("(value - moments[channel]) * {scale}"), scale, 2)
        }
    };
    program
        .constant("moments", moments)
        .constant("standard", standard)
        .constant("scale", scale)
        .sizes([("next", next), ("second", next + 1), ("third", next + 2), ("fourth", next + 3)])
}

fn scale(shape: &Shape, eps: f32) -> Program {
    pointwise("normalise_scale", include_str!("scale.wgsl"), shape, eps)
}

fn pull(shape: &Shape, eps: f32) -> Program {
    pointwise("normalise_gradient", include_str!("gradient.wgsl"), shape, eps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for shape in [[2, 8, 8, 16], [1, 1, 1, 1], [3, 7, 5, 6], [64, 32, 32, 64]] {
            let shape = Shape::from(shape);
            for program in [
                normalise(&shape, 1e-5),
                moments(&shape),
                merge(&shape),
                gradient_products(&shape, None),
                pull(&shape, 1e-5),
                scale(&shape, 1e-5),
            ] {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
