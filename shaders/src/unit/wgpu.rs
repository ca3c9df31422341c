//! The WGSL kernels: one thread for each output pixel and channel, or for each weight and chunk of
//! rows. The prologue is part of every kernel that reads x; the products with the pointwise weights
//! are burn's.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{Operands, Prologue, Sizes, UnitGradients, UnitOps};
use crate::norm::NormGradients;
use crate::norm::wgpu::{
    STANDARD, channel_chunks, declare, gradient_products, merge_sums, with_standard,
};
use crate::wgpu::{Program, chunks, contiguous, empty, fold};

impl UnitOps for CubeBackend {
    fn unit(operands: Operands<Self>, sizes: Sizes) -> CubeTensor {
        Inputs::new(operands, sizes).forward()
    }

    fn unit_and_moments(operands: Operands<Self>, sizes: Sizes) -> (CubeTensor, CubeTensor) {
        let z = Inputs::new(operands, sizes).forward();
        (z.clone(), Self::moments(z))
    }
}

impl UnitGradients for CubeBackend {
    fn unit_x_gradient(operands: Operands<Self>, gradient: CubeTensor, sizes: Sizes) -> CubeTensor {
        let inputs = Inputs::new(operands, sizes);
        inputs.x_gradient(&inputs.middle_gradient(gradient))
    }

    fn unit_weight_gradients(
        operands: Operands<Self>,
        gradient: CubeTensor,
        sizes: Sizes,
    ) -> (CubeTensor, CubeTensor) {
        let inputs = Inputs::new(operands, sizes);
        let middle = inputs.middle_gradient(gradient.clone());
        (inputs.depthwise_gradient(&middle), inputs.pointwise_gradient(gradient))
    }

    fn unit_gradients(
        operands: Operands<Self>,
        gradient: CubeTensor,
        sizes: Sizes,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let inputs = Inputs::new(operands, sizes);
        let middle = inputs.middle_gradient(gradient.clone());
        let for_depthwise = inputs.depthwise_gradient(&middle);
        (inputs.x_gradient(&middle), for_depthwise, inputs.pointwise_gradient(gradient))
    }
}

/// The inputs of the op in row-major order.
struct Inputs {
    x: CubeTensor,
    norm: CubeTensor,
    depthwise: CubeTensor,
    pointwise: CubeTensor,
    sizes: Sizes,
}

impl Inputs {
    fn new(operands: Operands<CubeBackend>, sizes: Sizes) -> Self {
        let Operands { x, norm, depthwise, pointwise } = operands;
        let [x, norm, depthwise] = [x, norm, depthwise].map(contiguous);
        Self { x, norm, depthwise, pointwise, sizes }
    }

    fn forward(&self) -> CubeTensor {
        let z = multiply(self.middle(), transpose(self.pointwise.clone()));
        CubeBackend::float_reshape(z, self.sizes.output_shape())
    }

    /// x and, where the prologue normalises, its moments, before the other buffers of a kernel.
    fn launch(&self, program: Program, others: &[&CubeTensor]) {
        let mut buffers = vec![&self.x];
        buffers.extend(self.sizes.prologue.norm.map(|_| &self.norm));
        buffers.extend(others);
        program.launch(&buffers);
    }

    /// Output of the depthwise convolution, [pixels, channels].
    fn middle(&self) -> CubeTensor {
        let u = empty(&self.x, self.sizes.middle_shape());
        self.launch(forward(&self.sizes), &[&self.depthwise, &u]);
        rows(u)
    }

    /// Its gradient, [pixels, channels].
    fn middle_gradient(&self, gradient: CubeTensor) -> CubeTensor {
        contiguous(multiply(rows(contiguous(gradient)), self.pointwise.clone()))
    }

    fn pointwise_gradient(&self, gradient: CubeTensor) -> CubeTensor {
        multiply(transpose(rows(contiguous(gradient))), self.middle())
    }

    fn depthwise_gradient(&self, middle: &CubeTensor) -> CubeTensor {
        let chunks = self.sizes.chunks();
        let shape = self.sizes.depthwise_shape();
        let partial = empty(&self.x, [chunks, shape.num_elements()]);
        self.launch(weight_gradient(&self.sizes), &[middle, &partial]);
        fold(&partial, chunks, shape)
    }

    fn x_gradient(&self, middle: &CubeTensor) -> CubeTensor {
        let out = empty(&self.x, self.sizes.input_shape());
        self.launch(x_gradient(&self.sizes), &[&self.depthwise, middle, &out]);
        if !self.sizes.prologue.norm.is_some_and(|norm| norm.of_batch) {
            return out;
        }
        let chunks = channel_chunks(&self.x.shape());
        let partial = empty(&self.x, [chunks, 2, self.sizes.channels()]);
        let program = gradient_products(&self.x.shape(), self.sizes.prologue.norm);
        self.launch(program, &[&out, &partial]);
        let sums = merge_sums(&partial, &self.x.shape());
        let pulled = empty(&self.x, self.sizes.input_shape());
        self.launch(pull(&self.sizes), &[&out, &sums, &pulled]);
        pulled
    }
}

/// [pixels, channels] of [batch, height, width, channels].
fn rows(x: CubeTensor) -> CubeTensor {
    let shape = x.shape();
    let channels = shape[shape.num_dims() - 1];
    CubeBackend::float_reshape(x, [shape.num_elements() / channels, channels].into())
}

fn transpose(matrix: CubeTensor) -> CubeTensor {
    CubeBackend::float_swap_dims(matrix, 0, 1)
}

fn multiply(left: CubeTensor, right: CubeTensor) -> CubeTensor {
    CubeBackend::float_matmul(left, right)
}

impl Sizes {
    /// Chunks of output rows that the sum for a weight is cut into.
    fn chunks(&self) -> usize {
        let [height, width, _] = self.windows.output();
        chunks(self.batch * height * width).min(self.batch * height)
    }

    fn fill(&self, program: Program) -> Program {
        let [height, width, channels] = self.windows.image;
        let [out_height, out_width, _] = self.windows.output();
        let Prologue { relu, norm } = self.prologue;
        let program = program.constant("live", if relu { "value > 0.0" } else { "true" });
        let program = program.sizes([
            ("batch", self.batch),
            ("height", height),
            ("width", width),
            ("channels", channels),
            ("out_height", out_height),
            ("out_width", out_width),
            ("size", self.windows.size),
            ("stride", self.windows.stride),
            ("dilation", self.windows.dilation),
            ("padding", self.windows.padding()),
        ]);
        declare(program, norm)
    }
}

/// A template that reads x through the prologue.
fn program(name: &'static str, source: &'static str, sizes: &Sizes, threads: usize) -> Program {
    let pieces = [STANDARD, include_str!("activation.wgsl"), include_str!("sizes.wgsl"), source];
    sizes.fill(Program::of_pieces(name, pieces, threads))
}

fn forward(sizes: &Sizes) -> Program {
    program("unit", include_str!("depthwise.wgsl"), sizes, sizes.middle_shape().num_elements())
}

fn x_gradient(sizes: &Sizes) -> Program {
    let constant = sizes.prologue.norm.is_some_and(|norm| !norm.of_batch);
    let threads = sizes.input_shape().num_elements();
    program("unit_x_gradient", include_str!("x_gradient.wgsl"), sizes, threads)
        .constant("factor", if constant { "scale(channel)" } else { "1.0" })
}

fn weight_gradient(sizes: &Sizes) -> Program {
    let threads = sizes.chunks() * sizes.depthwise_shape().num_elements();
    let rows = (sizes.batch * sizes.windows.output()[0]).div_ceil(sizes.chunks());
    program("unit_weight_gradient", include_str!("weight_gradient.wgsl"), sizes, threads)
        .constant("chunk_rows", rows)
}

fn pull(sizes: &Sizes) -> Program {
    let shape = sizes.input_shape();
    let (source, pixels) = (include_str!("pull.wgsl"), shape.num_elements() / sizes.channels());
    let norm = sizes.prologue.norm;
    with_standard("unit_pull", source, &shape, norm, shape.num_elements())
        .sizes([("pixels", pixels)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::convolve::Windows;
    use crate::norm::Standard;

    #[test]
    fn every_template_is_valid_wgsl() {
        let norms = [None, Some(true), Some(false)];
        let norms = norms.map(|norm| norm.map(|of_batch| Standard { of_batch, eps: 1e-5 }));
        for (batch, image, size, stride, dilation) in
            [(2, [8, 8, 16], 3, 1, 1), (1, [7, 5, 6], 5, 2, 1), (64, [32, 32, 64], 5, 1, 2)]
        {
            for (norm, relu) in norms.into_iter().flat_map(|norm| [(norm, true), (norm, false)]) {
                let windows = Windows { image, size, stride, dilation };
                let sizes = Sizes { batch, windows, outputs: 8, prologue: Prologue { relu, norm } };
                let mut programs =
                    vec![forward(&sizes), x_gradient(&sizes), weight_gradient(&sizes)];
                if norm.is_some() {
                    programs.push(pull(&sizes));
                }
                for program in programs {
                    assert_eq!(program.validate(), Ok(()), "{program:?}");
                }
            }
        }
    }
}
