//! What burn dispatches, and what the kernels must know.

use std::ops::Range;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};

use super::Sequence;

/// Sizes of a cell along a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) time: usize,
    pub(crate) batch: usize,
    /// Numbers of a word.
    pub(crate) inputs: usize,
    pub(crate) hidden: usize,
    pub(crate) nodes: usize,
}

impl Shape {
    pub(crate) fn of(sequence: &Sequence) -> Self {
        let ([time, batch, inputs], [nodes, hidden, _]) =
            (sequence.x.dims(), sequence.nodes.dims());
        Self { time, batch, inputs, hidden, nodes }
    }
}

/// The graph of a cell, and how it is computed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    /// The states that each node reads; each of these pairs has a row of p, node after node.
    pub(crate) reads: Vec<Range<usize>>,
    /// States whose mean is the output.
    pub(crate) concat: Vec<usize>,
    pub(crate) norm: Option<Norm>,
    /// Whether there is a mask.
    pub(crate) masked: bool,
    /// Whether what the way back needs is kept.
    pub(crate) kept: bool,
}

/// The norm of all states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Norm {
    pub(crate) of_batch: bool,
    pub(crate) eps: f32,
}

impl Cell {
    /// Pairs of a node and a state that it reads.
    pub(crate) fn pairs(&self) -> usize {
        self.reads.iter().map(Range::len).sum()
    }

    /// Of each node: where its pairs begin, and the states that it reads.
    pub(crate) fn nodes(&self) -> Vec<(usize, Range<usize>)> {
        let starts = self.reads.iter().scan(0, |start, reads| {
            *start += reads.len();
            Some(*start - reads.len())
        });
        starts.zip(self.reads.iter().cloned()).collect()
    }
}

/// The tensors of a [`Sequence`], p and running moments, or anything in the places of what is not there.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Inputs<B: Backend> {
    pub(crate) x: FloatTensor<B>,
    pub(crate) hidden: FloatTensor<B>,
    pub(crate) mask: FloatTensor<B>,
    pub(crate) start: FloatTensor<B>,
    pub(crate) nodes: FloatTensor<B>,
    pub(crate) p: FloatTensor<B>,
    pub(crate) running: FloatTensor<B>,
}

/// What a cell gives; what is kept is anything where [`Cell::kept`] says no.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Ran<B: Backend> {
    /// [time, batch, hidden].
    pub(crate) outputs: FloatTensor<B>,
    /// [time · (nodes + 1), 2, hidden] where the norm is that of the batch, else anything.
    pub(crate) moments: FloatTensor<B>,
    /// [nodes + 1, time, batch, hidden in whole vectors], behind the norm.
    pub(crate) states: FloatTensor<B>,
    /// (c, h'), [time, batch, 2, hidden in whole vectors].
    pub(crate) starts: FloatTensor<B>,
    /// (c, z), [time, pairs, batch, 2, hidden in whole vectors].
    pub(crate) products: FloatTensor<B>,
}

/// Which gradients are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) x: bool,
    pub(crate) hidden: bool,
    pub(crate) start: bool,
    pub(crate) nodes: bool,
    pub(crate) p: bool,
}

/// They; anything for those that are not asked for.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Gradients<B: Backend> {
    pub(crate) x: FloatTensor<B>,
    pub(crate) hidden: FloatTensor<B>,
    pub(crate) start: FloatTensor<B>,
    pub(crate) nodes: FloatTensor<B>,
    pub(crate) p: FloatTensor<B>,
}

/// The op.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait RecurrentOps: Backend {
    /// All steps.
    fn recurrent_cell(#[extension_type] inputs: Inputs<Self>, cell: Cell) -> Ran<Self>;
}

/// Its way back.
#[backend_extension(Flex)]
pub(crate) trait RecurrentGradients: Backend {
    /// From the gradient of the outputs.
    fn recurrent_cell_gradients(
        #[extension_type] inputs: Inputs<Self>,
        #[extension_type] ran: Ran<Self>,
        gradient: FloatTensor<Self>,
        cell: Cell,
        wanted: Wanted,
    ) -> Gradients<Self>;
}
