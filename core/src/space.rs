//! The search spaces: which operations every edge of a cell chooses from (spec §1.1, §3.6, §6).

mod s1;

use std::ops::Range;

use crate::net::{Bench201Net, CellNet, EdgeTable, NetShape, Supernet};
use crate::ops::{self, Operation};

/// One row of the catalogue of spaces.
pub struct Space {
    /// Its name everywhere.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    candidates: Candidates,
}

enum Candidates {
    /// The same on all edges of both cells.
    Everywhere(&'static [&'static str]),
    /// A pair for every edge: normal cell, reduction cell.
    Pairs(&'static [[&'static str; 2]; 14], &'static [[&'static str; 2]; 14]),
    /// The same on all edges of the one cell of NAS-Bench-201.
    Bench201(&'static [&'static str]),
}

/// All spaces.
pub static ALL: &[Space] = &[
    Space {
        name: "darts",
        help: "the 8 operations of the original DARTS, `none` included",
        candidates: Candidates::Everywhere(&[
            "none",
            "max_pool_3x3",
            "avg_pool_3x3",
            "skip_connect",
            "sep_conv_3x3",
            "sep_conv_5x5",
            "dil_conv_3x3",
            "dil_conv_5x5",
        ]),
    },
    Space {
        name: "s5",
        help: "the 7 operations of the paper's CIFAR search: DARTS without `none`",
        candidates: Candidates::Everywhere(&[
            "max_pool_3x3",
            "avg_pool_3x3",
            "skip_connect",
            "sep_conv_3x3",
            "sep_conv_5x5",
            "dil_conv_3x3",
            "dil_conv_5x5",
        ]),
    },
    Space {
        name: "s1",
        help: "2 operations for each edge, chosen for that edge",
        candidates: Candidates::Pairs(&s1::NORMAL, &s1::REDUCE),
    },
    Space {
        name: "s2",
        help: "skip connection or separable 3x3 convolution",
        candidates: Candidates::Everywhere(&["skip_connect", "sep_conv_3x3"]),
    },
    Space {
        name: "s3",
        help: "none, skip connection or separable 3x3 convolution",
        candidates: Candidates::Everywhere(&["none", "skip_connect", "sep_conv_3x3"]),
    },
    Space {
        name: "s4",
        help: "noise or separable 3x3 convolution",
        candidates: Candidates::Everywhere(&["noise", "sep_conv_3x3"]),
    },
    Space {
        name: "nasbench201",
        help: "NAS-Bench-201: 5 operations on the 6 edges of one cell, all 15,625 of them tabulated",
        candidates: Candidates::Bench201(&[
            "none",
            "skip_connect",
            "nor_conv_1x1",
            "nor_conv_3x3",
            "avg_pool_3x3",
        ]),
    },
];

/// A name that is not in the catalogue, or an operation that is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// No such space.
    #[error("there is no search space `{name}`; there are: {known}")]
    Unknown {
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// A table names an operation that the catalogue lacks.
    #[error("space `{space}` names the operation `{operation}`, which the catalogue does not have")]
    UnknownOperation {
        /// The space.
        space: &'static str,
        /// The operation.
        operation: &'static str,
    },
    /// NAS-Bench-201 has three stages of equally many cells.
    #[error(
        "search.cells = {cells}: space nasbench201 has 3N + 2 cells, N in each of three stages and \
         a residual block after the first two, e.g. 5 (N = 1) or 17 (N = 5, the benchmark)"
    )]
    Stages {
        /// The cells that were asked for.
        cells: usize,
    },
}

/// The space of this name.
///
/// # Errors
/// [`SpaceError::Unknown`] with all names.
pub fn find(name: &str) -> Result<&'static Space, SpaceError> {
    ALL.iter().find(|space| space.name == name).ok_or_else(|| SpaceError::Unknown {
        name: name.to_owned(),
        known: ALL.iter().map(|space| space.name).collect::<Vec<_>>().join(", "),
    })
}

impl Space {
    /// The supernet of this space.
    ///
    /// # Errors
    /// [`SpaceError::Stages`] if the space cannot have so many cells, or
    /// [`SpaceError::UnknownOperation`] if a table of the space is wrong.
    pub fn supernet(&self, shape: NetShape) -> Result<Box<dyn Supernet>, SpaceError> {
        match self.candidates {
            Candidates::Bench201(_) if shape.cells < 5 || shape.cells % 3 != 2 => {
                Err(SpaceError::Stages { cells: shape.cells })
            }
            Candidates::Bench201(_) => Ok(Box::new(Bench201Net::new(&self.table(0, 1..4)?, shape))),
            _ => Ok(Box::new(CellNet::new(&self.table(0, 2..6)?, &self.table(1, 2..6)?, shape))),
        }
    }

    /// The edges of a cell type, node by node: from every state before it.
    fn table(&self, kind: usize, nodes: Range<usize>) -> Result<Vec<EdgeTable>, SpaceError> {
        let ends = nodes.flat_map(|node| (0..node).map(move |source| (node, source)));
        let edge = |(index, (node, source))| {
            let operations = self.names(kind, index).iter().map(|name| self.operation(name));
            Ok(EdgeTable { node, source, operations: operations.collect::<Result<_, _>>()? })
        };
        ends.enumerate().map(edge).collect()
    }

    fn names(&self, kind: usize, edge: usize) -> &'static [&'static str] {
        match self.candidates {
            Candidates::Everywhere(names) | Candidates::Bench201(names) => names,
            Candidates::Pairs(normal, _) if kind == 0 => &normal[edge],
            Candidates::Pairs(_, reduce) => &reduce[edge],
        }
    }

    fn operation(&self, name: &'static str) -> Result<&'static Operation, SpaceError> {
        ops::find(name).ok_or(SpaceError::UnknownOperation { space: self.name, operation: name })
    }
}
