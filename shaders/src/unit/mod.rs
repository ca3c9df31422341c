//! The unit that all convolutions of a DARTS space are made of: \[batch norm\] → \[ReLU\] → depthwise
//! k×k → pointwise 1×1, and the moments of what comes out.
//!
//! z\[pixel, o\] = Σ_c P\[o, c\] · Σ_tap D\[c, tap\] · a\[pixel·stride + tap, c\], a = ReLU((x − μ)·r).
//! With u the result of D, the way back is: ∂u = ∂z·P, ∂P = ∂zᵀ·u, ∂D\[c, tap\] = Σ ∂u·a (shifted), and
//! ∂a = D transposed·∂u, which is 0 where a is, then through the batch norm. Nothing but x is kept:
//! a and u are computed again, from the second-level cache on the CPU.
//!
//! FLOPs for each output number, C channels and k×k taps: 2·(k² + C) forward, the same for x, and
//! twice that for the weights. Bytes: 4 read and 4 written forward where four separate ops move 40.

mod autodiff;
mod cpu;
mod wgpu;

#[cfg(not(target_family = "wasm"))]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape, Tensor, activation};

use crate::Kernels;
use crate::cpu::convolve::Windows;
use crate::norm::{Normed, moments, normalise};

/// What a unit does besides its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Whether a ReLU stands before the convolutions.
    pub relu: bool,
    /// Stride of the depthwise convolution.
    pub stride: usize,
    /// Its dilation.
    pub dilation: usize,
    /// Whether the moments of the output are wanted.
    pub moments: bool,
}

impl Unit {
    /// Computes the unit, padded to keep the size at stride 1 and without bias, and the
    /// [`moments`] of its output where they are wanted.
    ///
    /// # Shapes
    /// - `input`: [batch, height, width, channels]
    /// - `depthwise`: [channels, 1, k, k], k odd
    /// - `pointwise`: [outputs, channels]
    /// - output: [batch, ⌈height / stride⌉, ⌈width / stride⌉, outputs] and [2, outputs]
    pub fn forward(
        self,
        kernels: Kernels,
        input: Normed,
        depthwise: Tensor<4>,
        pointwise: Tensor<2>,
    ) -> (Tensor<4>, Option<Tensor<2>>) {
        if !kernels.fused_for(&input.x) {
            let z = self.composed(kernels, input, depthwise, pointwise);
            let moments = self.moments.then(|| moments(kernels, z.clone()));
            return (z, moments);
        }
        let sizes = Sizes::new(&input, &depthwise, &pointwise, self);
        let Normed { x, norm } = input;
        // A kernel needs a tensor in every place: without a norm it does not look at this one.
        let norm = norm.map_or_else(|| pointwise.clone().inner(), |norm| norm.moments);
        let operands = Operands {
            x: x.into_dispatch(),
            norm: norm.into_dispatch(),
            depthwise: depthwise.into_dispatch(),
            pointwise: pointwise.into_dispatch(),
        };
        if !self.moments {
            return (Tensor::from_dispatch(Dispatch::unit(operands, sizes)), None);
        }
        let (z, moments) = Dispatch::unit_and_moments(operands, sizes);
        (Tensor::from_dispatch(z), Some(Tensor::<2>::from_dispatch(moments).inner()))
    }

    fn composed(
        self,
        kernels: Kernels,
        input: Normed,
        depthwise: Tensor<4>,
        pointwise: Tensor<2>,
    ) -> Tensor<4> {
        let mut x = normalise(kernels, input);
        if self.relu {
            x = activation::relu(x);
        }
        let [channels, _, size, _] = depthwise.dims();
        let padding = self.dilation * (size / 2);
        let (stride, dilation) = ([self.stride; 2], [self.dilation; 2]);
        let options = ConvOptions::new(stride, [padding; 2], dilation, channels);
        let u = conv2d(x.permute([0, 3, 1, 2]), depthwise, None, options).permute([0, 2, 3, 1]);
        let ([batch, height, width, _], [outputs, _]) = (u.dims(), pointwise.dims());
        let z = u.reshape([batch * height * width, channels]).matmul(pointwise.transpose());
        z.reshape([batch, height, width, outputs])
    }
}

/// What the op works on.
#[derive(Clone, Debug, ExtensionType)]
#[extension_type(fusion: cfg(not(target_family = "wasm")))]
pub(crate) struct Operands<B: Backend> {
    pub(crate) x: FloatTensor<B>,
    /// The moments that normalise x, or anything.
    pub(crate) norm: FloatTensor<B>,
    pub(crate) depthwise: FloatTensor<B>,
    pub(crate) pointwise: FloatTensor<B>,
}

/// The op, with and without moments.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait UnitOps: Backend {
    /// The output.
    #[fusion(meta = |it, sizes| TensorSpec::new(sizes.output_shape(), it.x.dtype))]
    fn unit(#[extension_type] operands: Operands<Self>, sizes: Sizes) -> FloatTensor<Self>;

    /// The output and its moments, which are never tracked.
    #[fusion(meta = |it, sizes| {
        let spec = |shape| TensorSpec::new(shape, it.x.dtype);
        (spec(sizes.output_shape()), spec(Shape::from([2, sizes.outputs])))
    })]
    fn unit_and_moments(
        #[extension_type] operands: Operands<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// Its gradients, from the gradient of the output.
#[backend_extension(Cube, Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait UnitGradients: Backend {
    /// For x: all that the architecture step needs.
    #[fusion(meta = |it, _, _| it.x.clone())]
    fn unit_x_gradient(
        #[extension_type] operands: Operands<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self>;

    /// For the weights: depthwise, pointwise.
    #[fusion(meta = |it, _, _| (it.depthwise.clone(), it.pointwise.clone()))]
    fn unit_weight_gradients(
        #[extension_type] operands: Operands<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// For x and the weights at once: ∂u is computed once for both.
    #[fusion(meta = |it, _, _| (it.x.clone(), it.depthwise.clone(), it.pointwise.clone()))]
    fn unit_gradients(
        #[extension_type] operands: Operands<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// What stands before the convolutions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prologue {
    relu: bool,
    /// Whether a batch norm is applied, and whether its moments are those of the batch.
    norm: Option<crate::norm::Standard>,
}

/// All sizes of a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sizes {
    batch: usize,
    windows: Windows,
    outputs: usize,
    prologue: Prologue,
}

impl Sizes {
    fn new(input: &Normed, depthwise: &Tensor<4>, pointwise: &Tensor<2>, unit: Unit) -> Self {
        let [batch, height, width, channels] = input.x.dims();
        let Unit { relu, stride, dilation, .. } = unit;
        let image = [height, width, channels];
        Self {
            batch,
            windows: Windows { image, size: depthwise.dims()[3], stride, dilation },
            outputs: pointwise.dims()[0],
            prologue: Prologue { relu, norm: input.norm.as_ref().map(|norm| norm.standard()) },
        }
    }

    fn channels(&self) -> usize {
        self.windows.image[2]
    }

    fn input_shape(&self) -> Shape {
        let [height, width, channels] = self.windows.image;
        [self.batch, height, width, channels].into()
    }

    /// Shape between the two convolutions.
    fn middle_shape(&self) -> Shape {
        let [height, width, channels] = self.windows.output();
        [self.batch, height, width, channels].into()
    }

    fn output_shape(&self) -> Shape {
        let [height, width, _] = self.windows.output();
        [self.batch, height, width, self.outputs].into()
    }

    fn depthwise_shape(&self) -> Shape {
        [self.channels(), 1, self.windows.size, self.windows.size].into()
    }

    fn pointwise_shape(&self) -> Shape {
        [self.outputs, self.channels()].into()
    }
}
