//! The commands, one module each; each has a `run` that takes its flags.

pub mod bench;
pub mod compare;
pub mod completions;
pub mod derive;
pub mod doctor;
pub mod dry_run;
pub mod export;
pub mod fetch;
pub mod hessian;
pub mod landscape;
pub mod list;
pub mod report;
pub mod search;
pub mod select;
pub mod stats;
pub mod sweep;
pub mod table;
pub mod test;
pub mod train;
