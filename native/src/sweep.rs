//! Many runs of one command that differ in some settings, each a process with a run directory of its own.
//!
//! [`file`](mod@file) reads what is varied into a [`definition`], of which [`plan`] makes runs with names, arguments
//! and settings. [`record`] keeps the definition in the folder of the sweep, and why runs failed; all else
//! that is known of a run stands in its own directory, where [`standing`] reads it. [`workers`] starts the
//! runs as processes, as many as fit, and [`slurm`] hands them to a cluster with the [`options`] that it takes.

pub mod definition;
pub mod file;
pub mod name;
pub mod options;
pub mod plan;
pub mod record;
pub mod room;
pub mod slurm;
pub mod standing;
pub mod workers;
