//! Layers that burn computes well enough, in a form for the browser: as the convolution whose kernels are there
//! anyway. Burn's own products of matrices and convolutions bring 0.6 MB of every 4 that a visitor loads, with
//! strategies for tensor cores, quantised weights and copies that WebGPU does not have.
//!
//! With [`Kernels::Composed`] it is burn's op, with [`Kernels::Fused`] the form for the browser. There it is
//! always that form ([`Kernels::fused_for`]), so layers say `Composed`.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Slice, Tensor};

use crate::{Convolution, Kernels};

/// x · weightᵀ.
///
/// # Shapes
/// - `x`: [rows, inputs]
/// - `weight`: [outputs, inputs]
/// - output: [rows, outputs]
pub fn product(kernels: Kernels, x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if !kernels.fused_for(&x) {
        return x.matmul(weight.transpose());
    }
    let ([rows, inputs], [outputs, _]) = (x.dims(), weight.dims());
    let banks = vec![weight.reshape([outputs, inputs, 1, 1])];
    let (z, _) = PLAIN.forward(kernels, x.reshape([rows, 1, 1, inputs]), banks);
    z.reshape([rows, outputs])
}

/// A convolution of all channels, padded to keep the size at stride 1 and without bias.
///
/// # Shapes
/// - `x`: [batch, height, width, inputs]
/// - `weight`: [outputs, inputs, rows, columns], both odd
/// - output: [batch, ⌈height / stride⌉, ⌈width / stride⌉, outputs], each side by its stride
pub fn rectangular(
    kernels: Kernels,
    x: Tensor<4>,
    weight: Tensor<4>,
    stride: [usize; 2],
) -> Tensor<4> {
    let [_, _, rows, columns] = weight.dims();
    if !kernels.fused_for(&x) {
        let options = ConvOptions::new(stride, [rows / 2, columns / 2], [1, 1], 1);
        return conv2d(x.permute([0, 3, 1, 2]), weight, None, options).permute([0, 2, 3, 1]);
    }
    let side = rows.max(columns);
    let weight = padded(padded(weight, 2, side), 3, side);
    let (z, _) = PLAIN.forward(kernels, x, vec![weight]);
    let every = |stride: usize| Slice::new(0, None, stride as isize);
    match stride {
        [1, 1] => z,
        [down, right] => z.slice([Slice::full(), every(down), every(right), Slice::full()]),
    }
}

const PLAIN: Convolution = Convolution { relu: false, stride: 1, moments: false };

/// With as many zeros before as behind in a dimension, so that it has `size`; both are odd.
fn padded(x: Tensor<4>, dim: usize, size: usize) -> Tensor<4> {
    let mut shape = x.dims();
    let missing = size - shape[dim];
    if missing == 0 {
        return x;
    }
    shape[dim] = missing / 2;
    let zeros = Tensor::zeros(shape, &x.device());
    let zeros = if x.is_autodiff() { zeros.autodiff() } else { zeros };
    Tensor::cat(vec![zeros.clone(), x, zeros], dim)
}
