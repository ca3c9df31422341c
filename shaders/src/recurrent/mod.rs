//! Recurrent cells over a whole text: one operation for all steps and all nodes, with a way back that is
//! written by hand.
//!
//! A step of the search cell starts with (c, h') = \[x; h·m\]·W₀ and s₀ = h + σ(c)·(tanh(h') − h). Node i takes
//! (c, z) = (s_j·m)·W_i of every earlier state j and s_i = Σ_j Σ_k p·(s_j + σ(c)·(f_k(z) − s_j)), where f is
//! tanh, relu, sigmoid or identity. One batch norm without γ and β follows on s₀ and on every s_i. The cell of a
//! genotype has one state and one f for each node, and no norm. The output of both is a mean of nodes
//! (spec section 10).
//!
//! In plain ops a step of the search cell is about 300 tensors that autodiff keeps. Here it is the states and the
//! products (c, z) of all steps, from which the rest is computed again on the way back: a tanh and two sigmoids
//! for each pair of numbers. Each (c, z) is read once forward and once back (`cpu/rows.rs`), the words' part of W₀
//! is one product for all steps, and gradients of W_i are products over some steps at once (`cpu/back.rs`). All
//! products are ours (`shaders/src/cpu/gemm.rs` says why). The cell of a genotype is computed as that of a
//! search in which each node reads one state, with one p of 1.
//!
//! On a GPU the products are burn's, and a node is one launch: `shaders/src/gated_mix`.

mod autodiff;
mod composed;
mod cpu;
mod ops;

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Tensor, TensorData};

use crate::Kernels;
use ops::{Cell, Inputs, RecurrentOps as _, Shape};

/// What a recurrent cell reads.
///
/// # Shapes
/// The columns of weights are the gate's c first, then those of h' or z.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// \[time, batch, inputs\]: words, already times their mask.
    pub x: Tensor<3>,
    /// \[batch, hidden\]: the state before the first word.
    pub hidden: Tensor<2>,
    /// \[batch, hidden\]: what states are multiplied by before a product, in all steps; nothing for 1. Never
    /// tracked.
    pub mask: Option<Tensor<2>>,
    /// W₀, \[inputs + hidden, 2 · hidden\].
    pub start: Tensor<2>,
    /// W_i by node, \[nodes, hidden, 2 · hidden\].
    pub nodes: Tensor<3>,
}

/// The batch norm that all states of a search cell share.
#[derive(Clone, Debug)]
pub struct CellNorm {
    /// \[2, hidden\], means and variances that it normalises by, never tracked; nothing for those of the batch.
    pub running: Option<Tensor<2>>,
    /// Added to the variance before its root.
    pub eps: f32,
}

/// What a search cell gives.
#[derive(Clone, Debug)]
pub struct MixedCell {
    /// \[time, batch, hidden\]; the last is the next hidden state.
    pub outputs: Tensor<3>,
    /// \[time · (nodes + 1), 2, hidden\]: mean and biased variance of the batch at every use of the norm, s₀ and
    /// the nodes of the first step first; nothing where they were given. Never tracked.
    pub moments: Option<Tensor<3>>,
}

/// What a node of a genotype does to z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// tanh z.
    Tanh,
    /// max(z, 0).
    Relu,
    /// 1 / (1 + exp(−z)).
    Sigmoid,
    /// z.
    Identity,
}

impl Activation {
    /// In the order of the columns of p, behind `none`.
    pub const ALL: [Self; 4] = [Self::Tanh, Self::Relu, Self::Sigmoid, Self::Identity];
}

/// The graph of a recurrent genotype.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecurrentCell {
    /// By node: what it does, and the state that it reads, 0 for s₀. Node i can read states 0..=i.
    pub nodes: Vec<(Activation, usize)>,
    /// States whose mean is the output, at least one; state i + 1 is node i.
    pub concat: Vec<usize>,
}

/// The search cell along a text.
///
/// # Shapes
/// - `p`: \[nodes · (nodes + 1) / 2, 5\]; row i(i + 1)/2 + j weighs what state j gives to node i, by none, tanh,
///   relu, sigmoid, identity
pub fn mixed_cell(kernels: Kernels, sequence: Sequence, p: Tensor<2>, norm: CellNorm) -> MixedCell {
    if !kernels.fused_on_cpu(&sequence.x) {
        return composed::mixed(kernels, sequence, p, norm);
    }
    let shape = Shape::of(&sequence);
    let CellNorm { running, eps } = norm;
    let cell = Cell {
        shape,
        reads: (0..shape.nodes).map(|node| 0..node + 1).collect(),
        concat: (1..shape.nodes + 1).collect(),
        norm: Some(ops::Norm { of_batch: running.is_none(), eps }),
        masked: sequence.mask.is_some(),
        kept: false,
    };
    let of_batch = running.is_none();
    let ran = Dispatch::recurrent_cell(inputs(sequence, p, running), cell);
    let moments = of_batch.then(|| Tensor::<3>::from_dispatch(ran.moments).inner());
    MixedCell { outputs: Tensor::from_dispatch(ran.outputs), moments }
}

/// The cell of a genotype along a text: \[time, batch, hidden\].
pub fn derived_cell(kernels: Kernels, sequence: Sequence, cell: &RecurrentCell) -> Tensor<3> {
    if !kernels.fused_on_cpu(&sequence.x) {
        return composed::derived(kernels, sequence, cell);
    }
    let spec = Cell {
        shape: Shape::of(&sequence),
        reads: cell.nodes.iter().map(|(_, state)| *state..*state + 1).collect(),
        concat: cell.concat.clone(),
        norm: None,
        masked: sequence.mask.is_some(),
        kept: false,
    };
    let weights: Vec<f32> =
        cell.nodes.iter().flat_map(|(activation, _)| weights_of(*activation)).collect();
    let shape = [cell.nodes.len(), Activation::ALL.len() + 1];
    let device = sequence.x.device().inner();
    let weights = Tensor::from_data(TensorData::new(weights, shape), &device);
    Tensor::from_dispatch(Dispatch::recurrent_cell(inputs(sequence, weights, None), spec).outputs)
}

fn inputs(sequence: Sequence, p: Tensor<2>, running: Option<Tensor<2>>) -> Inputs<Dispatch> {
    let Sequence { x, hidden, mask, start, nodes } = sequence;
    // A place needs a tensor: the kernel does not look at those that stand for nothing.
    let or_nothing = |tensor: Option<Tensor<2>>| -> FloatTensor<Dispatch> {
        tensor.unwrap_or_else(|| hidden.clone()).inner().into_dispatch()
    };
    let (mask, running) = (or_nothing(mask), or_nothing(running));
    Inputs {
        x: x.into_dispatch(),
        hidden: hidden.into_dispatch(),
        mask,
        start: start.into_dispatch(),
        nodes: nodes.into_dispatch(),
        p: p.into_dispatch(),
        running,
    }
}

/// The row of p that weighs one activation with 1.
fn weights_of(activation: Activation) -> [f32; 5] {
    let [tanh, relu, sigmoid, identity] =
        Activation::ALL.map(|each| if each == activation { 1.0 } else { 0.0 });
    [0.0, tanh, relu, sigmoid, identity]
}
