//! The way back. What is kept is the output, which the next layer keeps as well, not the input.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{NormGradients, NormOps};

#[derive(Debug)]
struct Normalise;

/// Output, moments and eps.
type State<B> = (FloatTensor<B>, FloatTensor<B>, f32);

impl<B: NormOps + NormGradients> Backward<B, 1> for Normalise {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x] = ops.parents;
        let (y, moments, eps) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(x) = x {
            grads.register::<B>(x.id, B::normalise_gradient(y, gradient, moments, eps));
        }
    }
}

impl<B: NormOps + NormGradients, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn normalise(x: FloatTensor<Self>, moments: FloatTensor<Self>, eps: f32) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let moments = moments.into_primitive();
        let y = B::normalise(x, moments.clone(), eps);
        match Normalise.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((y.clone(), moments, eps), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
