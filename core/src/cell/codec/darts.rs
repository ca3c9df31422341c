//! The tuple of the Python code bases of the field: `Genotype(normal=[('sep_conv_3x3', 1), …],
//! normal_concat=range(2, 6), …)`, and the same as a JSON object.
//!
//! A cell is a flat list of genes, an operation with the state that it reads. Two genes make a
//! node, so that node i has the genes 2i and 2i + 1. States 0 and 1 are the outputs of the two
//! cells before. This is the only place that knows it.

use serde::{Deserialize, Serialize};

use super::{Codec, python};
use crate::cell::{Cell, Edge, Genotype, GenotypeError, Node, Output};

/// Edges that every node keeps.
pub const EDGES: usize = 2;

/// The names of the two cells: normal, reduction.
pub const CELLS: [&str; 2] = ["normal", "reduce"];

/// The names of the two inputs of a cell: the outputs of the two cells before it, cell k.
pub const INPUTS: [&str; 2] = ["c_{k-2}", "c_{k-1}"];

/// The row of the catalogue.
pub static CODEC: Codec = Codec {
    name: "darts",
    title: "Python (for the code bases of the field)",
    encode: to_python,
    decode: from_python,
    columns,
};

pub use super::python::Gene;

/// The tuple as serde reads and writes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cell) struct Tuple {
    normal: Vec<Gene>,
    normal_concat: Vec<usize>,
    reduce: Vec<Gene>,
    reduce_concat: Vec<usize>,
}

impl Tuple {
    /// `None` for a graph that is not made of such cells.
    pub(in crate::cell) fn write(genotype: &Genotype) -> Option<Self> {
        let [normal, reduce] = genotype.cells.as_slice() else { return None };
        let named = [&normal.name, &reduce.name].into_iter().eq(CELLS);
        let (normal, normal_concat) = flat(normal)?;
        let (reduce, reduce_concat) = flat(reduce)?;
        named.then_some(Self { normal, normal_concat, reduce, reduce_concat })
    }

    pub(in crate::cell) fn read(self) -> Result<Genotype, GenotypeError> {
        let [normal, reduce] = CELLS;
        let normal = even(normal, &self.normal, &self.normal_concat)?;
        Ok(Genotype { cells: vec![normal, even(reduce, &self.reduce, &self.reduce_concat)?] })
    }
}

/// A cell of these genes, two for each node, whose output is the concatenation of these states.
pub fn cell(name: &str, genes: &[Gene], concat: &[usize]) -> Cell {
    let edge =
        |(operation, source): &Gene| Edge { source: *source, operation: Some(operation.clone()) };
    let node = |genes: &[Gene]| Node { operation: None, edges: genes.iter().map(edge).collect() };
    from_nodes(name, genes.chunks(EDGES).map(node).collect(), concat.to_vec())
}

/// A cell of these nodes; all of a DARTS space are made here.
pub fn from_nodes(name: &str, nodes: Vec<Node>, concat: Vec<usize>) -> Cell {
    Cell {
        name: name.to_owned(),
        inputs: INPUTS.map(str::to_owned).to_vec(),
        nodes,
        output: Output::Concatenation(concat),
    }
}

fn even(name: &str, genes: &[Gene], concat: &[usize]) -> Result<Cell, GenotypeError> {
    match genes.len() {
        count if count % EDGES == 0 => Ok(cell(name, genes, concat)),
        count => Err(GenotypeError::OddGenes { cell: name.to_owned(), count }),
    }
}

/// The genes of a cell and its output; `None` if it has another form.
fn flat(cell: &Cell) -> Option<(Vec<Gene>, Vec<usize>)> {
    let Output::Concatenation(concat) = &cell.output else { return None };
    let fits = |node: &Node| node.operation.is_none() && node.edges.len() == EDGES;
    if cell.inputs.len() != INPUTS.len() || !cell.nodes.iter().all(fits) {
        return None;
    }
    let gene = |(_, edge): (usize, &Edge)| Some((edge.operation.clone()?, edge.source));
    Some((cell.edges().map(gene).collect::<Option<_>>()?, concat.clone()))
}

/// The text that the Python code bases read:
/// `Genotype(normal=[('sep_conv_3x3', 1), …], normal_concat=range(2, 6), …)`.
pub fn to_python(genotype: &Genotype) -> Option<String> {
    let Tuple { normal, normal_concat, reduce, reduce_concat } = Tuple::write(genotype)?;
    Some(format!(
        "Genotype(normal={}, normal_concat={}, reduce={}, reduce_concat={})",
        python::genes(&normal),
        python::states(&normal_concat),
        python::genes(&reduce),
        python::states(&reduce_concat),
    ))
}

/// A column for each cell: `sep_conv_3x3 1; skip_connect 0; …`.
fn columns(genotype: &Genotype) -> Vec<(String, String)> {
    let gene = |(_, edge): (usize, &Edge)| {
        format!("{} {}", edge.operation.as_deref().unwrap_or_default(), edge.source)
    };
    let column = |cell: &Cell| {
        let genes: Vec<String> = cell.edges().map(gene).collect();
        (format!("genotype_{}", cell.name), genes.join("; "))
    };
    genotype.cells.iter().map(column).collect()
}

/// Reads the JSON object that a genotype is written as.
///
/// # Errors
/// [`GenotypeError::Text`] with what is wrong, or what [`Genotype::validate`] finds.
pub fn from_json(text: &str) -> Result<Genotype, GenotypeError> {
    let tuple: Tuple = serde_json::from_str(text)
        .map_err(|error| GenotypeError::Text { what: error.to_string() })?;
    let genotype = tuple.read()?;
    genotype.validate()?;
    Ok(genotype)
}

/// Fields in the order in which a Python tuple without names gives them.
const FIELDS: [&str; 4] = ["normal", "normal_concat", "reduce", "reduce_concat"];

/// Reads the text that [`to_python`] writes, also with a name before it (`DARTS = Genotype(…)`),
/// line breaks, and lists in the place of ranges.
///
/// # Errors
/// [`GenotypeError::Text`] with what is wrong, or what [`Genotype::validate`] finds.
pub fn from_python(text: &str) -> Result<Genotype, GenotypeError> {
    from_json(&python::to_json(text, &FIELDS)?)
}
