//! The flags of a search, and those that stand for settings.
#![allow(rustdoc::invalid_html_tags, reason = "the doc comments are the help text of the flags")]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags that stand for settings, the same in every command that has settings.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// Start from a named set of settings (`sdarts list presets`) [default, unless --config is
    /// given: quick; of `train`: train-quick; of `bench`: bench].
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,

    /// TOML file of settings, e.g. the config.toml of an earlier run.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Change one setting, e.g. `--set perturbation.epsilon_max=0.3`; may be repeated.
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,

    /// Follow the authors' code (faithful) or the text of the paper (paper) where they differ
    /// [default: faithful].
    #[arg(long, value_name = "MODE")]
    pub mode: Option<String>,

    /// Seed of all randomness [the authors': 2].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,

    /// Search space (`sdarts list spaces`) [the paper's main one: s5].
    #[arg(long, value_name = "NAME")]
    pub space: Option<String>,

    /// What computes: auto (a real GPU, else the CPU), wgpu (any adapter, software too) or cpu
    /// [default: auto].
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,

    /// CPU threads; 0 uses all cores. Changes no result [default: 0].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// Kernels: fused (our own) or composed (plain burn operations, slow), to settle a doubt
    /// [default: fused].
    #[arg(long, value_name = "KERNELS")]
    pub kernels: Option<String>,
}

/// Flags of `sdarts search`.
#[derive(Debug, Args)]
#[command(after_help = "\
Settings come in layers: defaults (the paper's CIFAR-10 search), then the preset, then the config \
file, then flags. `--print-config` shows every setting, its meaning and where its value comes from.

Without a preset or a config, `quick` runs: a small search on the images that come with the program.

A flag may be given once, --config too: files do not lie on top of each other. Only --set adds up, so \
that a script can append to a list of flags; of two values for one setting the last counts.")]
pub struct SearchArgs {
    /// Where the settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// Method (`sdarts list methods`) [the paper's: sdarts-rs, sdarts-adv].
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,

    /// Perturbation of the architecture (`sdarts list perturbations`), instead of the method's own.
    #[arg(long, value_name = "NAME")]
    pub perturbation: Option<String>,

    /// Epochs of the search [the paper's: 50].
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,

    /// Measure the Hessian every K epochs and after the last; with `,dense` all its eigenvalues.
    #[arg(long, value_name = "every=K[,dense]", value_parser = hessian)]
    pub hessian: Option<(usize, bool)>,

    /// Data set (`sdarts list data`) [the paper's main one: cifar10].
    #[arg(long, value_name = "NAME")]
    pub data: Option<String>,

    /// Folder of the data files; without it the images that come with the program are used.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Table of trained NAS-Bench-201 cells: after every epoch, tell the true accuracy of the cell
    /// found so far. COLUMN is needed where the file has more than one of accuracies.
    #[arg(long, value_name = "FILE[:COLUMN]")]
    pub table: Option<String>,

    /// Run directory [default: runs/<preset or config>-<seed>].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// What to do where the run directory already has checkpoints.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub resume: Resume,

    /// Refuse a search that would take more memory than this, e.g. 8GB or 7.5GiB [default: what
    /// the machine has].
    #[arg(long, value_name = "BYTES", value_parser = crate::estimate::bytes)]
    pub memory_limit: Option<u64>,

    /// Search even if the memory is estimated not to suffice.
    #[arg(long)]
    pub force: bool,

    /// Train on: give the run in --out the number of --epochs, which is larger than the one it was
    /// begun with.
    #[arg(long, conflicts_with = "dry_run")]
    pub extend: bool,

    /// Learning rate, epsilon and drop-path of an extended run: those of the schedules of the new
    /// length (follow), or those of the last epoch before (frozen).
    #[arg(long, value_name = "HOW", default_value = "follow", requires = "extend")]
    pub extend_schedule: ExtendSchedule,

    /// Print all settings as TOML and do nothing.
    #[arg(long)]
    pub print_config: bool,

    /// Show the network, its size and the time that the search would take; search nothing.
    #[arg(long, conflicts_with = "print_config")]
    pub dry_run: bool,

    /// Write events to stdout as JSON lines (with --dry-run: one object).
    #[arg(long)]
    pub json: bool,

    /// Say nothing but warnings, errors and the result.
    #[arg(long, short)]
    pub quiet: bool,
}

/// What to do with a run that was started before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resume {
    /// Continue a run of the same settings, start where there is none.
    Auto,
    /// Only ever start: refuse a directory that has a run.
    Never,
    /// Only ever continue: refuse a directory without one.
    Must,
}

/// What the schedules of an extended run do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExtendSchedule {
    /// Go over the new length.
    Follow,
    /// Stay at their last values.
    Frozen,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write section.key=value")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
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
