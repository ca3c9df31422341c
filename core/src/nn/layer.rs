//! The layers that operations and cells are made of.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData, activation};
use shaders::Pool;

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
    /// A convolution of every channel by itself, padded to keep the size at stride 1.
    Depthwise {
        /// [channels, 1, kernel, kernel].
        weight: WeightId,
        /// Channels.
        channels: usize,
        /// Height and width of the kernel.
        kernel: usize,
        /// Stride.
        stride: usize,
        /// Dilation.
        dilation: usize,
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
        affine: Option<(WeightId, WeightId)>,
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

/// Layers one after another; without any, the identity.
#[derive(Clone, Debug, Default)]
pub struct Sequence(pub Vec<Layer>);

impl Layer {
    /// A depthwise convolution at the path of `builder`.
    pub fn depthwise(
        builder: &mut Builder,
        channels: usize,
        kernel: usize,
        stride: usize,
        dilation: usize,
    ) -> Self {
        let shape = [channels, 1, kernel, kernel];
        let weight = builder.weight("weight", &shape, Init::FanIn(kernel * kernel));
        Self::Depthwise { weight, channels, kernel, stride, dilation }
    }

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
        let affine = affine.then(|| {
            let gamma = builder.weight("weight", &[channels], Init::Constant(1.0));
            let beta = builder.weight("bias", &[channels], Init::Constant(0.0));
            (gamma, beta)
        });
        Self::Norm { id: builder.norm(channels), affine, channels }
    }

    /// Applies the layer: [batch, height, width, channels] in and out.
    pub fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        match *self {
            Self::Relu => activation::relu(x),
            Self::Conv { weight, shape, stride } => convolve(x, pass.weight(weight, shape), stride),
            Self::Depthwise { weight, channels, kernel, stride, dilation } => {
                let weight = pass.weight(weight, [channels, 1, kernel, kernel]);
                shaders::depthwise(pass.kernels, x, weight, stride, dilation)
            }
            Self::Pointwise { weight, inputs, outputs } => {
                pointwise(x, pass.weight(weight, [outputs, inputs]))
            }
            Self::Norm { id, affine, channels } => {
                let x = pass.normalise(id, x);
                match affine {
                    None => x,
                    Some((gamma, beta)) => {
                        let shape = [1, 1, 1, channels];
                        x * pass.weight(gamma, shape) + pass.weight(beta, shape)
                    }
                }
            }
            Self::Pool { kind, stride } => shaders::pool(pass.kernels, x, kind, stride),
            Self::FactorizedReduce { weights: [first, second], inputs, outputs } => {
                let half = [outputs / 2, inputs];
                let even = subsample(x.clone(), 0);
                let odd = subsample(x, 1);
                let left = pointwise(even, pass.weight(first, half));
                let right = pointwise(odd, pass.weight(second, half));
                Tensor::cat(vec![left, right], 3)
            }
            Self::Noise { stride } => noise(x, stride, pass),
        }
    }
}

impl Sequence {
    /// Applies the layers in order.
    pub fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        self.0.iter().fold(x, |x, layer| layer.forward(x, pass))
    }
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
    let values = normal(&mut pass.noise, shape.iter().product());
    let noise = Tensor::from_data(TensorData::new(values, shape), &x.device().inner());
    if x.is_autodiff() { noise.autodiff() } else { noise }
}
