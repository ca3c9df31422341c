//! The searched part of a cell: a directed acyclic graph in which every node is the sum of mixed edges
//! from states before it.
//!
//! This file says what that means: [`Dag::plain`] computes edge by edge and candidate by candidate, with
//! nothing shared. That is what [`Kernels::Composed`] runs. [`Plan`] computes the same in fewer and larger
//! steps, and is what [`Kernels::Fused`] runs; tests/plan.rs compares the two over random graphs.

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use shaders::Kernels;

use super::EdgeTable;
use super::edge::{MixedEdge, add};
use super::plan::Plan;
use super::{Partial, Weights};
use crate::nn::{ActivationInfo, Builder, Pass};
use crate::ops::{Site, State};

/// The graph: `inputs` states that are given, then the nodes.
pub struct Dag {
    inputs: usize,
    nodes: usize,
    /// In the order of the table.
    pub(super) edges: Vec<MixedEdge>,
    plan: Plan,
    /// Stride of the edges that leave an input.
    stride: usize,
    pub(super) partial: Partial,
}

impl Dag {
    /// Builds the edges of a table in its order. Edge i lies at `path(i, edge)`, its candidate k at k
    /// under that; edges that leave one of the `inputs` are built for `site`, others for stride 1. Of the
    /// channels of the site those go through candidates that `partial` says.
    pub fn new(
        builder: &mut Builder,
        table: &[EdgeTable],
        inputs: usize,
        (site, partial): (Site, Partial),
        path: impl Fn(usize, &EdgeTable) -> String,
    ) -> Self {
        let nodes = Self::nodes(table, inputs);
        let site = Site { channels: site.channels / partial.parts, ..site };
        let edge = |(row, edge): (usize, &EdgeTable)| {
            let stride = if edge.source < inputs { site.stride } else { 1 };
            MixedEdge::new(&mut builder.child(path(row, edge)), row, edge, Site { stride, ..site })
        };
        let edges: Vec<MixedEdge> = table.iter().enumerate().map(edge).collect();
        let plan = Plan::new(builder, &edges, inputs, inputs + nodes);
        Self { inputs, nodes, edges, plan, stride: site.stride, partial }
    }

    /// Number of nodes of the graph of a table.
    pub fn nodes(table: &[EdgeTable], inputs: usize) -> usize {
        table.iter().map(|edge| edge.node + 1 - inputs).max().unwrap_or(0)
    }

    /// Multiply-adds of all candidates for one image; `info` tells that of a state.
    pub fn multiply_adds(&self, info: impl Fn(usize) -> ActivationInfo) -> u64 {
        let candidates = self.edges.iter().flat_map(|edge| {
            let from = info(edge.source);
            edge.candidates.iter().map(move |candidate| candidate.multiply_adds(from))
        });
        candidates.sum()
    }

    /// The nodes.
    ///
    /// # Shapes
    /// - `inputs`: [batch, height, width, channels]
    /// - each node: [batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
    pub fn forward(
        &self,
        inputs: Vec<State>,
        weights: &Weights,
        pass: &mut Pass,
    ) -> Vec<Tensor<4>> {
        let Some(first) = inputs.first().map(|state| state.value.clone()) else {
            return Vec::new();
        };
        let mut states = inputs;
        let zeros = || zeros(&first, self.stride, first.dims()[3]);
        // What the plan shares between edges, few picked candidates have not.
        match pass.kernels {
            Kernels::Fused if !pass.picks() => match self.partial.is_whole() {
                true => {
                    let p = &weights.candidates;
                    self.plan.forward(&self.edges, &mut states, zeros, p, pass);
                }
                false => self.plan.partial(self, &mut states, zeros, weights, pass),
            },
            _ => self.plain(&mut states, zeros, weights, pass),
        }
        states.into_iter().skip(self.inputs).map(|state| state.read(pass.kernels)).collect()
    }

    /// node = Σ over the edges that end in it of Σ p·candidate(state) (spec §1.2), with p times the weight of
    /// the edge where edges are weighed. State after state, each edge that leaves it adds to its node; after the
    /// inputs a state is the finished sum of its edges.
    ///
    /// Drop-path takes an image out of what an edge gives. Its draws are part of the meaning: once every
    /// edge that leaves a state is computed, and if any gave something, a mask for every node to come, in
    /// order, whether an edge leads there or not. Edges between the same two states share their mask.
    fn plain(
        &self,
        states: &mut Vec<State>,
        zeros: impl Fn() -> Tensor<4>,
        weights: &Weights,
        pass: &mut Pass,
    ) {
        let mut sums: Vec<Option<Tensor<4>>> = vec![None; self.nodes];
        for source in 0..(self.inputs + self.nodes).saturating_sub(1) {
            let Some(state) = states.get(source).cloned() else { break };
            let to_come = (source + 1).saturating_sub(self.inputs);
            let mut mixed: Vec<Option<Tensor<4>>> = vec![None; self.nodes];
            for edge in self.edges.iter().filter(|edge| edge.source == source) {
                if let Some(output) = self.edge(edge, &state, weights, pass) {
                    add(&mut mixed[edge.node - self.inputs], output);
                }
            }
            self.drop_paths(&mut mixed, to_come, pass);
            for (sum, mixed) in sums.iter_mut().zip(mixed) {
                if let Some(mixed) = mixed {
                    add(sum, mixed);
                }
            }
            if source + 1 >= self.inputs {
                states.push(State::new(sums[to_come].take().unwrap_or_else(&zeros)));
            }
        }
    }

    /// What an edge gives. Of partial channels, those that its candidates made and those that went past them,
    /// weighed as it is.
    fn edge(
        &self,
        edge: &MixedEdge,
        state: &State,
        weights: &Weights,
        pass: &mut Pass,
    ) -> Option<Tensor<4>> {
        let candidates = &weights.candidates;
        if self.partial.is_whole() {
            return edge.forward(state, candidates, pass);
        }
        let stride = self.stride_from(edge.source);
        let (own, past) = self.partial.divide(state, stride, None, pass);
        let mixed = edge.forward(&own, candidates, pass);
        let mixed = mixed.unwrap_or_else(|| zeros(&own.value, stride, own.value.dims()[3]));
        let past = match &weights.edges {
            Some(weights) => past * weights.clone().slice([edge.row..edge.row + 1]).reshape([1; 4]),
            None => past,
        };
        Some(self.partial.join(pass.kernels, mixed, past))
    }

    /// Stride of the edges that leave a state.
    pub(super) fn stride_from(&self, source: usize) -> usize {
        if source < self.inputs { self.stride } else { 1 }
    }

    /// The first state that is not known once this one is.
    pub(super) fn first_after(&self, source: usize) -> usize {
        self.inputs.max(source + 1)
    }

    /// Whether every node reads every state before it, once.
    pub(super) fn reads_all(&self) -> bool {
        let ends: BTreeSet<_> = self.edges.iter().map(|edge| (edge.node, edge.source)).collect();
        let all = (self.inputs..self.inputs + self.nodes).sum::<usize>();
        ends.len() == all && self.edges.len() == all
    }

    /// How many nodes are not known then.
    pub(super) fn nodes_after(&self, source: usize) -> usize {
        self.inputs + self.nodes - self.first_after(source)
    }

    /// Drop-path on what leaves a state: `mixed` by node, those before `first` are finished.
    fn drop_paths(&self, mixed: &mut [Option<Tensor<4>>], first: usize, pass: &mut Pass) {
        let Some(some) = mixed.iter().flatten().next().filter(|_| pass.drops_paths()) else {
            return;
        };
        let batch = some.dims()[0];
        let masks = pass.path_masks((self.nodes - first) * batch, some);
        for (index, mixed) in mixed.iter_mut().skip(first).enumerate() {
            let mask = masks.clone().slice([index * batch..(index + 1) * batch]);
            *mixed = mixed.take().map(|mixed| mixed * mask);
        }
    }
}

/// What a node of so many channels is that nothing comes to, by edges of this stride.
pub(super) fn zeros(input: &Tensor<4>, stride: usize, channels: usize) -> Tensor<4> {
    let [batch, height, width, _] = input.dims();
    let shape = [batch, height.div_ceil(stride), width.div_ceil(stride), channels];
    let zeros = Tensor::zeros(shape, &input.device().inner());
    if input.is_autodiff() { zeros.autodiff() } else { zeros }
}
