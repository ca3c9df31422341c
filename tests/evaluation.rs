//! `sdarts test`: networks that others trained, files of every kind, and what does not fit together.

mod bench101;
pub mod command_line;
mod files;
mod networks;
mod published;
