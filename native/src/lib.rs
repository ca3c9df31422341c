//! `sdarts`: the command line of SmoothDARTS. Files, threads, devices and the terminal are here;
//! the science is in [`smoothdarts`].
//!
//! [`cli`] parses and does nothing else, [`settings`] makes a config of what was parsed,
//! [`commands`] has one module for each command, [`exit`] the table of exit codes.

#![forbid(unsafe_code)]

pub mod bench;
mod byte_progress;
pub mod cli;
pub mod commands;
pub mod compare;
pub mod datasets;
pub mod device;
pub mod estimate;
pub mod events;
pub mod exit;
pub mod export;
pub mod fetch;
pub mod genotype;
mod headless;
pub mod manifest;
pub mod nasbench101;
pub mod open_run;
pub mod output;
pub mod progress;
mod protobuf;
pub mod pytorch;
pub mod recovery;
pub mod report;
pub mod run_dir;
pub mod selection;
pub mod session;
pub mod settings;
pub mod signals;
pub mod sweep;
mod table;
pub mod tensorboard;
pub mod tfrecord;
pub mod training;
pub mod weights;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use exit::Exit;

/// The program: parse, do, say what went wrong.
pub fn main() -> ExitCode {
    // clap itself prints help (exit 0) and usage errors (exit 2).
    let command = Cli::parse().command;
    if looks_for_adapters(&command) {
        headless::start_quietly();
    }
    let outcome = match command {
        Command::Search(args) => commands::search::run(&args),
        Command::Train(args) => commands::train::run(&args),
        Command::Select(args) => commands::select::run(&args),
        Command::Sweep(args) => commands::sweep::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Derive(args) => commands::derive::run(&args),
        Command::List(args) => commands::list::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Fetch(args) => commands::fetch::run(&args),
        Command::Hessian(args) => commands::hessian::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Landscape(args) => commands::landscape::run(&args),
        Command::Stats(args) => commands::stats::run(&args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Test(args) => commands::test::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Table(args) => commands::table::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    };
    let exit = outcome.unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        if exit != Exit::Done {
            output::note(&format!("error: {}", exit.message(&error)));
        }
        exit
    });
    exit.into()
}

/// Whether a command may ask the drivers what adapters there are.
fn looks_for_adapters(command: &Command) -> bool {
    match command {
        Command::Search(_) | Command::Train(_) | Command::Select(_) | Command::Sweep(_) => true,
        Command::Bench(_) | Command::Doctor(_) | Command::Hessian(_) => true,
        Command::Landscape(_) | Command::Test(_) | Command::Table(_) => true,
        Command::Derive(_) | Command::List(_) | Command::Fetch(_) | Command::Report(_) => false,
        Command::Stats(_) | Command::Compare(_) | Command::Export(_) => false,
        Command::Completions(_) => false,
    }
}
