//! A run opened to be measured: a checkpoint on a device, with the data that it was searched on.
//! Nothing here writes to the run directory, so a run can be measured while it searches.

use std::path::Path;

use anyhow::Context as _;
use burn::tensor::Device;
use smoothdarts::config::Config;
use smoothdarts::config::layers::{Origin, Resolver};
use smoothdarts::data::text::TextLoader;
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::run::{ImageSearch, Run, Search, TextSearch};
use smoothdarts::space::{self, Reads};
use smoothdarts::task::{Classify, Language, Task};

use crate::datasets::Supply;
use crate::device::{self, Selected};
use crate::exit::Exit;
use crate::{datasets, run_dir};

/// A search that stands where its checkpoint was taken, and its data.
#[expect(clippy::large_enum_variant, reason = "one is opened at a time")]
pub enum OpenRun {
    /// A search of images.
    Images(OpenSearch<Classify, Supply>),
    /// A search of text.
    Text(OpenSearch<Language, TextLoader>),
}

/// The same of one task.
pub struct OpenSearch<T: Task, B> {
    /// The search; model, policy and point of its job are what measurements need.
    pub search: Run<Search<T>>,
    /// The batches of the search.
    pub loader: B,
}

impl OpenRun {
    /// Brings a checkpoint to `device` and opens its data set.
    ///
    /// # Errors
    /// If the data set is not there any more, or the checkpoint does not fit its own settings.
    pub fn new(checkpoint: &Checkpoint, device: &Device) -> anyhow::Result<Self> {
        let config = checkpoint.config();
        if config.trains() {
            let error = anyhow::anyhow!(
                "this run is a training: it has no architecture that could be measured"
            );
            return Err(error.context(Exit::Usage));
        }
        const CANNOT: &str = "cannot open the data of this run";
        Ok(match space::find(&config.search.space)?.reads() {
            Reads::Images => {
                let loader = datasets::supply(config).context(CANNOT)?;
                let steps = loader.steps_per_epoch();
                let mut search = ImageSearch::new(config, loader.shape(), steps, device)?;
                search.restore(checkpoint)?;
                Self::Images(OpenSearch { search, loader })
            }
            Reads::Text => {
                let loader = datasets::text::search(config).context(CANNOT)?;
                let (words, steps) = (loader.text().vocabulary.len(), loader.steps_per_epoch());
                let mut search = TextSearch::new(config, words, steps, device)?;
                search.restore(checkpoint)?;
                Self::Text(OpenSearch { search, loader })
            }
        })
    }
}

/// The device that a flag names, or else the settings of the run. It starts the threads of the run,
/// so it must come before any tensor, and once.
///
/// # Errors
/// If there is no such device.
pub fn device(flag: Option<&str>, config: &Config) -> anyhow::Result<Selected> {
    let mut layers = Resolver::default();
    layers.texts(flag.map(|name| ("run.device", name)), &Origin::Flag)?;
    let wanted = layers.finish()?.config.run.device;
    device::set_threads(config.run.threads)?;
    device::select(if flag.is_some() { wanted } else { config.run.device })
}

/// The newest checkpoint of a run directory, or the checkpoint in a file.
///
/// # Errors
/// If `source` is neither (exit code 2), or holds no checkpoint that can be read.
pub fn checkpoint(source: &Path) -> anyhow::Result<Checkpoint> {
    if !source.exists() {
        let fault = format!("there is no run directory and no checkpoint {}", source.display());
        return Err(anyhow::anyhow!(fault).context(Exit::Usage));
    }
    if !source.is_dir() {
        return run_dir::read_checkpoint(source);
    }
    run_dir::must_be_run(source)?;
    run_dir::newest_checkpoint(source)?
        .with_context(|| format!("{} has no checkpoint yet", source.display()))
}
