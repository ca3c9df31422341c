//! The string of NAS-Bench-201, e.g.
//! `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|`: nodes joined
//! by `+`, each with `operation~source` of its edges.
//!
//! A cell has one input, state 0. Node i of the benchmark (state i) reads all i states before it,
//! in their order, and the last node is the output. Other strings may describe the same network;
//! they are other genotypes all the same.

use super::Codec;
use crate::cell::{Cell, Edge, Genotype, GenotypeError, Node, Output};

/// The name of the only cell.
pub const CELL: &str = "cell";

/// The name of its input.
pub const INPUT: &str = "input";

/// The row of the catalogue.
pub static CODEC: Codec =
    Codec { name: "nasbench201", title: "The string of NAS-Bench-201", encode, decode, columns };

/// The genotype of these nodes; all of NAS-Bench-201 are made here.
pub fn from_nodes(nodes: Vec<Node>) -> Genotype {
    let (name, inputs) = (CELL.to_owned(), vec![INPUT.to_owned()]);
    Genotype { cells: vec![Cell { name, inputs, nodes, output: Output::Last }] }
}

/// The string of a genotype; `None` if it is no such cell.
pub fn encode(genotype: &Genotype) -> Option<String> {
    let [cell] = genotype.cells.as_slice() else { return None };
    if cell.inputs.len() != 1 || cell.output != Output::Last {
        return None;
    }
    let nodes = cell.nodes().map(|(state, node)| text(state, node));
    Some(nodes.collect::<Option<Vec<_>>>()?.join("+"))
}

fn text(state: usize, node: &Node) -> Option<String> {
    let sources = node.edges.iter().map(|edge| edge.source);
    if node.operation.is_some() || !sources.eq(0..state) {
        return None;
    }
    let mut text = "|".to_owned();
    for Edge { source, operation } in &node.edges {
        let name = operation.as_ref().filter(|it| !it.is_empty() && !it.contains(['|', '+']))?;
        text += &format!("{name}~{source}|");
    }
    Some(text)
}

/// Reads such a string.
///
/// # Errors
/// [`GenotypeError::Node`] or [`GenotypeError::Edge`] with the first node that is wrong.
pub fn decode(text: &str) -> Result<Genotype, GenotypeError> {
    let nodes = text.split('+').enumerate().map(|(index, text)| node(index + 1, text));
    Ok(from_nodes(nodes.collect::<Result<_, _>>()?))
}

fn node(node: usize, text: &str) -> Result<Node, GenotypeError> {
    let wrong = || GenotypeError::Node { node, text: text.to_owned() };
    let edges = text.strip_prefix('|').and_then(|text| text.strip_suffix('|')).ok_or_else(wrong)?;
    let edges = edges.split('|').enumerate().map(|(source, text)| edge(node, source, text));
    let edges = edges.collect::<Result<Vec<_>, _>>()?;
    if edges.len() == node { Ok(Node { operation: None, edges }) } else { Err(wrong()) }
}

fn edge(node: usize, source: usize, text: &str) -> Result<Edge, GenotypeError> {
    let read = text.rsplit_once('~').filter(|(operation, _)| !operation.is_empty());
    match read {
        Some((operation, digits)) if digits.parse() == Ok(source) => {
            Ok(Edge { source, operation: Some(operation.to_owned()) })
        }
        _ => Err(GenotypeError::Edge { node, text: text.to_owned(), source_state: source }),
    }
}

/// One column with the string.
fn columns(genotype: &Genotype) -> Vec<(String, String)> {
    vec![("architecture".to_owned(), encode(genotype).unwrap_or_default())]
}
