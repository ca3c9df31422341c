//! A run and everything that it writes to: the loop of a search and of a training.

mod clock;
pub mod extend;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use smoothdarts::config::Config;
use smoothdarts::config::layers::{Resolved, differences};
use smoothdarts::data::Batches;
use smoothdarts::draw::history::History;
use smoothdarts::event::Event;
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::run::{Job, Run, RunError};

use crate::cli::Resume;
use crate::datasets::Prefetch;
use crate::device::Selected;
use crate::events::{self, EventLog};
use crate::exit::Exit;
use crate::manifest::Manifest;
use crate::progress::Progress;
use crate::recovery::{self, Resumed};
use crate::run_dir::{self, RunDir};
use crate::signals::Stop;
use crate::{output, report, settings};

pub use clock::seconds;

/// What a run leaves when it is over.
pub trait Work: Job<Batch: Send> + Sized {
    /// Where its batches come from.
    type Supply: Batches<Batch = Self::Batch> + Clone + Send + 'static;

    /// What it is called.
    const NOUN: &'static str;

    /// Writes its results.
    ///
    /// # Errors
    /// If the device failed, or what the file system says.
    fn write(run: &Run<Self>, directory: &RunDir) -> anyhow::Result<()>;

    /// The text of its curves.csv.
    fn curves(history: &History) -> String;

    /// The result in words for stdout, and what else there is to say.
    ///
    /// # Errors
    /// If the device failed.
    fn summary(run: &Run<Self>, history: &History) -> anyhow::Result<(String, String)>;
}

/// Where a run writes, and how it is spoken of.
pub struct Place<'a> {
    /// The run directory.
    pub out: &'a Path,
    /// Whether the run there gets more epochs.
    pub extend: bool,
    /// Events on stdout.
    pub json: bool,
    /// Only warnings and the result.
    pub quiet: bool,
    /// What ends it, where there is something already.
    pub stop: Option<Stop>,
    /// Its start on the clock of [`seconds`].
    pub began: f64,
}

/// A run and everything that it writes to.
pub struct Session<J: Work> {
    directory: RunDir,
    log: EventLog,
    manifest: Manifest,
    /// Wall seconds of the processes before this one.
    seconds_before: f64,
    began: f64,
    run: Run<J>,
    batches: Prefetch<J::Supply>,
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

impl<J: Work> Session<J> {
    /// Makes the run directory ready: a new one, or where its last checkpoint stands.
    ///
    /// # Errors
    /// If the directory is in use or cannot be written, or its checkpoint does not fit.
    pub fn open(
        place: Place,
        resolved: &Resolved,
        selected: &Selected,
        mut run: Run<J>,
        batches: Prefetch<J::Supply>,
    ) -> anyhow::Result<Self> {
        let Place { out, extend, json, quiet, stop, began } = place;
        let directory = RunDir::open(out)?;
        let Resumed { mut checkpoint, log, mut warnings, events_lost } =
            recovery::resume(&directory, || run.started())?;
        if let Some(checkpoint) = &mut checkpoint {
            if extend {
                extend::apply(&directory, checkpoint, run.started(), &resolved.config)?;
            }
            run.restore(checkpoint)?;
        }
        run.set_reads_late(selected.reads_late());
        if let Err(fault) = run_dir::read(&directory.file("config.toml")) {
            warnings.push(format!("{fault:#}; {}", directory.set_aside("config.toml")?));
        }
        if !directory.has_run() || extend {
            directory.write("config.toml", settings::to_toml(resolved)?.as_bytes())?;
        }
        let manifest = Manifest::new(&directory.file("manifest.json"), &resolved.config, selected);
        let progress = Progress::new(&run.started(), quiet);
        let place = if checkpoint.is_some() { "continues in" } else { "runs in" };
        progress.say(&format!("the {} {place} {} on {}", J::NOUN, out.display(), selected.label));
        let mut session = Self {
            stop: stop.map_or_else(|| Stop::listen(progress.teller()), Ok)?,
            log,
            seconds_before: manifest.wall_seconds,
            began,
            directory,
            manifest,
            run,
            batches,
            progress,
            json,
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

    /// Brings batches and progress to where the run was restored.
    fn go_on_from(&mut self, checkpoint: &Checkpoint) -> anyhow::Result<()> {
        self.batches.seek(checkpoint.epoch(), checkpoint.step());
        self.progress.resume(checkpoint.epoch(), checkpoint.step());
        if self.json {
            // The stream of a process that continues explains itself too.
            let started = Event::Started(self.run.started());
            self.print(&serde_json::to_string(&started)?)?;
        }
        Ok(())
    }

    /// Runs to the end, or until a signal comes.
    ///
    /// # Errors
    /// What the run says, or the file system.
    pub fn run(mut self) -> anyhow::Result<Exit> {
        match self.work() {
            Ok(Some(exit)) => Ok(exit),
            Ok(None) => self.finish(),
            Err(error) => {
                let diverged = matches!(error.downcast_ref(), Some(RunError::Diverged { .. }));
                if diverged && self.directory.has_checkpoint() {
                    let what = J::NOUN;
                    self.progress.alarm(&format!(
                        "the last checkpoint holds a state before the {what} diverged"
                    ));
                }
                Err(error)
            }
        }
    }

    /// The loop. The science is in [`Run::advance`](smoothdarts::run::Run::advance); this writes, saves and stops.
    fn work(&mut self) -> anyhow::Result<Option<Exit>> {
        self.write_manifest()?;
        while let Some(event) = pollster::block_on(self.run.advance(&mut self.batches))? {
            self.tell(&event)?;
            let stop = self.stop.requested();
            if stop.is_some() || self.checkpoint_is_due(&event) {
                self.checkpoint()?;
            }
            if let Some(exit) = stop {
                self.progress.finish();
                output::note(&format!(
                    "{exit}; the same command continues the {} in {}",
                    J::NOUN,
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
        self.print(&line)
    }

    /// Writes an event to stdout, as long as somebody reads there.
    fn print(&mut self, line: &str) -> anyhow::Result<()> {
        if self.json && !output::told(line)? {
            self.json = false;
            let what = J::NOUN;
            self.progress.say(&format!("nobody reads the events any more; the {what} goes on"));
        }
        Ok(())
    }

    fn checkpoint_is_due(&self, event: &Event) -> bool {
        let milestone = matches!(
            event,
            Event::EpochFinished(_) | Event::Finished(_) | Event::TrainEpoch(_) | Event::Trained(_)
        );
        milestone || self.last_checkpoint.elapsed() >= self.checkpoint_every
    }

    fn checkpoint(&mut self) -> anyhow::Result<()> {
        self.log.sync()?;
        self.directory.write_checkpoint(&pollster::block_on(self.run.checkpoint())?)?;
        self.last_checkpoint = Instant::now();
        self.write_manifest()
    }

    fn write_manifest(&mut self) -> anyhow::Result<()> {
        self.manifest.wall_seconds = self.seconds_before + seconds() - self.began;
        let text = serde_json::to_string_pretty(&self.manifest)? + "\n";
        self.directory.write("manifest.json", text.as_bytes())
    }

    /// Writes the results. A run that was finished before gets the same files again.
    fn finish(mut self) -> anyhow::Result<Exit> {
        self.progress.finish();
        J::write(&self.run, &self.directory)?;
        // What is made of the events comes last: whatever is wrong with them, the result is there.
        let history: History = events::of_run(self.directory.path())?;
        self.write_manifest()?;
        if self.worked || !self.events_lost {
            self.directory.write("curves.csv", J::curves(&history).as_bytes())?;
            report::write(self.directory.path())?;
        }
        let (result, more) = J::summary(&self.run, &history)?;
        if !self.json {
            output::told(&result)?;
        }
        let verb = if self.worked { "finished" } else { "was finished before" };
        self.progress.say(&format!(
            "the {} {verb}\n{more}report: {}\ndevice: {}\nseconds: {:.1}",
            J::NOUN,
            self.directory.file("report.html").display(),
            self.manifest.device,
            self.manifest.wall_seconds,
        ));
        Ok(Exit::Done)
    }

    /// What ends this run, for the next one of this process.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

/// Refuses a directory that the flags do not fit.
///
/// # Errors
/// Exit code 2.
pub fn refuse(path: &Path, resume: Resume, extend: bool, config: &Config) -> anyhow::Result<()> {
    let (file, shown) = (path.join("config.toml"), path.display());
    match (file.exists(), resume) {
        (false, _) if extend => {
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
    if extend && longer {
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
