//! `sdarts search`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use smoothdarts::config::Config;
use smoothdarts::config::layers::{Origin, Resolved};
use smoothdarts::data::text::TextLoader;
use smoothdarts::data::{self, Order};
use smoothdarts::draw::csv;
use smoothdarts::draw::history::History;
use smoothdarts::run::{ImageSearch, Run, Search, TextSearch};
use smoothdarts::space::{self, Reads};
use smoothdarts::task::{Classify, Language, Task};

use super::derive;
use super::dry_run::{self, First, Part};
use crate::cli::{ExtendSchedule, SearchArgs, SettingsArgs};
use crate::datasets::{self, Opened, Prefetch, Supply};
use crate::device::{self, Selected};
use crate::estimate::Estimate;
use crate::exit::Exit;
use crate::run_dir::RunDir;
use crate::session::{Place, Session, Work, extend, refuse, seconds};
use crate::{output, settings, table};

/// Searches, or does what the flags ask for instead.
///
/// # Errors
/// Everything in the table of exit codes.
pub fn run(args: &SearchArgs) -> anyhow::Result<Exit> {
    let mut resolved = settings::resolve(args)?;
    if args.run.print_config {
        output::line(settings::to_toml(&resolved)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let out = args.run.out.clone().unwrap_or_else(|| default_out(args, &resolved.config));
    if args.extend_schedule == ExtendSchedule::Frozen {
        extend::freeze(&out, &mut resolved.config)?;
        resolved.origins.insert("search.schedule_epochs".to_owned(), Origin::Flag);
    }
    let config = &resolved.config;
    if !args.run.dry_run {
        refuse(&out, args.run.resume, args.extend, config)?;
    }
    device::set_threads(config.run.threads)?;
    match space::find(&config.search.space)?.reads() {
        Reads::Images => images(args, &resolved, &out),
        Reads::Text => text(args, &resolved, &out),
    }
}

/// A search of images.
fn images(args: &SearchArgs, resolved: &Resolved, out: &Path) -> anyhow::Result<Exit> {
    let (flags, config) = (&args.run, &resolved.config);
    if datasets::text::is_text(&config.data.name) {
        let (name, space) = (&config.data.name, &config.search.space);
        return Err(anyhow::anyhow!(
            "data.name = {name} is a text, and cells of the space {space} read images; search the space \
             recurrent, or other data (`sdarts list data`)"
        )
        .context(Exit::Usage));
    }
    let opened = match Opened::of(config) {
        Err(error) if flags.dry_run => Opened::Memory(dry_run::stand_in(config, error)?),
        opened => opened?,
    };
    let images = opened.sizes(config);
    let selected = device::select(config.run.device)?;
    let estimate = Estimate::of(config, &images, selected.adapter.is_some())?;
    if config.data.image_size <= data::MAX_SIZE {
        estimate.check(flags.memory_limit, flags.force)?;
    }
    if flags.dry_run {
        let part = Part::of(config, &images, &estimate, selected.adapter.as_ref())?;
        let timed = &part.config;
        let supply = opened.supply(timed, |train, test| Order::search(train, test, timed))?;
        let (shape, steps) = (supply.shape(), supply.steps_per_epoch());
        return dry_run::run(flags.json, &part, &selected, |config| {
            let mut search = ImageSearch::new(config, shape, steps, &selected.device)?;
            search.set_replay(selected.replays(config.run.replay));
            let batches = Prefetch::new(supply.clone());
            Ok((search, First { batches, images: config.search.batch_size }))
        });
    }
    let supply = opened.supply(config, |train, test| Order::search(train, test, config))?;
    let (shape, steps) = (supply.shape(), supply.steps_per_epoch());
    let search = ImageSearch::new(config, shape, steps, &selected.device)?;
    go(args, (resolved, out), &selected, (search, supply))
}

/// A search of text.
fn text(args: &SearchArgs, resolved: &Resolved, out: &Path) -> anyhow::Result<Exit> {
    let (flags, config) = (&args.run, &resolved.config);
    let text = match datasets::text::open(config) {
        Err(error) if flags.dry_run => datasets::text::stand_in(config, error)?,
        opened => opened?,
    };
    let loader = TextLoader::for_search(text.clone(), config)?;
    let selected = device::select(config.run.device)?;
    let words = text.vocabulary.len();
    let estimate = Estimate::of_text(config, words, selected.adapter.is_some());
    estimate.check(flags.memory_limit, flags.force)?;
    let steps = loader.steps_per_epoch();
    if flags.dry_run {
        let part = Part::of_text(config, words, steps);
        return dry_run::run(flags.json, &part, &selected, |config| {
            let search = TextSearch::new(config, words, steps, &selected.device)?;
            Ok((search, TextLoader::for_search(text.clone(), config)?))
        });
    }
    let search = TextSearch::new(config, words, steps, &selected.device)?;
    go(args, (resolved, out), &selected, (search, loader))
}

/// Runs a search.
fn go<T: Task>(
    args: &SearchArgs,
    (resolved, out): (&Resolved, &Path),
    selected: &Selected,
    (mut search, batches): (Run<Search<T>>, <Search<T> as Work>::Supply),
) -> anyhow::Result<Exit>
where
    Search<T>: Work<Batch = T::Batch>,
{
    let config = &resolved.config;
    search.set_device_label(selected.label.clone());
    search.set_clock(seconds);
    search.set_replay(selected.replays(config.run.replay));
    if let Some(table) = table::open(config, args.run.quiet)? {
        search.set_table(table).with_context(|| config.table.path.clone())?;
    }
    let batches = Prefetch::new(batches);
    let (json, quiet, extend) = (args.run.json, args.run.quiet, args.extend);
    let place = Place { out, extend, json, quiet, stop: None, began: 0.0 };
    Session::open(place, resolved, selected, search, batches)?.run()
}

impl Work for Search<Classify> {
    type Supply = Supply;

    const NOUN: &'static str = "search";

    fn write(run: &ImageSearch, directory: &RunDir) -> anyhow::Result<()> {
        write(run, directory)
    }

    fn curves(history: &History) -> String {
        csv::curves(history)
    }

    fn summary(run: &ImageSearch, history: &History) -> anyhow::Result<(String, String)> {
        summary(run, history)
    }
}

impl Work for Search<Language> {
    type Supply = TextLoader;

    const NOUN: &'static str = "search";

    fn write(run: &TextSearch, directory: &RunDir) -> anyhow::Result<()> {
        write(run, directory)
    }

    fn curves(history: &History) -> String {
        csv::curves(history)
    }

    fn summary(run: &TextSearch, history: &History) -> anyhow::Result<(String, String)> {
        summary(run, history)
    }
}

/// Writes what was found.
fn write<T: Task>(run: &Run<Search<T>>, directory: &RunDir) -> anyhow::Result<()> {
    let genotype = pollster::block_on(run.genotype())?;
    let weights = pollster::block_on(run.job().weights())?;
    let json = serde_json::to_string_pretty(&genotype)? + "\n";
    directory.write("genotype.json", json.as_bytes())?;
    directory.write("genotype.py.txt", (derive::text(&genotype) + "\n").as_bytes())?;
    directory.write("weights.safetensors", &weights)
}

/// What was found in words, and what a table knows of it.
fn summary<T: Task>(run: &Run<Search<T>>, history: &History) -> anyhow::Result<(String, String)> {
    let genotype = pollster::block_on(run.genotype())?;
    let table = history.anytime.last().map_or(String::new(), |it| table::words(it) + "\n");
    Ok((derive::table(&genotype), table))
}

/// `runs/<preset or config>-<seed>`. A config.toml is called like the run that it lies in, so that
/// `--config runs/quick-2/config.toml` finds that run.
fn default_out(args: &SearchArgs, config: &Config) -> PathBuf {
    let suffix = format!("-{}", config.seed);
    let name = run_name(&args.run.settings, settings::preset(args), "search");
    Path::new("runs").join(format!("{}{suffix}", name.strip_suffix(&suffix).unwrap_or(&name)))
}

/// What a run is called after: its preset or its config file.
pub(super) fn run_name(args: &SettingsArgs, preset: Option<&str>, word: &str) -> String {
    let of_file = args.config.as_deref().map(|path| {
        let in_run = path.file_name().is_some_and(|name| name == "config.toml");
        let named = if in_run { path.parent().and_then(Path::file_name) } else { path.file_stem() };
        named.map_or(word.to_owned(), |name| name.to_string_lossy().into_owned())
    });
    of_file.unwrap_or_else(|| preset.unwrap_or(word).to_owned())
}
