//! Why there is no network of a genotype.

use crate::cell::{Cell, GenotypeError};

/// Why there is no network of a genotype.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerivedError {
    /// It is no sound graph.
    #[error(transparent)]
    Genotype(#[from] GenotypeError),
    /// It is of another space.
    #[error(
        "no network is known for {found}; networks are made of the two cells of a DARTS space \
         (normal and reduce), or of the one cell of NAS-Bench-201 or NAS-Bench-101"
    )]
    Foreign {
        /// What it has.
        found: String,
    },
    /// A text is read by a recurrent cell.
    #[error(
        "a text is read by a recurrent cell, and this genotype has {found}; name a recurrent one \
         (`sdarts list genotypes`: penn_…), or train this one on images (`--preset train-cifar10`)"
    )]
    NoRecurrent {
        /// What it has.
        found: String,
    },
    /// Images are not read by a recurrent cell.
    #[error(
        "a recurrent cell reads a text, no images; train it with `--preset train-ptb-quick` or \
         `--preset train-ptb`, or name a genotype of cells for images"
    )]
    Recurrent,
    /// The output of a cell would be of two sizes.
    #[error("the {cell} concatenates state {state}, which is its input; it may concatenate nodes")]
    InputInOutput {
        /// The cell, in words.
        cell: String,
        /// The state.
        state: usize,
    },
    /// A count of the shape is zero.
    #[error("a network of 0 {what} does not exist; ask for at least one")]
    Nothing {
        /// What there is none of.
        what: &'static str,
    },
    /// A factorised reduction makes the channels in two halves.
    #[error("a network cannot have {channels} channels: the number must be even")]
    OddChannels {
        /// Channels of the first cell.
        channels: usize,
    },
    /// NAS-Bench-201 has three stages of equally many cells.
    #[error(
        "a network of NAS-Bench-201 cannot have {cells} cells: it has 3N + 2, N in each of three \
         stages and a residual block after the first two, e.g. 5 (N = 1) or 17 (N = 5)"
    )]
    Stages {
        /// The cells that were asked for.
        cells: usize,
    },
    /// NAS-Bench-101 has three stages of equally many cells.
    #[error(
        "a network of NAS-Bench-101 cannot have {cells} cells: it has N in each of three stages, e.g. 3 \
         (N = 1) or 9 (N = 3), which the benchmark trained"
    )]
    StagesOf101 {
        /// The cells that were asked for.
        cells: usize,
    },
    /// The vertices of a cell of NAS-Bench-101 share its channels.
    #[error(
        "the output of the cell concatenates {vertices} vertices, and {channels} channels are too few for \
         them; ask for at least {vertices}"
    )]
    Narrow {
        /// Channels of the first cell.
        channels: usize,
        /// Vertices that feed the output.
        vertices: usize,
    },
    /// A cell of NAS-Bench-101 that computes nothing.
    #[error("no way leads from the input to the output of {cell}; it has no network")]
    NoWay {
        /// Its text.
        cell: String,
    },
    /// Some networks are made in one way only.
    #[error("a network of NAS-Bench-101 has no {what}; leave that out")]
    NotOfBench101 {
        /// What was asked for.
        what: &'static str,
    },
    /// Some networks are made in one way only.
    #[error("a network of NAS-Bench-201 has no {what}; leave that out")]
    NotOfBench201 {
        /// What was asked for.
        what: &'static str,
    },
}

impl DerivedError {
    pub(in crate::net) fn no_recurrent(cells: &[Cell]) -> Self {
        Self::NoRecurrent { found: described(cells) }
    }

    pub(super) fn foreign(cells: &[Cell]) -> Self {
        match cells {
            [cell] if cell.is_recurrent() => Self::Recurrent,
            cells => Self::Foreign { found: described(cells) },
        }
    }
}

/// What a genotype has, in words.
fn described(cells: &[Cell]) -> String {
    let words = |cell: &Cell| {
        let on_nodes = cell.nodes.iter().any(|node| node.operation.is_some());
        let on = if on_nodes { "nodes" } else { "edges" };
        let (inputs, nodes) = (cell.inputs.len(), cell.nodes.len());
        format!("{} with {inputs} inputs, {nodes} nodes and operations on {on}", cell.words())
    };
    match cells {
        [] => "a genotype without cells".to_owned(),
        cells => format!("a {}", cells.iter().map(words).collect::<Vec<_>>().join(" and a ")),
    }
}
