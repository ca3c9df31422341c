//! The tuple that the Python code bases write a recurrent cell in:
//! `Genotype(recurrent=[('sigmoid', 0), ('relu', 1), …], concat=range(1, 9))`, and the same as a JSON
//! object (spec §10).
//!
//! State 0 is what the cell makes first of its two inputs, the word x and the hidden state h. Every gene is
//! a node with one edge: an activation, and the state that it reads. The output, which is the next hidden
//! state, is the mean of the states that are named last (the field calls them `concat` all the same).

use serde::{Deserialize, Serialize};

use super::{Codec, python};
use crate::cell::{Cell, Edge, Genotype, GenotypeError, Node, Output};

pub use super::python::Gene;

/// The name of the only cell.
pub const CELL: &str = "cell";

/// The name of its state 0, which is made of x and h.
pub const INPUT: &str = "node 0";

/// The row of the catalogue.
pub static CODEC: Codec = Codec {
    name: "recurrent",
    title: "Python (for the code bases of the field)",
    encode: to_python,
    decode: from_python,
    columns,
};

/// The tuple as serde reads and writes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cell) struct Tuple {
    recurrent: Vec<Gene>,
    concat: Vec<usize>,
}

impl Tuple {
    /// `None` for a graph that is not such a cell.
    pub(in crate::cell) fn write(genotype: &Genotype) -> Option<Self> {
        let (recurrent, concat) = genes(genotype)?;
        Some(Self { recurrent, concat })
    }

    pub(in crate::cell) fn read(self) -> Genotype {
        from_genes(&self.recurrent, &self.concat)
    }
}

/// The genotype of these genes, one for each node, whose output is the mean of these states; all recurrent
/// ones are made here.
pub fn from_genes(genes: &[Gene], concat: &[usize]) -> Genotype {
    let node = |(operation, source): &Gene| Node {
        operation: None,
        edges: vec![Edge { source: *source, operation: Some(operation.clone()) }],
    };
    let cell = Cell {
        name: CELL.to_owned(),
        inputs: vec![INPUT.to_owned()],
        nodes: genes.iter().map(node).collect(),
        output: Output::Mean(concat.to_vec()),
    };
    Genotype { cells: vec![cell] }
}

/// The genes of a genotype and the states of its mean; `None` if it is no such cell.
pub fn genes(genotype: &Genotype) -> Option<(Vec<Gene>, Vec<usize>)> {
    let [cell] = genotype.cells.as_slice() else { return None };
    let Output::Mean(states) = &cell.output else { return None };
    let gene = |node: &Node| match (&node.operation, node.edges.as_slice()) {
        (None, [edge]) => Some((edge.operation.clone()?, edge.source)),
        _ => None,
    };
    let genes = cell.nodes.iter().map(gene).collect::<Option<_>>()?;
    (cell.inputs.len() == 1).then(|| (genes, states.clone()))
}

/// The text that the Python code bases read; `None` if it is no such cell.
pub fn to_python(genotype: &Genotype) -> Option<String> {
    let (genes, concat) = genes(genotype)?;
    let (genes, concat) = (python::genes(&genes), python::states(&concat));
    Some(format!("Genotype(recurrent={genes}, concat={concat})"))
}

/// Whether a text is meant as such a tuple, and not as that of a cell for images.
pub fn is_meant(text: &str) -> bool {
    text.contains("recurrent")
}

/// Reads such a text.
///
/// # Errors
/// [`GenotypeError::Text`] with what is wrong, or what [`Genotype::validate`] finds.
pub fn from_python(text: &str) -> Result<Genotype, GenotypeError> {
    let json = python::to_json(text, &["recurrent", "concat"])?;
    let tuple: Tuple = serde_json::from_str(&json)
        .map_err(|error| GenotypeError::Text { what: error.to_string() })?;
    let genotype = tuple.read();
    genotype.validate()?;
    Ok(genotype)
}

/// One column: `sigmoid 0; relu 1; …`.
fn columns(genotype: &Genotype) -> Vec<(String, String)> {
    let (genes, _) = genes(genotype).unwrap_or_default();
    let words = genes.iter().map(|(operation, source)| format!("{operation} {source}"));
    vec![("genotype".to_owned(), words.collect::<Vec<_>>().join("; "))]
}
