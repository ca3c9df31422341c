//! Data sets: the official files and their decoders, and the batches that a search gets.

mod decoders;
mod embedded;
pub mod files;
mod loader;
mod malformed;
mod photographs;
mod real;
mod text;
