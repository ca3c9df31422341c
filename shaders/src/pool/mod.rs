//! 3×3 pooling with padding 1.

mod autodiff;
mod cpu;
mod wgpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Shape, Tensor};

use crate::Kernels;

/// What a window becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pool {
    /// Its largest value; the gradient goes to the first one in row-major order.
    Max,
    /// Its mean; the padding does not count.
    Average,
}

/// Pools 3×3 windows with padding 1.
///
/// # Shapes
/// - `x`: [batch, height, width, channels]
/// - output: [batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
pub fn pool(kernels: Kernels, x: Tensor<4>, kind: Pool, stride: usize) -> Tensor<4> {
    if kernels.fused_for(&x) {
        let windows = Windows { shape: x.dims(), kind, stride };
        return Tensor::from_dispatch(Dispatch::pool(x.into_dispatch(), windows));
    }
    let x = x.permute([0, 3, 1, 2]);
    let (size, stride, padding) = ([3; 2], [stride; 2], [1; 2]);
    let y = match kind {
        Pool::Max => {
            max_pool2d(x, MaxPoolOptions::new(size).with_stride(stride).with_padding(padding))
        }
        Pool::Average => {
            let options = AvgPoolOptions::new(size).with_stride(stride).with_padding(padding);
            avg_pool2d(x, options.with_count_include_pad(false))
        }
    };
    y.permute([0, 2, 3, 1])
}

/// The op.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait PoolOps: Backend {
    /// The maximum or mean of every window.
    #[fusion(dtype = x, shape = windows.output_shape())]
    fn pool(x: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self>;
}

/// Its gradients, from the gradient of the output.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait PoolGradients: Backend {
    /// Of the maximum. The place of each is found again in `x`: cheaper than to keep it.
    #[fusion(dtype = x, shape = x)]
    fn max_pool_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        windows: Windows,
    ) -> FloatTensor<Self>;

    /// Of the mean.
    #[fusion(dtype = gradient, shape = Shape::from(windows.shape))]
    fn average_pool_gradient(gradient: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self>;
}

/// Which windows are pooled, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Windows {
    /// Batch, height, width and channels of the input.
    shape: [usize; 4],
    kind: Pool,
    stride: usize,
}

impl Windows {
    /// Height, width and channels of the input.
    fn image(&self) -> [usize; 3] {
        let [_, height, width, channels] = self.shape;
        [height, width, channels]
    }

    /// Height, width and channels of the output.
    fn output(&self) -> [usize; 3] {
        let [_, height, width, channels] = self.shape;
        [height.div_ceil(self.stride), width.div_ceil(self.stride), channels]
    }

    fn output_shape(&self) -> Shape {
        let [height, width, channels] = self.output();
        [self.shape[0], height, width, channels].into()
    }
}
