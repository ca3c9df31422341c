//! The architecture parameters α and the derivation of a genotype from them (spec §1.4).

use burn::tensor::{Tensor, activation};

use crate::event::{Architecture, Edge, Rows};
use crate::genotype::{Derived, Gene, Genotype, Structure};
use crate::ops::NONE;
use crate::rng::{Stream, Streams, normal};

/// Name of the one architecture tensor of NAS-Bench-201.
pub const BENCH201: &str = "edges";

/// Edges that a node of a DARTS space keeps.
const KEPT_EDGES: usize = 2;

/// Row-softmax of every architecture tensor: p from α.
///
/// # Shapes
/// - each: [edges, operations]
pub fn probabilities(alpha: &[Tensor<2>]) -> Vec<Tensor<2>> {
    alpha.iter().map(|alpha| activation::softmax(alpha.clone(), 1)).collect()
}

/// Row-softmax on the host, in double precision.
pub fn softmax_rows(alpha: &Rows) -> Rows {
    let softmax = |row: &Vec<f32>| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = row.iter().map(|&logit| f64::from(logit - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.iter().map(|power| (power / sum) as f32).collect()
    };
    alpha.iter().map(softmax).collect()
}

/// Initial α: `scale`·N(0, 1), one row for every edge; independent for every tensor.
pub fn initial_alpha(tensors: &[Architecture], scale: f64, streams: &Streams) -> Vec<Rows> {
    let initial = |(index, tensor): (usize, &Architecture)| {
        let mut rng = streams.at(Stream::Alpha, index as u64);
        let row = |edge: &Edge| {
            let noise = normal(&mut rng, edge.operations.len());
            noise.into_iter().map(|value| (f64::from(value) * scale) as f32).collect()
        };
        tensor.edges.iter().map(row).collect()
    };
    tensors.iter().enumerate().map(initial).collect()
}

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
