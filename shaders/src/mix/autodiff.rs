//! The way back. The sums are computed once for all stacks and for the weights.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{MixGradients, MixOps, Mixture, SLOTS, Slots};

/// All slots, the base and the weights. A stack in several slots is a parent several times, and gets
/// the gradient of the first.
const PARENTS: usize = SLOTS + 2;

#[derive(Debug)]
struct MixBackward;

#[derive(Clone, Debug)]
struct State<B: MixOps> {
    slots: Slots<B>,
    weights: FloatTensor<B>,
    mixture: Mixture,
}

impl<B: MixOps + MixGradients> Backward<B, PARENTS> for MixBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, PARENTS>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State { slots, weights, mixture } = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [nodes @ .., base_node, weight_node] = ops.parents;
        let of_batch = mixture.norms.iter().flatten().any(|norm| norm.of_batch);
        // Where no sums are needed the kernels do not look at what takes their place.
        let sums = match weight_node.is_some() || of_batch {
            true => B::mix_sums(slots.clone(), gradient.clone(), mixture.clone()),
            false => weights.clone(),
        };
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, B::mix_weight_gradient(sums.clone(), mixture.clone()));
        }
        let count = mixture.count;
        let wanted = std::array::from_fn(|slot| slot < count && nodes[slot].is_some());
        if wanted.contains(&true) {
            let gradients =
                B::mix_x_gradients(slots, weights, gradient.clone(), sums, wanted, mixture);
            for (node, gradient) in nodes.into_iter().zip(gradients.into_list()).take(count) {
                if let Some(node) = node {
                    grads.register::<B>(node.id, gradient);
                }
            }
        }
        if let Some(node) = base_node {
            grads.register::<B>(node.id, gradient);
        }
    }
}

impl<B: MixOps + MixGradients, C: CheckpointStrategy> MixOps for Autodiff<B, C> {
    fn mix(
        base: FloatTensor<Self>,
        slots: Slots<Self>,
        weights: FloatTensor<Self>,
        mixture: Mixture,
    ) -> FloatTensor<Self> {
        let (base, base_node) = base.into_parts();
        let (weights, weight_node) = weights.into_parts();
        let (x, moments) = slots.into_lists();
        let [n0, n1, n2, n3, n4, n5, n6, n7] = x.each_ref().map(|x| x.node());
        let x = x.map(|x| x.into_primitive());
        let slots = Slots::from_lists(x, moments.map(|moments| moments.into_primitive()));
        let y = B::mix(base, slots.clone(), weights.clone(), mixture.clone());
        let nodes = [n0, n1, n2, n3, n4, n5, n6, n7, base_node, weight_node];
        match MixBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(State { slots, weights, mixture }, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
