//! The network of NAS-Bench-201 (spec §3.6), as a supernet and as what is trained: three stages of one searched cell, a residual block
//! that halves the image and doubles the channels between them. A cell has one input and three
//! nodes, each the sum of edges from all states before it; the last node is its output.

use burn::tensor::Tensor;

use super::dag::Dag;
use super::topology::reduces;
use super::{Build, EdgeTable, LinearClassifier, NetShape, Supernet, Weighing};
use crate::cell::Choice;
use crate::nn::{
    ActivationInfo, Builder, GradientTarget, Layer, Layout, NormOptions, Pass, Primitive, Sequence,
    Trace, Value,
};
use crate::ops::{Site, State, relu_square_norm, stem};

/// The supernet: the skeleton around a mixed cell.
pub struct Bench201Net {
    layout: Layout,
    architecture: Vec<Choice>,
    weighing: Vec<Weighing>,
    skeleton: Skeleton<Dag>,
}

/// Stem, blocks, batch norm, ReLU, global average, classifier, around cells of any kind: those of the
/// supernet, or of the network that is trained from a genotype.
pub(super) struct Skeleton<C> {
    stem: Sequence,
    blocks: Vec<Block<C>>,
    last: Sequence,
    classifier: LinearClassifier,
}

enum Block<C> {
    /// A cell.
    Cell(C),
    /// Two convolutions of which the first has stride 2, beside 2×2 averaging and a 1×1
    /// convolution.
    Residual(Residual),
}

struct Residual {
    convolutions: [Sequence; 2],
    shortcut: Sequence,
}

impl Bench201Net {
    /// Builds the network of this edge table, whose p are those of `choices`. `shape.cells` counts
    /// the blocks: N cells in each of three stages and two residual blocks are 3N + 2, and those at
    /// 1/3 and 2/3 are the residual ones.
    pub fn new(choices: Vec<Choice>, table: &[EdgeTable], shape: NetShape, build: &Build) -> Self {
        let mut layout = Layout::default();
        let skeleton = Skeleton::new(&mut Builder::new(&mut layout), shape, |builder, channels| {
            let site =
                Site { channels, stride: 1, norm: NormOptions::new(false), pool_norm: false };
            let path = |_, edge: &EdgeTable| format!("edges.{}<-{}", edge.node, edge.source);
            Dag::new(builder, table, 1, (site, build.partial()), path)
        });
        Self { layout, weighing: Weighing::all(&choices), architecture: choices, skeleton }
    }
}

impl Supernet for Bench201Net {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn architecture(&self) -> &[Choice] {
        &self.architecture
    }

    fn takes(&self) -> Option<Vec<usize>> {
        // Weights of edges are not derived.
        (self.architecture.len() == 1).then(|| vec![1])
    }

    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64 {
        self.skeleton.multiply_adds(image_size, target, |searched, info| {
            // By its p in an architecture pass, by the weights before it in a weight pass.
            let node = ActivationInfo { tracked: target != GradientTarget::Nothing, ..info };
            (searched.multiply_adds(|source| if source == 0 { info } else { node }), node)
        })
    }

    fn forward(
        &self,
        images: Tensor<4>,
        probabilities: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Tensor<2> {
        let Some(weights) = self.weighing.first().map(|it| it.of(probabilities)) else {
            return Tensor::zeros([0; 2], &images.device());
        };
        self.skeleton.forward(images, pass, |searched, x, pass| {
            let nodes = searched.forward(vec![x.clone()], &weights, pass);
            nodes.into_iter().last().map_or(x, State::new)
        })
    }
}

impl<C> Skeleton<C> {
    /// Builds the network with the cells that `cell` makes for so many channels.
    pub fn new(
        builder: &mut Builder,
        shape: NetShape,
        mut cell: impl FnMut(&mut Builder, usize) -> C,
    ) -> Self {
        let mut channels = shape.channels;
        let stem = stem(builder, shape.image_channels, channels, NormOptions::new(true));
        let mut blocks = Vec::with_capacity(shape.cells);
        for index in 0..shape.cells {
            let mut builder = builder.child(format!("cells.{index}"));
            blocks.push(if reduces(index, shape.cells) {
                channels *= 2;
                Block::Residual(Residual::new(&mut builder, channels))
            } else {
                Block::Cell(cell(&mut builder, channels))
            });
        }
        let norm = Layer::norm(&mut builder.child("lastact.0"), channels, NormOptions::new(true));
        let last = Sequence(vec![norm, Layer::Relu]);
        let classifier =
            LinearClassifier::new(&mut builder.child("classifier"), channels, shape.classes);
        Self { stem, blocks, last, classifier }
    }

    /// Multiply-adds for one image; see [`Layer::multiply_adds`]. `cell` gives those of a cell, and what
    /// is known of its output.
    pub fn multiply_adds(
        &self,
        image_size: usize,
        target: GradientTarget,
        cell: impl Fn(&C, ActivationInfo) -> (u64, ActivationInfo),
    ) -> u64 {
        let mut info = ActivationInfo::images(image_size, target);
        let mut total = self.stem.multiply_adds(&mut info);
        for block in &self.blocks {
            total += match block {
                Block::Cell(of_block) => {
                    let (count, output) = cell(of_block, info);
                    info = output;
                    count
                }
                Block::Residual(residual) => residual.multiply_adds(&mut info),
            };
        }
        total + self.classifier.multiply_adds(info)
    }

    /// Logits; `cell` computes a cell.
    ///
    /// # Shapes
    /// - `images`: [batch, height, width, channels]
    /// - output: [batch, classes]
    pub fn forward(
        &self,
        images: Tensor<4>,
        pass: &mut Pass,
        cell: impl Fn(&C, State, &mut Pass) -> State,
    ) -> Tensor<2> {
        let stem = State::images(images).after(&self.stem, pass);
        let output = self.blocks.iter().fold(stem, |x, block| match block {
            Block::Cell(of_block) => cell(of_block, x, pass),
            Block::Residual(residual) => residual.forward(x, pass),
        });
        self.classifier.forward(output.after(&self.last, pass).value, pass)
    }

    /// Writes down what [`Self::forward`] computes in eval mode; `cell` writes a cell.
    pub fn trace(&self, trace: &mut Trace, cell: impl Fn(&C, Value, &mut Trace) -> Value) {
        let mut x = self.stem.trace(Value::Images, "stem", trace);
        for (index, block) in self.blocks.iter().enumerate() {
            x = match block {
                Block::Cell(of_block) => cell(of_block, x, trace),
                Block::Residual(residual) => residual.trace(x, &format!("cells.{index}"), trace),
            };
        }
        let x = self.last.trace(x, "lastact", trace);
        self.classifier.trace(x, trace);
    }
}

impl Residual {
    fn new(builder: &mut Builder, channels: usize) -> Self {
        let (before, norm) = (channels / 2, NormOptions::new(true));
        let first = relu_square_norm(&mut builder.child("conv_a"), [before, channels], 3, 2, norm);
        let second =
            relu_square_norm(&mut builder.child("conv_b"), [channels, channels], 3, 1, norm);
        let shortcut = Layer::convolution(builder, "downsample.1", [channels, before, 1, 1], 1);
        Self { convolutions: [first, second], shortcut: Sequence(vec![shortcut]) }
    }

    /// Multiply-adds for one image; see [`Layer::multiply_adds`].
    fn multiply_adds(&self, info: &mut ActivationInfo) -> u64 {
        let mut averaged = ActivationInfo { size: info.size.map(|side| side / 2), ..*info };
        let shortcut = self.shortcut.multiply_adds(&mut averaged);
        let [first, second] = &self.convolutions;
        shortcut + first.multiply_adds(info) + second.multiply_adds(info)
    }

    /// # Shapes
    /// - output: half the height and width of `x` and twice its channels
    fn forward(&self, x: State, pass: &mut Pass) -> State {
        let shortcut = State::new(halved(x.value.clone())).after(&self.shortcut, pass);
        let [first, second] = &self.convolutions;
        let x = x.after(first, pass).after(second, pass);
        State::new(x.value + shortcut.value)
    }

    fn trace(&self, x: Value, path: &str, trace: &mut Trace) -> Value {
        let halved = trace.step(format!("{path}.downsample.0"), Primitive::Halved, vec![x]);
        let shortcut = self.shortcut.trace(halved, path, trace);
        let [first, second] = &self.convolutions;
        let x = first.trace(x, path, trace);
        let x = second.trace(x, path, trace);
        trace.step(path.to_owned(), Primitive::Sum, vec![x, shortcut])
    }
}

/// The mean of every 2×2 pixels.
fn halved(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    x.reshape([batch, height / 2, 2, width / 2, 2, channels]).mean_dim(4).mean_dim(2).reshape([
        batch,
        height / 2,
        width / 2,
        channels,
    ])
}
