//! The flags of `sdarts export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use smoothdarts::run::train::Kind;

use super::test::Input;

/// Flags of `sdarts export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sdarts export runs/train-quick-c10_s5_pgd-2 --to onnx --out net.onnx
  sdarts export runs/mine --weights best --to pytorch --out net.pt
  sdarts export w.safetensors --genotype DARTS_V2 --data cifar10 --to onnx --out net.onnx

onnx         Opset 17. Reads `images` [batch, channels, height, width], gives `logits` [batch, classes] \
without softmax; batch, height and width are free. Nodes and tensors have the names of the authors' code. \
Without the auxiliary head. Genotype, version and classes are in its metadata.
safetensors  The state_dict of the authors' code, with the auxiliary head where the weights have one.
pytorch      The same as `torch.save` writes it; `torch.load` reads it with weights_only=True.

`sdarts test` reads the last two. A file that is there is replaced, and only once the new one is whole; \
files of a run directory are not.")]
pub struct ExportArgs {
    /// The run directory of a training that is over, or a file of weights, ours or of PyTorch.
    #[arg(value_name = "RUN|WEIGHTS")]
    pub source: PathBuf,

    /// The format.
    #[arg(long, value_name = "FORMAT")]
    pub to: Format,

    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Which weights of a run: after the last epoch, after the best one, or the moving average
    /// [default: final].
    #[arg(long, value_name = "KIND")]
    pub weights: Option<Weights>,

    /// The genotype: a file, a run directory, the text of one (JSON or the Python tuple) or a published
    /// name (`sdarts list genotypes`) [default: that of the run].
    #[arg(long, value_name = "G")]
    pub genotype: Option<String>,

    /// The data set that the network was trained on (`sdarts list data`): its mean and deviation and the
    /// names of its classes go into the file [default: that of the run].
    #[arg(long, value_name = "NAME")]
    pub data: Option<String>,

    /// Folder of its files, which only `folder` needs [default: that of the run].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// What an ONNX file reads: pixel / 255, which it normalises itself, or what the network reads
    /// [default: unit].
    #[arg(long, value_name = "INPUT")]
    pub input: Option<Input>,
}

/// What a network is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The network as a graph, for onnxruntime and others.
    Onnx,
    /// Its weights.
    Safetensors,
    /// Its weights as a file of PyTorch.
    Pytorch,
}

/// Which weights of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// Those after the last epoch.
    Final,
    /// Those after the best epoch.
    Best,
    /// Their moving average.
    Ema,
}

impl Weights {
    /// What the run calls them.
    pub fn kind(self) -> Kind {
        match self {
            Self::Final => Kind::Final,
            Self::Best => Kind::Best,
            Self::Ema => Kind::Average,
        }
    }
}
