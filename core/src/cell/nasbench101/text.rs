//! How cells of NAS-Bench-101 are written: the matrix and the labels of the vertices, as JSON or as the
//! two texts of its records, side by side.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Graph, GraphError, Operation};

const EXAMPLE: &str = "011001000 input,conv3x3-bn-relu,output";

/// The JSON of a cell, as the benchmark's own `ModelSpec` has it.
#[derive(Serialize, Deserialize)]
pub(super) struct Spec {
    matrix: Vec<Vec<u8>>,
    ops: Vec<String>,
}

impl From<Graph> for Spec {
    fn from(graph: Graph) -> Self {
        let row = |from| (0..graph.vertices()).map(|to| graph.has_edge(from, to).into()).collect();
        Self {
            matrix: (0..graph.vertices()).map(row).collect(),
            ops: graph.labels().map(str::to_owned).collect(),
        }
    }
}

impl TryFrom<Spec> for Graph {
    type Error = GraphError;

    fn try_from(spec: Spec) -> Result<Self, GraphError> {
        Self::from_matrix(&spec.matrix, &spec.ops)
    }
}

impl Graph {
    /// The cell with this adjacency matrix, of which row i says what vertex i feeds, and these labels:
    /// names of the benchmark, or its numbers −1, 0, 1, 2, −2.
    ///
    /// # Errors
    /// [`GraphError`] with what is wrong.
    pub fn from_matrix(matrix: &[Vec<u8>], labels: &[impl AsRef<str>]) -> Result<Self, GraphError> {
        let vertices = labels.len();
        let rows = matrix.iter().enumerate();
        let mut wrong =
            rows.map(|(row, entries)| (row, entries.len())).filter(|it| it.1 != vertices);
        if let Some((row, found)) = wrong.next() {
            return Err(GraphError::Shape { row, found, vertices });
        }
        if matrix.len() != vertices {
            return Err(GraphError::Shape { row: matrix.len().min(vertices), found: 0, vertices });
        }
        if let Some(entry) = matrix.iter().flatten().find(|&&entry| entry > 1) {
            return Err(GraphError::Entry { entry: entry.to_string() });
        }
        let operations = operations(labels)?;
        let entries = matrix.iter().enumerate().flat_map(|(from, row)| {
            row.iter().enumerate().map(move |(to, &entry)| (from, to, entry))
        });
        let edges = entries.filter(|&(_, _, entry)| entry == 1).map(|(from, to, _)| (from, to));
        Self::from_edges(operations, edges)
    }

    /// The cell with this adjacency matrix, all of its rows as one text of 0 and 1, and these labels.
    ///
    /// # Errors
    /// As [`Graph::from_matrix`].
    pub fn from_texts(adjacency: &str, labels: &[impl AsRef<str>]) -> Result<Self, GraphError> {
        let entry = |character: char| match character {
            '0' => Ok(0),
            '1' => Ok(1),
            _ => Err(GraphError::Entry { entry: character.to_string() }),
        };
        let entries = adjacency.chars().map(entry).collect::<Result<Vec<u8>, _>>()?;
        let rows: Vec<Vec<u8>> = entries.chunks(labels.len().max(1)).map(<[u8]>::to_vec).collect();
        Self::from_matrix(&rows, labels)
    }

    /// The labels of all vertices.
    pub fn labels(&self) -> impl Iterator<Item = &'static str> {
        let inner = self.operations().iter().map(|operation| operation.name());
        ["input"].into_iter().chain(inner).chain(["output"])
    }
}

fn operations(labels: &[impl AsRef<str>]) -> Result<Vec<Operation>, GraphError> {
    let (vertices, last) = (labels.len(), labels.len().saturating_sub(1));
    if vertices < 2 {
        return Err(GraphError::Size { vertices });
    }
    let mut operations = Vec::new();
    for (vertex, label) in labels.iter().map(AsRef::as_ref).enumerate() {
        let operation = match label {
            "conv3x3-bn-relu" | "0" => Some(Operation::Conv3x3),
            "conv1x1-bn-relu" | "1" => Some(Operation::Conv1x1),
            "maxpool3x3" | "2" => Some(Operation::MaxPool3x3),
            _ => None,
        };
        let fits = match label {
            "input" | "-1" => vertex == 0,
            "output" | "-2" => vertex == last,
            _ => operation.is_some() && vertex != 0 && vertex != last,
        };
        if !fits {
            return Err(GraphError::Label { vertex, label: label.to_owned() });
        }
        operations.extend(operation);
    }
    Ok(operations)
}

impl fmt::Display for Graph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for from in 0..self.vertices() {
            for to in 0..self.vertices() {
                formatter.write_str(if self.has_edge(from, to) { "1" } else { "0" })?;
            }
        }
        write!(formatter, " {}", self.labels().collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Graph {
    type Err = GraphError;

    fn from_str(text: &str) -> Result<Self, GraphError> {
        let refused = || GraphError::Text { text: text.to_owned(), example: EXAMPLE };
        let (adjacency, labels) = text.trim().split_once(' ').ok_or_else(refused)?;
        Self::from_texts(adjacency, &labels.trim().split(',').collect::<Vec<_>>())
    }
}
