//! The search spaces: what a search can choose, the network that mixes it, what is derived from
//! the mixture, and how that is written.
//!
//! A row of the catalogue [`ALL`] names a [`Family`], a file of its own: [`darts`], [`nasbench201`] or
//! [`oneshot`], which read images, or [`recurrent`], which reads text. A new space is such a file and a row.

pub mod darts;
mod modified;
pub mod modifier;
pub mod nasbench201;
pub mod oneshot;
pub mod recurrent;
pub mod table;

use crate::cell::codec::Codec;
use crate::cell::{Choice, Edge, Genotype, GenotypeError, Row, Rows};
use crate::net::{Build, EdgeTable, LanguageNet, LanguageShape, NetShape, Supernet};
use crate::ops;
pub use modified::Modified;

/// One row of the catalogue of spaces.
pub struct Space {
    /// Its name everywhere.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// What it owns.
    pub family: &'static dyn Family,
}

/// What the networks of a space read, which decides the task of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Images, whose classes they tell.
    Images,
    /// Text, whose next words they tell.
    Text,
}

/// What a space owns.
pub trait Family: Sync {
    /// What its networks read.
    fn reads(&self) -> Reads {
        Reads::Images
    }

    /// The network of a text that weighs all options by p.
    ///
    /// # Errors
    /// [`SpaceError::OfImages`] of a space of images.
    fn language(&self, _: LanguageShape) -> Result<Box<dyn LanguageNet>, SpaceError> {
        Err(SpaceError::OfImages)
    }

    /// What there is to choose, one architecture tensor each.
    fn choices(&self) -> Vec<Choice>;

    /// The network that weighs all options of `choices` by p. They are those of the space, or what modifiers
    /// made of them ([`Modified`]).
    ///
    /// # Errors
    /// [`SpaceError`] if there is no such network of this shape and build.
    fn supernet(
        &self,
        choices: Vec<Choice>,
        shape: NetShape,
        build: &Build,
    ) -> Result<Box<dyn Supernet>, SpaceError>;

    /// What is derived from `probabilities`, which has an entry for every choice. Its cells are
    /// in the order of the choices; a choice without an entry gives a cell without nodes.
    fn derive(&self, probabilities: &[Rows]) -> Genotype;

    /// How its genotypes are written.
    fn codec(&self) -> &'static Codec;

    /// The p of a genotype alone: 1 for what it takes, 0 for all else.
    ///
    /// # Errors
    /// If it is no genotype of this space.
    fn one_hot(&self, genotype: &Genotype) -> Result<Vec<Rows>, GenotypeError> {
        genotype.one_hot(&self.choices())
    }

    /// All cells of the space, as its codec writes them, where there are tables of their true
    /// accuracies ([`table`]); `None` of a space too large for that.
    fn tabulated(&self) -> Option<fn() -> Vec<String>> {
        None
    }
}

/// All spaces.
pub static ALL: &[Space] = &[
    Space {
        name: "darts",
        help: "the 8 operations of the original DARTS, `none` included",
        family: &darts::DARTS,
    },
    Space {
        name: "s5",
        help: "the 7 operations of the paper's CIFAR search: DARTS without `none`",
        family: &darts::S5,
    },
    Space {
        name: "s1",
        help: "2 operations for each edge, chosen for that edge",
        family: &darts::S1,
    },
    Space { name: "s2", help: "skip connection or separable 3x3 convolution", family: &darts::S2 },
    Space {
        name: "s3",
        help: "none, skip connection or separable 3x3 convolution",
        family: &darts::S3,
    },
    Space { name: "s4", help: "noise or separable 3x3 convolution", family: &darts::S4 },
    Space {
        name: "nasbench201",
        help: "NAS-Bench-201: 5 operations on the 6 edges of one cell, all 15,625 of them tabulated",
        family: &nasbench201::Bench201,
    },
    Space {
        name: "oneshot-1",
        help: "NAS-Bench-1Shot1, space 1: 4 blocks with 3 operations each, which read 1, 2, 2 and 2 states",
        family: &oneshot::SPACE_1,
    },
    Space {
        name: "oneshot-2",
        help: "NAS-Bench-1Shot1, space 2: 4 blocks that read 1, 1, 2 and 2 states, and an output of 3",
        family: &oneshot::SPACE_2,
    },
    Space {
        name: "oneshot-3",
        help: "NAS-Bench-1Shot1, space 3: 5 blocks that read 1, 1, 1, 2 and 2 states",
        family: &oneshot::SPACE_3,
    },
    // The page searches images, and would carry the kernels of text for nothing.
    #[cfg(not(target_family = "wasm"))]
    Space {
        name: "recurrent",
        help: "recurrent cells on text: 8 nodes, each of which reads one state through one of 4 activations",
        family: &recurrent::Recurrent,
    },
];

/// A name that is not in the catalogue, or a network that a space does not have.
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
    #[error("a space names the operation `{operation}`, which the catalogue does not have")]
    UnknownOperation {
        /// The operation.
        operation: String,
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
    /// A network of images was asked for.
    #[error("this space has networks of text, none of images (sdarts list spaces)")]
    OfText,
    /// A network of a text was asked for.
    #[error("this space has networks of images, none of text (sdarts list spaces)")]
    OfImages,
    /// A method weighs the edges of spaces whose operations sit on edges.
    #[error(
        "search.edge_weights: space {space} has no edges to weigh beside its choices; set it to false, or search \
         darts, s1 to s5 or nasbench201"
    )]
    NoEdgeWeights {
        /// The space.
        space: &'static str,
    },
    /// Channels that do not divide.
    #[error(
        "search.channels = {channels}: one in {parts} goes through the operations \
         (search.partial_channels), so it must be a multiple of that"
    )]
    PartialChannels {
        /// Channels of the first cell.
        channels: usize,
        /// `partial_channels`.
        parts: usize,
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
    /// What its networks read.
    pub fn reads(&self) -> Reads {
        self.family.reads()
    }

    /// The supernet of a space of text.
    ///
    /// # Errors
    /// [`SpaceError::OfImages`].
    pub fn language(&self, shape: LanguageShape) -> Result<Box<dyn LanguageNet>, SpaceError> {
        self.family.language(shape)
    }

    /// What there is to choose.
    pub fn choices(&self) -> Vec<Choice> {
        self.family.choices()
    }

    /// The supernet of this space, built as the authors' code builds it.
    ///
    /// # Errors
    /// [`SpaceError::Stages`] if the space cannot have so many cells, or
    /// [`SpaceError::UnknownOperation`] if a table of the space is wrong.
    pub fn supernet(&self, shape: NetShape) -> Result<Box<dyn Supernet>, SpaceError> {
        self.supernet_as(shape, &Build::default())
    }

    /// The supernet of this space, built so.
    ///
    /// # Errors
    /// As for [`Self::supernet`], and where the space has no network that is built so.
    pub fn supernet_as(
        &self,
        shape: NetShape,
        build: &Build,
    ) -> Result<Box<dyn Supernet>, SpaceError> {
        self.family.supernet(self.choices(), shape, build)
    }

    /// What is derived from these probabilities, which have an entry for every choice.
    pub fn derive(&self, probabilities: &[Rows]) -> Genotype {
        self.family.derive(probabilities)
    }

    /// What is derived from the p of `choices`, which are those of the space or what modifiers made of them.
    pub fn derive_from(&self, choices: &[Choice], probabilities: &[Rows]) -> Genotype {
        let own = self.choices();
        if own == choices {
            return self.derive(probabilities);
        }
        self.derive(&modified::unmodified(&own, choices, probabilities))
    }

    /// The genotype as text; empty if it is not one of this space.
    pub fn encode(&self, genotype: &Genotype) -> String {
        (self.codec().encode)(genotype).unwrap_or_default()
    }

    /// The p of a genotype alone: 1 for what it takes, 0 for all else.
    ///
    /// # Errors
    /// If it is no genotype of this space.
    pub fn one_hot(&self, genotype: &Genotype) -> Result<Vec<Rows>, GenotypeError> {
        self.family.one_hot(genotype)
    }

    /// How its genotypes are written.
    pub fn codec(&self) -> &'static Codec {
        self.family.codec()
    }

    /// All cells of the space as text, where there are tables of their true accuracies.
    pub fn tabulated(&self) -> Option<fn() -> Vec<String>> {
        self.family.tabulated()
    }
}

/// Rows that weigh operations on the edges that enter these nodes, each from every state before
/// it: node by node, sources in order. `options` gives the operations of edge 0, 1, …
fn rows(
    nodes: std::ops::Range<usize>,
    options: impl Fn(usize) -> &'static [&'static str],
) -> Vec<Row> {
    let ends = nodes.flat_map(|node| (0..node).map(move |source| (node, source)));
    let row = |(index, (node, source))| Row {
        node,
        source,
        options: options(index).iter().map(|&name| name.to_owned()).collect(),
    };
    ends.enumerate().map(row).collect()
}

/// Refuses channels that cannot be divided into those that go through the operations and the others.
fn parts_divide(shape: NetShape, build: &Build) -> Result<(), SpaceError> {
    let (channels, parts) = (shape.channels, build.partial_channels);
    match parts > 0 && channels.is_multiple_of(parts) {
        true => Ok(()),
        false => Err(SpaceError::PartialChannels { channels, parts }),
    }
}

/// The edges of a network, from the rows that weigh their operations.
fn edges(rows: &[Row]) -> Result<Vec<EdgeTable>, SpaceError> {
    let operation = |name: &String| {
        ops::find(name).ok_or_else(|| SpaceError::UnknownOperation { operation: name.clone() })
    };
    let edge = |row: &Row| {
        let operations = row.options.iter().map(operation).collect::<Result<_, _>>()?;
        Ok(EdgeTable { node: row.node, source: row.source, operations })
    };
    rows.iter().map(edge).collect()
}

/// The strongest operation of an edge and its probability, leaving out the one called `without`;
/// the first of equals.
fn strongest(row: &Row, probabilities: &[f32], without: Option<&str>) -> Option<(f32, Edge)> {
    let mut best: Option<(f32, &String)> = None;
    for (&probability, option) in probabilities.iter().zip(&row.options) {
        let excluded = Some(option.as_str()) == without;
        if !excluded && best.is_none_or(|(strongest, _)| probability > strongest) {
            best = Some((probability, option));
        }
    }
    best.map(|(probability, option)| {
        (probability, Edge { source: row.source, operation: Some(option.clone()) })
    })
}
