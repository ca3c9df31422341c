//! The derivation of a genotype from p (spec §1.4).

use crate::event::{Architecture, Edge, Rows};
use crate::genotype::{Derived, Gene, Genotype, Structure};
use crate::ops::NONE;

/// Name of the one architecture tensor of NAS-Bench-201.
pub const BENCH201: &str = "edges";

/// Edges that a node of a DARTS space keeps.
const KEPT_EDGES: usize = 2;

/// The genes of one cell: for every node the two incoming edges whose best operation is
/// strongest, in that order, each with its best operation. `none` is never chosen; the first of
/// equals wins.
///
/// `probabilities` has one row for every edge of `edges`.
pub fn derive_cell(edges: &[Edge], probabilities: &Rows) -> Vec<Gene> {
    let nodes = edges.iter().map(|edge| edge.node).max().unwrap_or(1);
    let mut genes = Vec::new();
    for node in 2..=nodes {
        let mut incoming: Vec<(f32, Gene)> = edges
            .iter()
            .zip(probabilities)
            .filter(|(edge, _)| edge.node == node)
            .filter_map(|(edge, row)| strongest(edge, row, NONE))
            .collect();
        // A stable sort keeps the lower source index first among equals.
        incoming.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        genes.extend(incoming.into_iter().take(KEPT_EDGES).map(|(_, gene)| gene));
    }
    genes
}

/// What the probabilities of these architecture tensors derive.
pub fn derive(tensors: &[Architecture], probabilities: &[Rows]) -> Derived {
    match (tensors, probabilities) {
        ([tensor], [rows]) if tensor.name == BENCH201 => {
            Derived::Structure(derive_structure(&tensor.edges, rows))
        }
        _ => Derived::Cells(derive_cells(tensors, probabilities)),
    }
}

/// A NAS-Bench-201 cell: every edge with its strongest operation, which may be `none`; the first of
/// equals wins.
fn derive_structure(edges: &[Edge], probabilities: &Rows) -> Structure {
    let genes = edges.iter().zip(probabilities);
    Structure { genes: genes.filter_map(|(edge, row)| Some(strongest(edge, row, "")?.1)).collect() }
}

/// The genotype of a DARTS space: `tensors` and `probabilities` are those of the normal and of the
/// reduction cell, in that order.
fn derive_cells(tensors: &[Architecture], probabilities: &[Rows]) -> Genotype {
    let cell = |index: usize| match (tensors.get(index), probabilities.get(index)) {
        (Some(tensor), Some(rows)) => derive_cell(&tensor.edges, rows),
        _ => Vec::new(),
    };
    let concat = |genes: &[Gene]| (2..2 + genes.len() / KEPT_EDGES).collect();
    let (normal, reduce) = (cell(0), cell(1));
    Genotype { normal_concat: concat(&normal), reduce_concat: concat(&reduce), normal, reduce }
}

/// Share of parameter-free operations among genes (Table 5); 0 for none.
pub fn parameter_free_share(genes: &[Gene]) -> f32 {
    let free = |gene: &&Gene| {
        crate::ops::find(&gene.operation).is_some_and(|operation| operation.parameter_free)
    };
    genes.iter().filter(free).count() as f32 / genes.len().max(1) as f32
}

/// The strongest operation of an edge and its probability, leaving out the one called `without`.
fn strongest(edge: &Edge, row: &[f32], without: &str) -> Option<(f32, Gene)> {
    let mut best: Option<(f32, &String)> = None;
    for (&probability, operation) in row.iter().zip(&edge.operations) {
        if operation != without && best.is_none_or(|(strongest, _)| probability > strongest) {
            best = Some((probability, operation));
        }
    }
    best.map(|(probability, operation)| {
        (probability, Gene { operation: operation.clone(), source: edge.source })
    })
}
