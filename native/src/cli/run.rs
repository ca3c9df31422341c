//! The flags of everything that runs for long: of a search, of a training, of a selection.
#![allow(rustdoc::invalid_html_tags, reason = "the doc comments are the help text of the flags")]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags that stand for settings, the same in every command that has settings.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// Start from a named set of settings (`sdarts list presets`) [default, unless --config is
    /// given: quick; of `train`: train-quick; of `table fill`: train-nasbench101-small; of `bench`: bench].
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

/// Flags that a search, a training and a selection have in common.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where the settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// Epochs [the paper's: 50 of a search, 600 of a training].
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,

    /// Data set (`sdarts list data`) [the paper's main one: cifar10].
    #[arg(long, value_name = "NAME")]
    pub data: Option<String>,

    /// Folder of the data files; without it the images that come with the program are used.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Directory of what is written [default: runs/<preset or config>-<seed>; of a training
    /// runs/<preset or config>-<genotype>-<seed>; of a selection runs/select-<preset or config>-<seed>; of
    /// filling a table TABLE with the ending .trainings].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// What to do where the directory already has checkpoints.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub resume: Resume,

    /// Refuse what would take more memory than this, e.g. 8GB or 7.5GiB [default: what the machine
    /// has].
    #[arg(long, value_name = "BYTES", value_parser = crate::estimate::bytes)]
    pub memory_limit: Option<u64>,

    /// Go on even if the memory is estimated not to suffice.
    #[arg(long)]
    pub force: bool,

    /// Print all settings as TOML and do nothing.
    #[arg(long)]
    pub print_config: bool,

    /// Show the network, its size, and the time and memory that it would take; run nothing.
    #[arg(long, conflicts_with = "print_config")]
    pub dry_run: bool,

    /// Write events to stdout as JSON lines (with --dry-run: one object). With several trainings,
    /// the last line of --seeds is an object with the mean, and `select` says in a line of its own
    /// which candidate is trained and which one is chosen.
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

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write section.key=value")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
