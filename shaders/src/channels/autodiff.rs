//! The way back. The gradients of the parts wait until both are there, or until it is known that only one comes:
//! the gradient that is registered for the activation before stands for them.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{ChannelGradients, ChannelOps, Division, Part, There};

#[derive(Debug)]
struct PartBackward;

impl<B: ChannelOps> Backward<B, 2> for PartBackward {
    type State = Part;

    fn backward(self, ops: Ops<Part, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([node, base], part) = (ops.parents, ops.state);
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(base) = base.filter(|_| part.has_base) {
            grads.register::<B>(base.id, gradient.clone());
        }
        let Some(node) = node else { return };
        // It only says that something waits: a second one would be added to it.
        if part.division.waiting.add::<B>(part.is_first, gradient.clone()) {
            grads.register::<B>(node.id, gradient);
        }
    }
}

#[derive(Debug)]
struct DividedBackward;

#[derive(Clone, Debug)]
struct State<B: ChannelOps> {
    x: FloatTensor<B>,
    division: Division,
}

impl<B: ChannelOps + ChannelGradients> Backward<B, 1> for DividedBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([node], State { x, division }) = (ops.parents, ops.state);
        drop(grads.consume::<B>(&ops.node));
        let [first, others] = division.waiting.take::<B>();
        let Some(node) = node else { return };
        // The gradient of a leaf, which has no parents, stays where it is when it is read, so nothing can
        // take its place.
        let is_known = division.is_known() && !node.parents.is_empty();
        let known = is_known.then(|| grads.consume::<B>(&node));
        let there = There { known: is_known, first: first.is_some(), others: others.is_some() };
        let [known, first, others] =
            [known, first, others].map(|it| it.unwrap_or_else(|| x.clone()));
        let gradient = B::channels_gradient(x, known, first, others, there, division);
        grads.register::<B>(node.id, gradient);
    }
}

impl<B: ChannelOps + ChannelGradients, C: CheckpointStrategy> ChannelOps for Autodiff<B, C> {
    fn divided(x: FloatTensor<Self>, division: Division) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = B::divided(x.clone(), division.clone());
        match DividedBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(State { x, division }, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn channels(x: FloatTensor<Self>, base: FloatTensor<Self>, part: Part) -> FloatTensor<Self> {
        let ((x, node), (base, base_node)) = (x.into_parts(), base.into_parts());
        let y = B::channels(x, base, part.clone());
        match PartBackward.prepare::<C>([node, base_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(part, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
