//! The way back, for x and for γ and β.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{Edge, OfEdge, RectifiedGradients, RectifiedOps};

#[derive(Debug)]
struct RectifiedBackward;

type State<B> = (OfEdge<B>, Edge);

impl<B: RectifiedOps + RectifiedGradients> Backward<B, 2> for RectifiedBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (it, edge) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let (sums, for_x) = B::rectified_gradients(it, gradient, edge);
        for (parent, found) in ops.parents.into_iter().zip([for_x, sums]) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, found);
            }
        }
    }
}

impl<B: RectifiedOps + RectifiedGradients, C: CheckpointStrategy> RectifiedOps for Autodiff<B, C> {
    fn rectified(
        x: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        affine: FloatTensor<Self>,
        edge: Edge,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), affine.node()];
        let [x, moments, affine] = [x, moments, affine].map(|tensor| tensor.into_primitive());
        let y = B::rectified(x.clone(), moments.clone(), affine.clone(), edge);
        match RectifiedBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let masks = moments.clone();
                prep.finish((OfEdge { x, moments, affine, masks }, edge), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
