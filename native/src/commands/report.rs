//! `sdarts report RUN`.

use crate::cli::ReportArgs;
use crate::exit::Exit;
use crate::{output, report, run_dir};

/// Writes report.html of a run again, also of one that still runs.
///
/// # Errors
/// If the path is no run directory or its files cannot be read.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    run_dir::must_be_run(&args.run)?;
    report::write(&args.run)?;
    output::line(&args.run.join("report.html").display().to_string())?;
    Ok(Exit::Done)
}
