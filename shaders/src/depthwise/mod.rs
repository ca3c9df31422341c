//! Depthwise convolution: every channel is convolved with a kernel of its own.

mod autodiff;
pub(crate) mod cpu;
mod wgpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape, Tensor};

use crate::Kernels;

/// Convolves every channel with its own k×k kernel, k odd, padded with dilation·(k−1)/2 zeros on
/// each side and without bias.
///
/// # Shapes
/// - `x`: [batch, height, width, channels]
/// - `weight`: [channels, 1, k, k]
/// - output: [batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
pub fn depthwise(
    kernels: Kernels,
    x: Tensor<4>,
    weight: Tensor<4>,
    stride: usize,
    dilation: usize,
) -> Tensor<4> {
    if !kernels.fused_for(&x) {
        return composed(x, weight, stride, dilation);
    }
    let geometry = Geometry::new(x.dims(), weight.dims()[3], stride, dilation);
    let y = Dispatch::depthwise(x.into_dispatch(), weight.into_dispatch(), geometry);
    Tensor::from_dispatch(y)
}

fn composed(x: Tensor<4>, weight: Tensor<4>, stride: usize, dilation: usize) -> Tensor<4> {
    let [channels, _, size, _] = weight.dims();
    let padding = dilation * (size / 2);
    let options = ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], channels);
    conv2d(x.permute([0, 3, 1, 2]), weight, None, options).permute([0, 2, 3, 1])
}

/// The op.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait DepthwiseOps: Backend {
    /// The convolution.
    #[fusion(dtype = x, shape = geometry.output_shape())]
    fn depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;
}

/// Its gradients, from the gradient of the output. That of the weight costs ten times the others
/// in stock ops, which is why this op exists.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait DepthwiseGradients: Backend {
    /// For `x`.
    #[fusion(dtype = gradient, shape = geometry.input_shape())]
    fn depthwise_x_gradient(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;

    /// For `weight`.
    #[fusion(dtype = gradient, shape = geometry.weight_shape())]
    fn depthwise_weight_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;
}

/// All sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    batch: usize,
    height: usize,
    width: usize,
    channels: usize,
    /// Height and width of the kernel.
    size: usize,
    stride: usize,
    dilation: usize,
}

impl Geometry {
    pub(crate) fn new(
        [batch, height, width, channels]: [usize; 4],
        size: usize,
        stride: usize,
        dilation: usize,
    ) -> Self {
        Self { batch, height, width, channels, size, stride, dilation }
    }

    fn padding(&self) -> usize {
        self.dilation * (self.size / 2)
    }

    /// Height, width and channels of the input.
    fn image(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Height, width and channels of the output.
    fn output(&self) -> [usize; 3] {
        let Self { height, width, channels, stride, .. } = *self;
        [height.div_ceil(stride), width.div_ceil(stride), channels]
    }

    fn input_shape(&self) -> Shape {
        [self.batch, self.height, self.width, self.channels].into()
    }

    fn output_shape(&self) -> Shape {
        let [height, width, channels] = self.output();
        [self.batch, height, width, channels].into()
    }

    fn weight_shape(&self) -> Shape {
        [self.channels, 1, self.size, self.size].into()
    }
}
