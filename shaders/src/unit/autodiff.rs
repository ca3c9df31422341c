//! The way back. What a gradient does not need is not computed: in the architecture step no weight
//! is tracked, and only the gradient for x exists.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{Operands, Sizes, UnitGradients, UnitOps};

#[derive(Debug)]
struct UnitBackward;

type State<B> = (Operands<B>, Sizes);

impl<B: UnitOps + UnitGradients> Backward<B, 3> for UnitBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (operands, sizes) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [x_node, depthwise_node, pointwise_node] = ops.parents;
        let weights_wanted = depthwise_node.is_some() || pointwise_node.is_some();
        let (for_x, for_weights) = match (&x_node, weights_wanted) {
            (None, _) => (None, Some(B::unit_weight_gradients(operands, gradient, sizes))),
            (Some(_), false) => (Some(B::unit_x_gradient(operands, gradient, sizes)), None),
            (Some(_), true) => {
                let (x, depthwise, pointwise) = B::unit_gradients(operands, gradient, sizes);
                (Some(x), Some((depthwise, pointwise)))
            }
        };
        let (for_depthwise, for_pointwise) = for_weights.unzip();
        let gradients = [for_x, for_depthwise, for_pointwise];
        let nodes = [x_node, depthwise_node, pointwise_node];
        for (node, gradient) in nodes.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: UnitOps + UnitGradients, C: CheckpointStrategy> UnitOps for Autodiff<B, C> {
    fn unit(operands: Operands<Self>, sizes: Sizes) -> FloatTensor<Self> {
        track(operands, sizes, |operands| (B::unit(operands, sizes), ())).0
    }

    fn unit_and_moments(
        operands: Operands<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let compute = |operands| B::unit_and_moments(operands, sizes);
        let (z, moments) = track(operands, sizes, compute);
        (z, FloatTensor::<Self>::new(moments))
    }
}

/// Computes the op and puts its output into the graph; what else it gives stays outside.
fn track<B: UnitOps + UnitGradients, C: CheckpointStrategy, T>(
    operands: Operands<Autodiff<B, C>>,
    sizes: Sizes,
    compute: impl FnOnce(Operands<B>) -> (FloatTensor<B>, T),
) -> (FloatTensor<Autodiff<B, C>>, T) {
    let (x, x_node) = operands.x.into_parts();
    let (depthwise, depthwise_node) = operands.depthwise.into_parts();
    let (pointwise, pointwise_node) = operands.pointwise.into_parts();
    let operands = Operands { x, norm: operands.norm.into_primitive(), depthwise, pointwise };
    let (z, rest) = compute(operands.clone());
    let nodes = [x_node, depthwise_node, pointwise_node];
    let z = match UnitBackward.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((operands, sizes), z),
        OpsKind::UnTracked(prep) => prep.finish(z),
    };
    (z, rest)
}
