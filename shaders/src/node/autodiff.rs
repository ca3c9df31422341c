//! The way back: the base gets the gradient as it is, an edge through its mask and its batch norm.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{Edges, NodeGradients, NodeOps, PLACES, Sum};

/// The base, and x and γ with β of every place.
const PARENTS: usize = 1 + 2 * PLACES;

#[derive(Debug)]
struct NodeBackward;

type State<B> = (Edges<B>, Sum);

impl<B: NodeOps + NodeGradients> Backward<B, PARENTS> for NodeBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, PARENTS>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (edges, sum) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [base, x0, affine0, x1, affine1] = ops.parents;
        let (_, places) = edges.into_parts();
        let nodes = [(x0, affine0), (x1, affine1)];
        // The places that are left hold the last edge again.
        for ((edge, it), (x, affine)) in sum.edges.into_iter().zip(places).zip(nodes) {
            // Where no sums are needed the kernels do not look at what takes their place.
            let sums = match affine.is_some() || edge.of_batch() {
                true => B::edge_sums(it.clone(), gradient.clone(), edge),
                false => it.moments.clone(),
            };
            if let Some(node) = x {
                let for_x = match edge.norm.is_none() && !edge.masked {
                    true => gradient.clone(),
                    false => B::edge_gradient(it, gradient.clone(), sums.clone(), edge),
                };
                grads.register::<B>(node.id, for_x);
            }
            if let Some(node) = affine {
                grads.register::<B>(node.id, sums);
            }
        }
        if let Some(node) = base {
            grads.register::<B>(node.id, gradient);
        }
    }
}

impl<B: NodeOps + NodeGradients, C: CheckpointStrategy> NodeOps for Autodiff<B, C> {
    fn node(edges: Edges<Self>, sum: Sum) -> FloatTensor<Self> {
        let Edges { base, x0, x1, moments0, moments1, affine0, affine1, masks0, masks1 } = edges;
        let nodes = [base.node(), x0.node(), affine0.node(), x1.node(), affine1.node()];
        let edges = Edges {
            base: base.into_primitive(),
            x0: x0.into_primitive(),
            x1: x1.into_primitive(),
            moments0: moments0.into_primitive(),
            moments1: moments1.into_primitive(),
            affine0: affine0.into_primitive(),
            affine1: affine1.into_primitive(),
            masks0: masks0.into_primitive(),
            masks1: masks1.into_primitive(),
        };
        let y = B::node(edges.clone(), sum.clone());
        match NodeBackward.prepare::<C>(nodes).compute_bound().stateful() {
            // The base has no part in its way back.
            OpsKind::Tracked(prep) => {
                let base = edges.x0.clone();
                prep.finish((Edges { base, ..edges }, sum), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
