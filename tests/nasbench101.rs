//! NAS-Bench-101: its cells, their hash, the spaces of NAS-Bench-1Shot1 among them, and its tables.

mod anytime;
mod damage;
mod fill;
mod graph;
mod real;
mod table;
pub mod writer;
