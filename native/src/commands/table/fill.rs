//! `sdarts table fill`: trains the cells that runs derived and a table lacks, at a small size, and adds them as
//! trainings of ours.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::json;
use smoothdarts::cell::codec::nb101;
use smoothdarts::cell::nasbench101::{Graph, Hash, oneshot};
use smoothdarts::config::layers::Resolved;
use smoothdarts::draw::history::History;
use smoothdarts::measure::anytime;

use crate::cli::{FillArgs, Resume};
use crate::exit::Exit;
use crate::nasbench101::ours::{self, Own};
use crate::nasbench101::{EPOCHS, Split, Table};
use crate::session::refuse;
use crate::training::Trainings;
use crate::{device, events, output, run_dir, settings};

/// Trains what is missing, cell by cell; each is in the table once it is done.
///
/// # Errors
/// A table or a run that is wrong, exit code 3; trainings of another size than those in the table, exit code 2;
/// what a training says.
pub fn run(args: &FillArgs) -> anyhow::Result<Exit> {
    let flags = &args.run;
    let table = Table::open(&args.table)?;
    let cells = missing(&table, derived(&args.runs)?, args.all)?;
    // Of any cell: without one there is nothing to train, but the size can still be told.
    let example = cells.first().map_or_else(|| EXAMPLE.to_owned(), |(_, cell)| cell.to_string());
    let resolved = settings::resolve_train(flags, Some(example))?;
    if flags.print_config {
        output::line(settings::to_toml(&resolved)?.trim_end())?;
        return Ok(Exit::Done);
    }
    must_be_of_one_size(&table, &resolved, &args.table)?;
    if flags.dry_run {
        return tell(&cells, &resolved, flags.json);
    }
    device::set_threads(resolved.config.run.threads)?;
    let selected = device::select(resolved.config.run.device)?;
    let folder = flags.out.clone().unwrap_or_else(|| args.table.with_extension("trainings"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // Two at once would each write a table without the cells of the other.
    let _lock = run_dir::lock(&folder)?;
    // What another process has done since this one looked.
    let table = Table::open(&args.table)?;
    let cells = cells.into_iter().filter(|(hash, _)| table.ours().find(*hash).is_none()).collect();
    let trainings = Trainings::new(&selected, flags);
    Filling { args, resolved, folder, trainings, table }.all(cells)
}

/// A cell whose settings are those of all.
const EXAMPLE: &str = "010001000 input,conv3x3-bn-relu,output";

/// A table that is filled.
struct Filling<'a> {
    args: &'a FillArgs,
    resolved: Resolved,
    /// Where the run directories of the trainings lie.
    folder: PathBuf,
    trainings: Trainings<'a>,
    table: Table,
}

impl Filling<'_> {
    fn all(mut self, cells: Vec<(Hash, Graph)>) -> anyhow::Result<Exit> {
        let count = cells.len();
        for (index, (hash, cell)) in cells.into_iter().enumerate() {
            let own = match self.train(hash, &cell)? {
                ControlFlow::Continue(own) => own,
                ControlFlow::Break(exit) => return Ok(exit),
            };
            let test = own.test;
            let mut ours = self.table.ours().clone();
            ours.add(hash, own, &self.resolved.config);
            self.table = self.table.with_ours(&self.args.table, ours)?;
            self.say(hash, test, [index + 1, count])?;
        }
        if !self.trainings.json {
            output::line(&summary(&self.table, &self.args.table))?;
        }
        Ok(Exit::Done)
    }

    /// Trains a cell, from where an earlier process was stopped.
    fn train(&mut self, hash: Hash, cell: &Graph) -> anyhow::Result<ControlFlow<Exit, Own>> {
        let named = || format!("cell {hash}");
        let cell = cell.to_string();
        let resolved = settings::changed(&self.resolved, [(settings::GENOTYPE, cell.clone())])?;
        let directory = self.folder.join(hash.to_string());
        refuse(&directory, Resume::Auto, false, &resolved.config).with_context(named)?;
        let ready = self.trainings.prepare(&resolved).with_context(named)?;
        let ended = self.trainings.run(ready, &directory).with_context(named)?;
        Ok(match ended {
            ControlFlow::Continue(done) => {
                let (test, parameters) = (done.trained.accuracy, done.parameters);
                ControlFlow::Continue(Own { cell, test, parameters })
            }
            ControlFlow::Break(exit) => ControlFlow::Break(exit),
        })
    }

    fn say(&mut self, hash: Hash, test: f64, [index, count]: [usize; 2]) -> anyhow::Result<()> {
        if self.trainings.json {
            let object = json!({
                "type": "filled",
                "number": index,
                "of": count,
                "hash": hash.to_string(),
                "test_error": 1.0 - test,
            });
            self.trainings.json &= output::told(&object.to_string())?;
            return Ok(());
        }
        let error = 100.0 * (1.0 - test);
        output::line(&format!("cell {index} of {count}: {hash}  test error of ours {error:.2}%"))?;
        Ok(())
    }
}

/// The cells that the runs derived after any of their epochs, each once, in the order in which they came.
fn derived(runs: &[PathBuf]) -> anyhow::Result<Vec<(Hash, Graph)>> {
    let mut cells: Vec<(Hash, Graph)> = Vec::new();
    for run in runs {
        run_dir::must_be_run(run)?;
        let history: History = events::of_run(run)?;
        if let Some(started) = &history.started {
            must_be_of_nasbench101(run, &started.config.search.space)?;
        }
        for epoch in history.epochs.iter().filter(|it| !anytime::is_even(&it.probabilities)) {
            // A cell without a way from its input to its output has no network.
            let pruned = nb101::graph(&epoch.genotype).and_then(|graph| graph.pruned());
            let Some((hash, cell)) = pruned.and_then(|cell| Some((cell.hash()?, cell))) else {
                continue;
            };
            if cells.iter().all(|(other, _)| *other != hash) {
                cells.push((hash, cell));
            }
        }
    }
    Ok(cells)
}

/// Those that have no training of ours and, unless `all` are wanted, no test accuracy of the benchmark.
fn missing(
    table: &Table,
    cells: Vec<(Hash, Graph)>,
    all: bool,
) -> anyhow::Result<Vec<(Hash, Graph)>> {
    let mut missing = Vec::new();
    for (hash, cell) in cells {
        let known = table.find(hash)?.and_then(|cell| cell.accuracy(EPOCHS, Split::Test));
        if table.ours().find(hash).is_none() && (all || known.is_none()) {
            missing.push((hash, cell));
        }
    }
    Ok(missing)
}

fn must_be_of_nasbench101(run: &Path, space: &str) -> anyhow::Result<()> {
    if oneshot::find(space).is_some() {
        return Ok(());
    }
    let problem = format!(
        "{} searches {space}, whose cells are none of NAS-Bench-101; name runs of oneshot-1, oneshot-2 or \
         oneshot-3",
        run.display(),
    );
    Err(anyhow!(problem).context(Exit::Usage))
}

/// Refuses trainings that would not compare with those that the table has of ours, or that read no test image.
fn must_be_of_one_size(table: &Table, resolved: &Resolved, path: &Path) -> anyhow::Result<()> {
    let config = &resolved.config;
    if !config.reads_test_data() {
        let problem = "train.portion: a table has test errors, so all training images must be trained \
                       on; leave it at 1";
        return Err(anyhow!(problem).context(Exit::Usage));
    }
    let other = table.ours().other_than(config);
    if other.is_empty() {
        return Ok(());
    }
    let problem = format!(
        "the table {} has trainings of ours of another kind, which would not compare: {}; train as \
         before, or fill a copy without them (`sdarts table convert` makes one)",
        path.display(),
        other.join("; ")
    );
    Err(anyhow!(problem).context(Exit::Usage))
}

/// What would be trained.
fn tell(cells: &[(Hash, Graph)], resolved: &Resolved, json: bool) -> anyhow::Result<Exit> {
    let size = ours::size(&resolved.config);
    if json {
        let cells: Vec<String> = cells.iter().map(|(hash, _)| hash.to_string()).collect();
        output::line(&json!({ "cells": cells, "size": size }).to_string())?;
        return Ok(Exit::Done);
    }
    for (hash, cell) in cells {
        output::line(&format!("{hash}  {cell}"))?;
    }
    output::line(&format!("{} cells would be trained, each with {size}", cells.len()))?;
    Ok(Exit::Done)
}

fn summary(table: &Table, path: &Path) -> String {
    let ours = table.ours();
    let size = if ours.is_empty() { String::new() } else { format!(", each with {}", ours.size()) };
    format!("{}: {} trainings of ours{size}", path.display(), ours.len())
}
