//! The graph of a derived cell: every edge computes one operation, every node sums its edges.

use shaders::Incoming;

use super::Derived;
use crate::nn::{ActivationInfo, Builder, Pass, Primitive, Trace, Value};
use crate::ops::{Candidate, Site, State};

/// The edges of a cell, node by node.
pub(super) struct Graph {
    /// Path of the cell.
    module: String,
    inputs: usize,
    states: usize,
    edges: Vec<Edge>,
    stride: usize,
}

struct Edge {
    path: String,
    source: usize,
    node: usize,
    operation: Candidate,
}

impl Graph {
    /// Builds the edges in the order of the genotype, edge i at `path` with i in its place; those that
    /// read an input are built for `site`, others for stride 1.
    pub fn new(builder: &mut Builder, derived: &Derived, site: Site, path: &str) -> Self {
        let inputs = derived.cell.inputs.len();
        let module = builder.path().to_owned();
        let edge = |(index, &(source, node, operation)): (usize, &_)| {
            let operation: &'static crate::ops::Operation = operation;
            let stride = if source < inputs { site.stride } else { 1 };
            let mut builder = builder.child(format!("{path}.{index}"));
            let path = builder.path().to_owned();
            let operation = operation.build(&mut builder, Site { stride, ..site });
            Edge { path, source, node, operation }
        };
        let edges = derived.edges.iter().enumerate().map(edge).collect();
        Self { module, inputs, states: derived.cell.states(), edges, stride: site.stride }
    }

    /// Multiply-adds of all operations for one image; `info` tells that of a state.
    pub fn multiply_adds(&self, info: impl Fn(usize) -> ActivationInfo) -> u64 {
        self.edges.iter().map(|edge| edge.operation.multiply_adds(info(edge.source))).sum()
    }

    /// All states: the inputs, then the nodes.
    ///
    /// In train mode drop-path takes images out of what each operation gives, but not out of the
    /// identity (spec §9.1). Every other operation draws a mask, `none` among them, in the order of the
    /// genotype.
    ///
    /// # Shapes
    /// - `inputs`: [batch, height, width, channels]
    /// - each node: [batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
    pub fn forward(&self, inputs: Vec<State>, pass: &mut Pass) -> Vec<State> {
        let mut states: Vec<State> = inputs.into_iter().map(State::for_several).collect();
        let Some(first) = states.first().map(|state| state.value.clone()) else { return states };
        for node in self.inputs..self.states {
            let edges = self.edges.iter().filter(|edge| edge.node == node);
            let incoming = edges.filter_map(|edge| edge.forward(&states, pass)).collect();
            let zeros = || crate::net::dag::zeros(&first, self.stride, first.dims()[3]);
            let sum = shaders::node(pass.kernels, incoming);
            states.push(State::new(sum.unwrap_or_else(zeros)).for_several());
        }
        states
    }

    /// Writes down what [`Self::forward`] computes in eval mode: all states.
    pub fn trace(&self, inputs: Vec<Value>, trace: &mut Trace) -> Vec<Value> {
        let mut states = inputs;
        let Some(&first) = states.first() else { return states };
        for node in self.inputs..self.states {
            let edges = self.edges.iter().filter(|edge| edge.node == node);
            let term = |edge: &Edge| {
                let state = states.get(edge.source)?;
                edge.operation.trace(*state, &edge.path, trace)
            };
            let terms = edges.filter_map(term).collect();
            let name = format!("{}.states.{node}", self.module);
            let sum = trace.sum(name.clone(), terms);
            let zeros = Primitive::Zeros { stride: self.stride };
            states.push(sum.unwrap_or_else(|| trace.step(name, zeros, vec![first])));
        }
        states
    }

    /// Path of the cell.
    pub fn module(&self) -> &str {
        &self.module
    }
}

impl Edge {
    /// What it gives its node; nothing where its operation is `none`.
    fn forward(&self, states: &[State], pass: &mut Pass) -> Option<Incoming> {
        let state = states.get(self.source)?;
        let drops = pass.is_training() && pass.drops_paths() && !self.operation.is_identity();
        if self.operation.is_none() {
            if drops {
                pass.image_masks(state.value.dims()[0], &state.value);
            }
            return None;
        }
        let value = self.operation.forward(state, pass);
        let masks = drops.then(|| pass.image_masks(value.x.dims()[0], &value.x));
        Some(Incoming { value, masks })
    }
}
