//! The way back. What a gradient does not need is not computed: in the architecture step no weight
//! is tracked, and only the gradient for x exists.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{BankGradients, BankOps, Operands, Sizes};

#[derive(Debug)]
struct BankBackward;

type State<B> = (Operands<B>, Sizes);

impl<B: BankOps + BankGradients> Backward<B, 3> for BankBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (operands, sizes) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [x, weights, affine] = ops.parents;
        if let Some(affine) = affine {
            let (for_x, for_weights, for_affine) = B::bank_all_gradients(operands, gradient, sizes);
            for (node, gradient) in [(x, for_x), (weights, for_weights), (Some(affine), for_affine)]
            {
                if let Some(node) = node {
                    grads.register::<B>(node.id, gradient);
                }
            }
            return;
        }
        match [x, weights] {
            [Some(x), Some(weights)] => {
                let (for_x, for_weights) = B::bank_gradients(operands, gradient, sizes);
                grads.register::<B>(x.id, for_x);
                grads.register::<B>(weights.id, for_weights);
            }
            [Some(x), None] => {
                grads.register::<B>(x.id, B::bank_x_gradient(operands, gradient, sizes));
            }
            [None, Some(weights)] => {
                grads.register::<B>(weights.id, B::bank_weight_gradient(operands, gradient, sizes));
            }
            [None, None] => {}
        }
    }
}

impl<B: BankOps + BankGradients, C: CheckpointStrategy> BankOps for Autodiff<B, C> {
    fn bank(operands: Operands<Self>, sizes: Sizes) -> FloatTensor<Self> {
        track(operands, sizes, |operands, sizes| (B::bank(operands, sizes), ())).0
    }

    fn bank_and_moments(
        operands: Operands<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (z, moments) = track(operands, sizes, B::bank_and_moments);
        (z, FloatTensor::<Self>::new(moments))
    }
}

/// Computes the op and puts its output into the graph; what else it gives stays outside.
fn track<B: BankOps + BankGradients, C: CheckpointStrategy, T>(
    operands: Operands<Autodiff<B, C>>,
    sizes: Sizes,
    compute: impl FnOnce(Operands<B>, Sizes) -> (FloatTensor<B>, T),
) -> (FloatTensor<Autodiff<B, C>>, T) {
    let (x, x_node) = operands.x.into_parts();
    let (weights, weights_node) = operands.weights.into_parts();
    let (affine, affine_node) = operands.affine.into_parts();
    let operands = Operands { x, norm: operands.norm.into_primitive(), affine, weights };
    let (z, rest) = compute(operands.clone(), sizes.clone());
    let z = match BankBackward
        .prepare::<C>([x_node, weights_node, affine_node])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => prep.finish((operands, sizes), z),
        OpsKind::UnTracked(prep) => prep.finish(z),
    };
    (z, rest)
}
