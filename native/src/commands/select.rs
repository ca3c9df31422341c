//! `sdarts select`: one of several genotypes, chosen by short trainings, and its network in full
//! (spec §9.3).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::json;
use smoothdarts::cell::codec;
use smoothdarts::config::Config;
use smoothdarts::config::layers::{Resolved, differences};
use smoothdarts::event::Trained;

use super::search::run_name;
use super::{derive, dry_run};
use crate::cli::{Resume, SelectArgs};
use crate::exit::Exit;
use crate::genotype::{self, Found};
use crate::run_dir::{self, SELECTION};
use crate::selection::{self, Candidate, Measured, Selection};
use crate::session::refuse;
use crate::settings::{self, GENOTYPE};
use crate::training::Trainings;
use crate::{device, output};

/// Selects and trains, or does what the flags ask for instead.
///
/// # Errors
/// Everything in the table of exit codes.
pub fn run(args: &SelectArgs) -> anyhow::Result<Exit> {
    let flags = &args.run;
    let on_text = settings::trains_on_text(flags)?;
    // Where it is wrong, it says so as a candidate.
    let first = args.candidates.first().and_then(|name| derive::meant(name, on_text).ok());
    let full = settings::resolve_selection(flags, first.clone())?;
    if flags.print_config {
        output::line(settings::selection_to_toml(&full)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let candidates = candidates(&args.candidates, on_text)?;
    let now = Selection { config: full.config.clone(), candidates, chosen: None };
    let out =
        flags.out.clone().unwrap_or_else(|| default_out(args, first.as_deref(), &full.config));
    if !flags.dry_run {
        refuse_other(&now, &out, flags.resume)?;
    }
    device::set_threads(full.config.run.threads)?;
    let selected = device::select(full.config.run.device)?;
    if flags.dry_run {
        return dry_run::training::selection(flags.json, &full, &now, &selected);
    }
    let trainings = Trainings::new(&selected, flags);
    let selection = Selection::read(&out)?.unwrap_or(now);
    let mut job = Job { selection, full, out: &out, trainings, lock: None };
    if let ControlFlow::Break(exit) = job.measure()? {
        return Ok(exit);
    }
    job.decide()?;
    if args.choose_only { Ok(Exit::Done) } else { job.train_winner() }
}

/// A selection under way.
struct Job<'a> {
    selection: Selection,
    full: Resolved,
    out: &'a Path,
    trainings: Trainings<'a>,
    /// Each training locks its own directory; this keeps another selection out between two of them.
    lock: Option<File>,
}

impl Job<'_> {
    /// Makes the directory this selection's: once there is something to train, so that wrong data leaves
    /// nothing behind.
    fn begin(&mut self) -> anyhow::Result<()> {
        if self.lock.is_none() {
            let folder = selection::folder(self.out);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
            self.lock = Some(run_dir::lock(&folder)?);
            // What another process has done since this one looked.
            if let Some(saved) = Selection::read(self.out)? {
                self.selection = saved;
            }
            self.selection.write(self.out)?;
        }
        Ok(())
    }

    /// Trains every candidate that was not trained before, each for a few epochs on a part of the
    /// training images.
    fn measure(&mut self) -> anyhow::Result<ControlFlow<Exit>> {
        for index in 0..self.selection.candidates.len() {
            let candidate = self.selection.candidates[index].clone();
            self.announce(&candidate)?;
            if candidate.result.is_some() {
                continue;
            }
            let short = settings::short(&self.full, derive::text(&candidate.genotype))?;
            let directory = candidate.directory(self.out);
            let named = || format!("candidate {}, {}", candidate.number, candidate.name);
            refuse(&directory, Resume::Auto, false, &short.config).with_context(named)?;
            let ready = self.trainings.prepare(&short).with_context(named)?;
            self.begin()?;
            let done = match self.trainings.run(ready, &directory).with_context(named)? {
                ControlFlow::Continue(done) => done,
                ControlFlow::Break(exit) => return Ok(ControlFlow::Break(exit)),
            };
            let (Trained { accuracy, perplexity, .. }, parameters) =
                (done.trained, done.parameters);
            let measured = Measured { accuracy, perplexity, parameters };
            self.selection.candidates[index].result = Some(measured);
            self.selection.write(self.out)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Says which candidate comes next.
    fn announce(&mut self, candidate: &Candidate) -> anyhow::Result<()> {
        let Candidate { number, name, origin, genotype, result, .. } = candidate;
        let count = self.selection.candidates.len();
        if self.trainings.json {
            let object = json!({
                "type": "candidate",
                "number": number,
                "of": count,
                "name": name,
                "origin": origin,
                "genotype": genotype,
                "directory": candidate.directory(self.out),
                "result": result,
            });
            self.say(&object.to_string())?;
        }
        if !self.trainings.flags.quiet {
            let before = if result.is_some() { " was trained before" } else { "" };
            output::note(&format!("candidate {number} of {count}: {name} ({origin}){before}"));
        }
        Ok(())
    }

    /// Chooses, writes who was chosen, and prints the table.
    fn decide(&mut self) -> anyhow::Result<()> {
        self.begin()?;
        self.selection.decide();
        self.selection.write(self.out)?;
        if !self.trainings.json {
            return self.say(&self.selection.table().text());
        }
        let object = json!({
            "type": "selection",
            "candidates": self.selection.candidates,
            "chosen": self.selection.chosen,
        });
        self.say(&object.to_string())
    }

    /// Writes a line to stdout. That nobody reads there any more ends no selection, as it ends no run.
    fn say(&mut self, line: &str) -> anyhow::Result<()> {
        self.trainings.json &= output::told(line)?;
        Ok(())
    }

    /// Trains the chosen genotype in full; from here on test images are read.
    fn train_winner(&mut self) -> anyhow::Result<Exit> {
        let winner = derive::text(&self.selection.winner(self.out)?);
        let resolved = settings::changed(&self.full, [(GENOTYPE, winner)])?;
        let named = || {
            let out = self.out.display();
            format!(
                "the winner is chosen ({out}/{SELECTION}), and its training cannot go on; when the cause \
                 is mended, the same command continues it"
            )
        };
        refuse(self.out, Resume::Auto, false, &resolved.config)?;
        let ready = self.trainings.prepare(&resolved).with_context(named)?;
        let ended = self.trainings.run(ready, self.out)?;
        Ok(match ended {
            ControlFlow::Continue(_) => Exit::Done,
            ControlFlow::Break(exit) => exit,
        })
    }
}

/// Refuses a directory that has a selection of something else, a run that is none, or not what `resume`
/// asks for.
///
/// # Errors
/// Exit code 2.
fn refuse_other(now: &Selection, out: &Path, resume: Resume) -> anyhow::Result<()> {
    let (before, shown) = (Selection::read(out)?, out.display());
    let fault = match (&before, resume) {
        (Some(_), Resume::Never) => format!("{shown} has a selection; choose another --out"),
        (None, Resume::Must) => format!("{shown} has no selection to continue"),
        (None, _) if out.join("config.toml").exists() => {
            format!("{shown} has a run that is no selection; choose another --out")
        }
        _ => String::new(),
    };
    if !fault.is_empty() {
        return Err(anyhow!(fault).context(Exit::Usage));
    }
    before.map_or(Ok(()), |before| before.must_equal(now, out))
}

/// The candidates that the user names, each genotype once.
///
/// # Errors
/// If one is no genotype, or their networks cannot be compared; exit code 2.
fn candidates(names: &[String], on_text: bool) -> anyhow::Result<Vec<Candidate>> {
    let found = names.iter().map(|name| {
        let found = genotype::meant(OsStr::new(name), on_text);
        found.map(|found| (name.clone(), found)).with_context(|| format!("candidate {name}"))
    });
    let found: Vec<(String, Found)> = found.collect::<anyhow::Result<_>>()?;
    must_compare(&found)?;
    let varied = varied(&found);
    let mut candidates: Vec<Candidate> = Vec::new();
    for (name, Found { genotype, run, unfinished, .. }) in found {
        if unfinished {
            output::note(&format!("{name} is not finished; the genotype is the one so far"));
        }
        if let Some(same) = candidates.iter_mut().find(|it| it.genotype == genotype) {
            output::note(&format!("{name} has the genotype of {}: it is trained once", same.name));
            same.also.push(name);
            continue;
        }
        let number = candidates.len() + 1;
        let (also, origin) = (Vec::new(), origin(run.as_ref(), &varied));
        candidates.push(Candidate {
            number,
            name,
            also,
            origin,
            genotype,
            result: None,
            rank: None,
        });
    }
    Ok(candidates)
}

/// Refuses genotypes whose networks are built differently: of two kinds of spaces.
fn must_compare(found: &[(String, Found)]) -> anyhow::Result<()> {
    let kind = |found: &Found| codec::of(&found.genotype).map(|codec| codec.name);
    let Some((first, one)) = found.first() else { return Ok(()) };
    let Some((other, two)) = found.iter().find(|(_, it)| kind(it) != kind(one)) else {
        return Ok(());
    };
    let [one, two] = [one, two].map(|it| kind(it).unwrap_or("other"));
    let fault = anyhow!(
        "{first} is a genotype of {one} and {other} one of {two}: their networks are not built alike, so \
         their results do not compare; select among those of one kind"
    );
    Err(fault.context(Exit::Usage))
}

/// Settings that differ between the runs, besides the names of [`origin`]: with what the searches were
/// made different, as with several strengths of regularisation.
fn varied(found: &[(String, Found)]) -> BTreeSet<String> {
    let mut runs = found.iter().filter_map(|(_, found)| found.run.as_ref());
    let Some(first) = runs.next() else { return BTreeSet::new() };
    let named = ["seed", "search.method", "search.space", GENOTYPE];
    let other = runs.flat_map(|run| differences(first, run));
    let names = other.map(|(setting, ..)| setting.name());
    names.filter(|name| !named.contains(&name.as_str())).collect()
}

/// Where a candidate comes from, in words.
fn origin(run: Option<&Config>, varied: &BTreeSet<String>) -> String {
    let Some(config) = run else { return "genotype".to_owned() };
    let seed = config.seed;
    let mut text = match config.trains() {
        true => format!("training, seed {seed}"),
        false => format!("{} in {}, seed {seed}", config.search.method, config.search.space),
    };
    for setting in smoothdarts::config::layers::settings() {
        if varied.contains(&setting.name()) {
            text += &format!(", {} = {}", setting.name(), setting.value(config));
        }
    }
    text
}

/// runs/select-<preset or config>-<seed>.
fn default_out(args: &SelectArgs, first: Option<&str>, config: &Config) -> PathBuf {
    let flags = &args.run;
    let suffix = format!("-{}", config.seed);
    let preset = settings::train_preset(flags, first);
    let name = run_name(&flags.settings, preset, "train");
    let name = name.strip_suffix(&suffix).unwrap_or(&name);
    Path::new("runs").join(format!("select-{name}{suffix}"))
}
