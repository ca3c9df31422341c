//! Numbers that describe a cell (paper §7.4 and Table 5; spec §11.2 and §11.3).

use std::collections::BTreeSet;

use crate::arch::parameter_free_share;
use crate::genotype::{Gene, Genotype};

/// States of a cell that are its inputs: the outputs of the two cells before.
const INPUTS: usize = 2;

/// What the shape of one cell comes to.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct CellStatistics {
    /// Width in units of the channels c: every node that reads a cell input counts by the share of
    /// its predecessors that are cell inputs.
    pub width: f64,
    /// Edges on the longest path from an input to the output; the concatenation is the last edge.
    pub depth: usize,
    /// Share of parameter-free operations among the genes (Table 5).
    pub parameter_free: f64,
}

impl CellStatistics {
    /// The statistics of one cell. `genes` has two genes for each node, as in a [`Genotype`], and
    /// `concat` the states that form the output; all are 0 where there is no gene.
    pub fn of(genes: &[Gene], concat: &[usize]) -> Self {
        Self {
            width: width(genes),
            depth: depth(genes, concat),
            parameter_free: f64::from(parameter_free_share(genes)),
        }
    }

    /// Those of the normal cell, which are the ones that the paper reports.
    pub fn normal(genotype: &Genotype) -> Self {
        Self::of(&genotype.normal, &genotype.normal_concat)
    }

    /// Those of the normal and of the reduction cell.
    pub fn both(genotype: &Genotype) -> [Self; 2] {
        [Self::normal(genotype), Self::of(&genotype.reduce, &genotype.reduce_concat)]
    }
}

fn width(genes: &[Gene]) -> f64 {
    let share = |node: &[Gene]| {
        // GDAS may take two operations on one edge; that is one predecessor.
        let sources: BTreeSet<usize> = node.iter().map(|gene| gene.source).collect();
        let inputs = sources.iter().filter(|&&source| source < INPUTS).count();
        inputs as f64 / sources.len() as f64
    };
    genes.chunks(2).map(share).sum()
}

fn depth(genes: &[Gene], concat: &[usize]) -> usize {
    let mut depths = vec![0; INPUTS];
    for node in genes.chunks(2) {
        let sources = node.iter().map(|gene| depths.get(gene.source).copied().unwrap_or(0));
        depths.push(sources.max().map_or(0, |deepest| deepest + 1));
    }
    let deepest = concat.iter().filter_map(|&state| depths.get(state)).max();
    deepest.map_or(0, |deepest| deepest + usize::from(!genes.is_empty()))
}
