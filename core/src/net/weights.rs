//! What weighs the edges of a cell and their candidates: p, and where a method scales whole edges their weights
//! (PC-DARTS, spec §8.2), which are p of choices of their own.

use burn::tensor::Tensor;

use super::flat;
use crate::cell::Choice;

/// What weighs a cell.
#[derive(Clone)]
pub struct Weights {
    /// Of every candidate of every edge, [edges · operations]: its p times the weight of its edge.
    pub candidates: Tensor<1>,
    /// Of every edge, `[edges]`; none where they count alike.
    pub edges: Option<Tensor<1>>,
}

impl From<Tensor<1>> for Weights {
    /// Of candidates alone.
    fn from(candidates: Tensor<1>) -> Self {
        Self { candidates, edges: None }
    }
}

/// Where the weights of a cell stand among p of all choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weighing {
    /// The choice of its operations.
    pub operations: usize,
    /// The choices that weigh its edges, node by node in the order of its edges.
    edges: Vec<usize>,
}

impl Weighing {
    /// Those of every cell that has a choice of operations.
    pub fn all(choices: &[Choice]) -> Vec<Self> {
        let cells = choices.iter().enumerate().filter(|(_, choice)| choice.is_of_cell());
        let weighing = |(operations, _): (usize, &Choice)| {
            let own = choices.iter().enumerate().skip(operations + 1);
            let edges = own.take_while(|(_, choice)| choice.weighs_edges()).map(|(index, _)| index);
            Self { operations, edges: edges.collect() }
        };
        cells.map(weighing).collect()
    }

    /// The weights, from p of all choices.
    pub fn of(&self, probabilities: &[Tensor<2>]) -> Weights {
        let p = &probabilities[self.operations];
        let edges: Vec<Tensor<1>> =
            self.edges.iter().map(|choice| flat(&probabilities[*choice])).collect();
        if edges.is_empty() {
            return flat(p).into();
        }
        let edges = Tensor::cat(edges, 0);
        let candidates = flat(&(p.clone() * edges.clone().reshape([-1, 1])));
        Weights { candidates, edges: Some(edges) }
    }
}
