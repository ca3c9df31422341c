//! The WGSL kernels: one thread for each channel and chunk of pixels where sums are taken, one for
//! each number where not.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;

use super::{NormGradients, NormOps, moments_shape};
use crate::wgpu::{Program, chunks, contiguous, empty, fold};

impl NormOps for CubeBackend {
    fn normalise(x: CubeTensor, moments: CubeTensor, eps: f32) -> CubeTensor {
        let (x, moments) = (contiguous(x), contiguous(moments));
        let y = empty(&x, x.shape());
        normalise(&x.shape(), eps).launch(&[&x, &moments, &y]);
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
        eps: f32,
    ) -> CubeTensor {
        let (y, gradient, moments) = (contiguous(y), contiguous(gradient), contiguous(moments));
        let shape = y.shape();
        let chunks = chunks(pixels(&shape));
        let partial = empty(&y, [chunks, 2, shape[3]]);
        gradient_sums(&shape).launch(&[&y, &gradient, &partial]);
        let sums = fold(&partial, chunks, moments_shape(&shape));
        let out = empty(&y, shape.clone());
        pull(&shape, eps).launch(&[&y, &gradient, &moments, &sums, &out]);
        out
    }
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

fn gradient_sums(shape: &Shape) -> Program {
    chunked("gradient_sums", include_str!("gradient_sums.wgsl"), shape)
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
                gradient_sums(&shape),
                pull(&shape, 1e-5),
            ] {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
