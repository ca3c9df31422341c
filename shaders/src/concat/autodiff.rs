//! The way back.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{ColumnParts, ConcatGradients, ConcatOps, PARTS, Parts};

#[derive(Debug)]
struct Concat;

impl<B: ConcatOps + ConcatGradients> Backward<B, PARTS> for Concat {
    type State = ColumnParts;

    fn backward(self, ops: Ops<ColumnParts, PARTS>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let count = ops.state.widths.len();
        let parts = B::split_with_sizes(gradient, ops.state).into_list();
        // The free places hold the last part again.
        for (node, part) in ops.parents.into_iter().zip(parts).take(count) {
            if let Some(node) = node {
                grads.register::<B>(node.id, part);
            }
        }
    }
}

impl<B: ConcatOps + ConcatGradients, C: CheckpointStrategy> ConcatOps for Autodiff<B, C> {
    fn concat(parts: Parts<Self>, columns: ColumnParts) -> FloatTensor<Self> {
        let parts = parts.into_list();
        let nodes = parts.each_ref().map(|part| part.node());
        let parts = parts.map(|part| part.into_primitive());
        let whole = B::concat(Parts::new(|index| parts[index].clone()), columns.clone());
        match Concat.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(columns, whole),
            OpsKind::UnTracked(prep) => prep.finish(whole),
        }
    }
}
