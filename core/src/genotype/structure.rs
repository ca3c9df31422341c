//! The cell of NAS-Bench-201 and its text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Gene;

/// A NAS-Bench-201 cell: an operation on every edge from every earlier state. State 0 is the input
/// of the cell, and its last node is the output.
///
/// Its text is that of the benchmark, e.g.
/// `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|`: nodes joined
/// by `+`, each with `operation~source` of its edges. Other texts may describe the same network;
/// they are other structures all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Structure {
    /// Edges node by node, node i (from 1 on) with its i edges in the order of their sources.
    pub genes: Vec<Gene>,
}

/// Why a text is not a structure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StructureError {
    /// A node is not between bars, or has another number of edges than states before it.
    #[error("node {node} is `{text}`, but it should be {node} times operation~source between bars")]
    Node {
        /// Index of the node, from 1 on.
        node: usize,
        /// What stands there.
        text: String,
    },
    /// An edge does not end in its source.
    #[error("node {node} has the edge `{text}`, but it should be an operation and ~{source_state}")]
    Edge {
        /// Index of the node, from 1 on.
        node: usize,
        /// What stands there.
        text: String,
        /// The state that the edge should read.
        source_state: usize,
    },
}

impl fmt::Display for Structure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut node) = (self.genes.as_slice(), 1);
        while !rest.is_empty() {
            let (genes, after) = rest.split_at(node.min(rest.len()));
            write!(out, "{}", if node == 1 { "|" } else { "+|" })?;
            for gene in genes {
                write!(out, "{}~{}|", gene.operation, gene.source)?;
            }
            (rest, node) = (after, node + 1);
        }
        Ok(())
    }
}

impl FromStr for Structure {
    type Err = StructureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let nodes = text.split('+').enumerate().map(|(index, text)| node(index + 1, text));
        Ok(Self { genes: nodes.collect::<Result<Vec<_>, _>>()?.concat() })
    }
}

fn node(node: usize, text: &str) -> Result<Vec<Gene>, StructureError> {
    let wrong = || StructureError::Node { node, text: text.to_owned() };
    let edges = text.strip_prefix('|').and_then(|text| text.strip_suffix('|')).ok_or_else(wrong)?;
    let genes = edges.split('|').enumerate().map(|(source, text)| edge(node, source, text));
    let genes = genes.collect::<Result<Vec<_>, _>>()?;
    if genes.len() == node { Ok(genes) } else { Err(wrong()) }
}

fn edge(node: usize, source: usize, text: &str) -> Result<Gene, StructureError> {
    let read = text.rsplit_once('~').filter(|(operation, _)| !operation.is_empty());
    match read {
        Some((operation, digits)) if digits.parse() == Ok(source) => {
            Ok(Gene { operation: operation.to_owned(), source })
        }
        _ => Err(StructureError::Edge { node, text: text.to_owned(), source_state: source }),
    }
}

impl TryFrom<String> for Structure {
    type Error = StructureError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Structure> for String {
    fn from(structure: Structure) -> Self {
        structure.to_string()
    }
}
