//! `sdarts search`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use smoothdarts::cell::Genotype;
use smoothdarts::config::Config;
use smoothdarts::config::layers::{Resolved, differences};
use smoothdarts::data::{self, Loader};
use smoothdarts::draw::csv;
use smoothdarts::draw::history::History;
use smoothdarts::event::Event;
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::run::{ImageSearch, RunError};

use super::dry_run::{self, Part};
use super::{derive, extend};
use crate::cli::{Resume, SearchArgs};
use crate::datasets::{self, Prefetch};
use crate::device::{self, Selected};
use crate::estimate::Estimate;
use crate::events::{self, EventLog};
use crate::exit::Exit;
use crate::manifest::Manifest;
use crate::output::{self, OutputClosed};
use crate::progress::Progress;
use crate::recovery::{self, Resumed};
use crate::run_dir::{self, RunDir};
use crate::signals::Stop;
use crate::{report, settings, table};

/// Searches, or does what the flags ask for instead.
///
/// # Errors
/// Everything in the table of exit codes.
pub fn run(args: &SearchArgs) -> anyhow::Result<Exit> {
    let resolved = settings::resolve(args)?;
    if args.print_config {
        output::line(settings::to_toml(&resolved)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let config = &resolved.config;
    let out = args.out.clone().unwrap_or_else(|| default_out(args, config));
    if !args.dry_run {
        refuse(&out, args, config)?;
    }
    device::set_threads(config.run.threads)?;
    let dataset = match datasets::open(config) {
        Err(error) if args.dry_run => dry_run::stand_in(config, error)?,
        dataset => dataset?,
    };
    let selected = device::select(config.run.device)?;
    let estimate = Estimate::of(config, &dataset, selected.adapter.is_some())?;
    if config.data.image_size <= data::MAX_SIZE {
        estimate.check(args.memory_limit, args.force)?;
    }
    let part = args.dry_run.then(|| Part::of(config, &dataset, &estimate));
    let config = part.as_ref().map_or(config, |part| &part.config);
    let loader = Loader::new(dataset, config)?;
    let mut search =
        ImageSearch::new(config, loader.shape(), loader.steps_per_epoch(), &selected.device)?;
    search.set_device_label(selected.label.clone());
    search.set_clock(seconds);
    if let Some(table) = table::open(config)? {
        search.set_table(&table).with_context(|| config.table.path.clone())?;
    }
    let batches = Prefetch::new(loader);
    if let Some(part) = &part {
        return dry_run::run(args.json, search, batches, part);
    }
    Session::open(&out, args, &resolved, &selected, search, batches)?.run()
}

/// Seconds since the program asked first.
fn seconds() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}

/// A search and everything that it writes to.
struct Session {
    directory: RunDir,
    log: EventLog,
    manifest: Manifest,
    /// Wall seconds of the processes before this one.
    seconds_before: f64,
    search: ImageSearch,
    batches: Prefetch,
    progress: Progress,
    stop: Stop,
    json: bool,
    checkpoint_every: Duration,
    last_checkpoint: Instant,
    /// Whether this process had anything left to do.
    worked: bool,
    /// Whether events of this run are lost.
    events_lost: bool,
}

impl Session {
    /// Makes the run directory ready: a new one, or where its last checkpoint stands.
    fn open(
        out: &Path,
        args: &SearchArgs,
        resolved: &Resolved,
        selected: &Selected,
        mut search: ImageSearch,
        batches: Prefetch,
    ) -> anyhow::Result<Self> {
        let directory = RunDir::open(out)?;
        let Resumed { mut checkpoint, log, mut warnings, events_lost } =
            recovery::resume(&directory, || search.started())?;
        if let Some(checkpoint) = &mut checkpoint {
            if args.extend {
                extend::apply(&directory, checkpoint, search.started(), &resolved.config)?;
            }
            search.restore(checkpoint)?;
        }
        if let Err(fault) = run_dir::read(&directory.file("config.toml")) {
            warnings.push(format!("{fault:#}; {}", directory.set_aside("config.toml")?));
        }
        if !directory.has_run() || args.extend {
            directory.write("config.toml", settings::to_toml(resolved)?.as_bytes())?;
        }
        let manifest = Manifest::new(&directory.file("manifest.json"), &resolved.config, selected);
        let progress = Progress::new(&search.started(), args.quiet);
        let place = if checkpoint.is_some() { "continues in" } else { "runs in" };
        progress.say(&format!("the search {place} {} on {}", out.display(), selected.label));
        let mut session = Self {
            stop: Stop::listen(progress.teller())?,
            log,
            seconds_before: manifest.wall_seconds,
            directory,
            manifest,
            search,
            batches,
            progress,
            json: args.json,
            checkpoint_every: Duration::from_secs(resolved.config.run.checkpoint_seconds),
            last_checkpoint: Instant::now(),
            worked: false,
            events_lost,
        };
        for warning in warnings {
            session.progress.alarm(&format!("warning: {warning}"));
        }
        if let Some(checkpoint) = checkpoint {
            session.go_on_from(&checkpoint)?;
        }
        Ok(session)
    }

    /// Brings batches and progress to where the search was restored.
    fn go_on_from(&mut self, checkpoint: &Checkpoint) -> anyhow::Result<()> {
        self.batches.seek(checkpoint.epoch(), checkpoint.step());
        self.progress.resume(checkpoint.epoch(), checkpoint.step());
        if self.json {
            // The stream of a process that continues explains itself too.
            let started = Event::Started(self.search.started());
            output::line(&serde_json::to_string(&started)?)?;
        }
        Ok(())
    }

    /// Searches to the end, or until a signal comes.
    fn run(mut self) -> anyhow::Result<Exit> {
        match self.work() {
            Ok(Some(exit)) => Ok(exit),
            Ok(None) => self.finish(),
            Err(error) => {
                let diverged = matches!(error.downcast_ref(), Some(RunError::Diverged { .. }));
                if diverged && self.directory.has_checkpoint() {
                    let last = "the last checkpoint holds a state before the search diverged";
                    self.progress.alarm(last);
                }
                Err(error)
            }
        }
    }

    /// The loop. The science is in [`Run::advance`](smoothdarts::run::Run::advance); this writes, saves and stops.
    fn work(&mut self) -> anyhow::Result<Option<Exit>> {
        self.write_manifest()?;
        while let Some(event) = pollster::block_on(self.search.advance(&mut self.batches))? {
            self.tell(&event)?;
            let stop = self.stop.requested();
            if stop.is_some() || self.checkpoint_is_due(&event) {
                self.checkpoint()?;
            }
            if let Some(exit) = stop {
                self.progress.finish();
                output::note(&format!(
                    "{exit}; the same command continues the search in {}",
                    self.directory.path().display()
                ));
                return Ok(Some(exit));
            }
        }
        Ok(None)
    }

    fn tell(&mut self, event: &Event) -> anyhow::Result<()> {
        self.worked = true;
        let line = self.log.write(event)?;
        self.progress.show(event);
        match if self.json { output::line(&line) } else { Ok(()) } {
            // `--json | head -1` ends the printing and not the search.
            Err(error) if error.is::<OutputClosed>() => {
                self.json = false;
                self.progress.say("nobody reads the events any more; the search goes on");
                Ok(())
            }
            result => result,
        }
    }

    fn checkpoint_is_due(&self, event: &Event) -> bool {
        let milestone = matches!(event, Event::EpochFinished(_) | Event::Finished(_));
        milestone || self.last_checkpoint.elapsed() >= self.checkpoint_every
    }

    fn checkpoint(&mut self) -> anyhow::Result<()> {
        self.log.sync()?;
        self.directory.write_checkpoint(&pollster::block_on(self.search.checkpoint())?)?;
        self.last_checkpoint = Instant::now();
        self.write_manifest()
    }

    fn write_manifest(&mut self) -> anyhow::Result<()> {
        self.manifest.wall_seconds = self.seconds_before + seconds();
        let text = serde_json::to_string_pretty(&self.manifest)? + "\n";
        self.directory.write("manifest.json", text.as_bytes())
    }

    /// Writes the results. A run that was finished before gets the same files again.
    fn finish(mut self) -> anyhow::Result<Exit> {
        self.progress.finish();
        let genotype = pollster::block_on(self.search.genotype())?;
        let weights = pollster::block_on(self.search.job().weights())?;
        let json = serde_json::to_string_pretty(&genotype)? + "\n";
        self.directory.write("genotype.json", json.as_bytes())?;
        self.directory.write("genotype.py.txt", (derive::text(&genotype) + "\n").as_bytes())?;
        self.directory.write("weights.safetensors", &weights)?;
        // What is made of the events comes last: whatever is wrong with them, the result is there.
        let history = History::from_events(events::of_run(self.directory.path())?);
        self.write_manifest()?;
        if self.worked || !self.events_lost {
            self.directory.write("curves.csv", csv::curves(&history).as_bytes())?;
            report::write(self.directory.path())?;
        }
        self.summary(&genotype, &history)
    }

    fn summary(&self, genotype: &Genotype, history: &History) -> anyhow::Result<Exit> {
        if !self.json {
            output::line(&derive::table(genotype))?;
        }
        let verb = if self.worked { "finished" } else { "was finished before" };
        self.progress.say(&format!(
            "the search {verb}\n{}report: {}\ndevice: {}\nseconds: {:.1}",
            history.anytime.last().map_or(String::new(), |it| table::words(it) + "\n"),
            self.directory.file("report.html").display(),
            self.manifest.device,
            self.manifest.wall_seconds,
        ));
        Ok(Exit::Done)
    }
}

/// runs/<preset or config>-<seed>. A config.toml is called like the run that it lies in, so that
/// `--config runs/quick-2/config.toml` finds that run.
fn default_out(args: &SearchArgs, config: &Config) -> PathBuf {
    let of_file = args.settings.config.as_deref().map(|path| {
        let in_run = path.file_name().is_some_and(|name| name == "config.toml");
        let named = if in_run { path.parent().and_then(Path::file_name) } else { path.file_stem() };
        named.map_or("search".to_owned(), |name| name.to_string_lossy().into_owned())
    });
    let name = match (&of_file, settings::preset(args)) {
        (Some(name), _) => name,
        (None, preset) => preset.unwrap_or("search"),
    };
    let suffix = format!("-{}", config.seed);
    Path::new("runs").join(format!("{}{suffix}", name.strip_suffix(&suffix).unwrap_or(name)))
}

/// Refuses a directory that the flags do not fit: exit code 2.
fn refuse(path: &Path, args: &SearchArgs, config: &Config) -> anyhow::Result<()> {
    let (file, shown) = (path.join("config.toml"), path.display());
    match (file.exists(), args.resume) {
        (false, _) if args.extend => {
            return Err(anyhow!("{shown} has no run to extend").context(Exit::Usage));
        }
        (true, Resume::Never) => {
            return Err(anyhow!("{shown} has a run; choose another --out").context(Exit::Usage));
        }
        (false, Resume::Must) => {
            return Err(anyhow!("{shown} has no run to continue").context(Exit::Usage));
        }
        (false, _) => return Ok(()),
        (true, _) => {}
    }
    let saved = match run_dir::read(&file) {
        Ok(_) => settings::read(&file)?,
        // The checkpoint has the settings, too.
        Err(_) => match run_dir::newest_checkpoint(path) {
            Ok(Some(checkpoint)) => checkpoint.config,
            _ => return Ok(()),
        },
    };
    let different = differences(&saved, config);
    let longer = extend::is_longer(&different, &saved, config);
    if args.extend && longer {
        return Ok(());
    }
    let remedy = if longer { "train on with --extend, or choose" } else { "choose" };
    let different: Vec<String> = different
        .iter()
        .map(|(setting, then, now)| format!("\n  {}: {then} there, {now} now", setting.name()))
        .collect();
    if different.is_empty() {
        return Ok(());
    }
    Err(anyhow!("the difference is{}", different.concat()))
        .with_context(|| format!("{shown} has a run of other settings; {remedy} another --out"))
        .context(Exit::Usage)
}
