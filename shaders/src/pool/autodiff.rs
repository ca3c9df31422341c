//! The way back.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{PoolGradients, PoolOps, Windows};

#[derive(Debug)]
struct Pooling;

/// What the way back needs.
type State<B> = (FloatTensor<B>, Windows);

impl<B: PoolOps + PoolGradients> Backward<B, 1> for Pooling {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let (kept, windows) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::pool_gradient(kept, gradient, windows));
        }
    }
}

impl<B: PoolOps + PoolGradients, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn pool(x: FloatTensor<Self>, windows: Windows) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (x, node) = x.into_parts();
        let (y, kept) = B::pool(x, windows.clone());
        let y = match Pooling.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((kept.clone(), windows), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        };
        (y, FloatTensor::<Self>::new(kept))
    }
}
