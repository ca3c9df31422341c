//! How the searched part of a cell is computed fast. What it means stands in [`Dag`](super::Dag); this
//! gives the same up to rounding.
//!
//! A cell is evaluated by source state, not by edge, as soon as a state is known. All candidates of all
//! edges that leave it read the same activation, so
//!
//! - candidates that are chains of units (separable and dilated convolutions) become banks: one kernel
//!   for all first units of one length, one for all second ones ([`UnitBank`](crate::nn::UnitBank)). The
//!   weights of a bank lie side by side ([`Builder::join`]), as do its statistics;
//! - pooling and the identity have no weights: they are computed and normalised once for a state instead of
//!   once for an edge, both ways of pooling in one kernel. The batch norms of the other edges saw the same,
//!   and their running statistics are told so. They start equal and stay so, which eval mode relies on: it
//!   normalises by those of the first edge;
//! - the sums of all nodes to come lie in one stack along the batch: one call adds everything that leaves a
//!   state to them, with the pending batch norms applied on the way ([`Mix`](shaders::Mix)).
//!
//! About ten calls for a state instead of a hundred. When it came, a DARTS step of four cells launched 3,358
//! kernels on wgpu instead of 13,356, one of eight cells made 1,738 calls on the CPU instead of 5,246; one
//! kernel for both ways of pooling took 31 ms of a step of four cells on a software Vulkan instead of 127.

mod out_edges;
mod partial;

use burn::tensor::Tensor;
use shaders::Kernels;

use super::edge::MixedEdge;
use crate::nn::{Builder, Pass};
use crate::ops::State;
use out_edges::OutEdges;

/// The edges of a graph, planned state by state.
pub(super) struct Plan {
    inputs: usize,
    by_source: Vec<OutEdges>,
}

impl Plan {
    /// Plans the edges of a graph of so many states, the inputs among them. It places the weights: what one
    /// kernel reads lies side by side.
    pub fn new(builder: &mut Builder, edges: &[MixedEdge], inputs: usize, states: usize) -> Self {
        // The last node has no edge that leaves it.
        let sources = 0..states.saturating_sub(1);
        let plan = |source| {
            let first = inputs.max(source + 1);
            OutEdges::new(builder, edges, source, first, states)
        };
        Self { inputs, by_source: sources.map(plan).collect() }
    }

    /// Adds the nodes to the states, which are the inputs. `zeros` is a node that nothing comes to.
    ///
    /// # Shapes
    /// - `p`: [edges · operations]
    pub fn forward(
        &self,
        edges: &[MixedEdge],
        states: &mut Vec<State>,
        zeros: impl Fn() -> Tensor<4>,
        p: &Tensor<1>,
        pass: &mut Pass,
    ) {
        *states = std::mem::take(states).into_iter().map(State::for_several).collect();
        // The sums of all nodes to come, one after another along the batch.
        let mut ahead = None;
        for (source, plan) in self.by_source.iter().enumerate() {
            let Some(state) = states.get(source) else { break };
            let batch = state.value.dims()[0];
            ahead = plan.forward(edges, state, p, ahead, pass);
            if source + 1 >= self.inputs {
                let (node, rest) = split(pass.kernels, ahead, batch);
                ahead = rest;
                states.push(State::new(node.unwrap_or_else(&zeros)).for_several());
            }
        }
    }
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
    let (first, others) = shaders::split_at(kernels, stack, batch);
    (Some(first), Some(others))
}
