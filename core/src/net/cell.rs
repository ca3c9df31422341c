//! One cell: two preprocessed inputs, nodes that sum mixed edges, and their concatenation.

use super::dag::Dag;
use super::topology::CellShape;
use super::{Build, EdgeTable, Weights};
use crate::nn::{ActivationInfo, Builder, GradientTarget, NormOptions, Pass, Sequence};
use crate::ops::{Site, State};

/// States of a cell that are its inputs: the outputs of the two cells before.
pub(super) const INPUTS: usize = 2;

/// The cell.
pub(super) struct Cell {
    preprocess: [Sequence; 2],
    searched: Dag,
    reduction: bool,
}

impl Cell {
    /// Builds the cell of this edge table.
    pub fn new(
        builder: &mut Builder,
        table: &[EdgeTable],
        shape: CellShape,
        build: &Build,
    ) -> Self {
        let (norm, stride) = (NormOptions::new(false), shape.stride());
        let preprocess = shape.preprocess(builder, norm);
        let site = Site { channels: shape.channels, stride, norm, pool_norm: true };
        let path = |row, _: &EdgeTable| format!("_ops.{row}._ops");
        let searched = Dag::new(builder, table, INPUTS, (site, build.partial()), path);
        Self { preprocess, searched, reduction: shape.reduction }
    }

    /// Index of its architecture tensor: 0 for a normal cell, 1 for a reduction cell.
    pub fn kind(&self) -> usize {
        usize::from(self.reduction)
    }

    /// Multiply-adds for one image, and what is known of what the cell gives.
    pub fn multiply_adds(
        &self,
        before: ActivationInfo,
        previous: ActivationInfo,
    ) -> (u64, ActivationInfo) {
        let [mut first, mut second] = [before, previous];
        let preprocess = self.preprocess[0].multiply_adds(&mut first)
            + self.preprocess[1].multiply_adds(&mut second);
        let stride = if self.reduction { 2 } else { 1 };
        let node = ActivationInfo {
            size: first.size.map(|side| side.div_ceil(stride)),
            // By its p in an architecture pass, by its candidates' weights in a weight pass.
            tracked: first.target != GradientTarget::Nothing,
            ..first
        };
        let state = |source: usize| [first, second].get(source).copied().unwrap_or(node);
        (preprocess + self.searched.multiply_adds(state), node)
    }

    /// # Shapes
    /// - `before`, `previous`: outputs of the two cells before
    /// - output: [batch, height, width, nodes · channels]
    pub fn forward(
        &self,
        before: &State,
        previous: &State,
        weights: &Weights,
        pass: &mut Pass,
    ) -> State {
        let [first, second] = &self.preprocess;
        let inputs = vec![before.after(first, pass), previous.after(second, pass)];
        let nodes = self.searched.forward(inputs, weights, pass);
        State::new(shaders::concat(pass.kernels, nodes)).for_several()
    }
}
