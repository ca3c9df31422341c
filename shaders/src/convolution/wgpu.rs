//! The WGSL kernels: one thread for a block of output numbers, of channels of an input pixel, or for
//! each weight and chunk of rows.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{ConvolutionGradients, ConvolutionOps, Sizes, tiled};
use crate::device::{self, Variant};
use crate::norm::NormGradients;
use crate::norm::blocks::Blocks;
use crate::wgpu::{Program, built, chunks, contiguous, empty, fold};

impl ConvolutionOps for CubeBackend {
    fn convolution(x: CubeTensor, weight: CubeTensor, sizes: Sizes) -> CubeTensor {
        let (x, weight) = (contiguous(x), contiguous(weight));
        let z = empty(&x, sizes.output_shape());
        built((sizes, device::variant()), |(sizes, variant)| forward(sizes, *variant, None))
            .launch(&[&x, &weight, &z]);
        z
    }

    fn convolution_and_moments(
        x: CubeTensor,
        weight: CubeTensor,
        sizes: Sizes,
    ) -> (CubeTensor, CubeTensor) {
        let Some(blocks) = tiled::blocks(&sizes).filter(|_| device::finds_moments()) else {
            let z = Self::convolution(x, weight, sizes);
            return (z.clone(), Self::moments(z, 1));
        };
        let (x, weight) = (contiguous(x), contiguous(weight));
        let shape = sizes.output_shape();
        let z = empty(&x, shape.clone());
        let moments = blocks.moments(&z, &shape, 1, |found| {
            built((sizes, blocks), |(sizes, blocks)| forward(sizes, Variant::Tiled, Some(*blocks)))
                .launch(&[&x, &weight, &z, found]);
        });
        (z, moments)
    }
}

impl ConvolutionGradients for CubeBackend {
    fn convolution_x_gradient(
        x: CubeTensor,
        weight: CubeTensor,
        gradient: CubeTensor,
        sizes: Sizes,
    ) -> CubeTensor {
        let [x, weight, gradient] = [x, weight, gradient].map(contiguous);
        let out = empty(&x, x.shape());
        built((sizes, device::variant()), |(sizes, variant)| x_gradient(sizes, *variant))
            .launch(&[&x, &weight, &gradient, &out]);
        out
    }

    fn convolution_weight_gradient(
        x: CubeTensor,
        gradient: CubeTensor,
        sizes: Sizes,
    ) -> CubeTensor {
        let (x, gradient) = (contiguous(x), contiguous(gradient));
        let shape = sizes.weight_shape();
        let partial = empty(&x, [sizes.chunks(), shape.num_elements()]);
        built(sizes, weight_gradient).launch(&[&x, &gradient, &partial]);
        fold(&partial, sizes.chunks(), shape)
    }
}

impl Sizes {
    /// Chunks of output rows that the sum for a weight is cut into.
    fn chunks(&self) -> usize {
        let [height, width, _] = self.windows.output();
        let weights = self.weight_shape().num_elements();
        chunks(self.batch * height * width, weights).min(self.batch * height)
    }
}

/// A template with all sizes.
fn program(name: &'static str, source: &'static str, sizes: &Sizes, threads: usize) -> Program {
    sized(Program::of_pieces(name, [include_str!("sizes.wgsl"), source], threads), sizes)
}

/// Fills what `sizes.wgsl` leaves open.
pub(super) fn sized(program: Program, sizes: &Sizes) -> Program {
    let [height, width, inputs] = sizes.windows.image;
    let [out_height, out_width, _] = sizes.windows.output();
    program.constant("live", if sizes.relu { "value > 0.0" } else { "true" }).sizes([
        ("height", height),
        ("width", width),
        ("inputs", inputs),
        ("outputs", sizes.outputs),
        ("bank", sizes.bank()),
        ("out_height", out_height),
        ("out_width", out_width),
        ("size", sizes.windows.size),
        ("stride", sizes.windows.stride),
        ("padding", sizes.windows.padding()),
    ])
}

fn forward(sizes: &Sizes, variant: Variant, blocks: Option<Blocks>) -> Program {
    let tiled = if variant == Variant::Tiled { tiled::forward(sizes, blocks) } else { None };
    tiled.unwrap_or_else(|| plain_forward(sizes))
}

fn plain_forward(sizes: &Sizes) -> Program {
    let pixels = sizes.output_shape().num_elements() / sizes.outputs;
    let threads = pixels.div_ceil(4) * sizes.banks * sizes.bank().div_ceil(4);
    program("convolution", include_str!("convolution.wgsl"), sizes, threads)
        .sizes([("out_pixels", pixels)])
}

fn x_gradient(sizes: &Sizes, variant: Variant) -> Program {
    let tiled = if variant == Variant::Tiled { tiled::x_gradient(sizes) } else { None };
    tiled.unwrap_or_else(|| plain_x_gradient(sizes))
}

fn plain_x_gradient(sizes: &Sizes) -> Program {
    let pixels = sizes.input_shape().num_elements() / sizes.inputs();
    let threads = pixels * sizes.inputs().div_ceil(4);
    program("convolution_x_gradient", include_str!("x_gradient.wgsl"), sizes, threads)
}

fn weight_gradient(sizes: &Sizes) -> Program {
    let threads = sizes.chunks() * sizes.weight_shape().num_elements();
    let rows = sizes.batch * sizes.windows.output()[0];
    program("convolution_weight_gradient", include_str!("weight_gradient.wgsl"), sizes, threads)
        .sizes([("rows", rows), ("chunk_rows", rows.div_ceil(sizes.chunks()))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::convolve::Windows;

    #[test]
    fn every_template_is_valid_wgsl() {
        for (image, size, stride, banks) in [
            ([8, 8, 16], 1, 1, 1),
            ([7, 5, 6], 3, 2, 1),
            ([32, 32, 64], 1, 2, 2),
            ([9, 9, 3], 3, 1, 1),
        ] {
            for relu in [true, false] {
                let windows = Windows { image, size, stride, dilation: 1 };
                let sizes = Sizes { batch: 2, windows, outputs: 8, banks, relu };
                let blocks = tiled::blocks(&sizes);
                let mut programs =
                    vec![weight_gradient(&sizes), forward(&sizes, Variant::Tiled, blocks)];
                for variant in [Variant::Plain, Variant::Tiled] {
                    programs.extend([forward(&sizes, variant, None), x_gradient(&sizes, variant)]);
                }
                for program in programs {
                    assert_eq!(program.validate(), Ok(()), "{program:?}");
                }
            }
        }
    }
}
