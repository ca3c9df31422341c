//! `sdarts table`: tables of trained networks as files.

mod convert;
mod fill;
mod find;
mod info;

use crate::cli::{TableArgs, TableCommand};
use crate::exit::Exit;

/// Does what was asked for.
///
/// # Errors
/// A table that cannot be read or is wrong, exit code 3.
pub fn run(args: &TableArgs) -> anyhow::Result<Exit> {
    match &args.command {
        TableCommand::Convert(args) => convert::run(args),
        TableCommand::Info(args) => info::run(args),
        TableCommand::Find(args) => find::run(args),
        TableCommand::Fill(args) => fill::run(args),
    }
}
