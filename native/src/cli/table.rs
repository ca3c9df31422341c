//! The flags of the commands for tables.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::run::RunArgs;

/// Flags of `sdarts table`.
#[derive(Debug, Args)]
pub struct TableArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TableCommand,
}

/// What `sdarts table` can do.
#[derive(Debug, Subcommand)]
pub enum TableCommand {
    /// Make one small file of a table of NAS-Bench-101, which opens at once.
    Convert(ConvertArgs),
    /// Say what a table has, and how many cells of each space of NAS-Bench-1Shot1.
    Info(InfoArgs),
    /// Say what a table knows of a cell of NAS-Bench-101.
    Find(FindArgs),
    /// Train the cells that runs derived and a table lacks, small, and add them as trainings of ours.
    Fill(Box<FillArgs>),
}

/// Flags of `sdarts table convert`.
#[derive(Debug, Args)]
#[command(after_help = "\
FILE is the official nasbench_only108.tfrecord or nasbench_full.tfrecord (`sdarts fetch nasbench101`), \
or a part of the benchmark as CSV (hash, valid_108, test_108, …) or JSON (key, \
108_final_validation_accuracy, …). Every checksum, hash and accuracy is checked; what is wrong is refused \
with its record, line or entry.")]
pub struct ConvertArgs {
    /// The file: TFRecord, CSV or JSON.
    pub file: PathBuf,

    /// The table [default: FILE with the ending .table].
    #[arg(long, value_name = "TABLE")]
    pub out: Option<PathBuf>,
}

/// Flags of `sdarts table info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The table: of `sdarts table convert`, or what that reads; or a CSV of NAS-Bench-201.
    pub file: PathBuf,

    /// As one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sdarts table find`.
#[derive(Debug, Args)]
pub struct FindArgs {
    /// The table, of `sdarts table convert`.
    pub table: PathBuf,

    /// The cell: its hash, its JSON with `matrix` and `ops`, or its matrix and labels in one text.
    pub cell: String,

    /// Space of NAS-Bench-1Shot1 that the regret is of: oneshot-1, oneshot-2 or oneshot-3.
    #[arg(long, value_name = "SPACE")]
    pub space: Option<String>,

    /// As one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sdarts table fill`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every cell that a run derived after one of its epochs is trained once, on all training images, and tested on the \
test images: by default as the preset train-nasbench101-small says. Its error is added to the table apart from \
the numbers of the benchmark, marked as ours, since it compares only with others of its size: a table has one \
size. A search with --table tells both.

A cell is in the table once it is trained. The same command goes on with the next one, and with one that was \
interrupted from its last checkpoint; the trainings lie in OUT/HASH.")]
pub struct FillArgs {
    /// The table, of `sdarts table convert`.
    pub table: PathBuf,

    /// Run directories of searches in oneshot-1, oneshot-2 or oneshot-3.
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    pub runs: Vec<PathBuf>,

    /// Train the cells, too, that have a test accuracy in the benchmark, so that all of the runs compare.
    #[arg(long)]
    pub all: bool,

    /// How they are trained.
    #[command(flatten)]
    pub run: RunArgs,
}
