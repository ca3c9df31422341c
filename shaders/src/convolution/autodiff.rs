//! The way back. What a gradient does not need is not computed: in the architecture step no weight
//! is tracked, and only the gradient for x exists.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{ConvolutionGradients, ConvolutionOps, Sizes};

#[derive(Debug)]
struct ConvolutionBackward;

/// x, the weights and the sizes.
type State<B> = (FloatTensor<B>, FloatTensor<B>, Sizes);

impl<B: ConvolutionOps + ConvolutionGradients> Backward<B, 2> for ConvolutionBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (x, weight, sizes) = ops.state;
        let gradient = grads.consume::<B>(&ops.node);
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = x_node {
            let for_x = B::convolution_x_gradient(x.clone(), weight, gradient.clone(), sizes);
            grads.register::<B>(node.id, for_x);
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, B::convolution_weight_gradient(x, gradient, sizes));
        }
    }
}

impl<B: ConvolutionOps + ConvolutionGradients, C: CheckpointStrategy> ConvolutionOps
    for Autodiff<B, C>
{
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        sizes: Sizes,
    ) -> FloatTensor<Self> {
        track::<B, C, _>(x, weight, sizes, |x, weight| (B::convolution(x, weight, sizes), ())).0
    }

    fn convolution_and_moments(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        sizes: Sizes,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let compute = |x, weight| B::convolution_and_moments(x, weight, sizes);
        let (z, moments) = track::<B, C, _>(x, weight, sizes, compute);
        (z, FloatTensor::<Self>::new(moments))
    }
}

/// Computes the op and puts its output into the graph; what else it gives stays outside.
fn track<B: ConvolutionOps + ConvolutionGradients, C: CheckpointStrategy, T>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    sizes: Sizes,
    compute: impl FnOnce(FloatTensor<B>, FloatTensor<B>) -> (FloatTensor<B>, T),
) -> (FloatTensor<Autodiff<B, C>>, T) {
    let (x, x_node) = x.into_parts();
    let (weight, weight_node) = weight.into_parts();
    let (z, rest) = compute(x.clone(), weight.clone());
    let nodes = [x_node, weight_node];
    let z = match ConvolutionBackward.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish((x, weight, sizes), z),
        OpsKind::UnTracked(prep) => prep.finish(z),
    };
    (z, rest)
}
