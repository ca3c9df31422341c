//! What a network computes in eval mode, step by step and as data: for programs that compute it elsewhere.
//!
//! The types that compute a pass write the trace too, each beside its `forward` and of the same fields, so
//! that there is no second description of a network. Steps have the names of the modules of the reference
//! code. What that code does without a module has a name of ours: `cells.3.states.2` is a node, `cells.3`
//! the output of a cell.

use shaders::Pool;

use super::layout::{Layout, WeightId};
use super::norm::BatchNorm;

/// An activation of a trace: the images, or what a step gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// [batch, channels, height, width], normalised.
    Images,
    /// The output of the step at this place.
    Step(usize),
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, which no other step has.
    pub name: String,
    /// What it does.
    pub operation: Primitive,
    /// What it reads, each of them known before.
    pub inputs: Vec<Value>,
}

/// What a step does. Where there is a stride, a side of the output is ⌈side / stride⌉.
#[derive(Clone, Copy, Debug)]
pub enum Primitive {
    /// max(x, 0).
    Relu,
    /// A convolution without bias.
    Convolution(Windows),
    /// Batch norm by the running statistics.
    Norm(BatchNorm),
    /// 3×3 pooling, padding 1; the padding counts neither for a maximum nor for a mean.
    Pool {
        /// Maximum or average.
        kind: Pool,
        /// Stride.
        stride: usize,
    },
    /// The mean of every 2×2 pixels.
    Halved,
    /// The largest of every 2×2 pixels.
    Largest,
    /// The first channels.
    FirstChannels {
        /// How many.
        channels: usize,
    },
    /// N(0, 1) in the strided shape of its input.
    Noise {
        /// Stride.
        stride: usize,
    },
    /// Zeros in the strided shape of its input.
    Zeros {
        /// Stride.
        stride: usize,
    },
    /// The sum of its inputs.
    Sum,
    /// Its inputs one after another along the channels.
    Concatenation,
    /// The mean of all pixels.
    Mean,
    /// Wᵀx + b of [batch, channels, 1, 1]; gives the logits, [batch, classes].
    Linear {
        /// [classes, channels].
        weight: WeightId,
        /// `[classes]`.
        bias: WeightId,
    },
}

/// The windows that a convolution weighs.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// [outputs, inputs / groups, height, width], the sides odd; padded with zeros to keep the size at
    /// stride 1.
    pub weight: WeightId,
    /// Strides along height and width.
    pub stride: [usize; 2],
    /// Dilation.
    pub dilation: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// So many pixels further down and to the right it reads the image, with zeros beyond its edge.
    pub offset: usize,
}

impl Windows {
    /// Dense windows of this stride.
    pub const fn new(weight: WeightId, stride: [usize; 2]) -> Self {
        Self { weight, stride, dilation: 1, groups: 1, offset: 0 }
    }
}

/// The steps of a network, and where its weights are.
pub struct Trace<'a> {
    layout: &'a Layout,
    steps: Vec<Step>,
}

impl<'a> Trace<'a> {
    /// No step yet.
    pub fn new(layout: &'a Layout) -> Self {
        Self { layout, steps: Vec::new() }
    }

    /// The places of the weights that the steps name.
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// The steps; the last one gives the logits.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Adds a step.
    pub fn step(&mut self, name: String, operation: Primitive, inputs: Vec<Value>) -> Value {
        self.steps.push(Step { name, operation, inputs });
        Value::Step(self.steps.len() - 1)
    }

    /// A convolution, with the name of the module of its weight.
    pub fn convolution(&mut self, windows: Windows, x: Value) -> Value {
        let name = self.module(windows.weight).to_owned();
        self.step(name, Primitive::Convolution(windows), vec![x])
    }

    /// The ReLU before the convolution of this weight: the module before it in its sequence.
    pub fn rectified(&mut self, weight: WeightId, x: Value) -> Value {
        let module = self.module(weight);
        let (parent, own) = module.rsplit_once('.').unwrap_or(("", module));
        let place = own.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
        let own = place.map_or_else(|| "relu".to_owned(), |place| place.to_string());
        let name = format!("{parent}.{own}");
        self.step(name, Primitive::Relu, vec![x])
    }

    /// A batch norm.
    pub fn norm(&mut self, norm: BatchNorm, x: Value) -> Value {
        let name = self.layout.norm(norm.id).name.clone();
        self.step(name, Primitive::Norm(norm), vec![x])
    }

    /// The sum of some values; of one that value, of none there is nothing.
    pub fn sum(&mut self, name: String, terms: Vec<Value>) -> Option<Value> {
        self.joined(name, Primitive::Sum, terms)
    }

    /// Values one after another along the channels; as [`Self::sum`].
    pub fn concatenation(&mut self, name: String, parts: Vec<Value>) -> Option<Value> {
        self.joined(name, Primitive::Concatenation, parts)
    }

    fn joined(&mut self, name: String, by: Primitive, values: Vec<Value>) -> Option<Value> {
        match values.as_slice() {
            [] => None,
            [value] => Some(*value),
            _ => Some(self.step(name, by, values)),
        }
    }

    /// The path of the module that a weight belongs to.
    fn module(&self, weight: WeightId) -> &'a str {
        let name = &self.layout.weight(weight).name;
        name.strip_suffix(".weight").unwrap_or(name)
    }
}
