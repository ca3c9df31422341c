//! The only places that write to the terminal: results to stdout, everything else to stderr.

use std::io::{self, Write as _};

use anyhow::Context as _;

/// The reader of stdout went away (`sdarts list ops | head -1`). It is an error so that it ends the
/// program at once, and no failure ([`crate::exit`]).
#[derive(Debug, thiserror::Error)]
#[error("the reader of the output went away")]
pub struct OutputClosed;

/// Writes text and a line end to stdout.
///
/// # Errors
/// [`OutputClosed`], or what writing says.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        result => result.context("cannot write to the standard output"),
    }
}

/// Writes a line to stdout for whoever reads: false, once nobody does. `--json | head -1` ends the printing
/// and not the work.
///
/// # Errors
/// What writing says.
pub fn told(text: &str) -> anyhow::Result<bool> {
    match line(text) {
        Err(error) if error.is::<OutputClosed>() => Ok(false),
        result => result.map(|()| true),
    }
}

/// Tells the user something on stderr. Where even that fails there is nobody to tell.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
