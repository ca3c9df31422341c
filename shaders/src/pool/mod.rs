//! 3×3 pooling with padding 1.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

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
pub fn pool(x: Tensor<4>, kind: Pool, stride: usize) -> Tensor<4> {
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
