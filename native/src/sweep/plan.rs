//! The runs of a sweep, with the settings that each of them resolves to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Parser as _;
use smoothdarts::config::Config;

use super::definition::{Definition, Point};
use super::name;
use crate::cli::{Cli, Command};
use crate::commands::derive;
use crate::exit::Exit;
use crate::settings;

/// A run of a sweep.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name in the folder of the sweep.
    pub name: String,
    /// What it has of each axis.
    pub point: Point,
    /// The arguments of `sdarts`, but for where it writes.
    pub arguments: Vec<String>,
    /// Its settings.
    pub config: Config,
    /// Those of its part that takes the most memory: of a selection the training of a winner.
    pub largest: Config,
}

impl Run {
    /// Its run directory.
    pub fn directory(&self, out: &Path) -> PathBuf {
        out.join(&self.name)
    }
}

/// Every run of a sweep, in the order of its axes.
///
/// # Errors
/// The first run whose settings are wrong, two that are the same, or that all are excluded; exit code 2.
pub fn runs(definition: &Definition) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for point in definition.points() {
        let (name, arguments) = (name::of(&point), definition.arguments(&point));
        let [config, largest] = configs(&arguments).with_context(|| format!("the run {name}"))?;
        runs.push(Run { name, point, arguments, config, largest });
    }
    if runs.is_empty() {
        return Err(anyhow!("every combination is excluded").context(Exit::Usage));
    }
    must_differ(&runs)?;
    Ok(runs)
}

/// The settings of a run, exactly as its own process will resolve them, and those of its largest part.
fn configs(arguments: &[String]) -> anyhow::Result<[Config; 2]> {
    let words = ["sdarts"].into_iter().chain(arguments.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words)
        .map_err(|error| anyhow!("{}", error.to_string().trim()).context(Exit::Usage))?;
    let resolved = match &cli.command {
        Command::Search(args) => settings::resolve(args)?,
        Command::Train(args) => {
            let on_text = settings::trains_on_text(&args.run)?;
            let named = args.genotype.as_ref().map(|name| derive::meant(name, on_text));
            settings::resolve_train(&args.run, named.transpose()?)?
        }
        Command::Select(args) => {
            let first = args.candidates.first().context("there are no candidates")?;
            let on_text = settings::trains_on_text(&args.run)?;
            let winner = derive::meant(first, on_text)?;
            let full = settings::resolve_selection(&args.run, Some(winner.clone()))?;
            let winner = settings::changed(&full, [(settings::GENOTYPE, winner)])?;
            return Ok([full.config, winner.config]);
        }
        _ => return Err(anyhow!("this command cannot be swept").context(Exit::Usage)),
    };
    Ok([resolved.config.clone(), resolved.config])
}

/// Refuses two runs of one name or of the same settings: one of them would be for nothing.
fn must_differ(runs: &[Run]) -> anyhow::Result<()> {
    let mut seen = BTreeMap::new();
    for run in runs {
        let same = [run.name.clone(), serde_json::to_string(&run.config)?];
        for key in same {
            if let Some(other) = seen.insert(key, &run.name)
                && *other != run.name
            {
                let fault = anyhow!("the runs {other} and {} have the same settings", run.name);
                return Err(fault.context(Exit::Usage));
            }
        }
    }
    Ok(())
}
