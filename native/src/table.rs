//! Tables of trained networks on disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, anyhow};
use smoothdarts::cell::nasbench101::Graph;
use smoothdarts::cell::nasbench101::oneshot::{self, OneShot};
use smoothdarts::config::{Config, Table as Settings};
use smoothdarts::draw::history::History;
use smoothdarts::event::{Anytime, EpochFinished};
use smoothdarts::measure::anytime;
use smoothdarts::space::table::{Lookup, Table};
use smoothdarts::space::{self, Space};

use crate::exit::Exit;
use crate::nasbench101::source::Kind;
use crate::nasbench101::{self, OfSpace, Standing};
use crate::{output, settings};

/// The table that the settings name; `None` if they name none. Unless `quiet`, says what a table of
/// NAS-Bench-101 lacks of the space.
///
/// # Errors
/// If the file cannot be read, is no table, or is one of another benchmark than the space: exit code 3;
/// if the settings ask for a column that it does not have or for a space without tables, exit code 2.
pub fn open(config: &Config, quiet: bool) -> anyhow::Result<Option<Rc<dyn Lookup>>> {
    let settings = &config.table;
    if settings.path.is_empty() {
        return Ok(None);
    }
    let space = space::find(&config.search.space)?;
    let opened: anyhow::Result<Rc<dyn Lookup>> = match oneshot::find(space.name) {
        Some(space) => of_nasbench101(settings, space, quiet),
        None => of_nasbench201(settings, space),
    };
    opened.map(Some).with_context(|| format!("the table {}", settings.path))
}

fn of_nasbench201(settings: &Settings, space: &Space) -> anyhow::Result<Rc<dyn Lookup>> {
    let bytes = std::fs::read(&settings.path).context(Exit::Data)?;
    if space.tabulated().is_some() && bytes.starts_with(nasbench101::MAGIC) {
        let problem = format!("it has cells of NAS-Bench-101, and space {} has others", space.name);
        return Err(anyhow!(problem).context(Exit::Data));
    }
    Ok(Rc::new(Table::read(space, &bytes, &settings.column)?))
}

fn of_nasbench101(
    settings: &Settings,
    space: &'static OneShot,
    quiet: bool,
) -> anyhow::Result<Rc<dyn Lookup>> {
    let (path, name) = (Path::new(&settings.path), space.name);
    if !settings.column.is_empty() {
        let problem = format!(
            "a table of NAS-Bench-101 has no columns, so none is `{}`; name the file alone",
            settings.column
        );
        return Err(anyhow!(problem).context(Exit::Usage));
    }
    let kind = Kind::of(path)?;
    if kind != Kind::Compact {
        let problem = format!(
            "it is a {}, and a search in space {name} asks a table that `sdarts table convert` makes of \
             NAS-Bench-101; if it has cells of that benchmark, convert it",
            kind.name()
        );
        return Err(anyhow!(problem).context(Exit::Data));
    }
    let table = OfSpace::read(&nasbench101::Table::open(path)?, space)?;
    if table.cells() == 0 && table.ours() == 0 {
        let problem = format!(
            "it has no network of space {name} that was trained for 108 epochs, so it would never say \
             anything; `sdarts table info` tells what it has"
        );
        return Err(anyhow!(problem).context(Exit::Data));
    }
    if let Some(lacks) = table.lacks().filter(|_| !quiet) {
        output::note(&format!("the table {}: {lacks}", path.display()));
    }
    Ok(Rc::new(table))
}

/// A table that runs are held against after they have ended, opened once for each space.
pub struct Later {
    settings: Settings,
    opened: BTreeMap<String, Rc<dyn Lookup>>,
}

impl Later {
    /// The table FILE or FILE:COLUMN; no file is opened yet.
    pub fn new(named: &str) -> Self {
        let (path, column) = settings::table(named);
        let settings = Settings { path: path.to_owned(), column: column.to_owned() };
        Self { settings, opened: BTreeMap::new() }
    }

    /// Puts what the table says of the cells of a search, epoch by epoch, in place of what the search was told.
    ///
    /// # Errors
    /// As [`open`].
    pub fn look_up(&mut self, history: &mut History) -> anyhow::Result<()> {
        let Some(started) = history.started.as_ref().filter(|_| !history.epochs.is_empty()) else {
            return Ok(());
        };
        let space = space::find(&started.config.search.space)?;
        let config = Config { table: self.settings.clone(), ..started.config.clone() };
        let table = self.of(space.name, &config)?;
        let epochs = history.epochs.iter().filter(|epoch| !anytime::is_even(&epoch.probabilities));
        history.anytime = epochs
            .map(|EpochFinished { epoch, genotype, .. }| {
                anytime::look(&*table, *epoch, genotype, space.encode(genotype))
            })
            .collect();
        Ok(())
    }

    fn of(&mut self, space: &str, config: &Config) -> anyhow::Result<Rc<dyn Lookup>> {
        if let Some(table) = self.opened.get(space) {
            return Ok(table.clone());
        }
        let unnamed = || anyhow!("--table: name the file of a table").context(Exit::Usage);
        let table = open(config, false)?.ok_or_else(unnamed)?;
        self.opened.insert(space.to_owned(), table.clone());
        Ok(table)
    }
}

/// What the table says of a cell, in words. A cell of NAS-Bench-101 is called by its hash.
pub fn words(anytime: &Anytime) -> String {
    let Anytime { architecture, cells, .. } = anytime;
    if let (Some(accuracy), None) = (anytime.test_accuracy, anytime.valid_accuracy) {
        let rank = anytime.rank.map_or(String::new(), |rank| format!(", rank {rank} of {cells}"));
        let regret = anytime.regret.map_or(String::new(), |it| format!(", regret {it:.2}"));
        return format!("{architecture}  true accuracy {accuracy:.2}%{rank}{regret}");
    }
    let hash = architecture.parse::<Graph>().ok().and_then(|graph| graph.hash());
    let name = hash.map_or_else(|| architecture.clone(), |hash| hash.to_string());
    let standing = Standing {
        test_error: anytime.test_error(),
        valid_error: anytime.valid_error(),
        regret: anytime.regret.map(|points| points / 100.0),
    };
    let is_known = standing.test_error.is_some() || standing.valid_error.is_some();
    let told = Standing::words(is_known.then_some(&standing));
    let rank = anytime.rank.map_or(String::new(), |rank| format!(", rank {rank} of {cells}"));
    let own = anytime.own_error().map_or(String::new(), |error| {
        format!("; test error {:.2}% in a training of ours", 100.0 * error)
    });
    format!("{name}  {told}{rank}{own}")
}
