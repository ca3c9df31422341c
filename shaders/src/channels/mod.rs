//! The channels of an activation in two: the first go through operations, the others past them (PC-DARTS, spec
//! §8.2), where the operations have stride 2 after a 2×2 max pooling. And both together again, shuffled:
//! [`crate::shuffle`].
//!
//! Forward a slice, and what [`crate::pool`] does for windows that do not overlap. The way back is that of
//! [`crate::split_at`]: the first part to come back brings zeros for the other, the second is added while it
//! is copied. The maximum of a window is found again, in less time than it takes to keep it. Bytes for each
//! number: 8 forward, 20 back. FLOPs: three comparisons for a window, forward and back.

mod autodiff;
mod cpu;
mod wgpu;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Shape, Tensor};

use crate::Kernels;

/// The first channels, and the largest number of every `size` × `size` window of the others.
///
/// # Shapes
/// - `x`: [batch, height, width, channels]; height and width are multiples of `size`, 1 or 2
/// - outputs: [batch, height, width, first] and [batch, height / size, width / size, channels − first]
pub fn split_channels(
    kernels: Kernels,
    x: Tensor<4>,
    first: usize,
    size: usize,
) -> (Tensor<4>, Tensor<4>) {
    let shape @ [.., channels] = x.dims();
    if !kernels.fused_for(&x) {
        let others = x.clone().slice_dim(3, first..channels);
        return (x.slice_dim(3, 0..first), largest(others, size));
    }
    let has_come_back = Arc::new(AtomicBool::new(false));
    let part = |channels: Range<usize>, size| {
        let part = Part { shape, channels, size, has_come_back: has_come_back.clone() };
        Tensor::from_dispatch(Dispatch::channels(x.clone().into_dispatch(), part))
    };
    (part(0..first, 1), part(first..channels, size))
}

/// The largest number of every window.
fn largest(x: Tensor<4>, size: usize) -> Tensor<4> {
    if size == 1 {
        return x;
    }
    let options = MaxPoolOptions::new([size; 2]).with_stride([size; 2]);
    max_pool2d(x.permute([0, 3, 1, 2]), options).permute([0, 2, 3, 1])
}

/// Some channels of an activation, window by window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// Of the activation.
    shape: [usize; 4],
    channels: Range<usize>,
    /// Height and width of a window.
    size: usize,
    /// Whether the gradient of the other part has.
    has_come_back: Arc<AtomicBool>,
}

impl Part {
    fn shape(&self) -> Shape {
        let [batch, height, width, _] = self.shape;
        [batch, height / self.size, width / self.size, self.channels.len()].into()
    }

    /// Numbers of a row of windows: in the activation, and in the part.
    fn rows(&self) -> [usize; 2] {
        let [_, _, width, channels] = self.shape;
        [self.size * width * channels, width / self.size * self.channels.len()]
    }
}

/// The op.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait ChannelOps: Backend {
    /// The part.
    #[fusion(dtype = x, shape = part.shape())]
    fn channels(x: FloatTensor<Self>, part: Part) -> FloatTensor<Self>;
}

/// Its gradient.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait ChannelGradients: Backend {
    /// For the activation `x`: what is known of it, or zeros, and in its place the gradient of the part.
    #[fusion(dtype = gradient, shape = Shape::from(part.shape))]
    fn channels_gradient(
        x: FloatTensor<Self>,
        known: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        is_known: bool,
        part: Part,
    ) -> FloatTensor<Self>;
}
