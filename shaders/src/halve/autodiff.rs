//! The way back.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{HalveGradients, HalveOps, Halves};

#[derive(Debug)]
struct HalveBackward;

impl<B: HalveOps + HalveGradients> Backward<B, 1> for HalveBackward {
    type State = (FloatTensor<B>, Halves);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([node], (x, halves)) = (ops.parents, ops.state);
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::halve_gradient(x, gradient, halves));
        }
    }
}

impl<B: HalveOps + HalveGradients, C: CheckpointStrategy> HalveOps for Autodiff<B, C> {
    fn halve(x: FloatTensor<Self>, halves: Halves) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = B::halve(x.clone(), halves);
        match HalveBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, halves), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
