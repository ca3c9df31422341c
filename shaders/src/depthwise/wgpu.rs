//! The WGSL kernels: one thread for each output pixel and channel, or for each weight and chunk of
//! rows.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{DepthwiseGradients, DepthwiseOps, Geometry};
use crate::wgpu::{Program, chunks, contiguous, empty, fold};

impl DepthwiseOps for CubeBackend {
    fn depthwise(x: CubeTensor, weight: CubeTensor, geometry: Geometry) -> CubeTensor {
        let (x, weight) = (contiguous(x), contiguous(weight));
        let y = empty(&x, geometry.output_shape());
        forward(&geometry).launch(&[&x, &weight, &y]);
        y
    }
}

impl DepthwiseGradients for CubeBackend {
    fn depthwise_x_gradient(
        weight: CubeTensor,
        gradient: CubeTensor,
        geometry: Geometry,
    ) -> CubeTensor {
        let (weight, gradient) = (contiguous(weight), contiguous(gradient));
        let out = empty(&gradient, geometry.input_shape());
        x_gradient(&geometry).launch(&[&weight, &gradient, &out]);
        out
    }

    fn depthwise_weight_gradient(
        x: CubeTensor,
        gradient: CubeTensor,
        geometry: Geometry,
    ) -> CubeTensor {
        let (x, gradient) = (contiguous(x), contiguous(gradient));
        let chunks = geometry.chunks();
        let partial = empty(&x, [chunks, geometry.weight_shape().num_elements()]);
        weight_gradient(&geometry).launch(&[&x, &gradient, &partial]);
        fold(&partial, chunks, geometry.weight_shape())
    }
}

impl Geometry {
    /// Chunks of output rows that the sum for a weight is cut into.
    fn chunks(&self) -> usize {
        chunks(self.batch * self.output()[0] * self.output()[1]).min(self.batch * self.output()[0])
    }

    fn fill(&self, program: Program) -> Program {
        program.sizes([
            ("batch", self.batch),
            ("height", self.height),
            ("width", self.width),
            ("channels", self.channels),
            ("out_height", self.output()[0]),
            ("out_width", self.output()[1]),
            ("size", self.size),
            ("stride", self.stride),
            ("dilation", self.dilation),
            ("padding", self.padding()),
        ])
    }
}

fn forward(geometry: &Geometry) -> Program {
    let threads = geometry.output_shape().num_elements();
    geometry.fill(Program::new("depthwise", include_str!("forward.wgsl"), threads))
}

fn x_gradient(geometry: &Geometry) -> Program {
    let threads = geometry.input_shape().num_elements();
    geometry.fill(Program::new("depthwise_x_gradient", include_str!("x_gradient.wgsl"), threads))
}

fn weight_gradient(geometry: &Geometry) -> Program {
    let threads = geometry.chunks() * geometry.weight_shape().num_elements();
    let source = include_str!("weight_gradient.wgsl");
    let rows = (geometry.batch * geometry.output()[0]).div_ceil(geometry.chunks());
    geometry
        .fill(Program::new("depthwise_weight_gradient", source, threads))
        .constant("chunk_rows", rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for (shape, size, stride, dilation) in [
            ([2, 8, 8, 16], 3, 1, 1),
            ([1, 7, 5, 6], 5, 2, 1),
            ([3, 1, 1, 1], 7, 1, 2),
            ([64, 32, 32, 64], 5, 1, 2),
        ] {
            let geometry = Geometry::new(shape, size, stride, dilation);
            for program in [forward(&geometry), x_gradient(&geometry), weight_gradient(&geometry)] {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
