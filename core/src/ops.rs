//! The catalogue of candidate operations (spec §1.1). A row gives an operation its name, its
//! colour key, its layers and its parameter count; parsers, lists, help texts and the generic tests
//! (shape, count, gradient, parity) all read this table. A new operation is a new row.

mod activation;
mod state;

use shaders::{PendingNorm, Pool};

use crate::nn::{
    ActivationInfo, Builder, Layer, NormId, NormOptions, Pass, Sequence, Trace, UnitLayer, Value,
};
pub use activation::Activation;
pub use state::State;

/// Name of the operation that gives nothing. It takes softmax mass in the spaces that have it, and
/// is never derived.
pub const NONE: &str = "none";

/// The operation that hands its input on. Its dropout is what P-DARTS holds it back with.
pub const SKIP: &str = "skip_connect";

/// The operation that draws random numbers in every pass.
pub const NOISE: &str = "noise";

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Site {
    /// Channels of the edge, in and out.
    pub channels: usize,
    /// 2 on the edges of a reduction cell that read a cell input, else 1.
    pub stride: usize,
    /// Its batch norms. They have an affine part in a derived network, not in a supernet.
    pub norm: NormOptions,
    /// Pooling is followed by batch norm, never affine: in the supernet of a DARTS space, nowhere else.
    pub pool_norm: bool,
}

/// One row of the catalogue.
pub struct Operation {
    /// Its name everywhere.
    pub name: &'static str,
    /// Two letters for narrow tables.
    pub short: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Whether it counts as parameter-free in a genotype (Table 5).
    pub parameter_free: bool,
    /// Weights in a supernet, for (channels, stride): the closed form of spec §1.1. Without γ and β, which
    /// only the batch norms of a one-shot network have there.
    pub parameters: fn(usize, usize) -> usize,
    layers: fn(&mut Builder, Site) -> Sequence,
}

/// All operations.
pub static ALL: &[Operation] = &[
    Operation {
        name: NONE,
        short: "00",
        help: "nothing: zeros",
        parameter_free: true,
        parameters: |_, _| 0,
        layers: |_, _| Sequence::default(),
    },
    Operation {
        name: "max_pool_3x3",
        short: "mp",
        help: "3x3 max pooling; in the supernet of a DARTS space followed by batch norm",
        parameter_free: true,
        parameters: |_, _| 0,
        layers: |builder, site| pool(builder, site, Pool::Max),
    },
    Operation {
        name: "avg_pool_3x3",
        short: "ap",
        help: "3x3 average pooling without the padding; in the supernet of a DARTS space followed by \
               batch norm",
        parameter_free: true,
        parameters: |_, _| 0,
        layers: |builder, site| pool(builder, site, Pool::Average),
    },
    Operation {
        name: SKIP,
        short: "sk",
        help: "identity; at stride 2 a factorised reduction, which has weights",
        parameter_free: true,
        parameters: |channels, stride| if stride == 1 { 0 } else { channels * channels },
        layers: |builder, site| match site.stride {
            1 => Sequence::default(),
            _ => factorized_reduce(builder, site.channels, site.channels, site.norm),
        },
    },
    Operation {
        name: "sep_conv_3x3",
        short: "s3",
        help: "separable 3x3 convolution, twice",
        parameter_free: false,
        parameters: |channels, _| separable_count(channels, 3),
        layers: |builder, site| separable(builder, site, 3),
    },
    Operation {
        name: "sep_conv_5x5",
        short: "s5",
        help: "separable 5x5 convolution, twice",
        parameter_free: false,
        parameters: |channels, _| separable_count(channels, 5),
        layers: |builder, site| separable(builder, site, 5),
    },
    Operation {
        name: "sep_conv_7x7",
        short: "s7",
        help: "separable 7x7 convolution, twice",
        parameter_free: false,
        parameters: |channels, _| separable_count(channels, 7),
        layers: |builder, site| separable(builder, site, 7),
    },
    Operation {
        name: "dil_conv_3x3",
        short: "d3",
        help: "separable 3x3 convolution with dilation 2",
        parameter_free: false,
        parameters: |channels, _| unit_count(channels, 3),
        layers: |builder, site| dilated(builder, site, 3),
    },
    Operation {
        name: "dil_conv_5x5",
        short: "d5",
        help: "separable 5x5 convolution with dilation 2",
        parameter_free: false,
        parameters: |channels, _| unit_count(channels, 5),
        layers: |builder, site| dilated(builder, site, 5),
    },
    Operation {
        name: "conv_7x1_1x7",
        short: "c7",
        help: "1x7 convolution, then 7x1",
        parameter_free: false,
        parameters: |channels, _| 14 * channels * channels,
        layers: seven_by_one,
    },
    Operation {
        name: "nor_conv_1x1",
        short: "n1",
        help: "1x1 convolution (NAS-Bench-201)",
        parameter_free: false,
        parameters: |channels, _| channels * channels,
        layers: |builder, site| plain(builder, site, 1),
    },
    Operation {
        name: "nor_conv_3x3",
        short: "n3",
        help: "3x3 convolution (NAS-Bench-201)",
        parameter_free: false,
        parameters: |channels, _| 9 * channels * channels,
        layers: |builder, site| plain(builder, site, 3),
    },
    Operation {
        name: "maxpool3x3",
        short: "m3",
        help: "3x3 max pooling, never with a batch norm (NAS-Bench-101)",
        parameter_free: true,
        parameters: |_, _| 0,
        layers: |builder, site| pool(builder, Site { pool_norm: false, ..site }, Pool::Max),
    },
    Operation {
        name: "conv3x3-bn-relu",
        short: "b3",
        help: "3x3 convolution, batch norm, ReLU (NAS-Bench-101)",
        parameter_free: false,
        parameters: |channels, _| 9 * channels * channels,
        layers: |builder, site| labelled(builder, site, 3),
    },
    Operation {
        name: "conv1x1-bn-relu",
        short: "b1",
        help: "1x1 convolution, batch norm, ReLU (NAS-Bench-101)",
        parameter_free: false,
        parameters: |channels, _| channels * channels,
        layers: |builder, site| labelled(builder, site, 1),
    },
    Operation {
        name: NOISE,
        short: "nz",
        help: "N(0, 1) noise instead of the input (space S4)",
        parameter_free: true,
        parameters: |_, _| 0,
        layers: |_, site| Sequence(vec![Layer::Noise { stride: site.stride }]),
    },
];

/// The operation of this name.
pub fn find(name: &str) -> Option<&'static Operation> {
    ALL.iter().find(|operation| operation.name == name)
}

/// An operation with its weights, as a candidate of one edge.
pub struct Candidate {
    /// Its row in the catalogue.
    pub operation: &'static Operation,
    layers: Sequence,
}

impl Operation {
    /// Builds the operation under the path of `builder`.
    pub fn build(&'static self, builder: &mut Builder, site: Site) -> Candidate {
        Candidate { operation: self, layers: (self.layers)(builder, site) }
    }
}

impl Candidate {
    /// Whether its output is zero whatever comes in.
    pub fn is_none(&self) -> bool {
        self.operation.name == NONE
    }

    /// Whether it hands its input on as it is.
    pub fn is_identity(&self) -> bool {
        self.layers.0.is_empty() && !self.is_none()
    }

    /// Multiply-adds for one image, from a state of the cell.
    pub fn multiply_adds(&self, mut state: ActivationInfo) -> u64 {
        self.layers.multiply_adds(&mut state)
    }

    /// Its units, if it is made of nothing else.
    pub fn units(&self) -> Vec<UnitLayer> {
        let unit = |layer: &Layer| if let Layer::Unit(unit) = layer { Some(*unit) } else { None };
        self.layers.0.iter().map(unit).collect::<Option<_>>().unwrap_or_default()
    }

    /// What it pools and by what stride, if it is pooling, with or without a batch norm.
    pub fn pooling(&self) -> Option<(Pool, usize)> {
        match self.layers.0.as_slice() {
            [Layer::Pool { kind, stride }] => Some((*kind, *stride)),
            [Layer::Pool { kind, stride }, Layer::Norm(norm)] if !norm.is_affine() => {
                Some((*kind, *stride))
            }
            _ => None,
        }
    }

    /// Whether both give the same and keep the same statistics, whatever state they read: pooling and the
    /// identity are the same on every edge.
    pub fn is_like(&self, other: &Self) -> bool {
        let kind = |layer: &Layer| match layer {
            Layer::Pool { kind, stride } => Some((Some((*kind, *stride)), None)),
            Layer::Norm(norm) if !norm.is_affine() => Some((None, Some(norm.options))),
            _ => None,
        };
        let kinds =
            |candidate: &Self| -> Option<Vec<_>> { candidate.layers.0.iter().map(kind).collect() };
        kinds(self).is_some_and(|own| kinds(other) == Some(own))
    }

    /// The statistics of its batch norms that are layers of their own.
    pub fn norms(&self) -> Vec<NormId> {
        let norm = |layer: &Layer| if let Layer::Norm(norm) = layer { Some(norm.id) } else { None };
        self.layers.0.iter().filter_map(norm).collect()
    }

    /// Applies the candidate to a state of the cell; its last batch norm is left to the sum.
    ///
    /// # Shapes
    /// - output: [batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
    pub fn forward(&self, state: &State, pass: &mut Pass) -> PendingNorm {
        if self.is_identity() && pass.drops_skips() {
            return pass.skips(&state.read(pass.kernels), 1).into();
        }
        let compute = |pass: &mut Pass| self.layers.forward(state.read(pass.kernels).into(), pass);
        if self.draws() { compute(pass) } else { state.constant(pass, compute) }
    }

    /// Writes down what [`Self::forward`] computes, under `path`; nothing where it is `none`.
    pub fn trace(&self, x: Value, path: &str, trace: &mut Trace) -> Option<Value> {
        (!self.is_none()).then(|| self.layers.trace(x, path, trace))
    }

    /// Whether its output is another one in every pass.
    fn draws(&self) -> bool {
        self.layers.0.iter().any(|layer| matches!(layer, Layer::Noise { .. }))
    }
}

/// ReLU, 1×1 convolution, batch norm: what brings a cell input to the channels of the cell.
pub fn relu_conv_norm(
    builder: &mut Builder,
    inputs: usize,
    outputs: usize,
    norm: NormOptions,
) -> Sequence {
    relu_square_norm(builder, [inputs, outputs], 1, 1, norm)
}

/// ReLU, square convolution, batch norm.
pub fn relu_square_norm(
    builder: &mut Builder,
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    stride: usize,
    norm: NormOptions,
) -> Sequence {
    let shape = [outputs, inputs, kernel, kernel];
    let convolution = Layer::convolution(builder, "op.1", shape, stride).after_relu();
    Sequence(vec![convolution.and_norm(builder, "op.2", norm)])
}

/// Square convolution, batch norm, ReLU: the order of NAS-Bench-101.
pub fn conv_norm_relu(
    builder: &mut Builder,
    [inputs, outputs]: [usize; 2],
    (kernel, stride): (usize, usize),
    norm: NormOptions,
) -> Sequence {
    let shape = [outputs, inputs, kernel, kernel];
    let convolution = Layer::convolution(builder, "op.0", shape, stride);
    Sequence(vec![convolution.and_norm(builder, "op.1", norm), Layer::Relu])
}

/// ReLU, two shifted 1×1 convolutions with stride 2 side by side, batch norm.
pub fn factorized_reduce(
    builder: &mut Builder,
    inputs: usize,
    outputs: usize,
    norm: NormOptions,
) -> Sequence {
    let first = Layer::convolution(builder, "conv_1", [outputs / 2, inputs, 1, 1], 2).after_relu();
    let both = first.and_shifted(builder, "conv_2");
    Sequence(vec![both.and_norm(builder, "bn", norm)])
}

/// 3×3 convolution, affine batch norm: what brings images to the channels of the first cell.
pub fn stem(builder: &mut Builder, inputs: usize, outputs: usize, norm: NormOptions) -> Sequence {
    let convolution = Layer::convolution(builder, "stem.0", [outputs, inputs, 3, 3], 1);
    Sequence(vec![convolution.and_norm(builder, "stem.1", norm)])
}

fn pool(builder: &mut Builder, site: Site, kind: Pool) -> Sequence {
    let mut layers = vec![Layer::Pool { kind, stride: site.stride }];
    if site.pool_norm {
        let norm = NormOptions { affine: false, ..site.norm };
        layers.push(Layer::norm(&mut builder.child("1"), site.channels, norm));
    }
    Sequence(layers)
}

/// ReLU → depthwise → pointwise → batch norm, at `op.first` and the three indices after it.
fn unit(builder: &mut Builder, site: Site, kernel: usize, dilation: usize, first: usize) -> Layer {
    let Site { channels, stride, norm, .. } = site;
    let paths = [1, 2, 3].map(|offset| format!("op.{}", first + offset));
    Layer::unit(builder, paths, channels, (kernel, stride, dilation), norm)
}

fn separable(builder: &mut Builder, site: Site, kernel: usize) -> Sequence {
    let first = unit(builder, site, kernel, 1, 0);
    Sequence(vec![first, unit(builder, Site { stride: 1, ..site }, kernel, 1, 4)])
}

fn dilated(builder: &mut Builder, site: Site, kernel: usize) -> Sequence {
    Sequence(vec![unit(builder, site, kernel, 2, 0)])
}

fn plain(builder: &mut Builder, site: Site, kernel: usize) -> Sequence {
    let Site { channels, stride, norm, .. } = site;
    relu_square_norm(builder, [channels; 2], kernel, stride, norm)
}

/// What a label of NAS-Bench-101 stands for, in the module that wraps it.
fn labelled(builder: &mut Builder, site: Site, kernel: usize) -> Sequence {
    let Site { channels, stride, norm, .. } = site;
    conv_norm_relu(&mut builder.child("op"), [channels; 2], (kernel, stride), norm)
}

fn seven_by_one(builder: &mut Builder, site: Site) -> Sequence {
    let Site { channels, stride, norm, .. } = site;
    Sequence(vec![
        Layer::Relu,
        Layer::rectangular_convolution(
            &mut builder.child("op.1"),
            [channels, channels, 1, 7],
            [1, stride],
        ),
        Layer::rectangular_convolution(
            &mut builder.child("op.2"),
            [channels, channels, 7, 1],
            [stride, 1],
        ),
        Layer::norm(&mut builder.child("op.3"), channels, norm),
    ])
}

fn unit_count(channels: usize, kernel: usize) -> usize {
    channels * kernel * kernel + channels * channels
}

fn separable_count(channels: usize, kernel: usize) -> usize {
    2 * unit_count(channels, kernel)
}
