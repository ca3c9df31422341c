//! What a search chooses from.

use serde::{Deserialize, Serialize};

use super::Edge;

/// A matrix of numbers that belong to a [`Choice`]: α, p or p̂. One row for every row of the
/// choice, one column for every option.
pub type Rows = Vec<Vec<f32>>;

/// One architecture tensor: rows that weigh options. Every row has a vector of α of its own and,
/// after the policy, a vector of p over its options.
///
/// The options are of any [kind](ChoiceKind). On an edge that mixes operations a row weighs
/// operations. A block that mixes what earlier blocks say has a row that weighs input edges, and
/// the output of a cell has one that weighs the blocks. A method that scales whole edges, as
/// PC-DARTS does, has a row that weighs the edges of a node.
///
/// ```
/// use smoothdarts::cell::{Choice, ChoiceKind, Row};
///
/// // One edge, from the input of a cell to its first node, with two operations to choose from.
/// let options = vec!["skip_connect".to_owned(), "nor_conv_3x3".to_owned()];
/// let rows = vec![Row { node: 1, source: 0, options }];
/// let choice = Choice { name: "edges".to_owned(), kind: ChoiceKind::Operation, rows };
/// assert_eq!(choice.shape(), [1, 2]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredChoice")]
pub struct Choice {
    /// Its name in events, checkpoints and files, e.g. `normal` or `edges`.
    pub name: String,
    /// What its rows weigh.
    #[serde(default, skip_serializing_if = "ChoiceKind::is_operation")]
    pub kind: ChoiceKind,
    /// The rows, in the order of the rows of the tensor.
    #[serde(rename = "edges")]
    pub rows: Vec<Row>,
}

/// What the options of a choice are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceKind {
    /// The operations of an edge.
    #[default]
    Operation,
    /// The edges that may enter a node.
    Input,
    /// The states that may make the output of the cell.
    Output,
    /// The weights of the edges that enter a node, beside the choice of their operations: an option for every
    /// state before it.
    EdgeWeight,
}

impl ChoiceKind {
    fn is_operation(&self) -> bool {
        *self == Self::Operation
    }
}

/// One row of a choice and its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredRow")]
pub struct Row {
    /// State that it belongs to; of operations, the state that their edge ends in.
    pub node: usize,
    /// State that its edge reads; the same as `node` in a row of the node itself.
    pub source: usize,
    /// Names of its options, in column order.
    #[serde(rename = "operations")]
    pub options: Vec<String>,
}

/// More states than any cell has; pictures have room for every state before the last.
const MAX_STATES: usize = 1000;

/// A choice as a file has it.
#[derive(Deserialize)]
struct StoredChoice {
    name: String,
    #[serde(default)]
    kind: ChoiceKind,
    edges: Vec<Row>,
}

impl TryFrom<StoredChoice> for Choice {
    type Error = String;

    fn try_from(stored: StoredChoice) -> Result<Self, String> {
        let StoredChoice { name, kind, edges: rows } = stored;
        let is_beyond = |row: &&Row| row.options.len() > row.node;
        if let Some(row) = rows.iter().find(is_beyond).filter(|_| kind != ChoiceKind::Operation) {
            return Err(format!(
                "{} options of {name} for what state {} reads; it reads states before it",
                row.options.len(),
                row.node
            ));
        }
        Ok(Self { name, kind, rows })
    }
}

/// A row as a file has it.
#[derive(Deserialize)]
struct StoredRow {
    node: usize,
    source: usize,
    operations: Vec<String>,
}

impl TryFrom<StoredRow> for Row {
    type Error = String;

    fn try_from(stored: StoredRow) -> Result<Self, String> {
        let StoredRow { node, source, operations: options } = stored;
        if source > node || node >= MAX_STATES {
            return Err(format!(
                "an edge from state {source} to state {node}; edges lead forward, to states below {MAX_STATES}"
            ));
        }
        Ok(Self { node, source, options })
    }
}

impl Row {
    /// A row of a node itself, not of one of its edges: of the operation that the node has, of its inputs,
    /// or of what makes the output.
    pub fn of_node(node: usize, options: Vec<String>) -> Self {
        Self { node, source: node, options }
    }

    /// Whether it belongs to a node itself.
    pub fn is_of_node(&self) -> bool {
        self.node == self.source
    }

    /// Its name, counted as states: `3←1` for the edge from state 1 to state 3, `3` for a node.
    pub fn name(&self) -> String {
        match self.is_of_node() {
            true => self.node.to_string(),
            false => format!("{}←{}", self.node, self.source),
        }
    }
}

impl Choice {
    /// Whether it weighs the operations of edges or nodes. There is one such choice for every cell.
    pub fn is_of_cell(&self) -> bool {
        self.kind == ChoiceKind::Operation
    }

    /// Whether it weighs the edges that enter a node, of the cell whose choice of operations stands before it.
    pub fn weighs_edges(&self) -> bool {
        self.kind == ChoiceKind::EdgeWeight
    }

    /// Shape of its tensor: [rows, options].
    pub fn shape(&self) -> [usize; 2] {
        [self.rows.len(), self.rows.first().map_or(0, |row| row.options.len())]
    }

    /// What `rows`, the numbers of this choice, say of an edge of a derived cell that ends in the
    /// state `node`. `None` if the edge or its operation is not among the options.
    pub fn value(&self, rows: &Rows, node: usize, edge: &Edge) -> Option<f32> {
        let row = self.rows.iter().position(|row| (row.node, row.source) == (node, edge.source))?;
        let options = &self.rows.get(row)?.options;
        let column = options.iter().position(|option| Some(option) == edge.operation.as_ref())?;
        rows.get(row)?.get(column).copied()
    }
}
