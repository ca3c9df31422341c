//! Training what was found: the run, its schedules, its parts of a batch, and `sdarts train`.

pub mod command;
mod faults;
mod micro_batch;
mod resume;
mod schedule;
mod text;
mod text_command;
