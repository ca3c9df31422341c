//! Layers that burn computes well enough, in a form for the browser: by the convolution whose kernels are there
//! anyway, and by slices. Burn's own products of matrices and convolutions bring 0.6 MB of every 4 that a visitor
//! loads, with strategies for tensor cores, quantised weights and copies that WebGPU does not have; its pooling
//! 0.1 MB.
//!
//! With [`Kernels::Composed`] it is burn's op, with [`Kernels::Fused`] the form for the browser. There it is
//! always that form ([`Kernels::fused_for`]), so layers say `Composed`.

use burn::tensor::module::{conv2d, max_pool2d, max_pool2d_with_indices};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Int, Slice, Tensor, TensorData};

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
    let weight = padded(padded(weight, 2, (side - rows) / 2, 0.0), 3, (side - columns) / 2, 0.0);
    let (z, _) = PLAIN.forward(kernels, x, vec![weight]);
    let every = |stride: usize| Slice::new(0, None, stride as isize);
    match stride {
        [1, 1] => z,
        [down, right] => z.slice([Slice::full(), every(down), every(right), Slice::full()]),
    }
}

const PLAIN: Convolution = Convolution { relu: false, stride: 1, moments: false };

/// Square windows that are pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Pixels of a side.
    pub side: usize,
    /// From a window to the next.
    pub stride: usize,
    /// Pixels around the image, none of which is the largest.
    pub padding: usize,
}

impl Window {
    /// The largest number of every window; the gradient goes to the first of equals in row-major order.
    ///
    /// # Shapes
    /// - `x`: [batch, height, width, channels]
    /// - output: the same with sides of ⌊(side + 2·padding − window) / stride⌋ + 1
    pub fn largest(self, kernels: Kernels, x: Tensor<4>) -> Tensor<4> {
        if !kernels.fused_for(&x) {
            return max_pool2d(x.permute([0, 3, 1, 2]), self.options()).permute([0, 2, 3, 1]);
        }
        let none = Tensor::zeros([0; 4], &x.device());
        self.pixels(x, f32::NEG_INFINITY).into_iter().reduce(Tensor::max_pair).unwrap_or(none)
    }

    /// The pixel of the image, counted in row-major order, where every window has its largest number. Not
    /// tracked.
    ///
    /// # Shapes
    /// - `x`: [batch, height, width, channels]
    /// - output: [batch, channels, windows]
    pub fn places(self, kernels: Kernels, x: Tensor<4>) -> Tensor<3, Int> {
        let x = x.inner();
        let places = match kernels.fused_for(&x) {
            true => self.compared(x).int().permute([0, 3, 1, 2]),
            false => max_pool2d_with_indices(x.permute([0, 3, 1, 2]), self.options()).1,
        };
        let [batch, channels, height, width] = places.dims();
        places.reshape([batch, channels, height * width])
    }

    /// The places as floats, [batch, height, width, channels]: exact up to 2²⁴ pixels.
    fn compared(self, x: Tensor<4>) -> Tensor<4> {
        let (device, [_, height, width, _]) = (x.device(), x.dims());
        let numbers = (0..height * width).map(|pixel| pixel as f32).collect();
        let numbers = TensorData::new::<f32, _>(numbers, [1, height, width, 1]);
        let numbers = self.pixels(Tensor::from_data(numbers, &device), 0.0);
        let pixels = self.pixels(x, f32::NEG_INFINITY);
        let mut pairs = pixels.into_iter().zip(numbers);
        let Some((mut largest, first)) = pairs.next() else {
            return Tensor::zeros([0; 4], &device);
        };
        let mut place = first.expand(largest.dims());
        for (pixel, number) in pairs {
            let is_larger = largest.clone().lower(pixel.clone());
            place = place.mask_where(is_larger.clone(), number.expand(largest.dims()));
            largest = largest.mask_where(is_larger, pixel);
        }
        place
    }

    /// For every pixel of a window an image of it in all windows.
    fn pixels(self, x: Tensor<4>, around: f32) -> Vec<Tensor<4>> {
        let Self { side, stride, padding } = self;
        let x = padded(padded(x, 1, padding, around), 2, padding, around);
        let [_, height, width, _] = x.dims();
        let every = |start: usize, size: usize| {
            let end = start + (size - side) / stride * stride + 1;
            Slice::new(start as isize, Some(end as isize), stride as isize)
        };
        let pixel = |index: usize| {
            let (down, right) = (every(index / side, height), every(index % side, width));
            x.clone().slice([Slice::full(), down, right, Slice::full()])
        };
        (0..side * side).map(pixel).collect()
    }

    fn options(self) -> MaxPoolOptions<2> {
        let Self { side, stride, padding } = self;
        MaxPoolOptions::new([side; 2]).with_stride([stride; 2]).with_padding([padding; 2])
    }
}

/// With so many entries of one value before and behind it in a dimension.
fn padded(x: Tensor<4>, dim: usize, count: usize, value: f32) -> Tensor<4> {
    if count == 0 {
        return x;
    }
    let mut shape = x.dims();
    shape[dim] = count;
    let around = Tensor::full(shape, value, &x.device().inner());
    let around = if x.is_autodiff() { around.autodiff() } else { around };
    Tensor::cat(vec![around.clone(), x, around], dim)
}
