//! The plan with partial channels. What goes past the candidates is kept apart from what they make, so that the
//! channels are put together and shuffled once for a node, not once for an edge: both are sums over the same
//! edges. Every state is divided once for all edges that leave it.

use burn::tensor::Tensor;
use shaders::{Kernels, Mix, Term};

use super::{Plan, split};
use crate::net::Weights;
use crate::net::dag::{Dag, zeros};
use crate::net::edge::{MixedEdge, add};
use crate::nn::Pass;
use crate::ops::State;

/// The sums of all nodes to come, one after another along the batch; none where nothing comes to them yet.
struct Ahead {
    /// Of what goes through candidates.
    through: Option<Tensor<4>>,
    /// Of what goes past them.
    past: Option<Tensor<4>>,
    /// Whether that is the same for all nodes, and therefore there once: each reads all states before it, and
    /// edges count alike.
    is_shared: bool,
}

impl Ahead {
    /// The first node, which is finished: what went through and what went past.
    fn pop(&mut self, kernels: Kernels, batch: usize) -> [Option<Tensor<4>>; 2] {
        let pop = |ahead: &mut Option<Tensor<4>>| {
            let (node, rest) = split(kernels, ahead.take(), batch);
            *ahead = rest;
            node
        };
        let through = pop(&mut self.through);
        let past = if self.is_shared { self.past.clone() } else { pop(&mut self.past) };
        [through, past]
    }
}

impl Plan {
    /// Adds the nodes to the states, which are the inputs. `zero` is a node that nothing comes to.
    pub fn partial(
        &self,
        dag: &Dag,
        states: &mut Vec<State>,
        zero: impl Fn() -> Tensor<4>,
        weights: &Weights,
        pass: &mut Pass,
    ) {
        let Some(first) = states.first().map(|state| state.value.clone()) else { return };
        let channels = first.dims()[3] / dag.partial.parts;
        let is_shared = weights.edges.is_none() && dag.reads_all();
        let mut ahead = Ahead { through: None, past: None, is_shared };
        let edge_weights = weights.edges.clone().unwrap_or_else(|| ones(dag.edges.len(), &first));
        for (source, plan) in self.by_source.iter().enumerate() {
            let Some(state) = states.get(source) else { break };
            let batch = state.value.dims()[0];
            let (own, past) = dag.partial.divide(state, dag.stride_from(source), pass);
            ahead.through =
                plan.forward(&dag.edges, &own, &weights.candidates, ahead.through.take(), pass);
            let terms = past_terms(dag, source);
            if is_shared {
                add(&mut ahead.past, past);
            } else if !terms.is_empty() {
                let mix = Mix { batch, targets: dag.nodes_after(source), terms };
                let (base, stacks) = (ahead.past.take(), vec![past.into()]);
                ahead.past = Some(mix.forward(pass.kernels, base, stacks, edge_weights.clone()));
            }
            if source + 1 >= self.inputs {
                let [through, past] = ahead.pop(pass.kernels, batch);
                let node = past.map(|past| {
                    // Nothing, where all candidates of its edges are `none`.
                    let through = through.unwrap_or_else(|| zeros(&past, 1, channels));
                    dag.partial.join(pass.kernels, through, past)
                });
                states.push(State::new(node.unwrap_or_else(&zero)));
            }
        }
    }
}

/// What goes past the candidates of the edges that leave a state.
fn past_terms(dag: &Dag, source: usize) -> Vec<Term> {
    let first = dag.first_after(source);
    let edges = dag.edges.iter().filter(|edge| edge.source == source);
    let term =
        |edge: &MixedEdge| Term { target: edge.node - first, stack: 0, group: 0, weight: edge.row };
    edges.map(term).collect()
}

/// Weights of edges that count alike.
fn ones(edges: usize, like: &Tensor<4>) -> Tensor<1> {
    let ones = Tensor::ones([edges], &like.device().inner());
    if like.is_autodiff() { ones.autodiff() } else { ones }
}
