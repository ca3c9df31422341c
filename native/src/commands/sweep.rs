//! `sdarts sweep`: many runs of one command, as processes of this machine.

mod dry_run;
mod view;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::cli::{SweepArgs, SweepCommand, SweepRunArgs};
use crate::compare::Comparison;
use crate::exit::Exit;
use crate::report::words::quoted;
use crate::signals::Stop;
use crate::sweep::plan::{self, Run};
use crate::sweep::record::Record;
use crate::sweep::room::{Estimates, limit};
use crate::sweep::standing::{Standing, State};
use crate::sweep::workers::{Ended, Limits, News, Workers};
use crate::sweep::{file, slurm};
use crate::{output, run_dir};
use view::{Status, View};

/// Runs a sweep, or does what the flags ask for instead.
///
/// # Errors
/// Everything in the table of exit codes.
pub fn run(args: &SweepArgs) -> anyhow::Result<Exit> {
    match &args.command {
        Some(SweepCommand::Status(args)) => status(&args.dir, args.json),
        Some(SweepCommand::Resume(args)) => {
            let (record, runs) = Record::of(&args.dir)?;
            go_on(record, &runs, &args.dir, &args.how)
        }
        None => begin(args),
    }
}

fn begin(args: &SweepArgs) -> anyhow::Result<Exit> {
    let (Some(file), Some(out)) = (&args.file, &args.out) else {
        return Err(anyhow!("name the file of the sweep and --out").context(Exit::Usage));
    };
    let definition = file::read(file)?;
    let runs = plan::runs(&definition).with_context(|| file.display().to_string())?;
    let now = Record::new(definition, &runs);
    let before = Record::read(out)?;
    if let Some(before) = &before {
        before.must_equal(&now, out)?;
    }
    if args.dry_run {
        return dry_run::run(&runs, out, &args.how);
    }
    go_on(before.unwrap_or(now), &runs, out, &args.how)
}

fn status(out: &Path, json: bool) -> anyhow::Result<Exit> {
    let (record, runs) = Record::of(out)?;
    let standings = standings(&runs, out, &record);
    let running = standings.iter().filter(|it| it.state == State::Running).count();
    let status = Status::of(out, &runs, &standings, running);
    output::line(&if json { status.machine()? } else { status.human() })?;
    if let (Some(queue), false) = (slurm::queue(out), json) {
        output::line(&queue)?;
    }
    Ok(Exit::Done)
}

/// How far all runs are.
fn standings(runs: &[Run], out: &Path, record: &Record) -> Vec<Standing> {
    let standing = |run: &Run| {
        let failure = slurm::failure(run, out).or(record.failures.get(&run.name).cloned());
        Standing::of(run, out, failure.as_ref())
    };
    runs.iter().map(standing).collect()
}

/// Does what is missing.
fn go_on(mut record: Record, runs: &[Run], out: &Path, how: &SweepRunArgs) -> anyhow::Result<Exit> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let _lock = run_dir::lock(out)?;
    // What another process has written since this one looked.
    record = Record::read(out)?.unwrap_or(record);
    let before = standings(runs, out, &record);
    let missing: Vec<&Run> = runs
        .iter()
        .zip(&before)
        .filter_map(|(run, standing)| (standing.state != State::Done).then_some(run))
        .collect();
    if missing.is_empty() {
        return nothing_to_do(runs, &before, out, how);
    }
    record.write(out)?;
    if how.slurm.slurm {
        return submit(runs, &before, out, how);
    }
    let exit = work(&mut record, runs, missing, out, how)?;
    let after = standings(runs, out, &record);
    conclude(runs, &after, out, how, exit)
}

/// Hands what neither is done nor runs to Slurm.
fn submit(
    runs: &[Run],
    standings: &[Standing],
    out: &Path,
    how: &SweepRunArgs,
) -> anyhow::Result<Exit> {
    let idle = |it: &Standing| !matches!(it.state, State::Done | State::Running);
    let all = runs.iter().enumerate().zip(standings);
    let missing: Vec<(usize, &Run)> =
        all.filter_map(|(run, standing)| idle(standing).then_some(run)).collect();
    if missing.is_empty() {
        output::note("every run that is missing runs already");
        return Ok(Exit::Done);
    }
    let job = slurm::submit(&missing, out, usize::from(how.jobs), &how.slurm)?;
    let (count, dir) = (missing.len(), quoted(&out.display().to_string()));
    output::line(&format!(
        "job {job} of Slurm has {count} runs; `sdarts sweep status {dir}` says how far they are, and \
         `sdarts sweep resume {dir}` compares them once they are done"
    ))?;
    Ok(Exit::Done)
}

/// Runs what is missing; returns what a signal asks for.
fn work(
    record: &mut Record,
    runs: &[Run],
    missing: Vec<&Run>,
    out: &Path,
    how: &SweepRunArgs,
) -> anyhow::Result<Option<Exit>> {
    let mut estimates = Estimates::default();
    let jobs = usize::from(how.jobs).min(missing.len());
    let limits = Limits { jobs, memory: limit(how.memory_limit), memory_limit: how.memory_limit };
    let missing: Vec<_> =
        missing.into_iter().map(|run| (run, estimates.bytes(&run.largest))).collect();
    let mut view = View::new(runs, out, standings(runs, out, record), how, jobs);
    let stop = Stop::listen(view.teller())?;
    view.begin(missing.len())?;
    let exit = Workers::new(out, limits, missing).work(&stop, |news| {
        match &news {
            News::Began(run) => forget(record, run, out)?,
            News::Ended(run, Ended::Failed(failure)) => {
                record.failures.insert(run.name.clone(), failure.clone());
                record.write(out)?;
            }
            News::Ended(..) | News::Tick => {}
        }
        view.tell(&news)
    })?;
    view.finish();
    Ok(exit)
}

/// A run that is tried again has not failed.
fn forget(record: &mut Record, run: &Run, out: &Path) -> anyhow::Result<()> {
    match record.failures.remove(&run.name) {
        Some(_) => record.write(out),
        None => Ok(()),
    }
}

/// Says how it ended, and compares what is done.
fn conclude(
    runs: &[Run],
    standings: &[Standing],
    out: &Path,
    how: &SweepRunArgs,
    stopped: Option<Exit>,
) -> anyhow::Result<Exit> {
    let status = Status::of(out, runs, standings, usize::from(how.jobs));
    output::told(&if how.json { status.machine()? } else { status.human() })?;
    let again = format!("`sdarts sweep resume {}`", quoted(&out.display().to_string()));
    if let Some(exit) = stopped {
        output::note(&format!("{exit}; {again} continues the sweep"));
        return Ok(exit);
    }
    let page = compare(runs, standings, out, how)?;
    if let (Some(page), false) = (page, how.json) {
        output::told(&page.display().to_string())?;
    }
    if status.all_done() {
        return Ok(Exit::Done);
    }
    output::note(&format!("{}; {again} tries again what is missing", Exit::Incomplete));
    Ok(Exit::Incomplete)
}

fn nothing_to_do(
    runs: &[Run],
    standings: &[Standing],
    out: &Path,
    how: &SweepRunArgs,
) -> anyhow::Result<Exit> {
    let page = page(out);
    if runs.len() > 1 && !page.exists() {
        compare(runs, standings, out, how)?;
    }
    if how.json {
        let status = Status::of(out, runs, standings, usize::from(how.jobs));
        output::line(&status.machine()?)?;
        return Ok(Exit::Done);
    }
    let shown = if page.exists() { format!("; {}", page.display()) } else { String::new() };
    let count = runs.len();
    output::line(&format!("all {count} runs of this sweep are done: nothing to do{shown}"))?;
    Ok(Exit::Done)
}

/// Where the comparison lies.
fn page(out: &Path) -> PathBuf {
    out.join("compare").join("compare.html")
}

/// Compares the runs that are done, if there are several; returns the page.
fn compare(
    runs: &[Run],
    standings: &[Standing],
    out: &Path,
    how: &SweepRunArgs,
) -> anyhow::Result<Option<PathBuf>> {
    let done = runs.iter().zip(standings).filter(|(_, it)| it.state == State::Done);
    let done: Vec<PathBuf> = done.map(|(run, _)| run.directory(out)).collect();
    if done.len() < 2 {
        return Ok(None);
    }
    let comparison =
        Comparison::read(&done, None).context("the runs are done, but do not compare")?;
    if !how.json {
        output::told(&format!("\n{}\n", comparison.summary().text()))?;
    }
    comparison.write(&out.join("compare")).map(Some)
}
