//! The plan with partial channels. What goes past the candidates is kept apart from what they make, so that the
//! channels are put together and shuffled once for a node, not once for an edge: both are sums over the same
//! edges. Every state is divided once for all edges that leave it.

use burn::tensor::Tensor;
use shaders::{Kernels, Mix, Shared, Term};

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
    past: Past,
}

/// The sums of what goes past candidates.
enum Past {
    /// The same for all nodes, and therefore there once: each reads all states before it, and edges count alike.
    Same(Option<Shared>),
    /// Of every node.
    Each(Option<Tensor<4>>),
}

impl Past {
    /// What a state is added to that is the same for all nodes.
    fn base(&self, kernels: Kernels) -> Option<Tensor<4>> {
        match self {
            Self::Same(sum) => sum.as_ref().map(|sum| sum.read(kernels)),
            Self::Each(_) => None,
        }
    }
}

impl Ahead {
    /// The first node, which is finished: what went through and what went past.
    fn pop(&mut self, kernels: Kernels, batch: usize) -> [Option<Tensor<4>>; 2] {
        let pop = |ahead: &mut Option<Tensor<4>>| {
            let (node, rest) = split(kernels, ahead.take(), batch);
            *ahead = rest;
            node
        };
        let past = match &mut self.past {
            Past::Each(sums) => pop(sums),
            same => same.base(kernels),
        };
        [pop(&mut self.through), past]
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
        let is_same = weights.edges.is_none() && dag.reads_all() && !pass.drops_paths();
        let past = if is_same { Past::Same(None) } else { Past::Each(None) };
        let mut ahead = Ahead { through: None, past };
        let edge_weights = weights.edges.clone().unwrap_or_else(|| ones(dag.edges.len(), &first));
        for source in 0..self.by_source.len() {
            let Some(state) = states.get(source) else { break };
            let batch = state.value.dims()[0];
            self.add_state(
                dag,
                (source, state),
                [&weights.candidates, &edge_weights],
                &mut ahead,
                pass,
            );
            if source + 1 >= self.inputs {
                let [through, past] = ahead.pop(pass.kernels, batch);
                let node = past.map(|past| {
                    // Nothing, where all candidates of its edges are `none`.
                    let through = through.unwrap_or_else(|| zeros(&past, 1, channels));
                    dag.partial.join(pass.kernels, through, past)
                });
                states.push(State::new(node.unwrap_or_else(&zero)).for_several());
            }
        }
    }

    /// Adds what leaves a state to the sums. What drop-path takes of an edge, it takes of both.
    fn add_state(
        &self,
        dag: &Dag,
        (source, state): (usize, &State),
        [p, edge_weights]: [&Tensor<1>; 2],
        ahead: &mut Ahead,
        pass: &mut Pass,
    ) {
        let (batch, targets) = (state.value.dims()[0], dag.nodes_after(source));
        let base = ahead.past.base(pass.kernels);
        let (own, past) = dag.partial.divide(state, dag.stride_from(source), base, pass);
        let (drops, terms) = (pass.drops_paths(), past_terms(dag, source));
        let base = ahead.through.take_if(|_| !drops);
        let through = self.by_source[source].mix(&dag.edges, &own, p, base, pass);
        let masks = (drops && !terms.is_empty()).then(|| pass.path_masks(targets * batch, &past));
        add_masked(&mut ahead.through, through, masks.as_ref());
        match &mut ahead.past {
            Past::Same(sum) => *sum = Some(Shared::new(past)),
            Past::Each(_) if terms.is_empty() => {}
            Past::Each(sums) => {
                let base = sums.take_if(|_| !drops);
                let mix = Mix { batch, targets, terms };
                let past = mix.forward(pass.kernels, base, vec![past.into()], edge_weights.clone());
                add_masked(sums, Some(past), masks.as_ref());
            }
        }
    }
}

/// Adds what is left of `x` by masks. Without masks the sum is in it already.
fn add_masked(sum: &mut Option<Tensor<4>>, x: Option<Tensor<4>>, masks: Option<&Tensor<4>>) {
    match (x, masks) {
        (Some(x), Some(masks)) => add(sum, x * masks.clone()),
        (Some(x), None) => *sum = Some(x),
        (None, _) => {}
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
