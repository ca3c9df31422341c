//! `sdarts report RUN`.

use crate::cli::ReportArgs;
use crate::exit::Exit;
use crate::{output, report, run_dir, tensorboard};

/// Writes report.html or the TensorBoard file of a run, also of one that still runs.
///
/// # Errors
/// If the path is no run directory or its files cannot be read.
pub fn run(args: &ReportArgs) -> anyhow::Result<Exit> {
    run_dir::must_be_run(&args.run)?;
    let path = if args.tensorboard {
        tensorboard::write(&args.run)?
    } else {
        report::write(&args.run)?;
        args.run.join("report.html")
    };
    output::line(&path.display().to_string())?;
    Ok(Exit::Done)
}
