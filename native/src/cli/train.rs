//! The flags of a training, alone or of several genotypes.
#![allow(rustdoc::invalid_html_tags, reason = "the doc comments are the help text of the flags")]

use clap::Args;

use super::run::RunArgs;

/// Flags of `sdarts train`.
#[derive(Debug, Args)]
#[command(after_help = "\
Settings come in layers: defaults (the paper's values, on the images that come with the \
program), then the preset, then the config file, then flags. `--print-config` shows every setting, its meaning and where its value comes \
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
    pub run: RunArgs,

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
    pub run: RunArgs,

    /// Choose, and do not train the winner: `sdarts train OUT` does it.
    #[arg(long)]
    pub choose_only: bool,
}
