//! The way back. Both parts share whether one of them has come back, as those of a stack do.

use std::sync::atomic::Ordering;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{ChannelGradients, ChannelOps, Part};

#[derive(Debug)]
struct ChannelsBackward;

#[derive(Clone, Debug)]
struct State<B: ChannelOps> {
    x: FloatTensor<B>,
    part: Part,
}

impl<B: ChannelOps + ChannelGradients> Backward<B, 1> for ChannelsBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([node], State { x, part }) = (ops.parents, ops.state);
        let gradient = grads.consume::<B>(&ops.node);
        let Some(node) = node else { return };
        // The gradient of a leaf, which has no parents, stays where it is when it is read, so nothing can
        // take its place.
        let is_known = part.has_come_back.swap(true, Ordering::Relaxed) && !node.parents.is_empty();
        let known = if is_known { grads.consume::<B>(&node) } else { gradient.clone() };
        let gradient = B::channels_gradient(x, known, gradient, is_known, part);
        grads.register::<B>(node.id, gradient);
    }
}

impl<B: ChannelOps + ChannelGradients, C: CheckpointStrategy> ChannelOps for Autodiff<B, C> {
    fn channels(x: FloatTensor<Self>, part: Part) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = B::channels(x.clone(), part.clone());
        match ChannelsBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(State { x, part }, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
