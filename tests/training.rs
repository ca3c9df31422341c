//! Training what was found: the run, its schedules, its parts of a batch, and `sdarts train`.

mod command;
mod micro_batch;
mod resume;
mod schedule;
