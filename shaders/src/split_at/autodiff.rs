//! The way back. All parts share whether one of them has come back: then there is a gradient of the stack
//! already, to which the other is added.

use std::sync::atomic::Ordering;

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{Part, PartGradients, PartOps};

#[derive(Debug)]
struct PartBackward;

impl<B: PartOps + PartGradients> Backward<B, 1> for PartBackward {
    type State = Part;

    fn backward(self, ops: Ops<Part, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([node], part) = (ops.parents, ops.state);
        let gradient = grads.consume::<B>(&ops.node);
        let Some(node) = node else { return };
        // The gradient of a leaf, which has no parents, stays where it is when it is read, so nothing can
        // take its place.
        let is_known = part.has_come_back.swap(true, Ordering::Relaxed) && !node.parents.is_empty();
        if !is_known && part.is_all() {
            return grads.register::<B>(node.id, gradient);
        }
        let known = if is_known { grads.consume::<B>(&node) } else { gradient.clone() };
        grads.register::<B>(node.id, B::part_gradient(known, gradient, is_known, part));
    }
}

impl<B: PartOps + PartGradients, C: CheckpointStrategy> PartOps for Autodiff<B, C> {
    fn part(x: FloatTensor<Self>, part: Part) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = B::part(x, part.clone());
        match PartBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(part, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
