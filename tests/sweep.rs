//! Sweeps: what they expand to, and what their runs leave.

mod cluster;
mod command_line;
mod expansion;
mod refusals;
mod slurm;
