//! The integration tests of the workspace, in one binary. One module for each subject.

mod cli;
mod command;
mod config;
mod drawings;
mod fetch;
mod folders;
mod kernels;
mod prefetch;
mod run_directory;
