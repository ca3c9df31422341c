//! What a search finds, as a graph that no space owns.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{Choice, ChoiceKind, Row, Rows, codec};
use crate::ops::Activation;

/// The cells that a search derived.
///
/// Its JSON is that of the first [`codec`] that can write it: an object for the two
/// cells of a DARTS space and for a recurrent cell, a string for the cell of NAS-Bench-201 or NAS-Bench-101.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Genotype {
    /// The cells, in the order of the choices that they were derived from.
    pub cells: Vec<Cell>,
}

/// One cell: a graph of states, of which the first are its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// `normal`, `reduce`, or `cell` where a space has only one.
    pub name: String,
    /// Names of its inputs, which are the states 0, 1, …: e.g. `c_{k-2}` and `c_{k-1}`.
    pub inputs: Vec<String>,
    /// Its nodes, which are the states after the inputs.
    pub nodes: Vec<Node>,
    /// What it hands on.
    pub output: Output,
}

/// A node: the sum of its incoming edges, then its own operation where it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// Its own operation, in spaces whose operations sit on nodes.
    pub operation: Option<String>,
    /// Its incoming edges, in the order in which the derivation lists them.
    pub edges: Vec<Edge>,
}

/// One incoming edge of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// State that it reads.
    pub source: usize,
    /// Name of its operation, as in [`crate::ops`], in spaces whose operations sit on edges.
    pub operation: Option<String>,
}

/// What a cell hands on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// These states, concatenated.
    Concatenation(Vec<usize>),
    /// The mean of these states, of a recurrent cell.
    Mean(Vec<usize>),
    /// The last state as it is.
    Last,
}

/// Why a graph is no genotype, or a text does not describe one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenotypeError {
    /// A DARTS cell must have two genes for each of its nodes.
    #[error("the {cell} cell has {count} genes; every node needs two, so the number must be even")]
    OddGenes {
        /// Its name.
        cell: String,
        /// How many genes there are.
        count: usize,
    },
    /// A node may read the inputs of its cell and the nodes before it.
    #[error(
        "the {cell} cell: node {node} reads state {source_state}, but only states 0 to {last} exist before it"
    )]
    FutureSource {
        /// Name of the cell.
        cell: String,
        /// State index of the node.
        node: usize,
        /// The state that it reads.
        source_state: usize,
        /// The last state that it may read.
        last: usize,
    },
    /// Only states of the cell can be concatenated.
    #[error("the {cell} cell concatenates state {state}, which it does not have")]
    UnknownState {
        /// Name of the cell.
        cell: String,
        /// The state that does not exist.
        state: usize,
    },
    /// An operation is not in the catalogue.
    #[error(
        "the {cell} cell has the operation `{operation}`, which `sdarts list ops` does not have"
    )]
    UnknownOperation {
        /// Name of the cell.
        cell: String,
        /// The operation.
        operation: String,
    },
    /// A node reads a state twice through one operation.
    #[error(
        "the {cell} cell: node {node} has two equal edges, `{operation}` from state {source_state}"
    )]
    EqualEdges {
        /// Name of the cell.
        cell: String,
        /// State index of the node.
        node: usize,
        /// The operation of both.
        operation: String,
        /// The state that both read.
        source_state: usize,
    },
    /// A cell must hand something on.
    #[error("the {cell} cell concatenates no states, so it has no output")]
    NoOutput {
        /// Name of the cell.
        cell: String,
    },
    /// The text is not the tuple of the Python code bases.
    #[error("this is not a genotype: {what}")]
    Text {
        /// What is wrong.
        what: String,
    },
    /// A node of a NAS-Bench-201 string is not between bars, or has another number of edges than
    /// states before it.
    #[error("node {node} is `{text}`, but it should be {node} times operation~source between bars")]
    Node {
        /// Index of the node, from 1 on.
        node: usize,
        /// What stands there.
        text: String,
    },
    /// A space does not have the cells of a genotype.
    #[error("the genotype has {found} cells, but there are {expected} to choose: another space?")]
    OtherCells {
        /// Cells of the genotype.
        found: usize,
        /// Cells of the space.
        expected: usize,
    },
    /// A space does not have an edge of a genotype, or not with this operation.
    #[error(
        "the {cell} cell has `{operation}` from state {source_state} to state {node}, which cannot be \
         chosen there: another space?"
    )]
    NoChoice {
        /// Name of the cell.
        cell: String,
        /// State that the edge ends in.
        node: usize,
        /// State that it reads.
        source_state: usize,
        /// The operation.
        operation: String,
    },
    /// An edge of a NAS-Bench-201 string does not end in its source.
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

impl Genotype {
    /// The cell of this name.
    pub fn cell(&self, name: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.name == name)
    }

    /// Checks that every edge reads a state that exists before its node, that no node has two equal
    /// edges, that all operations are in the catalogue, and that the states of an output exist and
    /// are some.
    ///
    /// # Errors
    /// The first fault found, cell by cell and node by node.
    pub fn validate(&self) -> Result<(), GenotypeError> {
        self.cells.iter().try_for_each(Cell::validate)
    }
}

impl Genotype {
    /// The probabilities at which a supernet computes this genotype: for every choice a matrix with 1 at
    /// what was chosen and 0 elsewhere, also on edges that were not kept.
    ///
    /// # Errors
    /// [`GenotypeError::OtherCells`] or [`GenotypeError::NoChoice`] where it is of another space.
    pub fn one_hot(&self, choices: &[Choice]) -> Result<Vec<Rows>, GenotypeError> {
        if choices.len() != self.cells.len() {
            let (found, expected) = (self.cells.len(), choices.len());
            return Err(GenotypeError::OtherCells { found, expected });
        }
        choices.iter().zip(&self.cells).map(|(choice, cell)| cell.one_hot(choice)).collect()
    }
}

impl Cell {
    fn one_hot(&self, choice: &Choice) -> Result<Rows, GenotypeError> {
        let mut p: Rows = choice.rows.iter().map(|row| vec![0.0; row.options.len()]).collect();
        for (node, edge) in self.edges() {
            let operation = edge.operation.as_deref().unwrap_or_default();
            let mut ends = choice.rows.iter();
            let row = ends.position(|row| (row.node, row.source) == (node, edge.source));
            let place = row.and_then(|row| {
                let mut options = choice.rows[row].options.iter();
                Some((row, options.position(|option| option == operation)?))
            });
            let Some((row, option)) = place else {
                let (cell, source_state) = (self.name.clone(), edge.source);
                let operation = operation.to_owned();
                return Err(GenotypeError::NoChoice { cell, node, source_state, operation });
            };
            p[row][option] = 1.0;
        }
        Ok(p)
    }

    /// Number of states: inputs and nodes.
    pub fn states(&self) -> usize {
        self.inputs.len() + self.nodes.len()
    }

    /// Its nodes, each with the index of its state.
    pub fn nodes(&self) -> impl Iterator<Item = (usize, &Node)> {
        (self.inputs.len()..).zip(&self.nodes)
    }

    /// Its edges, node by node, each with the state that it ends in.
    pub fn edges(&self) -> impl Iterator<Item = (usize, &Edge)> {
        self.nodes().flat_map(|(state, node)| node.edges.iter().map(move |edge| (state, edge)))
    }

    /// All its operations, of nodes and of edges.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().flat_map(|node| {
            let edges = node.edges.iter().filter_map(|edge| edge.operation.as_deref());
            edges.chain(node.operation.as_deref())
        })
    }

    /// The options of a row of a choice of this kind that it takes.
    pub fn kept<'a>(&'a self, kind: ChoiceKind, row: &'a Row) -> Vec<&'a str> {
        let node = row.node.checked_sub(self.inputs.len()).and_then(|it| self.nodes.get(it));
        let reads = |sources: Vec<usize>| {
            let options = row.options.iter().enumerate();
            let read = options.filter(move |(state, _)| sources.contains(state));
            read.map(|(_, option)| option.as_str()).collect()
        };
        match (kind, node) {
            (ChoiceKind::Output, _) => reads(self.outputs()),
            (ChoiceKind::Input | ChoiceKind::EdgeWeight, Some(node)) => {
                reads(node.edges.iter().map(|edge| edge.source).collect())
            }
            (_, Some(node)) if row.is_of_node() => node.operation.as_deref().into_iter().collect(),
            (_, Some(node)) => {
                let here = node.edges.iter().filter(|edge| edge.source == row.source);
                here.filter_map(|edge| edge.operation.as_deref()).collect()
            }
            (_, None) => Vec::new(),
        }
    }

    /// The states that make its output.
    pub fn outputs(&self) -> Vec<usize> {
        match &self.output {
            Output::Concatenation(states) | Output::Mean(states) => states.clone(),
            Output::Last => self.states().checked_sub(1).into_iter().collect(),
        }
    }

    /// Whether its operations sit on nodes, as those of NAS-Bench-101, and not on edges.
    pub fn has_operations_on_nodes(&self) -> bool {
        self.nodes.iter().any(|node| node.operation.is_some())
    }

    /// Whether it is a recurrent cell, which hands on the mean of states.
    pub fn is_recurrent(&self) -> bool {
        matches!(self.output, Output::Mean(_))
    }

    /// Share of parameter-free operations among its operations (Table 5); 0 for none.
    pub fn parameter_free(&self) -> f32 {
        let free =
            |name: &&str| crate::ops::find(name).is_some_and(|operation| operation.parameter_free);
        self.operations().filter(free).count() as f32 / self.operations().count().max(1) as f32
    }

    /// The name of a state: that of an input, or `node 0`, `node 1`, … In a recurrent cell the nodes are
    /// numbered as its states are, so that node 0 is the one that is made of x and h.
    pub fn label(&self, state: usize) -> String {
        if self.is_recurrent() {
            return format!("node {state}");
        }
        match state.checked_sub(self.inputs.len()) {
            None => self.inputs.get(state).cloned().unwrap_or_default(),
            Some(node) => format!("node {node}"),
        }
    }

    /// How its states are numbered, in words: `0 and 1 are c_{k-2} and c_{k-1}, state 2 is node 0`.
    pub fn numbering(&self) -> String {
        if self.is_recurrent() {
            return "0 is made of x and h, state 1 is the first that is searched".to_owned();
        }
        let count = self.inputs.len();
        let inputs = match self.inputs.as_slice() {
            [input] => format!("0 is the {input}"),
            inputs => {
                let states: Vec<String> = (0..count).map(|state| state.to_string()).collect();
                format!("{} are {}", states.join(" and "), inputs.join(" and "))
            }
        };
        format!("{inputs}, state {count} is {}", self.label(count))
    }

    /// What it is called in a sentence: `normal cell`, `reduction cell`, or `cell` where it is the
    /// only one.
    pub fn words(&self) -> String {
        match self.name.as_str() {
            "reduce" => "reduction cell".to_owned(),
            "cell" => "cell".to_owned(),
            name => format!("{name} cell"),
        }
    }

    /// Whether an operation is in the catalogue for such cells.
    fn knows(&self, operation: &str) -> bool {
        match self.is_recurrent() {
            true => Activation::find(operation).is_some(),
            false => crate::ops::find(operation).is_some(),
        }
    }

    fn validate(&self) -> Result<(), GenotypeError> {
        let cell = || self.name.clone();
        if let Some((node, edge)) = self.edges().find(|(node, edge)| edge.source >= *node) {
            let (source_state, last) = (edge.source, node.saturating_sub(1));
            return Err(GenotypeError::FutureSource { cell: cell(), node, source_state, last });
        }
        if let Some(operation) = self.operations().find(|name| !self.knows(name)) {
            let operation = operation.to_owned();
            return Err(GenotypeError::UnknownOperation { cell: cell(), operation });
        }
        for (node, Node { edges, .. }) in self.nodes() {
            let equal = |(index, edge): &(usize, &Edge)| edges[..*index].contains(*edge);
            if let Some((_, edge)) = edges.iter().enumerate().find(equal) {
                let operation = edge.operation.clone().unwrap_or_default();
                let source_state = edge.source;
                return Err(GenotypeError::EqualEdges {
                    cell: cell(),
                    node,
                    operation,
                    source_state,
                });
            }
        }
        if self.outputs().is_empty() {
            return Err(GenotypeError::NoOutput { cell: cell() });
        }
        match self.outputs().into_iter().find(|&state| state >= self.states()) {
            Some(state) => Err(GenotypeError::UnknownState { cell: cell(), state }),
            None => Ok(()),
        }
    }
}

impl Serialize for Genotype {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = codec::Json::write(self);
        json.ok_or_else(|| ser::Error::custom("no codec writes this graph"))?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Genotype {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        codec::Json::deserialize(deserializer)?.read().map_err(de::Error::custom)
    }
}
