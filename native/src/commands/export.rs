//! `sdarts export`: a trained network as a file of another program.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use smoothdarts::arrays::state_dict;
use smoothdarts::cell::{Cell, Genotype};
use smoothdarts::config::{Config, Data};
use smoothdarts::net::derived;
use smoothdarts::run::train::{Kind, Trainable as _};
use smoothdarts::task::Training;

use crate::cli::{ExportArgs, Format, Input, Weights};
use crate::datasets::{self, Constants};
use crate::exit::Exit;
use crate::export::{self, Trained, onnx};
use crate::weights::{self, Found};
use crate::{genotype, output, run_dir, settings};

/// Writes the file that the flags name.
///
/// # Errors
/// If the source is no trained network, what is named does not fit together, or the file cannot be
/// written.
pub fn run(args: &ExportArgs) -> anyhow::Result<Exit> {
    check(args).context(Exit::Usage)?;
    run_dir::must_have_folder(&args.out)?;
    run_dir::must_not_be_of_run(&args.out)?;
    let source = Source::of(args)?;
    if source.genotype.cells.iter().any(Cell::is_recurrent) {
        let fault = "a network of a text is not exported: its weights.safetensors has the names of the \
                     authors' code, and any program that reads safetensors takes it as it is";
        return Err(anyhow!(fault).context(Exit::Usage));
    }
    let arrays = weights::read(&source.file)?;
    let found = Found::new(&arrays).with_context(|| source.file.display().to_string())?;
    let shape = found.shape(state_dict::has_auxiliary_head(&arrays));
    let network = derived(&source.genotype, shape).context(Exit::Usage)?;
    // The head too, which a graph lacks.
    state_dict::read(network.layout(), &arrays).context(Exit::Usage)?;
    let constants = source.constants(args)?;
    if let Some(constants) = &constants {
        fits(constants, &found).context(Exit::Usage)?;
    }
    let (classes, normalisation) = constants
        .map_or((vec![], None), |it| (it.classes, normalises(args).then_some((it.mean, it.std))));
    let trained = Trained {
        genotype: &source.genotype,
        shape,
        arrays: &arrays,
        classes: &classes,
        normalisation,
    };
    run_dir::replace(&args.out, &export::to_bytes(&trained, args.to)?)?;
    output::line(&told(args, &trained))?;
    Ok(Exit::Done)
}

/// What is wrong with the flags alone.
fn check(args: &ExportArgs) -> anyhow::Result<()> {
    if args.input.is_some() && args.to != Format::Onnx {
        return Err(anyhow!(
            "--input is for ONNX: the other formats hold weights, which read nothing"
        ));
    }
    if args.weights.is_some() && args.source.is_file() {
        let file = args.source.display();
        return Err(anyhow!(
            "--weights chooses among those of a run, and {file} is a file of weights"
        ));
    }
    Ok(())
}

/// Whether the file has mean and deviation in it.
fn normalises(args: &ExportArgs) -> bool {
    args.to == Format::Onnx && args.input != Some(Input::Normalised)
}

/// What is exported.
struct Source {
    file: PathBuf,
    genotype: Genotype,
    /// The settings of its data, where it is a run.
    data: Option<Data>,
}

impl Source {
    fn of(args: &ExportArgs) -> anyhow::Result<Self> {
        let named = args.genotype.as_deref().map(genotype::of).transpose()?;
        if !args.source.is_dir() {
            let genotype = named.ok_or_else(|| {
                let fault =
                    "weights alone do not tell the cells: name the genotype with --genotype";
                anyhow!(fault).context(Exit::Usage)
            })?;
            return Ok(Self { file: args.source.clone(), genotype, data: None });
        }
        let config = settings::of_run(&args.source)?;
        let file = of_run(args, &config).context(Exit::Usage)?;
        let genotype = match named {
            Some(genotype) => genotype,
            None => genotype::read(&args.source.join("genotype.json").display().to_string())?,
        };
        Ok(Self { file, genotype, data: Some(config.data) })
    }

    /// What is known of the images of the network; where mean and deviation have to be.
    fn constants(&self, args: &ExportArgs) -> anyhow::Result<Option<Constants>> {
        let mut config = Config::default();
        let named = args.data.is_some();
        match (&self.data, &args.data) {
            (None, None) if normalises(args) => {
                let fault = "weights alone do not tell mean and deviation of their images: name the data \
                             set with --data, or leave them out with --input normalised";
                return Err(anyhow!(fault).context(Exit::Usage));
            }
            (None, None) => return Ok(None),
            (of_run, name) => {
                config.data = of_run.clone().unwrap_or(config.data);
                if let Some(name) = name {
                    config.data.name.clone_from(name);
                }
            }
        }
        if let Some(folder) = &args.data_dir {
            config.data.dir = folder.display().to_string();
        }
        // Names of classes alone are not worth reading a folder that nobody named.
        if !named && !normalises(args) && config.data.name == datasets::FOLDER {
            return Ok(None);
        }
        let constants = datasets::constants(&config);
        if !normalises(args) {
            return constants.map(Some);
        }
        let needed =
            "the file needs mean and deviation of the images (--input normalised leaves them out)";
        constants.map(Some).context(needed)
    }
}

/// The file of the weights of a run.
fn of_run(args: &ExportArgs, config: &Config) -> anyhow::Result<PathBuf> {
    let (run, shown) = (&args.source, args.source.display());
    if !config.trains() {
        return Err(anyhow!(
            "{shown} is a search, which has no trained network: train what it found with `sdarts train \
             {shown}`, and export that run"
        ));
    }
    let kind = args.weights.unwrap_or(Weights::Final).kind();
    let file = run.join(Training::file(kind));
    if file.is_file() {
        return Ok(file);
    }
    if kind == Kind::Average && is_over(run) {
        return Err(anyhow!(
            "{shown} was trained without a moving average: train.ema is 0; export --weights final or best"
        ));
    }
    Err(anyhow!(
        "{shown} has no {}: the training is not over; the command that began it continues it",
        Training::file(kind)
    ))
}

fn is_over(run: &Path) -> bool {
    run.join(Training::file(Kind::Final)).is_file()
}

fn fits(constants: &Constants, found: &Found) -> anyhow::Result<()> {
    let (channels, classes) = (constants.mean.len(), constants.classes.len());
    if channels == found.image_channels && [0, found.classes].contains(&classes) {
        return Ok(());
    }
    Err(anyhow!(
        "the network has {} classes and reads images of {} channels, but {} has {classes} and \
         {channels}; name the data set that it was trained on",
        found.classes,
        found.image_channels,
        constants.name,
    ))
}

/// What was written.
fn told(args: &ExportArgs, trained: &Trained) -> String {
    let (out, shape) = (args.out.display(), trained.shape);
    match args.to {
        Format::Onnx => {
            let input = if normalises(args) { "pixel / 255" } else { "normalised" };
            format!(
                "{out}: ONNX, opset {}; {} [batch, {}, height, width] ({input}) -> {} [batch, {}]",
                onnx::OPSET,
                onnx::INPUT,
                shape.image_channels,
                onnx::OUTPUT,
                shape.classes,
            )
        }
        Format::Safetensors | Format::Pytorch => {
            let head = if shape.auxiliary { " with the auxiliary head" } else { "" };
            format!("{out}: state_dict of {} tensors{head}", trained.arrays.len())
        }
    }
}
