//! Numbers that describe the shape of a cell (paper §7.4 and Table 5; spec §11.2 and §11.3).

use std::collections::BTreeSet;

use super::{Cell, Genotype, Node, Output};

/// What the shape of one cell comes to.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct CellStatistics {
    /// Width in units of the channels c: every node that reads a cell input counts by the share of
    /// its predecessors that are cell inputs.
    pub width: f64,
    /// Edges on the longest path from an input to the output; the concatenation is the last edge.
    pub depth: usize,
    /// Share of parameter-free operations (Table 5).
    pub parameter_free: f64,
}

impl CellStatistics {
    /// The statistics of one cell; all are 0 where there is no node. `None` of a cell that does not
    /// concatenate, as that of NAS-Bench-201: width counts what nodes add to a concatenation. Of one of
    /// NAS-Bench-101 either: its nodes have as many channels as the output leaves them.
    pub fn of(cell: &Cell) -> Option<Self> {
        let concatenates = matches!(cell.output, Output::Concatenation(_));
        (concatenates && !cell.has_operations_on_nodes()).then(|| Self {
            width: width(cell),
            depth: depth(cell),
            parameter_free: f64::from(cell.parameter_free()),
        })
    }

    /// Those of all cells, in their order; of a DARTS space the normal cell, which is the one that
    /// the paper reports, and the reduction cell.
    pub fn all(genotype: &Genotype) -> Option<Vec<Self>> {
        genotype.cells.iter().map(Self::of).collect()
    }
}

fn width(cell: &Cell) -> f64 {
    let share = |node: &Node| {
        // GDAS may take two operations on one edge; that is one predecessor.
        let sources: BTreeSet<usize> = node.edges.iter().map(|edge| edge.source).collect();
        let inputs = sources.iter().filter(|&&source| source < cell.inputs.len()).count();
        inputs as f64 / sources.len().max(1) as f64
    };
    cell.nodes.iter().map(share).sum()
}

fn depth(cell: &Cell) -> usize {
    let mut depths = vec![0; cell.inputs.len()];
    for node in &cell.nodes {
        let sources = node.edges.iter().map(|edge| depths.get(edge.source).copied().unwrap_or(0));
        depths.push(sources.max().map_or(0, |deepest| deepest + 1));
    }
    let deepest = cell.outputs().iter().filter_map(|&state| depths.get(state)).max().copied();
    deepest.map_or(0, |deepest| deepest + usize::from(!cell.nodes.is_empty()))
}
