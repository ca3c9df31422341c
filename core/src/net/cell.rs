//! One cell: two preprocessed inputs, nodes that sum mixed edges, and their concatenation.

use burn::tensor::Tensor;

use super::EdgeTable;
use super::dag::Dag;
use crate::nn::{Builder, Flow, NormOptions, Pass, Sequence, Wanted};
use crate::ops::{Site, State, factorized_reduce, relu_conv_norm};

/// Channels around a cell, and where it reduces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    before: usize,
    previous: usize,
    channels: usize,
    reduction: bool,
    previous_reduction: bool,
}

impl Shape {
    /// Before the first cell: both its inputs are the stem.
    pub fn stem(stem_channels: usize, channels: usize) -> Self {
        Self {
            before: stem_channels,
            previous: stem_channels,
            channels,
            reduction: false,
            previous_reduction: false,
        }
    }

    /// Channels of the newest cell's output.
    pub fn previous(&self) -> usize {
        self.previous
    }

    /// At the next cell; a reduction doubles its channels.
    pub fn next(self, reduction: bool) -> Self {
        let channels = if reduction { 2 * self.channels } else { self.channels };
        Self { channels, reduction, previous_reduction: self.reduction, ..self }
    }

    /// After a cell that concatenates `nodes` nodes.
    pub fn after(self, nodes: usize) -> Self {
        Self { before: self.previous, previous: nodes * self.channels, ..self }
    }
}

pub(super) struct Cell {
    preprocess: [Sequence; 2],
    searched: Dag,
    reduction: bool,
}

impl Cell {
    pub fn new(builder: &mut Builder, table: &[EdgeTable], shape: Shape) -> Self {
        let Shape { before, previous, channels, reduction, previous_reduction } = shape;
        let norm = NormOptions::new(false);
        let mut first = builder.child("preprocess0");
        let first = if previous_reduction {
            factorized_reduce(&mut first, before, channels, norm)
        } else {
            relu_conv_norm(&mut first, before, channels, norm)
        };
        let second = relu_conv_norm(&mut builder.child("preprocess1"), previous, channels, norm);
        let stride = if reduction { 2 } else { 1 };
        let site = Site { channels, stride, norm, pool_norm: true };
        let searched = Dag::new(builder, table, 2, site, |row, _| format!("_ops.{row}._ops"));
        Self { preprocess: [first, second], searched, reduction }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.searched.nodes()
    }

    /// Index of its architecture tensor: 0 for a normal cell, 1 for a reduction cell.
    pub fn kind(&self) -> usize {
        usize::from(self.reduction)
    }

    /// Multiply-adds for one image, and the flow out of the cell.
    pub fn multiply_adds(&self, before: Flow, previous: Flow) -> (u64, Flow) {
        let [mut first, mut second] = [before, previous];
        let preprocess = self.preprocess[0].multiply_adds(&mut first)
            + self.preprocess[1].multiply_adds(&mut second);
        let stride = if self.reduction { 2 } else { 1 };
        let node = Flow {
            size: first.size.map(|side| side.div_ceil(stride)),
            // By its p in an architecture pass, by its candidates' weights in a weight pass.
            tracked: first.wanted != Wanted::Nothing,
            ..first
        };
        let state = |source: usize| [first, second].get(source).copied().unwrap_or(node);
        (preprocess + self.searched.multiply_adds(state), node)
    }

    /// # Shapes
    /// - `before`, `previous`: outputs of the two cells before
    /// - `p`: [edges · operations]
    /// - output: [batch, height, width, nodes · channels]
    pub fn forward(
        &self,
        before: &State,
        previous: &State,
        p: &Tensor<1>,
        pass: &mut Pass,
    ) -> State {
        let [first, second] = &self.preprocess;
        let inputs = vec![before.after(first, pass), previous.after(second, pass)];
        let nodes = self.searched.forward(inputs, p, pass);
        State::new(shaders::beside(pass.kernels, nodes))
    }
}
