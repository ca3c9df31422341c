//! The layers that operations and cells are made of.

use burn::tensor::{Tensor, TensorData};
use shaders::{Convolution, Kernels, PendingNorm, Pool, rectangular};

use super::layout::{Builder, Init, WeightId};
use super::norm::{BatchNorm, NormOptions};
use super::pass::Pass;
use super::trace::{Primitive, Trace, Value, Windows};
use crate::rng::normal;

/// One layer. All convolutions are without bias.
#[derive(Clone, Debug)]
pub enum Layer {
    /// max(x, 0).
    Relu,
    /// A convolution of all channels whose kernel is not square.
    RectangularConvolution {
        /// [out, in, height, width].
        weight: WeightId,
        /// Shape of the weight.
        shape: [usize; 4],
        /// Strides.
        stride: [usize; 2],
    },
    /// ReLU, depthwise convolution, 1×1 convolution, batch norm: one kernel computes them.
    Unit(UnitLayer),
    /// \[ReLU,\] square convolution of all channels \[, batch norm\]: one kernel computes them.
    Convolution {
        /// Of the shape below.
        weight: WeightId,
        /// Of the same shape: a second half of the outputs, which sees the image a pixel further
        /// down and to the right. With 1×1 kernels and stride 2 that halves height and width
        /// without losing a pixel (FactorizedReduce).
        shifted: Option<WeightId>,
        /// [outputs of a weight, inputs, kernel, kernel], padded to keep the size at stride 1.
        shape: [usize; 4],
        /// Stride.
        stride: usize,
        /// Whether a ReLU stands before it.
        relu: bool,
        /// The batch norm, where there is one.
        norm: Option<BatchNorm>,
    },
    /// Batch norm.
    Norm(BatchNorm),
    /// 3×3 pooling, padding 1.
    Pool {
        /// Maximum or average.
        kind: Pool,
        /// Stride.
        stride: usize,
    },
    /// N(0, 1) of the strided input shape; ignores its input.
    Noise {
        /// Stride.
        stride: usize,
    },
}

/// ReLU, depthwise convolution, 1×1 convolution, batch norm.
#[derive(Clone, Copy, Debug)]
pub struct UnitLayer {
    /// [channels, 1, kernel, kernel], padded to keep the size at stride 1.
    pub depthwise: WeightId,
    /// [channels, channels, 1, 1].
    pub pointwise: WeightId,
    /// Channels in and out.
    pub channels: usize,
    /// Height and width of the depthwise kernel.
    pub kernel: usize,
    /// Its stride.
    pub stride: usize,
    /// Its dilation.
    pub dilation: usize,
    /// The batch norm.
    pub norm: BatchNorm,
}

/// Layers one after another; without any, the identity.
#[derive(Clone, Debug, Default)]
pub struct Sequence(pub Vec<Layer>);

impl Layer {
    /// A convolution at the path of `builder`, padded to keep the size at stride 1.
    pub fn rectangular_convolution(
        builder: &mut Builder,
        shape: [usize; 4],
        stride: [usize; 2],
    ) -> Self {
        Self::RectangularConvolution { weight: kernel(builder, shape), shape, stride }
    }

    /// A square convolution of `shape`, [outputs, inputs, kernel, kernel], at `path`.
    pub fn convolution(
        builder: &mut Builder,
        path: &str,
        shape: [usize; 4],
        stride: usize,
    ) -> Self {
        let weight = kernel(&mut builder.child(path), shape);
        Self::Convolution { weight, shifted: None, shape, stride, relu: false, norm: None }
    }

    /// The layer with a second half of its outputs, whose weight is at `path`.
    pub fn and_shifted(mut self, builder: &mut Builder, path: &str) -> Self {
        if let Self::Convolution { shifted, shape, .. } = &mut self {
            *shifted = Some(kernel(&mut builder.child(path), *shape));
        }
        self
    }

    /// The layer with a ReLU before it.
    pub fn after_relu(mut self) -> Self {
        if let Self::Convolution { relu, .. } = &mut self {
            *relu = true;
        }
        self
    }

    /// The layer with a batch norm at `path` behind it.
    pub fn and_norm(mut self, builder: &mut Builder, path: &str, options: NormOptions) -> Self {
        if let Self::Convolution { shifted, shape: [outputs, ..], norm, .. } = &mut self {
            let channels = *outputs * (1 + usize::from(shifted.is_some()));
            *norm = Some(BatchNorm::new(&mut builder.child(path), channels, options));
        }
        self
    }

    /// A batch norm at the path of `builder`.
    pub fn norm(builder: &mut Builder, channels: usize, options: NormOptions) -> Self {
        Self::Norm(BatchNorm::new(builder, channels, options))
    }

    /// A unit; the builders stand at the paths of its depthwise convolution, its 1×1 convolution
    /// and its batch norm, in this order.
    pub fn unit(
        builder: &mut Builder,
        paths: [String; 3],
        channels: usize,
        (kernel, stride, dilation): (usize, usize, usize),
        options: NormOptions,
    ) -> Self {
        let [first, second, third] = paths;
        let mut weight = |path: String, shape: &[usize], fan_in| {
            builder.child(path).weight("weight", shape, Init::FanIn(fan_in))
        };
        let depthwise = weight(first, &[channels, 1, kernel, kernel], kernel * kernel);
        let pointwise = weight(second, &[channels, channels, 1, 1], channels);
        let norm = BatchNorm::new(&mut builder.child(third), channels, options);
        Self::Unit(UnitLayer { depthwise, pointwise, channels, kernel, stride, dilation, norm })
    }

    /// Applies the layer: [batch, height, width, channels] in and out. A batch norm without affine
    /// part is left to what comes next.
    pub fn forward(&self, x: PendingNorm, pass: &mut Pass) -> PendingNorm {
        match *self {
            Self::Unit(unit) => unit.forward(x, pass),
            Self::Convolution { weight, shifted, shape, stride, relu, norm } => {
                let mut weights = vec![pass.weight(weight, shape)];
                weights.extend(shifted.map(|shifted| pass.weight(shifted, shape)));
                let (mut x, hidden) = (pass.apply(x), relu && pass.pattern.is_free());
                if relu && !hidden {
                    x = pass.pattern.rectify(x);
                }
                let moments = norm.is_some() && pass.is_training();
                let convolution = Convolution { relu: hidden, stride, moments };
                let (x, moments) = convolution.forward(pass.kernels, x, weights);
                match norm {
                    Some(norm) => norm.pending(x, moments, pass),
                    None => x.into(),
                }
            }
            Self::Norm(norm) => {
                let x = pass.apply(x);
                norm.pending(x, None, pass)
            }
            Self::Relu if pass.pattern.is_free() => shaders::rectified(pass.kernels, x).into(),
            _ => self.plain(pass.apply(x), pass).into(),
        }
    }

    /// Writes down what [`Self::forward`] computes. Layers without weights are at `path`.
    pub fn trace(&self, x: Value, path: &str, trace: &mut Trace) -> Value {
        let mut here = |operation| trace.step(path.to_owned(), operation, vec![x]);
        match *self {
            Self::Relu => trace.step(format!("{path}.relu"), Primitive::Relu, vec![x]),
            Self::Pool { kind, stride } => here(Primitive::Pool { kind, stride }),
            Self::Noise { stride } => here(Primitive::Noise { stride }),
            Self::Norm(norm) => trace.norm(norm, x),
            Self::RectangularConvolution { weight, stride, .. } => {
                trace.convolution(Windows::new(weight, stride), x)
            }
            Self::Unit(unit) => unit.trace(x, trace),
            Self::Convolution { weight, shifted, stride, relu, norm, .. } => {
                let x = if relu { trace.rectified(weight, x) } else { x };
                let first = Windows::new(weight, [stride; 2]);
                let mut y = trace.convolution(first, x);
                if let Some(weight) = shifted {
                    let second = trace.convolution(Windows { weight, offset: 1, ..first }, x);
                    let operation = Primitive::Concatenation;
                    y = trace.step(format!("{path}.both"), operation, vec![y, second]);
                }
                norm.map_or(y, |norm| trace.norm(norm, y))
            }
        }
    }

    /// Layers whose input must be ready.
    fn plain(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<4> {
        match *self {
            Self::RectangularConvolution { weight, shape, stride } => {
                rectangular(Kernels::Composed, x, pass.weight(weight, shape), stride)
            }
            Self::Pool { kind, stride } => pass.pattern.pool(pass.kernels, x, &[kind], stride),
            Self::Noise { stride } => noise(x, stride, pass),
            Self::Relu => pass.pattern.rectify(x),
            Self::Unit(_) | Self::Convolution { .. } | Self::Norm(_) => x,
        }
    }
}

impl Sequence {
    /// Applies the layers in order.
    pub fn forward(&self, x: PendingNorm, pass: &mut Pass) -> PendingNorm {
        self.0.iter().fold(x, |x, layer| layer.forward(x, pass))
    }

    /// Writes the layers down; see [`Layer::trace`].
    pub fn trace(&self, x: Value, path: &str, trace: &mut Trace) -> Value {
        self.0.iter().fold(x, |x, layer| layer.trace(x, path, trace))
    }
}

impl UnitLayer {
    fn trace(&self, x: Value, trace: &mut Trace) -> Value {
        let Self { channels: groups, stride, dilation, .. } = *self;
        let depthwise = Windows::new(self.depthwise, [stride; 2]);
        let x = trace.rectified(self.depthwise, x);
        let x = trace.convolution(Windows { dilation, groups, ..depthwise }, x);
        let x = trace.convolution(Windows::new(self.pointwise, [1; 2]), x);
        trace.norm(self.norm, x)
    }
}

/// The weight of a convolution of all channels.
fn kernel(builder: &mut Builder, shape: [usize; 4]) -> WeightId {
    let [_, inputs, height, width] = shape;
    builder.weight("weight", &shape, Init::FanIn(inputs * height * width))
}

fn noise(x: Tensor<4>, stride: usize, pass: &mut Pass) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let shape = [batch, height.div_ceil(stride), width.div_ceil(stride), channels];
    let values = normal(&mut pass.randomness.rng, shape.iter().product());
    let noise = Tensor::from_data(TensorData::new(values, shape), &x.device().inner());
    if x.is_autodiff() { noise.autodiff() } else { noise }
}
