//! The unit that all convolutions of a DARTS space are made of: \[batch norm, γ and β included\] → \[ReLU\] → depthwise
//! k×k → pointwise 1×1, and the moments of what comes out. A [`Bank`] computes many at once: all that
//! read one state of a cell, or all that come after those.
//!
//! z\[pixel, o\] = Σ_c P\[o, c\] · Σ_tap D\[c, tap\] · a\[pixel·stride + tap, c\], a = ReLU((x − μ)·r).
//! With u the result of D, the way back is: ∂u = ∂z·P, ∂P = ∂zᵀ·u, ∂D\[c, tap\] = Σ ∂u·a (shifted), and
//! ∂a = D transposed·∂u summed over the units that read x, which is 0 where a is, then through the batch
//! norm. Nothing but x is kept: a and u are computed again, from the second-level cache on the CPU. On a GPU
//! u is not written either, where a workgroup can hold its channels (`joined.rs`).
//!
//! FLOPs for each output number of a unit, C channels and k×k taps: 2·(k² + C) forward, the same for x,
//! and twice that for the weights. Bytes: 4 read and 4 written forward where four separate ops move 40;
//! back 8 read and 4 written for x.

mod autodiff;
mod cpu;
#[cfg(not(target_feature = "atomics"))]
mod depthwise;
#[cfg(not(target_feature = "atomics"))]
mod joined;
#[cfg(not(target_feature = "atomics"))]
mod product;
#[cfg(not(target_feature = "atomics"))]
mod tiles;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

use std::ops::Range;
use std::sync::Arc;

#[cfg(not(target_family = "wasm"))]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape, Tensor, activation};

use crate::Kernels;
use crate::cpu::convolve::Windows;
use crate::norm::deferred::Deferred;
use crate::norm::{PendingNorm, moments, normalise};

/// A unit of a [`Bank`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    /// The activation of the stack that it reads.
    pub source: usize,
    /// Height and width of the depthwise kernel, odd.
    pub size: usize,
    /// Dilation of the depthwise kernel.
    pub dilation: usize,
}

/// Units that are computed at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bank {
    /// At least one, sources in ascending order.
    pub units: Vec<Unit>,
    /// Whether a ReLU stands before the convolutions.
    pub relu: bool,
    /// Stride of the depthwise convolutions.
    pub stride: usize,
    /// Whether the moments of the outputs are wanted.
    pub moments: bool,
}

impl Bank {
    /// Computes the units, padded to keep the size at stride 1 and without bias, and the [`moments`]
    /// of their outputs where they are wanted. No batch norm waits for the outputs yet.
    ///
    /// # Shapes
    /// - `input`: [sources · batch, height, width, channels]
    /// - `weights`: for every unit [channels, 1, k, k], then [outputs, channels]; all one after another
    /// - output: [units · batch, ⌈height / stride⌉, ⌈width / stride⌉, outputs] and [2, units · outputs]
    pub fn forward(
        &self,
        kernels: Kernels,
        input: PendingNorm,
        weights: Tensor<1>,
    ) -> (PendingNorm, Option<Tensor<2>>) {
        let sizes = Sizes::new(self, &input, weights.dims()[0]);
        let deferred = kernels.fused_on_cpu(&input.x).then(|| sizes.deferred.clone());
        let (z, moments) = self.compute(kernels, input, weights, sizes);
        (PendingNorm { deferred, ..z.into() }, moments)
    }

    fn compute(
        &self,
        kernels: Kernels,
        input: PendingNorm,
        weights: Tensor<1>,
        sizes: Sizes,
    ) -> (Tensor<4>, Option<Tensor<2>>) {
        if !kernels.fused_for(&input.x) {
            let z = self.composed(kernels, input, weights, &sizes);
            let moments = self.moments.then(|| moments(kernels, z.clone(), self.units.len()));
            return (z, moments);
        }
        let PendingNorm { x, norm, .. } = input;
        // A kernel needs a tensor in every place: without a norm it does not look at this one.
        let nothing = || weights.clone().inner().into_dispatch();
        let (moments, affine) = norm.map_or((None, None), |norm| (Some(norm.moments), norm.affine));
        let operands = Operands {
            x: x.into_dispatch(),
            norm: moments.map_or_else(nothing, Tensor::into_dispatch),
            affine: affine.map_or_else(nothing, Tensor::into_dispatch),
            weights: weights.clone().into_dispatch(),
        };
        if !self.moments {
            return (Tensor::from_dispatch(Dispatch::bank(operands, sizes)), None);
        }
        let (z, moments) = Dispatch::bank_and_moments(operands, sizes);
        (Tensor::from_dispatch(z), Some(Tensor::<2>::from_dispatch(moments).inner()))
    }

    fn composed(
        &self,
        kernels: Kernels,
        input: PendingNorm,
        weights: Tensor<1>,
        sizes: &Sizes,
    ) -> Tensor<4> {
        let mut x = normalise(kernels, input);
        if self.relu {
            x = activation::relu(x);
        }
        let unit = |(index, unit): (usize, &Unit)| {
            let first = unit.source * sizes.batch;
            let x = x.clone().slice([first..first + sizes.batch]);
            let (depthwise, pointwise) = sizes.places(index);
            let weight = |place: Range<usize>| weights.clone().slice([place]);
            self.composed_unit(unit, x, weight(depthwise), weight(pointwise))
        };
        Tensor::cat(self.units.iter().enumerate().map(unit).collect(), 0)
    }

    fn composed_unit(
        &self,
        unit: &Unit,
        x: Tensor<4>,
        depthwise: Tensor<1>,
        pointwise: Tensor<1>,
    ) -> Tensor<4> {
        let Unit { size, dilation, .. } = *unit;
        let channels = x.dims()[3];
        let outputs = pointwise.dims()[0] / channels;
        let depthwise = depthwise.reshape([channels, 1, size, size]);
        let options =
            ConvOptions::new([self.stride; 2], [dilation * (size / 2); 2], [dilation; 2], channels);
        let u = conv2d(x.permute([0, 3, 1, 2]), depthwise, None, options).permute([0, 2, 3, 1]);
        let [batch, height, width, _] = u.dims();
        let pointwise = pointwise.reshape([outputs, channels]).transpose();
        let z = u.reshape([batch * height * width, channels]).matmul(pointwise);
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
    /// γ and β of the norm, or anything.
    pub(crate) affine: FloatTensor<B>,
    pub(crate) weights: FloatTensor<B>,
}

/// The op, with and without moments.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait BankOps: Backend {
    /// The outputs.
    #[fusion(meta = |it, sizes| TensorSpec::new(sizes.output_shape(), it.x.dtype))]
    fn bank(#[extension_type] operands: Operands<Self>, sizes: Sizes) -> FloatTensor<Self>;

    /// The outputs and their moments, which are never tracked.
    #[fusion(meta = |it, sizes| {
        let spec = |shape| TensorSpec::new(shape, it.x.dtype);
        (spec(sizes.output_shape()), spec(sizes.moments_shape()))
    })]
    fn bank_and_moments(
        #[extension_type] operands: Operands<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

/// Its gradients, from the gradient of the output.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait BankGradients: Backend {
    /// For x: all that the architecture step needs.
    #[fusion(meta = |it, _, _| it.x.clone())]
    fn bank_x_gradient(
        #[extension_type] operands: Operands<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self>;

    /// For the weights.
    #[fusion(meta = |it, _, _| it.weights.clone())]
    fn bank_weight_gradient(
        #[extension_type] operands: Operands<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self>;

    /// For x and the weights at once: ∂u is computed once for both.
    #[fusion(meta = |it, _, _| (it.x.clone(), it.weights.clone()))]
    fn bank_gradients(
        #[extension_type] operands: Operands<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// For γ and β too, where there are such: the sums that the gradient for x takes are theirs.
    #[fusion(meta = |it, _, _| (it.x.clone(), it.weights.clone(), it.affine.clone()))]
    fn bank_all_gradients(
        #[extension_type] operands: Operands<Self>,
        gradient: FloatTensor<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// What stands before the convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prologue {
    relu: bool,
    /// Whether a batch norm is applied, and whether its moments are those of the batch.
    norm: Option<crate::norm::Standard>,
}

/// All sizes of a bank.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sizes {
    /// Images of an activation.
    batch: usize,
    /// Height, width and channels of the input.
    image: [usize; 3],
    stride: usize,
    outputs: usize,
    units: Arc<[Unit]>,
    prologue: Prologue,
    /// What mixtures left of the gradient of the output.
    deferred: Deferred,
}

impl Sizes {
    fn new(bank: &Bank, input: &PendingNorm, weights: usize) -> Self {
        let [images, height, width, channels] = input.x.dims();
        let units: Arc<[Unit]> = bank.units.clone().into();
        let taps: usize = units.iter().map(|unit| unit.size * unit.size).sum();
        let outputs = (weights / channels.max(1) - taps) / units.len().max(1);
        let prologue = Prologue { relu: bank.relu, norm: input.standard() };
        let image = [height, width, channels];
        let (stride, deferred) = (bank.stride, Deferred::default());
        let mut sizes = Self { batch: 0, image, stride, outputs, units, prologue, deferred };
        sizes.batch = images / sizes.sources();
        sizes
    }

    fn channels(&self) -> usize {
        self.image[2]
    }

    /// Activations that are read.
    fn sources(&self) -> usize {
        self.units.last().map_or(1, |unit| unit.source + 1)
    }

    /// The units that read an activation.
    fn of_source(&self, source: usize) -> Range<usize> {
        let before = |source| self.units.partition_point(|unit| unit.source < source);
        before(source)..before(source + 1)
    }

    fn windows(&self, unit: usize) -> Windows {
        let Unit { size, dilation, .. } = self.units[unit];
        Windows { image: self.image, size, stride: self.stride, dilation }
    }

    /// Where the depthwise and the pointwise weights of a unit lie.
    fn places(&self, unit: usize) -> (Range<usize>, Range<usize>) {
        let depthwise = |unit: &Unit| self.channels() * unit.size * unit.size;
        let pointwise = self.outputs * self.channels();
        let start = self.units[..unit].iter().map(|unit| depthwise(unit) + pointwise).sum();
        let middle = start + depthwise(&self.units[unit]);
        (start..middle, middle..middle + pointwise)
    }

    /// Where the weights of these units lie.
    fn weights_of(&self, units: Range<usize>) -> Range<usize> {
        match units.is_empty() {
            true => 0..0,
            false => self.places(units.start).0.start..self.places(units.end - 1).1.end,
        }
    }

    fn weight_count(&self) -> usize {
        self.weights_of(0..self.units.len()).end
    }

    fn input_shape(&self) -> Shape {
        let [height, width, channels] = self.image;
        [self.sources() * self.batch, height, width, channels].into()
    }

    /// Height and width of the outputs.
    fn out(&self) -> [usize; 2] {
        [self.image[0].div_ceil(self.stride), self.image[1].div_ceil(self.stride)]
    }

    /// Shape between the two convolutions.
    fn middle_shape(&self) -> Shape {
        let [height, width] = self.out();
        [self.units.len() * self.batch, height, width, self.channels()].into()
    }

    fn output_shape(&self) -> Shape {
        let [height, width] = self.out();
        [self.units.len() * self.batch, height, width, self.outputs].into()
    }

    fn moments_shape(&self) -> Shape {
        [2, self.units.len() * self.outputs].into()
    }
}
