//! One cell: two preprocessed inputs, nodes that sum mixed edges, and their concatenation.

use burn::tensor::Tensor;

use super::EdgeTable;
use crate::nn::{Builder, Flow, Pass, Sequence, Wanted};
use crate::ops::{Candidate, Site, State, factorized_reduce, relu_conv_norm};

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
    edges: Vec<MixedEdge>,
    nodes: usize,
    reduction: bool,
}

/// An edge that computes all its candidates.
pub(super) struct MixedEdge {
    node: usize,
    pub source: usize,
    candidates: Vec<Candidate>,
}

impl Cell {
    pub fn new(builder: &mut Builder, table: &[EdgeTable], shape: Shape) -> Self {
        let Shape { before, previous, channels, reduction, previous_reduction } = shape;
        let mut first = builder.child("preprocess0");
        let first = if previous_reduction {
            factorized_reduce(&mut first, before, channels, false)
        } else {
            relu_conv_norm(&mut first, before, channels, false)
        };
        let second = relu_conv_norm(&mut builder.child("preprocess1"), previous, channels, false);
        let edges = table.iter().enumerate().map(|(index, edge)| {
            let stride = if reduction && edge.source < 2 { 2 } else { 1 };
            let site = Site { channels, stride, affine: false, pool_norm: true };
            MixedEdge::new(&mut builder.child(format!("_ops.{index}._ops")), edge, site)
        });
        let edges: Vec<MixedEdge> = edges.collect();
        let nodes = edges.iter().map(|edge| edge.node).max().map_or(0, |last| last - 1);
        Self { preprocess: [first, second], edges, nodes, reduction }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes
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
        let edges = self.edges.iter().map(|edge| edge.multiply_adds(state(edge.source)));
        (preprocess + edges.sum::<u64>(), node)
    }

    /// # Shapes
    /// - `before`, `previous`: outputs of the two cells before
    /// - `rows`: [operations] for every edge
    /// - output: [batch, height, width, nodes · channels]
    pub fn forward(
        &self,
        before: &State,
        previous: &State,
        rows: &[Tensor<1>],
        pass: &mut Pass,
    ) -> State {
        let [first, second] = &self.preprocess;
        let mut states = vec![before.after(first, pass), previous.after(second, pass)];
        for node in 2..2 + self.nodes {
            let sum = sum_into(node, &self.edges, &mut states, rows, pass);
            states.extend(sum.map(State::new));
        }
        State::new(concatenate(states.into_iter().skip(2).map(|state| state.value).collect()))
    }
}

/// The channels of all nodes side by side. Through matrices of pixels: what comes back to a node is
/// a view into the gradient of all, which every candidate of five edges would copy for itself (a
/// twelfth of a step on the CPU); the reshape copies it once.
///
/// # Shapes
/// - output: [batch, height, width, nodes · channels]
fn concatenate(nodes: Vec<Tensor<4>>) -> Tensor<4> {
    let Some([batch, height, width, channels]) = nodes.first().map(Tensor::dims) else {
        return Tensor::cat(nodes, 3);
    };
    let count = nodes.len();
    let pixels = |node: Tensor<4>| node.reshape([batch * height * width, channels]);
    let all = Tensor::cat(nodes.into_iter().map(pixels).collect(), 1);
    all.reshape([batch, height, width, count * channels])
}

impl MixedEdge {
    /// Candidate i lies at `i` under the path of `builder`.
    pub fn new(builder: &mut Builder, edge: &EdgeTable, site: Site) -> Self {
        let candidate = |(index, operation): (usize, &&'static crate::ops::Operation)| {
            operation.build(&mut builder.child(index), site)
        };
        let candidates = edge.operations.iter().enumerate().map(candidate).collect();
        Self { node: edge.node, source: edge.source, candidates }
    }

    /// Multiply-adds of all candidates for one image of a state.
    pub fn multiply_adds(&self, from: Flow) -> u64 {
        self.candidates.iter().map(|candidate| candidate.multiply_adds(from)).sum()
    }

    /// `sum` + the edge, which drop-path may drop; then it is computed by itself.
    fn add_to(
        &self,
        sum: Option<Tensor<4>>,
        state: &mut State,
        row: &Tensor<1>,
        pass: &mut Pass,
    ) -> Option<Tensor<4>> {
        if !pass.drops_paths() {
            return self.forward(state, row, sum, pass);
        }
        let own = self.forward(state, row, None, pass).map(|own| pass.drop_path(own));
        [sum, own].into_iter().flatten().reduce(Tensor::add)
    }

    /// `sum` + Σ p·candidate(state) over the candidates that are not zero.
    fn forward(
        &self,
        state: &mut State,
        row: &Tensor<1>,
        sum: Option<Tensor<4>>,
        pass: &mut Pass,
    ) -> Option<Tensor<4>> {
        // Where a space has `none`, it is its first candidate.
        let zeros = self.candidates.iter().take_while(|candidate| candidate.is_none()).count();
        let live = &self.candidates[zeros..];
        if live.is_empty() {
            return sum;
        }
        let outputs = live.iter().map(|candidate| candidate.forward(state, pass)).collect();
        let weights = match zeros {
            0 => row.clone(),
            _ => row.clone().slice([zeros..self.candidates.len()]),
        };
        Some(shaders::mix(pass.kernels, sum, outputs, weights))
    }
}

/// A node: the sum of the mixed edges that end in it; `None` if all their candidates are zero.
///
/// # Shapes
/// - `rows`: [operations] for every edge
pub(super) fn sum_into(
    node: usize,
    edges: &[MixedEdge],
    states: &mut [State],
    rows: &[Tensor<1>],
    pass: &mut Pass,
) -> Option<Tensor<4>> {
    let incoming = edges.iter().zip(rows).filter(|(edge, _)| edge.node == node);
    incoming.fold(None, |sum, (edge, row)| edge.add_to(sum, &mut states[edge.source], row, pass))
}
