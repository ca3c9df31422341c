//! The flags of a search.
#![allow(rustdoc::invalid_html_tags, reason = "the doc comments are the help text of the flags")]

use clap::{Args, ValueEnum};

use super::run::RunArgs;

/// Flags of `sdarts search`.
#[derive(Debug, Args)]
#[command(after_help = "\
Settings come in layers: defaults (the paper's values, on the images that come with the \
program), then the preset, then the config file, then flags. `--print-config` shows every setting, its meaning and where its value comes from.

Without a preset or a config, `quick` runs: a small search on the images that come with the program.

A flag may be given once, --config too: files do not lie on top of each other. Only --set adds up, so \
that a script can append to a list of flags; of two values for one setting the last counts.")]
pub struct SearchArgs {
    /// What every run has.
    #[command(flatten)]
    pub run: RunArgs,

    /// Method (`sdarts list methods`) [the paper's: sdarts-rs, sdarts-adv].
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,

    /// Perturbation of the architecture (`sdarts list perturbations`), instead of the method's own.
    #[arg(long, value_name = "NAME")]
    pub perturbation: Option<String>,

    /// Measure the Hessian every K epochs and after the last; with `,dense` all its eigenvalues.
    #[arg(long, value_name = "every=K[,dense]", value_parser = hessian)]
    pub hessian: Option<(usize, bool)>,

    /// Table of trained cells: after every epoch, tell the true accuracy of the cell found so far.
    /// In nasbench201 a CSV, where COLUMN is needed if it has more than one of accuracies; in
    /// oneshot-1 to oneshot-3 what `sdarts table convert` makes of NAS-Bench-101.
    #[arg(long, value_name = "FILE[:COLUMN]")]
    pub table: Option<String>,

    /// Train on: give the run in --out the number of --epochs, which is larger than the one it was
    /// begun with.
    #[arg(long, conflicts_with = "dry_run")]
    pub extend: bool,

    /// Learning rate, epsilon and drop-path of an extended run: those of the schedules of the new
    /// length (follow), or those of the last epoch before (frozen).
    #[arg(long, value_name = "HOW", default_value = "follow", requires = "extend")]
    pub extend_schedule: ExtendSchedule,
}

/// What the schedules of an extended run do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExtendSchedule {
    /// Go over the new length.
    Follow,
    /// Stay at their last values.
    Frozen,
}

fn hessian(text: &str) -> Result<(usize, bool), String> {
    let (every, dense) = match text.split_once(',') {
        None => (text, false),
        Some((every, "dense")) => (every, true),
        Some((_, other)) => return Err(format!("`{other}` is not `dense`")),
    };
    let every = every.strip_prefix("every=").ok_or("write every=K or every=K,dense")?;
    let every = every.parse().map_err(|_| format!("`{every}` is not a number of epochs"))?;
    Ok((every, dense))
}
