//! Tables of NAS-Bench-101: what trainings of its cells came to, by the hash of the cell
//! ([`smoothdarts::cell::nasbench101`]).
//!
//! They come as the official TFRecord file, as CSV or as JSON ([`source`]). `sdarts table convert` makes
//! of each of them one small binary file, which opens at once however many cells it has ([`Table`]).
//! [`Standing`] is what a table says of a cell that a search derived, [`OfSpace`] what it knows of all that a
//! search can derive, and [`Summary`] what it has at all. What `sdarts table fill` trains stands apart: [`ours`].

mod csv;
mod gather;
mod json;
mod of_space;
pub mod ours;
mod record;
pub mod source;
mod standing;
mod summary;
mod table;
mod training;

pub use gather::Gather;
pub use of_space::OfSpace;
pub use ours::Ours;
pub use standing::{EPOCHS, Standing};
pub use summary::{Best, Coverage, Length, Summary};
pub use table::{MAGIC, Table};
pub use training::{Budget, Cell, Split, Training};
