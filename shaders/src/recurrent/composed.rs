//! Step by step and node by node, as the specification writes it (section 10): in plain ops, the reference, or
//! with the kernels of a node on a GPU.

use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::{Device, Tensor, TensorData};

use super::{Activation, CellNorm, MixedCell, RecurrentCell, Sequence};
use crate::gated_mix::gated_mix;
use crate::{Kernels, Norm, PendingNorm, moments, normalise};

impl Activation {
    pub(crate) fn of<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Tanh => tanh(z),
            Self::Relu => relu(z),
            Self::Sigmoid => sigmoid(z),
            Self::Identity => z,
        }
    }
}

pub(super) fn mixed(
    kernels: Kernels,
    sequence: Sequence,
    p: Tensor<2>,
    norm: CellNorm,
) -> MixedCell {
    let mut used = Vec::new();
    let outputs = along(kernels, &sequence, |start| {
        let mut states = vec![normed(kernels, start, &norm, &mut used)];
        for node in 0..sequence.nodes.dims()[0] {
            let all = Tensor::stack::<3>(states.clone(), 0);
            let products = sequence.product(all.clone(), node);
            let first = node * (node + 1) / 2;
            let weights = p.clone().slice([first..first + node + 1, 0..5]);
            let sum = gated_mix(kernels, all, products, weights);
            states.push(normed(kernels, sum, &norm, &mut used));
        }
        mean(&states, 1..states.len())
    });
    let moments = (!used.is_empty()).then(|| Tensor::stack(used, 0));
    MixedCell { outputs, moments }
}

pub(super) fn derived(kernels: Kernels, sequence: Sequence, cell: &RecurrentCell) -> Tensor<3> {
    let device = sequence.x.device().inner();
    let weights: Vec<_> =
        cell.nodes.iter().map(|(activation, _)| only(*activation, &device)).collect();
    along(kernels, &sequence, |start| {
        let mut states = vec![start];
        for (node, (_, state)) in cell.nodes.iter().enumerate() {
            let state = states[*state].clone().unsqueeze_dim::<3>(0);
            let products = sequence.product(state.clone(), node);
            states.push(gated_mix(kernels, state, products, weights[node].clone()));
        }
        mean(&states, cell.concat.iter().copied())
    })
}

/// The p of a state that a node reads through one activation.
fn only(activation: Activation, device: &Device) -> Tensor<2> {
    let row = super::weights_of(activation);
    Tensor::from_data(TensorData::new(row.to_vec(), [1, row.len()]), device)
}

impl Sequence {
    fn masked<const D: usize>(&self, states: Tensor<D>) -> Tensor<D> {
        let Some(mask) = self.mask.clone() else { return states };
        let mask = like(mask, &states);
        states * mask.unsqueeze()
    }

    /// (c, z) of states \[states, batch, hidden\], \[states · batch, 2 · hidden\].
    fn product(&self, states: Tensor<3>, node: usize) -> Tensor<2> {
        let [count, batch, hidden] = states.dims();
        let weights = self.nodes.clone().slice([node..node + 1, 0..hidden, 0..2 * hidden]);
        let rows = self.masked(states).reshape([count * batch, hidden]);
        rows.matmul(weights.squeeze_dim(0))
    }
}

/// `step` on s₀ of every word; each output is the next hidden state.
fn along(
    kernels: Kernels,
    sequence: &Sequence,
    mut step: impl FnMut(Tensor<2>) -> Tensor<2>,
) -> Tensor<3> {
    let [time, batch, inputs] = sequence.x.dims();
    let weights = only(Activation::Tanh, &sequence.x.device().inner());
    let mut hidden = sequence.hidden.clone();
    let mut outputs = Vec::with_capacity(time);
    for t in 0..time {
        let x = sequence.x.clone().slice([t..t + 1, 0..batch, 0..inputs]).squeeze_dim(0);
        let read = Tensor::cat(vec![x, sequence.masked(hidden.clone())], 1);
        let products = read.matmul(sequence.start.clone());
        hidden = step(gated_mix(kernels, hidden.unsqueeze_dim(0), products, weights.clone()));
        outputs.push(hidden.clone());
    }
    Tensor::stack(outputs, 0)
}

fn mean(states: &[Tensor<2>], of: impl IntoIterator<Item = usize>) -> Tensor<2> {
    let chosen: Vec<_> = of.into_iter().map(|state| states[state].clone()).collect();
    Tensor::stack::<3>(chosen, 0).mean_dim(0).squeeze_dim(0)
}

/// The moments of the batch are noted.
fn normed(kernels: Kernels, x: Tensor<2>, norm: &CellNorm, used: &mut Vec<Tensor<2>>) -> Tensor<2> {
    let [batch, hidden] = x.dims();
    let x = x.reshape([batch, 1, 1, hidden]);
    let of_batch = norm.running.is_none();
    let moments = norm.running.clone().map(Tensor::inner).unwrap_or_else(|| {
        let moments = moments(kernels, x.clone(), 1);
        used.push(moments.clone());
        moments
    });
    let norm = Some(Norm { moments, of_batch, eps: norm.eps, affine: None });
    normalise(kernels, PendingNorm::new(x, norm)).reshape([batch, hidden])
}

/// A constant for ops with `other`, which may be tracked.
fn like<const D: usize, const E: usize>(constant: Tensor<D>, other: &Tensor<E>) -> Tensor<D> {
    let constant = constant.inner();
    if other.is_autodiff() { constant.autodiff() } else { constant }
}
