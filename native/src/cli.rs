//! The flags. They are parsed here and nothing else is done with them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::exit;

/// Differentiable architecture search that does not collapse.
#[derive(Debug, Parser)]
#[command(name = "sdarts", version, about, after_help = exit::help(), max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `sdarts` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Search an architecture; continues a run that was interrupted.
    Search(Box<SearchArgs>),
    /// Print the genotype of a run or a checkpoint.
    Derive(DeriveArgs),
    /// List what there is to choose from.
    List(ListArgs),
    /// Show the devices, what they can do and whether they compute correctly.
    Doctor(DoctorArgs),
    /// Download a data set.
    Fetch(FetchArgs),
    /// Write report.html of a run again.
    Report(ReportArgs),
    /// Put runs beside each other: curves over seeds, cells, settings, the paper's numbers.
    Compare(CompareArgs),
    /// Print the completion script of a shell.
    Completions(CompletionsArgs),
}

/// Flags of `sdarts search`. A flag that is given twice counts as given last, so that a script can
/// append to a list of flags.
#[derive(Debug, Args)]
#[command(
    args_override_self = true,
    after_help = "\
Settings come in layers: defaults (the paper's CIFAR-10 search), then the preset, then the config \
file, then flags. `--print-config` shows every setting, its meaning and where its value comes from.

Without a preset or a config, `quick` runs: a small search on the images that come with the program."
)]
pub struct SearchArgs {
    /// Start from a named set of settings (`sdarts list presets`) [default: quick, unless --config
    /// is given].
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

    /// Method (`sdarts list methods`) [the paper's: sdarts-rs, sdarts-adv].
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,

    /// Search space (`sdarts list spaces`) [the paper's main one: s5].
    #[arg(long, value_name = "NAME")]
    pub space: Option<String>,

    /// Epochs of the search [the paper's: 50].
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,

    /// Data set (`sdarts list data`) [the paper's main one: cifar10].
    #[arg(long, value_name = "NAME")]
    pub data: Option<String>,

    /// Folder of the data files; without it the images that come with the program are used.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// What computes: auto (a real GPU, else the CPU), wgpu (any adapter, software too) or cpu
    /// [default: auto].
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,

    /// CPU threads; 0 uses all cores. Changes no result [default: 0].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// Run directory [default: runs/<preset or config>-<seed>].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// What to do where the run directory already has checkpoints.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub resume: Resume,

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

/// Flags of `sdarts derive`.
#[derive(Debug, Args)]
pub struct DeriveArgs {
    /// A run directory, or a checkpoint file.
    pub source: PathBuf,

    /// Print the genotype as JSON.
    #[arg(long, conflicts_with = "python")]
    pub json: bool,

    /// Print the tuple that the Python code bases of the field read.
    #[arg(long)]
    pub python: bool,
}

/// Flags of `sdarts list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which catalogue.
    pub catalogue: Catalogue,

    /// As a JSON array of objects.
    #[arg(long)]
    pub json: bool,
}

/// What `sdarts list` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Catalogue {
    /// Candidate operations.
    Ops,
    /// Search spaces.
    Spaces,
    /// Search methods.
    Methods,
    /// Perturbations of the architecture.
    Perturbations,
    /// Named sets of settings.
    Presets,
    /// Published genotypes.
    Genotypes,
    /// Data sets.
    Data,
}

/// Flags of `sdarts doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// As one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sdarts fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Data set (`sdarts list data`).
    pub data: String,

    /// Folder that its files go to, in a folder of its name; `sdarts search` takes the same flag.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// Address of a mirror: takes the place of everything before the file names.
    #[arg(long, value_name = "URL")]
    pub url_base: Option<String>,
}

/// Flags of `sdarts report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run directory.
    pub run: PathBuf,

    /// Write an event file for TensorBoard instead, into RUN/tensorboard.
    #[arg(long)]
    pub tensorboard: bool,
}

/// Flags of `sdarts compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The run directories; those that differ in nothing but the seed count as one group.
    #[arg(value_name = "RUN", num_args = 2.., required = true)]
    pub runs: Vec<PathBuf>,

    /// Folder of compare.html and of each figure as SVG and CSV.
    #[arg(long, value_name = "DIR", default_value = "compare")]
    pub out: PathBuf,

    /// Print the summary as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sdarts completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write section.key=value")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
