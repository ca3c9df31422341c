//! The reference: plain ops, step by step and node by node, as the specification writes them (section 10).

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid, tanh};

use super::{Activation, CellNorm, MixedCell, RecurrentCell, Sequence};

impl Activation {
    fn of<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Tanh => tanh(z),
            Self::Relu => relu(z),
            Self::Sigmoid => sigmoid(z),
            Self::Identity => z,
        }
    }
}

pub(super) fn mixed(sequence: Sequence, p: Tensor<2>, norm: CellNorm) -> MixedCell {
    let norm = match norm {
        CellNorm::Running { moments, eps } => {
            let moments = like(moments, &sequence.x);
            CellNorm::Running { moments, eps }
        }
        batch => batch,
    };
    let mut used = Vec::new();
    let outputs = along(&sequence, |start| {
        let first = normed(start, &norm, &mut used);
        let mut states = vec![first];
        for node in 0..sequence.nodes.dims()[0] {
            let all = Tensor::stack::<3>(states.clone(), 0);
            let (c, z) = sequence.product(all.clone(), node);
            let first = node * (node + 1) / 2;
            let weights = p.clone().slice([first..first + node + 1, 0..5]);
            let gate = sigmoid(c);
            let option = |index: usize, activation: Activation| {
                let given =
                    all.clone() + gate.clone() * (activation.of(z.clone()) - all.clone());
                let weights = weights.clone().slice([0..node + 1, index..index + 1]);
                (given * weights.unsqueeze_dim(2)).sum_dim(0).squeeze_dim(0)
            };
            let options = Activation::ALL.into_iter().enumerate();
            let sum = options
                .map(|(index, activation)| option(index + 1, activation))
                .reduce(|sum: Tensor<2>, option| sum + option);
            states.extend(sum.map(|sum| normed(sum, &norm, &mut used)));
        }
        mean(&states, 1..states.len())
    });
    let moments = (!used.is_empty()).then(|| Tensor::stack(used, 0));
    MixedCell { outputs, moments }
}

pub(super) fn derived(sequence: Sequence, cell: &RecurrentCell) -> Tensor<3> {
    along(&sequence, |start| {
        let mut states = vec![start];
        for (node, (activation, state)) in cell.nodes.iter().enumerate() {
            let state = states[*state].clone();
            let (c, z) = sequence.product(state.clone().unsqueeze_dim(0), node);
            let [c, z] = [c, z].map(|x: Tensor<3>| x.squeeze_dim::<2>(0));
            states.push(state.clone() + sigmoid(c) * (activation.of(z) - state));
        }
        mean(&states, cell.concat.iter().copied())
    })
}

impl Sequence {
    fn masked<const D: usize>(&self, states: Tensor<D>) -> Tensor<D> {
        let Some(mask) = self.mask.clone() else { return states };
        let mask = like(mask, &states);
        states * mask.unsqueeze()
    }

    /// (c, z) of states \[states, batch, hidden\].
    fn product(&self, states: Tensor<3>, node: usize) -> (Tensor<3>, Tensor<3>) {
        let [count, batch, hidden] = states.dims();
        let weights = self.nodes.clone().slice([node..node + 1, 0..hidden, 0..2 * hidden]);
        let rows = self.masked(states).reshape([count * batch, hidden]);
        let both = rows.matmul(weights.squeeze_dim(0)).reshape([count, batch, 2 * hidden]);
        let part = |from| both.clone().slice([0..count, 0..batch, from..from + hidden]);
        (part(0), part(hidden))
    }
}

/// `step` on s₀ of every word; each output is the next hidden state.
fn along(sequence: &Sequence, mut step: impl FnMut(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let [time, batch, inputs] = sequence.x.dims();
    let size = sequence.hidden.dims()[1];
    let mut hidden = sequence.hidden.clone();
    let mut outputs = Vec::with_capacity(time);
    for t in 0..time {
        let x = sequence.x.clone().slice([t..t + 1, 0..batch, 0..inputs]).squeeze_dim(0);
        let read = Tensor::cat(vec![x, sequence.masked(hidden.clone())], 1);
        let both = read.matmul(sequence.start.clone());
        let part = |from| both.clone().slice([0..batch, from..from + size]);
        let (c, start) = (part(0), part(size));
        hidden = step(hidden.clone() + sigmoid(c) * (tanh(start) - hidden));
        outputs.push(hidden.clone());
    }
    Tensor::stack(outputs, 0)
}

fn mean(states: &[Tensor<2>], of: impl IntoIterator<Item = usize>) -> Tensor<2> {
    let chosen: Vec<_> = of.into_iter().map(|state| states[state].clone()).collect();
    Tensor::stack::<3>(chosen, 0).mean_dim(0).squeeze_dim(0)
}

/// The moments of the batch are noted.
fn normed(x: Tensor<2>, norm: &CellNorm, used: &mut Vec<Tensor<2>>) -> Tensor<2> {
    match norm {
        CellNorm::Batch { eps } => {
            let mean = x.clone().mean_dim(0);
            let centred = x - mean.clone();
            let variance = centred.clone().square().mean_dim(0);
            used.push(Tensor::cat(vec![mean.inner(), variance.clone().inner()], 0));
            centred / (variance + *eps).sqrt()
        }
        CellNorm::Running { moments, eps } => {
            let row = |row: usize| moments.clone().slice([row..row + 1]);
            (x - row(0)) / (row(1) + *eps).sqrt()
        }
    }
}

/// A constant for ops with `other`, which may be tracked.
fn like<const D: usize, const E: usize>(constant: Tensor<D>, other: &Tensor<E>) -> Tensor<D> {
    let constant = constant.inner();
    if other.is_autodiff() { constant.autodiff() } else { constant }
}
