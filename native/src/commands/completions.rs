//! `sdarts completions SHELL`.

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::output;

/// Prints the completion script of a shell.
///
/// # Errors
/// If the output cannot be written.
pub fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sdarts", &mut script);
    output::line(String::from_utf8(script)?.trim_end())?;
    Ok(Exit::Done)
}
