//! The flags of a training, alone or of several genotypes.
#![allow(rustdoc::invalid_html_tags, reason = "the doc comments are the help text of the flags")]

use std::path::PathBuf;

use clap::Args;

use super::search::{Resume, SettingsArgs};

/// Flags that every command has that trains genotypes.
#[derive(Debug, Args)]
pub struct TrainingArgs {
    /// Where the settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// Epochs of the training [the paper's: 600].
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,

    /// Data set (`sdarts list data`) [the paper's main one: cifar10].
    #[arg(long, value_name = "NAME")]
    pub data: Option<String>,

    /// Folder of the data files; without it the images that come with the program are used.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Directory of what is written [default: runs/<preset or config>-<genotype>-<seed>; of a
    /// selection: runs/select-<preset or config>-<seed>].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// What to do where the directory already has checkpoints.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub resume: Resume,

    /// Refuse a training that would take more memory than this, e.g. 8GB [default: what the machine
    /// has].
    #[arg(long, value_name = "BYTES", value_parser = crate::estimate::bytes)]
    pub memory_limit: Option<u64>,

    /// Train even if the memory is estimated not to suffice.
    #[arg(long)]
    pub force: bool,

    /// Print all settings as TOML and do nothing.
    #[arg(long)]
    pub print_config: bool,

    /// Show the network, its size, and the time and memory that it would take; train nothing.
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

/// Flags of `sdarts train`.
#[derive(Debug, Args)]
#[command(after_help = "\
Settings come in layers: defaults (the paper's training on CIFAR-10), then the preset, then the \
config file, then flags. `--print-config` shows every setting, its meaning and where its value comes \
from. The section `train` has the network and how it learns, `data` the images.

Without a preset or a config, `train-quick` runs: a small network on the images that come with the \
program.")]
pub struct TrainArgs {
    /// What to train: a run directory or a checkpoint of a search, a selection (its winner), a file
    /// with a genotype, the text of one (JSON, the Python tuple, a NAS-Bench-201 string), or the name
    /// of a published one (`sdarts list genotypes`). A config that names one needs none.
    pub genotype: Option<String>,

    /// How it is trained.
    #[command(flatten)]
    pub training: TrainingArgs,

    /// Train with so many seeds, one after another: --seed and those that follow it, each in
    /// OUT/seed-N; prints mean and standard deviation beside the paper's.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
}

/// Flags of `sdarts select`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each candidate is trained for a few epochs on a part of the training images; the rest of them gives \
its validation accuracy after the last epoch. The highest is chosen; of several that are equal the \
one with the fewest parameters, then the one that is named first. The winner is trained as `sdarts \
train` does it, on all training images. No test image is read before that.

The section `select` has what the short trainings have other than `train`: `select.epochs` (default: \
a sixth of train.epochs, as the 100 of 600 of Liu et al. 2019), `select.portion` (0.5: the halves of \
the search), `select.cells`, `select.channels`. Everything lies in OUT: the training of the winner, \
selection.json with all candidates, and OUT/candidates/N, the run directories of the short trainings. \
The same command continues a selection that was interrupted.

R-DARTS (Zela et al. 2020) searches with several strengths of regularisation and chooses like this: \
name all of its runs.")]
pub struct SelectArgs {
    /// What to choose from: run directories of searches, or anything else that `sdarts train` takes.
    /// A genotype that comes twice is trained once.
    #[arg(value_name = "RUN", required = true)]
    pub candidates: Vec<String>,

    /// How the winner is trained, and the candidates but for what `select` says.
    #[command(flatten)]
    pub training: TrainingArgs,

    /// Choose, and do not train the winner: `sdarts train OUT` does it.
    #[arg(long)]
    pub choose_only: bool,
}
