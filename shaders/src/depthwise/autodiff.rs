//! The way back. What a gradient does not need is neither kept nor computed: in the architecture
//! step no weight is tracked, so neither inputs nor weight gradients exist.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{DepthwiseGradients, DepthwiseOps, Geometry};

#[derive(Debug)]
struct Depthwise;

/// Input and weight of the convolution, each only if the gradient of the other is wanted.
type State<B> = (Option<FloatTensor<B>>, Option<FloatTensor<B>>, Geometry);

impl<B: DepthwiseOps + DepthwiseGradients> Backward<B, 2> for Depthwise {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node] = ops.parents;
        let (x, weight, geometry) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        if let (Some(node), Some(x)) = (weight_node, x) {
            let gradient = B::depthwise_weight_gradient(x, gradient.clone(), geometry);
            grads.register::<B>(node.id, gradient);
        }
        if let (Some(node), Some(weight)) = (x_node, weight) {
            grads.register::<B>(node.id, B::depthwise_x_gradient(weight, gradient, geometry));
        }
    }
}

impl<B: DepthwiseOps + DepthwiseGradients, C: CheckpointStrategy> DepthwiseOps for Autodiff<B, C> {
    fn depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self> {
        let kept_x = weight.is_tracked().then(|| x.primitive().clone());
        let kept_weight = x.is_tracked().then(|| weight.primitive().clone());
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let y = B::depthwise(x, weight, geometry);
        match Depthwise.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((kept_x, kept_weight, geometry), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
