//! Cells of NAS-Bench-101 (Ying et al., ICML 2019, arXiv 1902.09635): what its tables are asked for.
//!
//! A cell is a graph of at most [`VERTICES`] vertices and [`EDGES`] edges. Its operations sit on the
//! vertices; vertex 0 is the input and the last one the output, and every edge leads to a later vertex.
//! Many graphs are one network. The benchmark first drops what does not lie on a way from the input to
//! the output ([`Graph::pruned`]) and then names the rest by a hash that does not depend on the order of
//! its vertices ([`Graph::hash`]).
//!
//! [`oneshot`] has the three spaces that NAS-Bench-1Shot1 searches among these cells.

mod hash;
pub mod oneshot;
mod text;

pub use hash::Hash;

use serde::{Deserialize, Serialize};

/// Most vertices of a cell of the benchmark, input and output included.
pub const VERTICES: usize = 7;

/// Most edges of a cell of the benchmark.
pub const EDGES: usize = 9;

/// Most vertices of a graph here: the dropped ones do not count for the benchmark.
const ROOM: usize = 32;

/// An operation of a vertex between input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Convolution 3×3, batch norm, ReLU.
    Conv3x3,
    /// Convolution 1×1, batch norm, ReLU.
    Conv1x1,
    /// Max pooling 3×3.
    MaxPool3x3,
}

impl Operation {
    /// All of them in the order of the benchmark, which is that of its labels 0, 1 and 2.
    pub const ALL: [Self; 3] = [Self::Conv3x3, Self::Conv1x1, Self::MaxPool3x3];

    /// Its name in the benchmark.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conv3x3 => "conv3x3-bn-relu",
            Self::Conv1x1 => "conv1x1-bn-relu",
            Self::MaxPool3x3 => "maxpool3x3",
        }
    }
}

/// A cell: which vertex feeds which, and the operations between input and output.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "text::Spec", into = "text::Spec")]
pub struct Graph {
    /// For every vertex the vertices that it feeds, as bits.
    feeds: Vec<u32>,
    /// Of the vertices 1, 2, …
    operations: Vec<Operation>,
}

/// Why something is no cell of NAS-Bench-101.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// There must be an input and an output, and not too many vertices for one matrix.
    #[error(
        "the graph has {vertices} vertices; a cell has from 2 to {ROOM}, input and output included"
    )]
    Size {
        /// How many there are.
        vertices: usize,
    },
    /// The matrix must have a row and a column for every vertex.
    #[error("row {row} of the matrix has {found} entries, but the graph has {vertices} vertices")]
    Shape {
        /// The row, from 0 on.
        row: usize,
        /// Its entries.
        found: usize,
        /// Vertices by the labels.
        vertices: usize,
    },
    /// An entry of a matrix says whether there is an edge.
    #[error("the matrix has the entry `{entry}`; 1 is an edge, 0 is none")]
    Entry {
        /// What stands there.
        entry: String,
    },
    /// Edges lead from earlier to later vertices.
    #[error("vertex {from} feeds vertex {to} of {vertices}; edges lead to a later vertex")]
    Backwards {
        /// Where the edge starts.
        from: usize,
        /// Where it ends.
        to: usize,
        /// Vertices of the graph.
        vertices: usize,
    },
    /// A label stands where it cannot.
    #[error(
        "vertex {vertex} is `{label}`; the first is input (-1), the last output (-2), those between are \
         conv3x3-bn-relu (0), conv1x1-bn-relu (1) or maxpool3x3 (2)"
    )]
    Label {
        /// The vertex.
        vertex: usize,
        /// Its label.
        label: String,
    },
    /// A text has another form.
    #[error(
        "`{text}` is no cell; a cell is written as its matrix and its labels, e.g. `{example}`"
    )]
    Text {
        /// What stands there.
        text: String,
        /// A cell.
        example: &'static str,
    },
    /// A hash has another form.
    #[error("`{text}` is no hash of a cell; that has 32 digits from 0 to 9 and a to f")]
    Hash {
        /// What stands there.
        text: String,
    },
}

impl Graph {
    /// The cell with these operations at its vertices 1, 2, … and these edges, each from a vertex to a
    /// later one. Vertex 0 is the input, vertex `operations.len() + 1` the output.
    ///
    /// # Errors
    /// [`GraphError::Size`], or [`GraphError::Backwards`] for an edge that leads nowhere or back.
    pub fn from_edges(
        operations: Vec<Operation>,
        edges: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Self, GraphError> {
        let vertices = operations.len() + 2;
        if vertices > ROOM {
            return Err(GraphError::Size { vertices });
        }
        let mut feeds = vec![0; vertices];
        for (from, to) in edges {
            if from >= to || to >= vertices {
                return Err(GraphError::Backwards { from, to, vertices });
            }
            feeds[from] |= 1 << to;
        }
        Ok(Self { feeds, operations })
    }

    /// Number of vertices, input and output included.
    pub fn vertices(&self) -> usize {
        self.feeds.len()
    }

    /// The operations of the vertices 1, 2, …
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Whether vertex `from` feeds vertex `to`.
    pub fn has_edge(&self, from: usize, to: usize) -> bool {
        self.feeds.get(from).is_some_and(|row| to < ROOM && row >> to & 1 == 1)
    }

    /// All edges (from, to), row by row of the matrix.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        let all =
            (0..self.vertices()).flat_map(|from| (0..self.vertices()).map(move |to| (from, to)));
        all.filter(|&(from, to)| self.has_edge(from, to))
    }

    /// What is left of it when all vertices are dropped that no way from input to output passes; `None`
    /// if there is no such way.
    pub fn pruned(&self) -> Option<Self> {
        let kept = self.kept()?;
        let place = |vertex: usize| kept.binary_search(&vertex).ok();
        let inner = kept.get(1..kept.len() - 1)?;
        let operations = inner.iter().map(|&vertex| self.operations[vertex - 1]).collect();
        let edges = self.edges().filter_map(|(from, to)| Some((place(from)?, place(to)?)));
        Self::from_edges(operations, edges).ok()
    }

    /// The vertices on ways from input to output.
    fn kept(&self) -> Option<Vec<usize>> {
        let (last, mut reached, mut needed) =
            (self.vertices() - 1, 1_u32, 1_u32 << (self.vertices() - 1));
        // Edges lead to later vertices, so one pass in each direction is enough.
        for (vertex, row) in self.feeds.iter().enumerate() {
            reached |= if reached >> vertex & 1 == 1 { *row } else { 0 };
        }
        for (vertex, row) in self.feeds.iter().enumerate().rev() {
            needed |= u32::from(row & needed != 0) << vertex;
        }
        let both = reached & needed;
        (both >> last & 1 == 1)
            .then(|| (0..=last).filter(|vertex| both >> vertex & 1 == 1).collect())
    }

    /// Whether the benchmark has it: pruned, it connects input and output, with at most [`VERTICES`]
    /// vertices and [`EDGES`] edges.
    pub fn is_valid(&self) -> bool {
        let fits = |it: Self| it.vertices() <= VERTICES && it.edges().count() <= EDGES;
        self.pruned().is_some_and(fits)
    }

    /// The name of this network in the benchmark: the hash of the pruned graph; `None` if no way leads
    /// from input to output.
    pub fn hash(&self) -> Option<Hash> {
        self.pruned().map(|pruned| hash::of(&pruned))
    }
}
