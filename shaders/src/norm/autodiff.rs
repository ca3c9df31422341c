//! The way back. What is kept is the output, which the next layer keeps as well, not the input.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{NormGradients, NormOps, Standard};

#[derive(Debug)]
struct Normalise;

/// Output, moments and what to do with them.
type State<B> = (FloatTensor<B>, FloatTensor<B>, Standard);

impl<B: NormOps + NormGradients> Backward<B, 1> for Normalise {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x] = ops.parents;
        let (y, moments, standard) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(x) = x {
            grads.register::<B>(x.id, B::normalise_gradient(y, gradient, moments, standard));
        }
    }
}

impl<B: NormOps + NormGradients, C: CheckpointStrategy> NormOps for Autodiff<B, C> {
    fn normalise(
        x: FloatTensor<Self>,
        moments: FloatTensor<Self>,
        standard: Standard,
    ) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let moments = moments.into_primitive();
        let y = B::normalise(x, moments.clone(), standard);
        match Normalise.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((y.clone(), moments, standard), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
