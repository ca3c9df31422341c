//! The flags. They are parsed here and nothing else is done with them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::exit;

mod export;
mod run;
mod search;
mod sweep;
mod table;
mod test;
mod train;

pub use export::{ExportArgs, Format, Weights};
pub use run::{Resume, RunArgs, SettingsArgs};
pub use search::{ExtendSchedule, SearchArgs};
pub use sweep::{
    SlurmArgs, SweepArgs, SweepCommand, SweepResumeArgs, SweepRunArgs, SweepStatusArgs,
};
pub use table::{ConvertArgs, FillArgs, FindArgs, InfoArgs, TableArgs, TableCommand};
pub use test::{Input, TestArgs, TestPart};
pub use train::{SelectArgs, TrainArgs};

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
    /// Train the network of a genotype, and test it; continues a run that was interrupted.
    Train(Box<TrainArgs>),
    /// Choose one of several searches by short trainings, and train its network in full.
    Select(Box<SelectArgs>),
    /// Run a command many times with varied settings; say how far it is; continue it.
    Sweep(Box<SweepArgs>),
    /// Measure the step of a search or a training: time, arithmetic, memory, launches.
    Bench(Box<BenchArgs>),
    /// Print the genotype of a run or a checkpoint.
    Derive(DeriveArgs),
    /// List what there is to choose from.
    List(ListArgs),
    /// Show the devices, what they can do and whether they compute correctly.
    Doctor(DoctorArgs),
    /// Download a data set or a table.
    Fetch(FetchArgs),
    /// Measure how sharp the validation loss of a run is: the Hessian with respect to alpha.
    Hessian(HessianArgs),
    /// Write report.html of a run again.
    Report(ReportArgs),
    /// Measure the validation accuracy around the architectures of runs, and draw it.
    Landscape(LandscapeArgs),
    /// Width, depth and parameter-free share of cells.
    Stats(StatsArgs),
    /// Put runs beside each other: curves over seeds, cells, settings, the paper's numbers.
    Compare(CompareArgs),
    /// Test a trained network: accuracy, loss, and which class it takes for which.
    Test(TestArgs),
    /// Write a trained network as a file of ONNX, safetensors or PyTorch.
    Export(ExportArgs),
    /// Tables of trained networks as files: convert one, say what it has, look a cell up.
    Table(TableArgs),
    /// Print the completion script of a shell.
    Completions(CompletionsArgs),
}

/// Flags of `sdarts bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without a preset or a config, `bench` is timed: the paper's search on CIFAR-10 at batch size 16, so \
that a step takes a second or so. The images are random numbers in the shape of the data set \
(`--set data.name=cifar100` for 100 classes, `--set data.image_size=N` for N x N pixels, else 32 x \
32): nothing is read or written.

With `--data` no network is computed: the batches of a training of search.batch_size images are made \
as a run would get them, ahead by --threads threads, and thrown away.

A step is the whole step of a search, from the images to the new weights. Its time is the median of \
--steps steps after --warmup others; the spread is the slowest minus the fastest.

With `--train` the step of a training is timed, of the network of a genotype, and its pass in eval mode: \
with the preset train-cifar10, where none is named, or train-imagenet and the others of `sdarts list \
presets`, with all images of train.batch_size at once.")]
pub struct BenchArgs {
    /// Where the settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,

    /// Method to time (`sdarts list methods`), with -2nd for its second order; may be repeated
    /// [default: darts, sdarts-rs, sdarts-adv, darts-2nd; with --scaling: darts].
    #[arg(long, value_name = "NAME")]
    pub method: Vec<String>,

    /// Time the step of a training instead: of this genotype, named as for `sdarts train`
    /// [default: c10_s5_pgd].
    #[arg(long, value_name = "GENOTYPE", num_args = 0..=1, conflicts_with_all = ["method", "scaling", "data"])]
    pub train: Option<Option<String>>,

    /// Time the reading of a data set instead of a step: images in a second.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["method", "scaling", "profile"])]
    pub data: Option<String>,

    /// Folder of its files.
    #[arg(long, value_name = "DIR", requires = "data")]
    pub data_dir: Option<PathBuf>,

    /// Show what a core reaches in the loops of a unit, where nothing has to come from memory.
    #[arg(long, conflicts_with_all = [
        "SettingsArgs", "method", "train", "scaling", "data", "profile", "steps", "warmup", "skip_peaks",
    ])]
    pub loops: bool,

    /// Steps that are timed; with --data passes over at most 100 batches of the training images.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub steps: u32,

    /// Steps before those that are timed; the first of them compiles the kernels.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub warmup: u32,

    /// Leave out how fast the device multiplies and copies, which takes some seconds.
    #[arg(long)]
    pub skip_peaks: bool,

    /// Time against batch size, cells, channels and threads, one varied at a time.
    #[arg(long)]
    pub scaling: bool,

    /// Show where the time of a step goes, kernel by kernel.
    #[arg(long)]
    pub profile: bool,

    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sdarts derive`.
#[derive(Debug, Args)]
pub struct DeriveArgs {
    /// A run directory or a checkpoint file; or a genotype to write in another form: a file, its
    /// text, or the name of a published one.
    pub source: PathBuf,

    /// Print the genotype as JSON.
    #[arg(long, conflicts_with = "python")]
    pub json: bool,

    /// Print the tuple that the Python code bases of the field read.
    #[arg(long)]
    pub python: bool,

    /// Of p-darts: restrict the normal cell to so many skip connections, instead of what the run says.
    #[arg(long, value_name = "COUNT")]
    pub skips: Option<usize>,
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
    /// Tables of trained networks that can be downloaded.
    Tables,
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
    /// Data set (`sdarts list data`) or table (`sdarts list tables`).
    pub data: String,

    /// Folder that its files go to, in a folder of its name; `sdarts search` takes the same flag.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// Address of a mirror: takes the place of everything before the file names.
    #[arg(long, value_name = "URL")]
    pub url_base: Option<String>,
}

/// Flags of `sdarts hessian`.
#[derive(Debug, Args)]
pub struct HessianArgs {
    /// A run directory, also of a search that still runs, or a checkpoint file.
    pub source: PathBuf,

    /// Compute the whole matrix and all eigenvalues: 2 gradients for each alpha, where the extreme
    /// eigenvalues alone take at most 30.
    #[arg(long)]
    pub dense: bool,

    /// Write all eigenvalues to this file.
    #[arg(long, value_name = "FILE", requires = "dense")]
    pub csv: Option<PathBuf>,

    /// As one JSON object.
    #[arg(long)]
    pub json: bool,

    /// What computes: auto, wgpu or cpu [default: as the run].
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
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

    /// Table of trained networks to look the derived cells up in, as FILE or FILE:COLUMN, in place of what the
    /// runs were told: of runs that had none, or of a table that has grown since (`sdarts table fill`).
    #[arg(long, value_name = "FILE[:COLUMN]")]
    pub table: Option<String>,

    /// Folder of compare.html and of each figure as SVG and CSV.
    #[arg(long, value_name = "DIR", default_value = "compare")]
    pub out: PathBuf,

    /// Print the summary as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sdarts landscape`.
#[derive(Debug, Args)]
pub struct LandscapeArgs {
    /// Run directories. The pictures of all of them get one scale.
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,

    /// What moves: raw alpha, or p = softmax(alpha) with the row clip.
    #[arg(long, value_name = "SPACE", default_value = "logits")]
    pub space: LandscapeSpace,

    /// How far to go to each side; 1 moves every row by 1 in the root mean square.
    #[arg(long, value_name = "LENGTH", default_value_t = 1.0)]
    pub range: f64,

    /// Points along each axis, odd.
    #[arg(long, value_name = "N", default_value_t = 21)]
    pub grid: usize,

    /// Validation images for every point; 0 takes all.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub images: usize,

    /// Seed of the random direction.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// auto, wgpu or cpu [default: as the first run].
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,

    /// Print the result as JSON, an object for each run.
    #[arg(long)]
    pub json: bool,
}

/// What moves in a landscape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LandscapeSpace {
    /// Raw alpha.
    Logits,
    /// softmax(alpha), clipped to the simplex.
    Probabilities,
}

/// Flags of `sdarts stats`.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// A run directory, a file with a genotype, the text of one (JSON, the Python tuple, or the
    /// string of NAS-Bench-201), or the name of a published one; without it, all published
    /// genotypes with the paper's figures beside ours.
    pub source: Option<String>,

    /// Print a JSON array of objects.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,

    /// Print CSV.
    #[arg(long)]
    pub csv: bool,
}

/// Flags of `sdarts completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}
