//! The way back, for the inputs that are tracked.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients as Tape;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::ops::{Cell, Inputs, Ran, RecurrentGradients, RecurrentOps, Wanted};

/// x, hidden, start, nodes, p.
const PARENTS: usize = 5;

#[derive(Debug)]
struct CellBackward;

type State<B> = (Inputs<B>, Ran<B>, Cell);

impl<B: RecurrentOps + RecurrentGradients> Backward<B, PARENTS> for CellBackward {
    type State = State<B>;

    fn backward(self, ops: Ops<State<B>, PARENTS>, tape: &mut Tape, _: &mut Checkpointer) {
        let (inputs, ran, cell) = ops.state;
        let gradient = tape.consume::<B>(&ops.node);
        let [x, hidden, start, nodes, p] = ops.parents.each_ref().map(Option::is_some);
        let wanted = Wanted { x, hidden, start, nodes, p };
        let found = B::recurrent_cell_gradients(inputs, ran, gradient, cell, wanted);
        let found = [found.x, found.hidden, found.start, found.nodes, found.p];
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = parent {
                tape.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: RecurrentOps + RecurrentGradients, C: CheckpointStrategy> RecurrentOps for Autodiff<B, C> {
    fn recurrent_cell(inputs: Inputs<Self>, cell: Cell) -> Ran<Self> {
        let Inputs { x, hidden, mask, start, nodes, p, running } = inputs;
        let parents = [x.node(), hidden.node(), start.node(), nodes.node(), p.node()];
        let inputs = Inputs {
            x: x.into_primitive(),
            hidden: hidden.into_primitive(),
            mask: mask.into_primitive(),
            start: start.into_primitive(),
            nodes: nodes.into_primitive(),
            p: p.into_primitive(),
            running: running.into_primitive(),
        };
        match CellBackward.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let cell = Cell { kept: true, ..cell };
                let ran = B::recurrent_cell(inputs.clone(), cell.clone());
                let (outputs, moments) = (ran.outputs.clone(), ran.moments.clone());
                given(prep.finish((inputs, ran, cell), outputs), moments)
            }
            OpsKind::UnTracked(prep) => {
                let ran = B::recurrent_cell(inputs, cell);
                given(prep.finish(ran.outputs), ran.moments)
            }
        }
    }
}

/// The outputs and the moments; what was kept is in the state.
fn given<B: RecurrentOps, C: CheckpointStrategy>(
    outputs: FloatTensor<Autodiff<B, C>>,
    moments: FloatTensor<B>,
) -> Ran<Autodiff<B, C>> {
    let moments = <Autodiff<B, C> as burn::backend::AutodiffBackend>::from_inner(moments);
    let nothing = || moments.clone();
    Ran { outputs, states: nothing(), starts: nothing(), products: nothing(), moments }
}
