//! The flags of a sweep.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Flags of `sdarts sweep`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
FILE names a command, what all runs share, and what is varied:

  command = \"search\"          # or train, select [default: search]
  preset = \"browser\"          # and config = \"FILE\", as the flags of the command
  genotype = \"DARTS_V2\"       # of train; candidates = [\"RUN\", …] of select

  [set]                       # settings of all runs
  \"search.epochs\" = 5

  [axes]                      # every combination is a run; of train also genotype = [\"…\", …]
  \"search.method\" = [\"darts\", \"sdarts-rs\"]
  seed = [1, 2]

  [[exclude]]                 # but for those that have all of this
  \"search.method\" = \"darts\"
  seed = 2

  [slurm]                     # the flags of --slurm, which win over it
  partition = \"gpu\"
  time = \"4:00:00\"
  gpus = 1
  sbatch = [\"--cpus-per-task=4\"]

Every run is `sdarts search|train|select` with `--preset`, `--config` and `--set`, in a process and a run \
directory of its own: DIR/method=darts,seed=1. Paths are those of the folder that the command is given in. \
The same command, or `sdarts sweep resume DIR`, does what is missing."
)]
pub struct SweepArgs {
    /// What to do with a sweep that was begun.
    #[command(subcommand)]
    pub command: Option<SweepCommand>,

    /// The file that says what is varied.
    #[arg(required = true)]
    pub file: Option<PathBuf>,

    /// Folder of the run directories and of their comparison.
    #[arg(long, value_name = "DIR", required = true)]
    pub out: Option<PathBuf>,

    /// List every run with its settings, the time and the memory that it would take; run nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// How it is run.
    #[command(flatten)]
    pub how: SweepRunArgs,
}

/// What `sdarts sweep` can do with a sweep that was begun.
#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Say which runs are done, run, failed (and why) and wait, and how long they will take.
    Status(SweepStatusArgs),
    /// Do what is missing: finished runs are not touched, failed ones are tried again.
    Resume(SweepResumeArgs),
}

/// Flags of `sdarts sweep status`.
#[derive(Debug, Args)]
pub struct SweepStatusArgs {
    /// The folder of the sweep.
    pub dir: PathBuf,

    /// As one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sdarts sweep resume`.
#[derive(Debug, Args)]
pub struct SweepResumeArgs {
    /// The folder of the sweep.
    pub dir: PathBuf,

    /// How it is run.
    #[command(flatten)]
    pub how: SweepRunArgs,
}

/// How the runs of a sweep are run.
#[derive(Debug, Args)]
pub struct SweepRunArgs {
    /// Runs at a time, each a process. Where run.threads is 0, they share the cores.
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,

    /// Start runs only while their estimates fit into this, e.g. 8GB or 7.5GiB [default: what the
    /// machine has].
    #[arg(long, value_name = "BYTES", value_parser = crate::estimate::bytes)]
    pub memory_limit: Option<u64>,

    /// Hand the runs to a cluster, and end.
    #[command(flatten)]
    pub slurm: SlurmArgs,

    /// A JSON line for every run that begins and ends; the last line is that of `status --json`. With
    /// --dry-run: one object.
    #[arg(long)]
    pub json: bool,

    /// Say nothing but warnings, errors and the result.
    #[arg(long, short)]
    pub quiet: bool,
}

/// How a sweep is handed to Slurm.
#[derive(Debug, Args)]
pub struct SlurmArgs {
    /// Submit the runs as a job array of Slurm, --jobs at a time, instead of running them here. A run is
    /// stopped before its time limit, put back into the queue, and goes on.
    #[arg(long)]
    pub slurm: bool,

    /// Partition of the jobs.
    #[arg(long, value_name = "NAME", requires = "slurm")]
    pub partition: Option<String>,

    /// Time limit of a task, as sbatch reads it.
    #[arg(long, value_name = "TIME", requires = "slurm")]
    pub time: Option<String>,

    /// GPUs of a task.
    #[arg(long, value_name = "N", requires = "slurm")]
    pub gpus: Option<String>,

    /// Memory of a task, as sbatch reads it.
    #[arg(long, value_name = "SIZE", requires = "slurm")]
    pub memory: Option<String>,

    /// Account that pays.
    #[arg(long, value_name = "NAME", requires = "slurm")]
    pub account: Option<String>,

    /// Seconds before the time limit at which a run is told to stop [default: 120].
    #[arg(long, value_name = "N", requires = "slurm")]
    pub warn_seconds: Option<u32>,

    /// A further option of sbatch, e.g. `--sbatch=--cpus-per-task=4`; may be repeated.
    #[arg(long, value_name = "OPTION", requires = "slurm")]
    pub sbatch: Vec<String>,
}
