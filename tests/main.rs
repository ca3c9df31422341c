//! The integration tests of the workspace, in one binary. One module for each subject.

mod arithmetic;
mod bench;
mod browser;
mod cells;
mod cli;
mod command;
mod config;
mod datasets;
mod devices;
mod drawings;
mod evaluation;
mod fetch;
mod folders;
mod golden;
mod kernels;
mod landscape;
mod nasbench201;
mod oracles;
mod paper;
mod plan;
mod prefetch;
mod run_directory;
mod search;
mod statistics;
mod structure;
mod tensorboard;
