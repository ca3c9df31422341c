//! The layers that operations and cells are made of.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};
use shaders::{Normed, Pool, Unit};

use super::layout::{Builder, Init, NormId, WeightId};
use super::pass::Pass;
use crate::rng::normal;

/// One layer. All convolutions are without bias.
#[derive(Clone, Debug)]
pub enum Layer {
    /// max(x, 0).
    Relu,
    /// A full convolution, [height, width] each for kernel, stride and padding.
    Conv {
        /// [out, in, height, width].
        weight: WeightId,
        /// Shape of the weight.
        shape: [usize; 4],
        /// Strides.
        stride: [usize; 2],
    },
    /// ReLU, depthwise convolution, 1×1 convolution, batch norm: one kernel computes them.
    Unit {
        /// [channels, 1, kernel, kernel], padded to keep the size at stride 1.
        depthwise: WeightId,
        /// [channels, channels, 1, 1].
        pointwise: WeightId,
        /// Channels in and out.
        channels: usize,
        /// Height and width of the depthwise kernel.
        kernel: usize,
        /// Its stride.
        stride: usize,
        /// Its dilation.
        dilation: usize,
        /// The batch norm.
        norm: NormId,
        /// γ and β of that, where it has them.
        affine: Option<Affine>,
    },
    /// A 1×1 convolution: a matrix product over channels.
    Pointwise {
        /// [outputs, inputs, 1, 1].
        weight: WeightId,
        /// Channels that come in.
        inputs: usize,
        /// Channels that go out.
        outputs: usize,
    },
    /// Batch norm.
    Norm {
        /// Its statistics.
        id: NormId,
        /// γ and β, where it has them.
        affine: Option<Affine>,
        /// Channels.
        channels: usize,
    },
    /// 3×3 pooling, padding 1.
    Pool {
        /// Maximum or average.
        kind: Pool,
        /// Stride.
        stride: usize,
    },
    /// Halves height and width without losing a pixel: two 1×1 convolutions with stride 2, the
    /// second one a pixel further down and right, side by side.
    FactorizedReduce {
        /// The two weights, each [outputs / 2, inputs, 1, 1].
        weights: [WeightId; 2],
        /// Channels that come in.
        inputs: usize,
        /// Channels that go out.
        outputs: usize,
    },
    /// N(0, 1) of the strided input shape; ignores its input.
    Noise {
        /// Stride.
        stride: usize,
    },
}

/// γ and β of a batch norm.
pub type Affine = (WeightId, WeightId);

/// Layers one after another; without any, the identity.
#[derive(Clone, Debug, Default)]
pub struct Sequence(pub Vec<Layer>);

impl Layer {
    /// A 1×1 convolution at the path of `builder`.
    pub fn pointwise(builder: &mut Builder, inputs: usize, outputs: usize) -> Self {
        let weight = builder.weight("weight", &[outputs, inputs, 1, 1], Init::FanIn(inputs));
        Self::Pointwise { weight, inputs, outputs }
    }

    /// A full convolution at the path of `builder`, padded to keep the size at stride 1.
    pub fn conv(builder: &mut Builder, shape: [usize; 4], stride: [usize; 2]) -> Self {
        let [_, inputs, height, width] = shape;
        let weight = builder.weight("weight", &shape, Init::FanIn(inputs * height * width));
        Self::Conv { weight, shape, stride }
    }

    /// A batch norm at the path of `builder`.
    pub fn norm(builder: &mut Builder, channels: usize, affine: bool) -> Self {
        let (id, affine) = norm(builder, channels, affine);
        Self::Norm { id, affine, channels }
    }

    /// A unit; the builders stand at the paths of its depthwise convolution, its 1×1 convolution
    /// and its batch norm, in this order.
    pub fn unit(
        builder: &mut Builder,
        paths: [String; 3],
        channels: usize,
        (kernel, stride, dilation): (usize, usize, usize),
        affine: bool,
    ) -> Self {
        let [first, second, third] = paths;
        let mut weight = |path: String, shape: &[usize], fan_in| {
            builder.child(path).weight("weight", shape, Init::FanIn(fan_in))
        };
        let depthwise = weight(first, &[channels, 1, kernel, kernel], kernel * kernel);
        let pointwise = weight(second, &[channels, channels, 1, 1], channels);
        let (norm, affine) = norm(&mut builder.child(third), channels, affine);
        Self::Unit { depthwise, pointwise, channels, kernel, stride, dilation, norm, affine }
    }

    /// Applies the layer: [batch, height, width, channels] in and out. A batch norm without affine
    /// part is left to what comes next.
    pub fn forward(&self, x: Normed, pass: &mut Pass) -> Normed {
        match *self {
            Self::Unit {
                depthwise,
                pointwise,
                channels,
                kernel,
                stride,
                dilation,
                norm,
                affine,
            } => {
                let depthwise = pass.weight(depthwise, [channels, 1, kernel, kernel]);
                let pointwise = pass.weight(pointwise, [channels, channels]);
                let relu = pass.kinks.are_free();
                let x = if relu { x } else { pass.kinks.rectify(pass.apply(x)).into() };
                let unit = Unit { relu, stride, dilation, moments: pass.is_training() };
                let (x, moments) = unit.forward(pass.kernels, x, depthwise, pointwise);
                scale(Normed { norm: Some(pass.norm(norm, &x, moments)), x }, affine, pass)
            }
            Self::Norm { id, affine, .. } => {
                let x = pass.apply(x);
                scale(Normed { norm: Some(pass.norm(id, &x, None)), x }, affine, pass)
            }
            _ => self.plain(pass.apply(x), pass).into(),
        }
    }

    /// Layers whose input must be ready.
    fn plain(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        match *self {
            Self::Conv { weight, shape, stride } => convolve(x, pass.weight(weight, shape), stride),
            Self::Pointwise { weight, inputs, outputs } => {
                pointwise(x, pass.weight(weight, [outputs, inputs]))
            }
            Self::Pool { kind, stride } => pass.kinks.pool(pass.kernels, x, kind, stride),
            Self::FactorizedReduce { weights: [first, second], inputs, outputs } => {
                let half = [outputs / 2, inputs];
                let even = subsample(x.clone(), 0);
                let odd = subsample(x, 1);
                let left = pointwise(even, pass.weight(first, half));
                let right = pointwise(odd, pass.weight(second, half));
                Tensor::cat(vec![left, right], 3)
            }
            Self::Noise { stride } => noise(x, stride, pass),
            Self::Relu => pass.kinks.rectify(x),
            Self::Unit { .. } | Self::Norm { .. } => x,
        }
    }
}

impl Sequence {
    /// Applies the layers in order.
    pub fn forward(&self, x: Normed, pass: &mut Pass) -> Normed {
        self.0.iter().fold(x, |x, layer| layer.forward(x, pass))
    }
}

fn norm(builder: &mut Builder, channels: usize, affine: bool) -> (NormId, Option<Affine>) {
    let affine = affine.then(|| {
        let gamma = builder.weight("weight", &[channels], Init::Constant(1.0));
        let beta = builder.weight("bias", &[channels], Init::Constant(0.0));
        (gamma, beta)
    });
    (builder.norm(channels), affine)
}

/// γ·x + β, where there are such.
fn scale(x: Normed, affine: Option<Affine>, pass: &Pass) -> Normed {
    let Some((gamma, beta)) = affine else { return x };
    let x = pass.apply(x);
    let shape = [1, 1, 1, x.dims()[3]];
    (x * pass.weight(gamma, shape) + pass.weight(beta, shape)).into()
}

/// burn's convolution, which wants channels before height and width.
fn convolve(x: Tensor<4>, weight: Tensor<4>, stride: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = weight.dims();
    let options = ConvOptions::new(stride, [height / 2, width / 2], [1, 1], 1);
    conv2d(x.permute([0, 3, 1, 2]), weight, None, options).permute([0, 2, 3, 1])
}

/// [batch, height, width, inputs] × [outputs, inputs]ᵀ.
fn pointwise(x: Tensor<4>, weight: Tensor<2>) -> Tensor<4> {
    let [batch, height, width, inputs] = x.dims();
    let [outputs, _] = weight.dims();
    x.reshape([batch * height * width, inputs])
        .matmul(weight.transpose())
        .reshape([batch, height, width, outputs])
}

/// Every second pixel from row and column `offset` on.
fn subsample(x: Tensor<4>, offset: usize) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let every_second =
        |size: usize| burn::tensor::Slice::new(offset as isize, Some(size as isize), 2);
    x.slice([(0..batch).into(), every_second(height), every_second(width), (0..channels).into()])
}

fn noise(x: Tensor<4>, stride: usize, pass: &mut Pass) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let shape = [batch, height.div_ceil(stride), width.div_ceil(stride), channels];
    let values = normal(&mut pass.randomness.rng, shape.iter().product());
    let noise = Tensor::from_data(TensorData::new(values, shape), &x.device().inner());
    if x.is_autodiff() { noise.autodiff() } else { noise }
}
