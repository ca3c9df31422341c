//! The way back: what was found forward, times the gradient of the loss.

use burn::backend::Backend;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::tensor::Shape;

use super::{Loss, Wanted, WordLossOps, Words};

#[derive(Debug)]
struct LossBackward;

/// The gradients of outputs, decoder and bias for a loss whose own gradient is 1.
type State<B> = [FloatTensor<B>; 3];

impl<B: WordLossOps> Backward<B, 3> for LossBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        for (parent, found) in ops.parents.into_iter().zip(ops.state) {
            if let Some(node) = parent {
                let ones = Shape::from(vec![1; found.shape().num_dims()]);
                let factor = B::float_reshape(gradient.clone(), ones);
                grads.register::<B>(node.id, B::float_mul(found, factor));
            }
        }
    }
}

impl<B: WordLossOps, C: CheckpointStrategy> WordLossOps for Autodiff<B, C> {
    fn word_loss(words: Words<Self>, wanted: Wanted) -> Loss<Self> {
        let Words { outputs, decoder, bias, targets } = words;
        let nodes = [outputs.node(), decoder.node(), bias.node()];
        let [of_outputs, of_decoder, of_bias] =
            [&outputs, &decoder, &bias].map(|tensor| is_tracked::<B, C>(tensor.node()));
        let words = Words {
            outputs: outputs.into_primitive(),
            decoder: decoder.into_primitive(),
            bias: bias.into_primitive(),
            targets,
        };
        match LossBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let wanted = Wanted { outputs: of_outputs, decoder: of_decoder, bias: of_bias };
                let Loss { loss, right, outputs, decoder, bias } = B::word_loss(words, wanted);
                given(prep.finish([outputs, decoder, bias], loss), right)
            }
            OpsKind::UnTracked(prep) => {
                let Loss { loss, right, .. } = B::word_loss(words, wanted);
                given(prep.finish(loss), right)
            }
        }
    }
}

/// A way back that is never taken.
#[derive(Debug)]
struct Probe;

impl<B: Backend> Backward<B, 1> for Probe {
    type State = ();

    fn backward(self, _: Ops<(), 1>, _: &mut Gradients, _: &mut Checkpointer) {}
}

/// Whether a gradient of the tensor is asked for: gradients that are computed ahead must know.
fn is_tracked<B: Backend, C: CheckpointStrategy>(node: NodeGuard) -> bool {
    let ops = <Probe as Backward<B, 1>>::prepare::<C>(Probe, [node]).compute_bound().stateful();
    matches!(ops, OpsKind::Tracked(_))
}

/// The loss and the words that are right; the gradients are in the state.
fn given<B: WordLossOps, C: CheckpointStrategy>(
    loss: FloatTensor<Autodiff<B, C>>,
    right: FloatTensor<B>,
) -> Loss<Autodiff<B, C>> {
    let right = <Autodiff<B, C> as burn::backend::AutodiffBackend>::from_inner(right);
    let nothing = || right.clone();
    Loss { loss, outputs: nothing(), decoder: nothing(), bias: nothing(), right }
}
