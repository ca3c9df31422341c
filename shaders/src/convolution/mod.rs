//! Convolutions of all channels: \[ReLU\] → k×k convolution, and the moments of what comes out. They
//! bring the inputs of a cell to its channels (1×1), halve an image without losing a pixel
//! (FactorizedReduce, two 1×1 banks with stride 2) and are two candidates of NAS-Bench-201.
//!
//! z\[pixel, o\] = Σ_{c, i, j} W\[o, c, i, j\] · a\[pixel·stride + (i, j) − padding + bank(o), c\], a =
//! ReLU(x). The way back: ∂W\[o, c, i, j\] = Σ_pixel a·∂z, ∂a = Σ W·∂z over the windows that a pixel
//! is in, and ∂x is 0 where a is. Nothing but x is kept.
//!
//! FLOPs for each output number, C input channels: 2·k²·C forward, the same for x and for the
//! weights. Bytes: 4·C / outputs read and 4 written forward; stock ops read and write x once more
//! for the ReLU, and z twice for its moments.

mod autodiff;
mod cpu;
#[cfg(not(target_feature = "atomics"))]
mod tiled;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

#[cfg(not(target_family = "wasm"))]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape, Slice, Tensor, activation};

use crate::Kernels;
use crate::cpu::convolve::Windows;
use crate::norm::moments;

/// What a convolution does besides its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Whether a ReLU stands before it.
    pub relu: bool,
    /// Its stride.
    pub stride: usize,
    /// Whether the moments of the output are wanted.
    pub moments: bool,
}

impl Convolution {
    /// Computes the convolution, padded to keep the size at stride 1 and without bias, and the
    /// [`moments`] of its output where they are wanted.
    ///
    /// # Shapes
    /// - `x`: [batch, height, width, inputs]
    /// - `banks`: [outputs, inputs, k, k] each, k odd; bank i reads i pixels further down and to the
    ///   right. More than one only for 1×1 convolutions, and at most as many as the stride.
    /// - output: [batch, ⌈height / stride⌉, ⌈width / stride⌉, outputs of all banks] and [2, those]
    pub fn forward(
        self,
        kernels: Kernels,
        x: Tensor<4>,
        banks: Vec<Tensor<4>>,
    ) -> (Tensor<4>, Option<Tensor<2>>) {
        if !kernels.fused_for(&x) {
            let z = self.composed(x, banks);
            let moments = self.moments.then(|| moments(kernels, z.clone(), 1));
            return (z, moments);
        }
        let count = banks.len();
        let weight = Tensor::cat(banks, 0);
        let sizes = Sizes::new(&x, &weight, count, self);
        let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
        if !self.moments {
            return (Tensor::from_dispatch(Dispatch::convolution(x, weight, sizes)), None);
        }
        let (z, moments) = Dispatch::convolution_and_moments(x, weight, sizes);
        (Tensor::from_dispatch(z), Some(Tensor::<2>::from_dispatch(moments).inner()))
    }

    fn composed(self, mut x: Tensor<4>, banks: Vec<Tensor<4>>) -> Tensor<4> {
        if self.relu {
            x = activation::relu(x);
        }
        let bank = |(index, weight): (usize, Tensor<4>)| match weight.dims()[3] {
            1 => pointwise(self.strided(x.clone(), index), weight),
            _ => self.square(x.clone(), weight),
        };
        Tensor::cat(banks.into_iter().enumerate().map(bank).collect(), 3)
    }

    /// The pixels that a 1×1 convolution of a bank reads.
    fn strided(self, x: Tensor<4>, bank: usize) -> Tensor<4> {
        let [_, height, width, _] = x.dims();
        let pixels =
            |size: usize| Slice::new(bank as isize, Some(size as isize), self.stride as isize);
        match (self.stride, bank) {
            (1, 0) => x,
            _ => x.slice([Slice::full(), pixels(height), pixels(width), Slice::full()]),
        }
    }

    fn square(self, x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([self.stride; 2], [weight.dims()[3] / 2; 2], [1; 2], 1);
        conv2d(x.permute([0, 3, 1, 2]), weight, None, options).permute([0, 2, 3, 1])
    }
}

/// A matrix product over channels.
fn pointwise(x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
    let ([batch, height, width, inputs], outputs) = (x.dims(), weight.dims()[0]);
    x.reshape([batch * height * width, inputs])
        .matmul(weight.reshape([outputs, inputs]).transpose())
        .reshape([batch, height, width, outputs])
}

/// The op, with and without moments. Weights are [outputs, inputs, k, k].
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait ConvolutionOps: Backend {
    /// The output.
    #[fusion(dtype = x, shape = sizes.output_shape())]
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self>;

    /// The output and its moments, which are never tracked.
    #[fusion(meta = |x, _, sizes| {
        let spec = |shape| TensorSpec::new(shape, x.dtype);
        (spec(sizes.output_shape()), spec(Shape::from([2, sizes.outputs])))
    })]
    fn convolution_and_moments(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// Its gradients, from the gradient of the output.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait ConvolutionGradients: Backend {
    /// For x.
    #[fusion(dtype = x, shape = x)]
    fn convolution_x_gradient(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self>;

    /// For the weights.
    #[fusion(dtype = x, shape = sizes.weight_shape())]
    fn convolution_weight_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self>;
}

/// All sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sizes {
    batch: usize,
    windows: Windows,
    outputs: usize,
    banks: usize,
    relu: bool,
}

impl Sizes {
    fn new(x: &Tensor<4>, weight: &Tensor<4>, banks: usize, convolution: Convolution) -> Self {
        let [batch, height, width, channels] = x.dims();
        let [outputs, _, size, _] = weight.dims();
        let Convolution { relu, stride, .. } = convolution;
        let image = [height, width, channels];
        Self { batch, windows: Windows { image, size, stride, dilation: 1 }, outputs, banks, relu }
    }

    fn inputs(&self) -> usize {
        self.windows.image[2]
    }

    /// Where the weight of a tap, in row-major order, lies.
    fn place(&self, tap: usize, input: usize, output: usize) -> usize {
        (output * self.inputs() + input) * self.windows.taps() + tap
    }

    /// Outputs of a bank.
    fn bank(&self) -> usize {
        self.outputs / self.banks
    }

    fn input_shape(&self) -> Shape {
        let [height, width, channels] = self.windows.image;
        [self.batch, height, width, channels].into()
    }

    fn output_shape(&self) -> Shape {
        let [height, width, _] = self.windows.output();
        [self.batch, height, width, self.outputs].into()
    }

    fn weight_shape(&self) -> Shape {
        [self.outputs, self.inputs(), self.windows.size, self.windows.size].into()
    }
}
