//! 3×3 pooling with padding 1.

mod autodiff;
mod cpu;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

use std::sync::Arc;

#[cfg(not(target_family = "wasm"))]
use burn::backend::fusion::custom::TensorSpec;
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

/// Pools 3×3 windows with padding 1, in every one of these ways: a stack of the results, which are computed
/// together.
///
/// # Shapes
/// - `x`: [batch, height, width, channels]
/// - output: [kinds · batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
pub fn pool(kernels: Kernels, x: Tensor<4>, kinds: &[Pool], stride: usize) -> Tensor<4> {
    if kernels.fused_for(&x) {
        let windows = Windows { shape: x.dims(), kinds: kinds.into(), stride };
        return Tensor::from_dispatch(Dispatch::pool(x.into_dispatch(), windows).0);
    }
    let x = x.permute([0, 3, 1, 2]);
    let each = kinds.iter().map(|kind| composed(x.clone(), *kind, stride)).collect();
    Tensor::cat(each, 0).permute([0, 2, 3, 1])
}

fn composed(x: Tensor<4>, kind: Pool, stride: usize) -> Tensor<4> {
    let (size, stride, padding) = ([3; 2], [stride; 2], [1; 2]);
    match kind {
        Pool::Max => {
            max_pool2d(x, MaxPoolOptions::new(size).with_stride(stride).with_padding(padding))
        }
        Pool::Average => {
            let options = AvgPoolOptions::new(size).with_stride(stride).with_padding(padding);
            avg_pool2d(x, options.with_count_include_pad(false))
        }
    }
}

/// The op.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait PoolOps: Backend {
    /// The stack of results, and what the way back needs: where each maximum is on wgpu, `x` on the CPU,
    /// which finds it again in less time than it takes to store it; anything where no maximum is wanted.
    #[fusion(meta = |x, windows| {
        let spec = |shape| TensorSpec::new(shape, x.dtype);
        (spec(windows.output_shape()), spec(windows.places_shape()))
    })]
    fn pool(x: FloatTensor<Self>, windows: Windows) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// Its gradient, from what it kept and the gradient of the output.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait PoolGradients: Backend {
    /// For the input.
    #[fusion(dtype = gradient, shape = Shape::from(windows.shape))]
    fn pool_gradient(
        kept: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        windows: Windows,
    ) -> FloatTensor<Self>;
}

/// Which windows are pooled, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Windows {
    /// Batch, height, width and channels of the input.
    shape: [usize; 4],
    /// What becomes of every window, each at most once.
    kinds: Arc<[Pool]>,
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

    /// Of all results.
    fn output_shape(&self) -> Shape {
        let [height, width, channels] = self.output();
        [self.kinds.len() * self.shape[0], height, width, channels].into()
    }

    /// A number for every window.
    fn places_shape(&self) -> Shape {
        let [height, width, channels] = self.output();
        [self.shape[0], height, width, channels].into()
    }

    fn has_maximum(&self) -> bool {
        self.kinds.contains(&Pool::Max)
    }
}
