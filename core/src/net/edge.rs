//! An edge that computes all its candidates.

use burn::tensor::Tensor;

use super::EdgeTable;
use crate::nn::{Builder, Pass};
use crate::ops::{Candidate, Operation, Site, State};

/// A mixed edge: the sum of its candidates, each weighted by its p.
pub(super) struct MixedEdge {
    /// Its row in the architecture tensor.
    pub row: usize,
    /// State that it ends in.
    pub node: usize,
    /// State that it reads.
    pub source: usize,
    /// In column order.
    pub candidates: Vec<Candidate>,
}

impl MixedEdge {
    /// Builds the candidates of row `row`, candidate k at k under the path of `builder`.
    pub fn new(builder: &mut Builder, row: usize, edge: &EdgeTable, site: Site) -> Self {
        let candidate = |(index, operation): (usize, &&'static Operation)| {
            operation.build(&mut builder.child(index), site)
        };
        let candidates = edge.operations.iter().enumerate().map(candidate).collect();
        Self { row, node: edge.node, source: edge.source, candidates }
    }

    /// Where the p of a candidate lies in the flat table.
    pub fn weight(&self, candidate: usize) -> usize {
        self.row * self.candidates.len() + candidate
    }

    /// Σ p·candidate(state), one candidate after another; none where all candidates are `none`. Candidates that
    /// the pass leaves out are not computed.
    ///
    /// # Shapes
    /// - `p`: [edges · operations]
    /// - output: [batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
    pub fn forward(&self, state: &State, p: &Tensor<1>, pass: &mut Pass) -> Option<Tensor<4>> {
        let mut sum = None;
        for index in pass.columns(pass.choice, self.row, self.candidates.len()) {
            let candidate = &self.candidates[index];
            if candidate.is_none() {
                continue;
            }
            let weight = self.weight(index);
            let weight = p.clone().slice([weight..weight + 1]).reshape([1; 4]);
            let output = candidate.forward(state, pass);
            add(&mut sum, pass.apply(output) * weight);
        }
        sum
    }
}

/// Adds `x` to a sum that may have nothing in it.
pub(super) fn add(sum: &mut Option<Tensor<4>>, x: Tensor<4>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + x,
        None => x,
    });
}
