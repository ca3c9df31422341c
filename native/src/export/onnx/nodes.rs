//! The steps of a trace as nodes of ONNX.

use std::collections::BTreeMap;
use std::ops::Range;

use shaders::Pool;
use smoothdarts::arrays::state_dict::Flat;
use smoothdarts::nn::{BatchNorm, Primitive, Step, Trace, Value, WeightId, Windows};

use super::tensor;
use crate::protobuf::Message;

/// The input of a graph, [batch, channels, height, width].
pub const INPUT: &str = "images";

/// The output of a graph, [batch, classes]; no softmax.
pub const OUTPUT: &str = "logits";

/// Fields of `NodeProto`.
const NODE_INPUT: u64 = 1;
const NODE_OUTPUT: u64 = 2;
const NODE_NAME: u64 = 3;
const OP_TYPE: u64 = 4;
const ATTRIBUTE: u64 = 5;

/// Fields of `AttributeProto`, and the types of what it holds.
const ATTRIBUTE_NAME: u64 = 1;
const FLOAT: u64 = 2;
const INT: u64 = 3;
const INTS: u64 = 8;
const TYPE: u64 = 20;
const TYPE_FLOAT: u64 = 1;
const TYPE_INT: u64 = 2;
const TYPE_INTS: u64 = 7;

/// Nodes, each after those that it reads, and the constants that they read.
pub struct Graph<'a> {
    pub nodes: Vec<Message>,
    /// By name.
    pub initialisers: BTreeMap<String, Message>,
    trace: &'a Trace<'a>,
    flat: &'a Flat,
    /// What the network reads.
    images: &'static str,
}

impl<'a> Graph<'a> {
    /// The graph of a network with these weights; it normalises its images where it has to.
    pub fn of(
        trace: &'a Trace,
        flat: &'a Flat,
        normalisation: Option<&(Vec<f32>, Vec<f32>)>,
    ) -> Self {
        let (nodes, initialisers) = (Vec::new(), BTreeMap::new());
        let mut graph = Self { nodes, initialisers, trace, flat, images: INPUT };
        if let Some((mean, deviation)) = normalisation {
            graph.normalise(mean, deviation);
        }
        for (index, step) in trace.steps().iter().enumerate() {
            graph.step(step, graph.name(Value::Step(index)));
        }
        graph
    }

    fn normalise(&mut self, mean: &[f32], deviation: &[f32]) {
        let (centred, normalised) = ("normalise.centred", "normalise.normalised");
        let mean = self.floats("normalise.mean", &[1, mean.len(), 1, 1], mean);
        let deviation = self.floats("normalise.std", &[1, deviation.len(), 1, 1], deviation);
        self.node(centred, "Sub", &[INPUT.to_owned(), mean], vec![]);
        self.node(normalised, "Div", &[centred.to_owned(), deviation], vec![]);
        self.images = normalised;
    }

    /// The name of a value: that of its step, whose only output it is.
    fn name(&self, value: Value) -> String {
        let steps = self.trace.steps();
        match value {
            Value::Images => self.images.to_owned(),
            Value::Step(index) if index + 1 == steps.len() => OUTPUT.to_owned(),
            Value::Step(index) => steps.get(index).map_or(String::new(), |step| step.name.clone()),
        }
    }

    fn step(&mut self, step: &Step, output: String) {
        let inputs: Vec<String> = step.inputs.iter().map(|value| self.name(*value)).collect();
        let x = inputs.first().cloned().unwrap_or_default();
        match step.operation {
            Primitive::Relu => self.node(&output, "Relu", &[x], vec![]),
            Primitive::Convolution(windows) => self.convolution(&output, x, windows),
            Primitive::Norm(norm) => self.norm(&output, x, norm),
            Primitive::Pool { kind, stride } => self.pool(&output, x, kind, stride),
            Primitive::Halved => {
                let attributes = vec![ints("kernel_shape", [2; 2]), ints("strides", [2; 2])];
                self.node(&output, "AveragePool", &[x], attributes);
            }
            Primitive::Largest => {
                let attributes = vec![ints("kernel_shape", [2; 2]), ints("strides", [2; 2])];
                self.node(&output, "MaxPool", &[x], attributes);
            }
            Primitive::FirstChannels { channels } => self.first_channels(&output, x, channels),
            Primitive::Noise { stride } => {
                let x = self.pixels(&output, x, 0, stride);
                self.node(&output, "RandomNormalLike", &[x], vec![]);
            }
            Primitive::Zeros { stride } => {
                let (x, shape) = (self.pixels(&output, x, 0, stride), format!("{output}.shape"));
                self.node(&shape, "Shape", &[x], vec![]);
                self.node(&output, "ConstantOfShape", &[shape], vec![]);
            }
            Primitive::Sum => self.node(&output, "Sum", &inputs, vec![]),
            Primitive::Concatenation => {
                self.node(&output, "Concat", &inputs, vec![int("axis", 1)]);
            }
            Primitive::Mean => self.node(&output, "GlobalAveragePool", &[x], vec![]),
            Primitive::Linear { weight, bias } => self.linear(&step.name, x, [weight, bias]),
        }
    }

    fn convolution(&mut self, output: &str, x: String, windows: Windows) {
        let Windows { weight, stride, dilation, groups, offset } = windows;
        let shape = &self.trace.layout().weight(weight).shape;
        let sides = [2, 3].map(|axis| shape.get(axis).copied().unwrap_or(1));
        let before = sides.map(|side| dilation * (side - 1) / 2);
        let after = before.map(|padding| padding + offset);
        let x = self.pixels(output, x, offset, 1);
        let attributes = vec![
            ints("kernel_shape", sides),
            ints("strides", stride),
            ints("pads", [before, after].concat()),
            ints("dilations", [dilation; 2]),
            int("group", groups),
        ];
        let weight = self.weight(weight);
        self.node(output, "Conv", &[x, weight], attributes);
    }

    fn norm(&mut self, output: &str, x: String, norm: BatchNorm) {
        let flat = self.flat;
        let slot = self.trace.layout().norm(norm.id);
        let (means, variances) = flat.statistics.split_at(flat.statistics.len() / 2);
        let part = |values: &'a [f32]| values.get(slot.range.clone()).unwrap_or_default();
        let channels = [slot.range.len()];
        let [gamma, beta] = match norm.affine() {
            Some((gamma, beta)) => [gamma, beta].map(|id| self.weight(id)),
            None => [("weight", 1.0), ("bias", 0.0)].map(|(name, value)| {
                let values = vec![value; slot.range.len()];
                self.floats(&format!("{}.{name}", slot.name), &channels, &values)
            }),
        };
        let [mean, variance] =
            [("running_mean", means), ("running_var", variances)].map(|(name, values)| {
                self.floats(&format!("{}.{name}", slot.name), &channels, part(values))
            });
        let epsilon = attribute("epsilon", TYPE_FLOAT).float(FLOAT, norm.options.eps);
        let inputs = [x, gamma, beta, mean, variance];
        self.node(output, "BatchNormalization", &inputs, vec![epsilon]);
    }

    fn pool(&mut self, output: &str, x: String, kind: Pool, stride: usize) {
        let mut attributes =
            vec![ints("kernel_shape", [3; 2]), ints("strides", [stride; 2]), ints("pads", [1; 4])];
        match kind {
            Pool::Max => self.node(output, "MaxPool", &[x], attributes),
            Pool::Average => {
                attributes.push(int("count_include_pad", 0));
                self.node(output, "AveragePool", &[x], attributes);
            }
        }
    }

    fn linear(&mut self, name: &str, x: String, weights: [WeightId; 2]) {
        let features = format!("{name}.features");
        self.node(&features, "Flatten", &[x], vec![int("axis", 1)]);
        let [weight, bias] = weights.map(|id| self.weight(id));
        self.node(OUTPUT, "Gemm", &[features, weight, bias], vec![int("transB", 1)]);
    }

    fn first_channels(&mut self, output: &str, x: String, channels: usize) {
        let constants = [("starts", 0), ("ends", channels as i64), ("axes", 1), ("steps", 1)];
        let constants = constants.map(|(what, value)| {
            let name = format!("channels.{channels}.{what}");
            self.initialisers.insert(name.clone(), tensor::integers(&name, &[value]));
            name
        });
        self.node(output, "Slice", &[&[x][..], &constants].concat(), vec![]);
    }

    /// Every `stride`-th pixel of both axes, from pixel `first` on: `x` itself where those are all.
    fn pixels(&mut self, output: &str, x: String, first: usize, stride: usize) -> String {
        if (first, stride) == (0, 1) {
            return x;
        }
        let constants = [
            ("starts", [first as i64; 2]),
            ("ends", [i64::MAX; 2]),
            ("axes", [2, 3]),
            ("steps", [stride as i64; 2]),
        ];
        let constants = constants.map(|(what, values)| {
            let name = format!("pixels.{first}.{stride}.{what}");
            self.initialisers.insert(name.clone(), tensor::integers(&name, &values));
            name
        });
        let name = format!("{output}.pixels");
        self.node(&name, "Slice", &[&[x][..], &constants].concat(), vec![]);
        name
    }

    fn node(&mut self, output: &str, kind: &str, inputs: &[String], attributes: Vec<Message>) {
        let node = inputs.iter().fold(Message::default(), |node, x| node.text(NODE_INPUT, x));
        let node = node.text(NODE_OUTPUT, output).text(NODE_NAME, output).text(OP_TYPE, kind);
        self.nodes.push(node.messages(ATTRIBUTE, attributes));
    }

    fn weight(&mut self, id: WeightId) -> String {
        let (slot, flat) = (self.trace.layout().weight(id), self.flat);
        let place: Range<usize> = slot.range.clone();
        self.floats(&slot.name, &slot.shape, flat.weights.get(place).unwrap_or_default())
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.initialisers.insert(name.to_owned(), tensor::floats(name, shape, values));
        name.to_owned()
    }
}

fn attribute(name: &str, kind: u64) -> Message {
    Message::default().text(ATTRIBUTE_NAME, name).number(TYPE, kind)
}

fn int(name: &str, value: usize) -> Message {
    attribute(name, TYPE_INT).number(INT, value as u64)
}

fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> Message {
    let values = values.into_iter().map(|value| value as u64);
    attribute(name, TYPE_INTS).numbers(INTS, values)
}
