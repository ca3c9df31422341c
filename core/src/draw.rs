//! Pictures of a search as SVG, and their numbers as CSV: data in, text out.
//!
//! Every picture is one SVG text that is right by itself, in a file as well as inside a page: it
//! carries its own styles, follows the light or dark scheme of the reader, says in words what it
//! shows (`<title>`, `<desc>`), and scales with the page. All text from outside is escaped.
//!
//! - [`history`]: what the pictures need, collected from events; also of a search that still runs.
//! - [`figures`]: the catalogue of all figures; the charts of a run, ready to draw.
//! - [`chart`]: lines, bands and marks over two axes.
//! - [`heatmap`]: the probabilities of every edge over the epochs.
//! - [`cell`]: a derived cell.
//! - [`blocks`]: a cell whose operations sit on nodes, searched or derived, with its matrix.
//! - [`landscape`]: the accuracy around an architecture, from above and from the side.
//! - [`compare`]: several runs beside each other.
//! - [`confusion`]: which class a trained network takes for which.
//! - [`mixture`]: the cell while it is searched, with all candidates of every edge.
//! - [`perturbation`]: one perturbation of the architecture, stage by stage.
//! - [`csv`]: the numbers behind all of them, for programs; [`table`]: for people.
//! - [`colour`]: which operation has which colour, everywhere.

pub mod blocks;
pub mod cell;
pub mod chart;
pub mod colour;
pub mod compare;
pub mod confusion;
pub mod csv;
pub mod figures;
pub mod heatmap;
pub mod history;
pub mod landscape;
pub mod mixture;
pub mod perturbation;
mod svg;
pub mod table;
