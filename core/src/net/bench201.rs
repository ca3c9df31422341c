//! The supernet of NAS-Bench-201 (spec §3.6): three stages of one searched cell, a residual block
//! that halves the image and doubles the channels between them. A cell has one input and three
//! nodes, each the sum of edges from all states before it; the last node is its output.

use burn::tensor::Tensor;

use super::dag::Dag;
use super::topology::reduces;
use super::{Classifier, EdgeTable, NetShape, Supernet, flat};
use crate::cell::Choice;
use crate::nn::{
    ActivationInfo, Builder, GradientTarget, Layer, Layout, NormOptions, Pass, Sequence,
};
use crate::ops::{Site, State, relu_square_norm, stem};

/// The supernet: stem, blocks, batch norm, ReLU, global average, classifier.
pub struct Bench201Net {
    layout: Layout,
    architecture: Vec<Choice>,
    stem: Sequence,
    blocks: Vec<Block>,
    last: Sequence,
    classifier: Classifier,
}

enum Block {
    /// A searched cell.
    Cell(Dag),
    /// Two convolutions of which the first has stride 2, beside 2×2 averaging and a 1×1
    /// convolution.
    Residual { convolutions: [Sequence; 2], shortcut: Sequence },
}

impl Bench201Net {
    /// Builds the network of this edge table, whose p are those of `choices`. `shape.cells` counts
    /// the blocks: N cells in each of three stages and two residual blocks are 3N + 2, and those at
    /// 1/3 and 2/3 are the residual ones.
    pub fn new(choices: Vec<Choice>, table: &[EdgeTable], shape: NetShape) -> Self {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let mut channels = shape.channels;
        let stem = stem(&mut builder, shape.image_channels, channels);
        let mut blocks = Vec::with_capacity(shape.cells);
        for index in 0..shape.cells {
            let mut builder = builder.child(format!("cells.{index}"));
            blocks.push(if reduces(index, shape.cells) {
                channels *= 2;
                Block::residual(&mut builder, channels)
            } else {
                Block::cell(&mut builder, table, channels)
            });
        }
        let norm = Layer::norm(&mut builder.child("lastact.0"), channels, NormOptions::new(true));
        let last = Sequence(vec![norm, Layer::Relu]);
        let classifier = Classifier::new(&mut builder.child("classifier"), channels, shape.classes);
        Self { layout, architecture: choices, stem, blocks, last, classifier }
    }
}

impl Supernet for Bench201Net {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn architecture(&self) -> &[Choice] {
        &self.architecture
    }

    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64 {
        let mut info = ActivationInfo::images(image_size, target);
        let stem = self.stem.multiply_adds(&mut info);
        let blocks: u64 = self.blocks.iter().map(|block| block.multiply_adds(&mut info)).sum();
        stem + blocks + self.classifier.multiply_adds(info)
    }

    fn forward(
        &self,
        images: Tensor<4>,
        probabilities: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Tensor<2> {
        let p: Vec<Tensor<1>> = probabilities.iter().map(flat).collect();
        let stem = State::images(images).after(&self.stem, pass);
        let output = self.blocks.iter().fold(stem, |x, block| block.forward(x, &p[0], pass));
        self.classifier.forward(output.after(&self.last, pass).value, pass)
    }
}

impl Block {
    fn cell(builder: &mut Builder, table: &[EdgeTable], channels: usize) -> Self {
        let site = Site { channels, stride: 1, norm: NormOptions::new(false), pool_norm: false };
        let path = |_, edge: &EdgeTable| format!("edges.{}<-{}", edge.node, edge.source);
        Self::Cell(Dag::new(builder, table, 1, site, path))
    }

    fn residual(builder: &mut Builder, channels: usize) -> Self {
        let (before, norm) = (channels / 2, NormOptions::new(true));
        let first = relu_square_norm(&mut builder.child("conv_a"), [before, channels], 3, 2, norm);
        let second =
            relu_square_norm(&mut builder.child("conv_b"), [channels, channels], 3, 1, norm);
        let shortcut = Layer::convolution(builder, "downsample.1", [channels, before, 1, 1], 1);
        let shortcut = Sequence(vec![shortcut]);
        Self::Residual { convolutions: [first, second], shortcut }
    }

    /// Multiply-adds for one image; see [`Layer::multiply_adds`].
    fn multiply_adds(&self, info: &mut ActivationInfo) -> u64 {
        match self {
            Self::Cell(searched) => {
                // By its p in an architecture pass, by the weights before it in a weight pass.
                let node =
                    ActivationInfo { tracked: info.target != GradientTarget::Nothing, ..*info };
                let from = |source| if source == 0 { *info } else { node };
                let count = searched.multiply_adds(from);
                *info = node;
                count
            }
            Self::Residual { convolutions: [first, second], shortcut } => {
                let mut averaged = ActivationInfo { size: info.size.map(|side| side / 2), ..*info };
                let shortcut = shortcut.multiply_adds(&mut averaged);
                shortcut + first.multiply_adds(info) + second.multiply_adds(info)
            }
        }
    }

    /// # Shapes
    /// - `p`: [edges · operations]
    /// - output: as `x`, or with half the height and width and twice the channels
    fn forward(&self, x: State, p: &Tensor<1>, pass: &mut Pass) -> State {
        match self {
            Self::Cell(searched) => {
                let nodes = searched.forward(vec![x.clone()], p, pass);
                nodes.into_iter().last().map_or(x, State::new)
            }
            Self::Residual { convolutions: [first, second], shortcut } => {
                let shortcut = State::new(halved(x.value.clone())).after(shortcut, pass);
                let x = x.after(first, pass).after(second, pass);
                State::new(x.value + shortcut.value)
            }
        }
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
