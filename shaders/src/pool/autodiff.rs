//! The way back.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{Pool, PoolGradients, PoolOps, Windows};

#[derive(Debug)]
struct Pooling;

/// The input, which only the maximum needs.
type State<B> = (Option<FloatTensor<B>>, Windows);

impl<B: PoolOps + PoolGradients> Backward<B, 1> for Pooling {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let (x, windows) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            let gradient = match x {
                Some(x) => B::max_pool_gradient(x, gradient, windows),
                None => B::average_pool_gradient(gradient, windows),
            };
            grads.register::<B>(node.id, gradient);
        }
    }
}

impl<B: PoolOps + PoolGradients, C: CheckpointStrategy> PoolOps for Autodiff<B, C> {
    fn pool(x: FloatTensor<Self>, windows: Windows) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let kept = (windows.kind == Pool::Max).then(|| x.clone());
        let y = B::pool(x, windows);
        match Pooling.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((kept, windows), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
