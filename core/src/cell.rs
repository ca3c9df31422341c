//! Cells: what a search can choose ([`Choice`]) and what it found ([`Genotype`]).
//!
//! Both are data about names and know nothing of tensors, so that events, files and pictures can
//! carry them. A cell is a graph. Its states are its inputs, then its nodes, counted together from
//! 0: in a cell with two inputs state 2 is node 0. Where a state is named in words, the name comes
//! from [`Cell::label`].
//!
//! - [`codec`]: the texts that other programs of the field write a genotype in.
//! - [`nasbench101`]: cells of NAS-Bench-101, and the hash by which its tables name them.
//! - [`published`]: genotypes from papers.

mod choice;
pub mod codec;
mod genotype;
pub mod nasbench101;
pub mod published;
mod statistics;

pub use choice::{Choice, ChoiceKind, Row, Rows};
pub use genotype::{Cell, Edge, Genotype, GenotypeError, Node, Output};
pub use statistics::CellStatistics;
