//! The way back. What is kept are the states and the products, which the product before keeps as well.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{GatedMix, GatedMixGradients, GatedMixOps};

#[derive(Debug)]
struct MixBackward;

/// States, products and p.
type State<B> = ([FloatTensor<B>; 3], GatedMix);

impl<B: GatedMixOps + GatedMixGradients> Backward<B, 3> for MixBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([states, products, p], mix) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [of_states, of_products, of_p] = ops.parents;
        if let Some(node) = of_p {
            let (states, products) = (states.clone(), products.clone());
            let found = B::gated_mix_p_gradient(states, products, gradient.clone(), mix);
            grads.register::<B>(node.id, found);
        }
        if of_states.is_none() && of_products.is_none() {
            return;
        }
        let found = B::gated_mix_gradients(states, products, p, gradient, mix);
        if let Some(node) = of_states {
            grads.register::<B>(node.id, found.0);
        }
        if let Some(node) = of_products {
            grads.register::<B>(node.id, found.1);
        }
    }
}

impl<B: GatedMixOps + GatedMixGradients, C: CheckpointStrategy> GatedMixOps for Autodiff<B, C> {
    fn gated_mix(
        states: FloatTensor<Self>,
        products: FloatTensor<Self>,
        p: FloatTensor<Self>,
        mix: GatedMix,
    ) -> FloatTensor<Self> {
        let nodes = [states.node(), products.node(), p.node()];
        let [states, products, p] =
            [states.into_primitive(), products.into_primitive(), p.into_primitive()];
        let y = B::gated_mix(states.clone(), products.clone(), p.clone(), mix);
        match MixBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(([states, products, p], mix), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
