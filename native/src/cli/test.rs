//! The flags of `sdarts test`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags of `sdarts test`.
#[derive(Debug, Args)]
#[command(after_help = "\
WEIGHTS is a safetensors file, ours or the `state_dict` of the authors' code, or a file of PyTorch \
(`torch.save` of a state_dict, or of a checkpoint with one in it). Cells, channels and classes follow \
from the weights; --cells and --channels only check them.

The last line is the result; with --json it is one object with `accuracy` and `top5` in [0, 1], `loss` \
and `images`, among others.")]
pub struct TestArgs {
    /// A file of weights, or a run directory with weights.safetensors and genotype.json.
    #[arg(value_name = "WEIGHTS|RUN")]
    pub source: PathBuf,

    /// The genotype: a file, a run directory, the text of one (JSON or the Python tuple) or a published
    /// name (`sdarts list genotypes`) [default: that of the run].
    #[arg(long, value_name = "G")]
    pub genotype: Option<String>,

    /// The weights are those of the search network of this space (`sdarts list spaces`): test it at the
    /// one-hot genotype.
    #[arg(long, value_name = "SPACE")]
    pub supernet: Option<String>,

    /// Data set (`sdarts list data`) [default: that of the run, else fashion-mnist]. ImageNet and
    /// large folders stay on the disk.
    #[arg(long, value_name = "NAME")]
    pub data: Option<String>,

    /// Folder of its files [default: that of the run].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Which images: the two halves of the training images as a search splits them, or the test images.
    #[arg(long, value_name = "PART", default_value = "test")]
    pub part: TestPart,

    /// Channels of the first cell, to check the weights.
    #[arg(long, value_name = "C")]
    pub channels: Option<usize>,

    /// Cells, to check the weights.
    #[arg(long, value_name = "L")]
    pub cells: Option<usize>,

    /// What the network reads: pixel / 255, or that normalised by mean and deviation of the data set.
    #[arg(long, value_name = "INPUT", default_value = "normalised")]
    pub input: Input,

    /// Resize the images to N x N pixels; 0 leaves them as they are [default: as the run, else 0].
    #[arg(long, value_name = "N")]
    pub image_size: Option<usize>,

    /// Images that are computed at once.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: u32,

    /// Folder for confusion.svg and confusion.csv [default: the folder test of a run, none for a file].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// auto, wgpu or cpu.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,

    /// Print only the result, as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestPart {
    /// The first half of the training images.
    Train,
    /// The second half of them.
    Valid,
    /// The test images.
    Test,
}

/// What a network reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Input {
    /// Pixel / 255.
    Unit,
    /// (pixel / 255 − mean) / standard deviation.
    Normalised,
}
