//! What a search finds: for every node of a cell, which operations it takes from which inputs.
//!
//! A [`Genotype`] is data about names. It knows nothing of tensors, so that events, files and
//! pictures can carry it. A NAS-Bench-201 cell is a [`Structure`]; [`Derived`] is either.

pub mod published;
mod python;
mod structure;

pub use structure::{Structure, StructureError};

use serde::{Deserialize, Serialize};

/// One kept edge: an operation and the state that it reads.
///
/// States 0 and 1 are the outputs of the two previous cells, 2… are the nodes of this cell.
/// Serialised as a pair, `["sep_conv_3x3", 1]`, the form that older code bases use.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(String, usize)", into = "(String, usize)")]
pub struct Gene {
    /// Name of the operation, as in [`crate::ops`].
    pub operation: String,
    /// Index of the state that it reads.
    pub source: usize,
}

impl From<(String, usize)> for Gene {
    fn from((operation, source): (String, usize)) -> Self {
        Self { operation, source }
    }
}

impl From<Gene> for (String, usize) {
    fn from(gene: Gene) -> Self {
        (gene.operation, gene.source)
    }
}

/// The cells that a search derived: two genes for every node, nodes in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genotype {
    /// Genes of the normal cell, two for every node.
    pub normal: Vec<Gene>,
    /// States whose concatenation is the output of the normal cell.
    pub normal_concat: Vec<usize>,
    /// Genes of the reduction cell, two for every node.
    pub reduce: Vec<Gene>,
    /// States whose concatenation is the output of the reduction cell.
    pub reduce_concat: Vec<usize>,
}

/// What a search derives. As JSON the cells are an object, as they always were, and a structure is
/// its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Derived {
    /// The two cells of a DARTS space.
    Cells(Genotype),
    /// The cell of NAS-Bench-201.
    Structure(Structure),
}

impl Derived {
    /// The genes of every architecture tensor, in the order of the tensors.
    pub fn genes(&self) -> Vec<&[Gene]> {
        match self {
            Self::Cells(genotype) => vec![&genotype.normal, &genotype.reduce],
            Self::Structure(structure) => vec![&structure.genes],
        }
    }

    /// The genes of architecture tensor `index`, each with the node that it ends in.
    pub fn edges(&self, index: usize) -> Vec<(usize, &Gene)> {
        let genes = self.genes().get(index).copied().unwrap_or_default();
        let node = |gene: usize| match self {
            Self::Cells(_) => 2 + gene / 2,
            // Node i has i genes, so that those of the nodes up to i are i(i + 1)/2.
            Self::Structure(_) => (1..=gene + 1).find(|i| gene < i * (i + 1) / 2).unwrap_or(1),
        };
        genes.iter().enumerate().map(|(gene, it)| (node(gene), it)).collect()
    }

    /// The cells of a DARTS space.
    pub fn cells(&self) -> Option<&Genotype> {
        match self {
            Self::Cells(genotype) => Some(genotype),
            Self::Structure(_) => None,
        }
    }

    /// The text that the Python code bases of the field read.
    pub fn to_python(&self) -> String {
        match self {
            Self::Cells(genotype) => genotype.to_python(),
            Self::Structure(structure) => structure.to_string(),
        }
    }
}

impl From<Genotype> for Derived {
    fn from(genotype: Genotype) -> Self {
        Self::Cells(genotype)
    }
}

impl From<Structure> for Derived {
    fn from(structure: Structure) -> Self {
        Self::Structure(structure)
    }
}

/// Why a genotype is not one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GenotypeError {
    /// A cell must have two genes for each of its nodes.
    #[error("the {cell} cell has {count} genes; every node needs two, so the number must be even")]
    OddGenes {
        /// `normal` or `reduce`.
        cell: &'static str,
        /// How many genes there are.
        count: usize,
    },
    /// A gene may read the two cell inputs and the nodes before its own.
    #[error(
        "the {cell} cell: node {node} reads state {source_state}, but only states 0 to {last} exist before it"
    )]
    FutureSource {
        /// `normal` or `reduce`.
        cell: &'static str,
        /// State index of the node.
        node: usize,
        /// The state that the gene names.
        source_state: usize,
        /// The last state that it may name.
        last: usize,
    },
    /// The text is not the tuple of the Python code bases.
    #[error("this is not a genotype: {what}")]
    Text {
        /// What is wrong.
        what: String,
    },
    /// Only states of the cell can be concatenated.
    #[error("the {cell} cell concatenates state {state}, which it does not have")]
    UnknownState {
        /// `normal` or `reduce`.
        cell: &'static str,
        /// The state that does not exist.
        state: usize,
    },
}

impl Genotype {
    /// Checks that every gene reads a state that exists before its node.
    ///
    /// # Errors
    /// The first fault found, cell by cell and node by node.
    pub fn validate(&self) -> Result<(), GenotypeError> {
        validate_cell("normal", &self.normal, &self.normal_concat)?;
        validate_cell("reduce", &self.reduce, &self.reduce_concat)
    }

    /// The text that the Python code bases of the field read:
    /// `Genotype(normal=[('sep_conv_3x3', 1), …], normal_concat=range(2, 6), …)`.
    pub fn to_python(&self) -> String {
        format!(
            "Genotype(normal={}, normal_concat={}, reduce={}, reduce_concat={})",
            python_genes(&self.normal),
            python_concat(&self.normal_concat),
            python_genes(&self.reduce),
            python_concat(&self.reduce_concat),
        )
    }
}

fn validate_cell(
    cell: &'static str,
    genes: &[Gene],
    concat: &[usize],
) -> Result<(), GenotypeError> {
    if !genes.len().is_multiple_of(2) {
        return Err(GenotypeError::OddGenes { cell, count: genes.len() });
    }
    for (index, gene) in genes.iter().enumerate() {
        let node = 2 + index / 2;
        if gene.source >= node {
            return Err(GenotypeError::FutureSource {
                cell,
                node,
                source_state: gene.source,
                last: node - 1,
            });
        }
    }
    let states = 2 + genes.len() / 2;
    match concat.iter().find(|&&state| state >= states) {
        Some(&state) => Err(GenotypeError::UnknownState { cell, state }),
        None => Ok(()),
    }
}

fn python_genes(genes: &[Gene]) -> String {
    let pairs: Vec<String> =
        genes.iter().map(|gene| format!("('{}', {})", gene.operation, gene.source)).collect();
    format!("[{}]", pairs.join(", "))
}

/// `range(2, 6)` where the states are consecutive, as the Python code writes it, else a list.
fn python_concat(states: &[usize]) -> String {
    match (states.first(), states.last()) {
        (Some(&first), Some(&last)) if states.iter().copied().eq(first..=last) => {
            format!("range({first}, {})", last + 1)
        }
        _ => format!("{states:?}"),
    }
}
