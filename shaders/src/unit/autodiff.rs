//! The way back. What a gradient does not need is not computed: in the architecture step no weight
//! is tracked, and only the gradient for x exists.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{Sizes, UnitGradients, UnitOps};

#[derive(Debug)]
struct UnitBackward;

/// Inputs of the op.
#[derive(Clone, Debug)]
struct State<B: UnitOps> {
    x: FloatTensor<B>,
    norm: FloatTensor<B>,
    depthwise: FloatTensor<B>,
    pointwise: FloatTensor<B>,
    sizes: Sizes,
}

impl<B: UnitOps + UnitGradients> Backward<B, 3> for UnitBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State { x, norm, depthwise, pointwise, sizes } = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [x_node, depthwise_node, pointwise_node] = ops.parents;
        let weights_wanted = depthwise_node.is_some() || pointwise_node.is_some();
        let (for_x, for_weights) = match (&x_node, weights_wanted) {
            (None, _) => {
                let weights =
                    B::unit_weight_gradients(x, norm, depthwise, pointwise, gradient, sizes);
                (None, Some(weights))
            }
            (Some(_), false) => {
                let x = B::unit_x_gradient(x, norm, depthwise, pointwise, gradient, sizes);
                (Some(x), None)
            }
            (Some(_), true) => {
                let (x, depthwise, pointwise) =
                    B::unit_gradients(x, norm, depthwise, pointwise, gradient, sizes);
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
    fn unit(
        x: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        depthwise: FloatTensor<Self>,
        pointwise: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self> {
        let compute = |State { x, norm, depthwise, pointwise, sizes }: State<B>| {
            (B::unit(x, norm, depthwise, pointwise, sizes), ())
        };
        track::<B, C, ()>(x, norm, depthwise, pointwise, sizes, compute).0
    }

    fn unit_and_moments(
        x: FloatTensor<Self>,
        norm: FloatTensor<Self>,
        depthwise: FloatTensor<Self>,
        pointwise: FloatTensor<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let compute = |State { x, norm, depthwise, pointwise, sizes }: State<B>| {
            B::unit_and_moments(x, norm, depthwise, pointwise, sizes)
        };
        let (z, moments) =
            track::<B, C, FloatTensor<B>>(x, norm, depthwise, pointwise, sizes, compute);
        (z, FloatTensor::<Self>::new(moments))
    }
}

/// Computes the op and puts its output into the graph; what else it gives stays outside.
fn track<B: UnitOps + UnitGradients, C: CheckpointStrategy, T>(
    x: FloatTensor<Autodiff<B, C>>,
    norm: FloatTensor<Autodiff<B, C>>,
    depthwise: FloatTensor<Autodiff<B, C>>,
    pointwise: FloatTensor<Autodiff<B, C>>,
    sizes: Sizes,
    compute: impl FnOnce(State<B>) -> (FloatTensor<B>, T),
) -> (FloatTensor<Autodiff<B, C>>, T) {
    let (x, x_node) = x.into_parts();
    let (depthwise, depthwise_node) = depthwise.into_parts();
    let (pointwise, pointwise_node) = pointwise.into_parts();
    let state = State { x, norm: norm.into_primitive(), depthwise, pointwise, sizes };
    let (z, rest) = compute(state.clone());
    let nodes = [x_node, depthwise_node, pointwise_node];
    let z = match UnitBackward.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(state, z),
        OpsKind::UnTracked(prep) => prep.finish(z),
    };
    (z, rest)
}
