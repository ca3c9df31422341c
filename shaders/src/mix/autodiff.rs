//! The way back. The candidates are kept only if the weights are tracked: in the weight step of a
//! search they are not.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{MixGradients, MixOps, SLOTS};

/// All slots and the weights. A candidate in several slots is a parent several times, and gets the
/// gradient of the first.
const PARENTS: usize = SLOTS + 1;

#[derive(Debug)]
struct Mix;

#[derive(Clone, Debug)]
struct State<B: MixOps> {
    candidates: Option<[FloatTensor<B>; SLOTS]>,
    weights: FloatTensor<B>,
    count: usize,
}

impl<B: MixOps + MixGradients> Backward<B, PARENTS> for Mix {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, PARENTS>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State { candidates, weights, count } = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [nodes @ .., weight_node] = ops.parents;
        if let (Some(node), Some([x0, x1, x2, x3, x4, x5, x6, x7])) = (weight_node, candidates) {
            let gradient = gradient.clone();
            let dots = B::mix_weight_gradient(x0, x1, x2, x3, x4, x5, x6, x7, gradient, count);
            grads.register::<B>(node.id, dots);
        }
        for (index, node) in nodes.into_iter().take(count).enumerate() {
            if let Some(node) = node {
                let scaled = B::mix_x_gradient(gradient.clone(), weights.clone(), index);
                grads.register::<B>(node.id, scaled);
            }
        }
    }
}

impl<B: MixOps + MixGradients, C: CheckpointStrategy> MixOps for Autodiff<B, C> {
    fn mix(
        x0: FloatTensor<Self>,
        x1: FloatTensor<Self>,
        x2: FloatTensor<Self>,
        x3: FloatTensor<Self>,
        x4: FloatTensor<Self>,
        x5: FloatTensor<Self>,
        x6: FloatTensor<Self>,
        x7: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        count: usize,
    ) -> FloatTensor<Self> {
        let keep = weights.is_tracked();
        let slots = [x0, x1, x2, x3, x4, x5, x6, x7];
        let [n0, n1, n2, n3, n4, n5, n6, n7] = slots.each_ref().map(|slot| slot.node());
        let (weights, n8) = weights.into_parts();
        let slots = slots.map(|slot| slot.into_primitive());
        let candidates = keep.then(|| slots.clone());
        let [x0, x1, x2, x3, x4, x5, x6, x7] = slots;
        let y = B::mix(x0, x1, x2, x3, x4, x5, x6, x7, weights.clone(), count);
        let nodes = [n0, n1, n2, n3, n4, n5, n6, n7, n8];
        match Mix.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(State { candidates, weights, count }, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
