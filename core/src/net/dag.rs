//! The searched part of a cell: a directed acyclic graph in which every node is the sum of mixed edges
//! from states before it. All edges that leave a state are computed together, as soon as it is known:
//! what they have in common is computed once, and what differs in weights alone is one kernel.

mod fan;

use burn::tensor::Tensor;
use shaders::Kernels;

use super::EdgeTable;
use crate::nn::{Builder, Flow, Pass};
use crate::ops::{Candidate, Operation, Site, State};
use fan::Fan;

/// The graph: `inputs` states that are given, then the nodes.
pub(super) struct Dag {
    inputs: usize,
    nodes: usize,
    /// By source.
    fans: Vec<Fan>,
    /// Stride of the edges that leave an input.
    stride: usize,
}

/// An edge that computes all its candidates.
struct MixedEdge {
    /// Its row in the architecture tensor.
    row: usize,
    /// State that it ends in.
    node: usize,
    source: usize,
    candidates: Vec<Candidate>,
}

impl Dag {
    /// Builds the edges of a table in its order. Edge i lies at `path(i, edge)`, its candidate k at k
    /// under that; edges that leave one of the `inputs` are built for `site`, others for stride 1.
    pub fn new(
        builder: &mut Builder,
        table: &[EdgeTable],
        inputs: usize,
        site: Site,
        path: impl Fn(usize, &EdgeTable) -> String,
    ) -> Self {
        let last = table.iter().map(|edge| edge.node + 1).max().unwrap_or(inputs);
        let mut leaving: Vec<Vec<MixedEdge>> = (0..last).map(|_| Vec::new()).collect();
        for (row, edge) in table.iter().enumerate() {
            let stride = if edge.source < inputs { site.stride } else { 1 };
            let mut builder = builder.child(path(row, edge));
            let site = Site { stride, ..site };
            leaving[edge.source].push(MixedEdge::new(&mut builder, row, edge, site));
        }
        // The last node has no edge that leaves it.
        leaving.pop();
        let fan = |(source, edges)| Fan::new(builder, edges, first_node(source, inputs), last);
        let fans = leaving.into_iter().enumerate().map(fan).collect();
        Self { inputs, nodes: last - inputs, fans, stride: site.stride }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Multiply-adds of all candidates for one image; `flow` tells that of a state.
    pub fn multiply_adds(&self, flow: impl Fn(usize) -> Flow) -> u64 {
        let edges = self.fans.iter().flat_map(Fan::edges);
        let candidates = edges.flat_map(|edge| {
            let from = flow(edge.source);
            edge.candidates.iter().map(move |candidate| candidate.multiply_adds(from))
        });
        candidates.sum()
    }

    /// The nodes.
    ///
    /// # Shapes
    /// - `inputs`: [batch, height, width, channels]
    /// - `p`: [edges · operations]
    /// - each node: [batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
    pub fn forward(&self, inputs: Vec<State>, p: &Tensor<1>, pass: &mut Pass) -> Vec<Tensor<4>> {
        let Some(first) = inputs.first().map(|state| state.value.clone()) else {
            return Vec::new();
        };
        let (mut states, mut nodes) = (inputs, Vec::with_capacity(self.nodes));
        // The sums of all nodes to come, one after another along the batch.
        let mut ahead = None;
        for (source, fan) in self.fans.iter().enumerate() {
            let Some(state) = states.get(source) else { break };
            ahead = fan.forward(state, p, ahead, pass);
            if source + 1 >= self.inputs {
                let (node, rest) = split(pass.kernels, ahead, first.dims()[0]);
                ahead = rest;
                let node = node.unwrap_or_else(|| zeros(&first, self.stride));
                states.push(State::new(node.clone()));
                nodes.push(node);
            }
        }
        nodes
    }
}

/// The first node that is not finished when a source is.
fn first_node(source: usize, inputs: usize) -> usize {
    inputs.max(source + 1)
}

/// The first activation of a stack, and the others.
fn split(
    kernels: Kernels,
    stack: Option<Tensor<4>>,
    batch: usize,
) -> (Option<Tensor<4>>, Option<Tensor<4>>) {
    let Some(stack) = stack else { return (None, None) };
    if stack.dims()[0] <= batch {
        return (Some(stack), None);
    }
    let (first, others) = shaders::split(kernels, stack, batch);
    (Some(first), Some(others))
}

/// A node that nothing comes to.
fn zeros(input: &Tensor<4>, stride: usize) -> Tensor<4> {
    let [batch, height, width, channels] = input.dims();
    let shape = [batch, height.div_ceil(stride), width.div_ceil(stride), channels];
    let zeros = Tensor::zeros(shape, &input.device().inner());
    if input.is_autodiff() { zeros.autodiff() } else { zeros }
}

impl MixedEdge {
    fn new(builder: &mut Builder, row: usize, edge: &EdgeTable, site: Site) -> Self {
        let candidate = |(index, operation): (usize, &&'static Operation)| {
            operation.build(&mut builder.child(index), site)
        };
        let candidates = edge.operations.iter().enumerate().map(candidate).collect();
        Self { row, node: edge.node, source: edge.source, candidates }
    }
}
