//! The text of a cell of NAS-Bench-101: its matrix, row after row, and the labels of its vertices, e.g.
//! `011001000 input,conv3x3-bn-relu,output` ([`Graph`]).
//!
//! A cell has one input, state 0. Its operations sit on nodes, its edges have none, and the output
//! concatenates states. A node that the output does not reach has no edges.

use super::Codec;
use crate::cell::nasbench101::{Graph, Operation};
use crate::cell::{Cell, Edge, Genotype, GenotypeError, Node, Output};

/// The name of the only cell.
pub const CELL: &str = "cell";

/// The name of its input.
pub const INPUT: &str = "input";

/// The row of the catalogue.
pub static CODEC: Codec = Codec {
    name: "nasbench101",
    title: "Matrix and labels of NAS-Bench-101",
    encode,
    decode,
    columns,
};

/// The genotype of these nodes and these states at the output; all of NAS-Bench-101 are made here.
pub fn from_nodes(nodes: Vec<Node>, output: Vec<usize>) -> Genotype {
    let (name, inputs) = (CELL.to_owned(), vec![INPUT.to_owned()]);
    Genotype { cells: vec![Cell { name, inputs, nodes, output: Output::Concatenation(output) }] }
}

/// The genotype of a graph.
pub fn from_graph(graph: &Graph) -> Genotype {
    let sources = |to| graph.edges().filter(move |edge| edge.1 == to).map(|edge| edge.0);
    let edge = |source| Edge { source, operation: None };
    let node = |(state, operation): (usize, &Operation)| Node {
        operation: Some(operation.name().to_owned()),
        edges: sources(state).map(edge).collect(),
    };
    let nodes = (1..).zip(graph.operations()).map(node).collect();
    from_nodes(nodes, sources(graph.vertices() - 1).collect())
}

/// The graph of a genotype; `None` if it is no such cell.
pub fn graph(genotype: &Genotype) -> Option<Graph> {
    let [cell] = genotype.cells.as_slice() else { return None };
    let Output::Concatenation(output) = &cell.output else { return None };
    let has_operations = cell.edges().any(|(_, edge)| edge.operation.is_some());
    if cell.inputs.len() != 1 || has_operations {
        return None;
    }
    let operation = |node: &Node| {
        Operation::ALL.into_iter().find(|it| Some(it.name()) == node.operation.as_deref())
    };
    let operations = cell.nodes.iter().map(operation).collect::<Option<Vec<_>>>()?;
    let last = cell.states();
    let inner = cell.edges().map(|(node, edge)| (edge.source, node));
    Graph::from_edges(operations, inner.chain(output.iter().map(|&state| (state, last)))).ok()
}

/// The text of a genotype; `None` if it is no such cell.
pub fn encode(genotype: &Genotype) -> Option<String> {
    Some(graph(genotype)?.to_string())
}

/// Whether a text can be meant as that of a cell: it begins with its matrix.
pub fn is_meant(text: &str) -> bool {
    text.starts_with(['0', '1']) && text.contains(' ')
}

/// Reads such a text.
///
/// # Errors
/// [`GenotypeError::Text`] with what is wrong.
pub fn decode(text: &str) -> Result<Genotype, GenotypeError> {
    let graph: Graph =
        text.parse().map_err(|error| GenotypeError::Text { what: format!("{error}") })?;
    let genotype = from_graph(&graph);
    genotype.validate()?;
    Ok(genotype)
}

/// One column with the text.
fn columns(genotype: &Genotype) -> Vec<(String, String)> {
    vec![("architecture".to_owned(), encode(genotype).unwrap_or_default())]
}
