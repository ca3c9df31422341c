//! `sdarts sweep --dry-run`: every run, and what it would take.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use indicatif::{HumanBytes, HumanDuration};
use serde_json::{Value, json};
use smoothdarts::draw::table::Table;

use crate::cli::SweepRunArgs;
use crate::exit::Exit;
use crate::output;
use crate::report::words::quoted;
use crate::sweep::name::plain;
use crate::sweep::plan::Run;
use crate::sweep::room::{Estimates, limit};
use crate::sweep::standing::duration;
use crate::sweep::workers;

/// What a run would take: seconds, or why that is not known.
type Time = Result<f64, String>;

/// Prints all runs; writes nothing.
///
/// # Errors
/// If the program cannot be started again, to time a step of each kind of run.
pub fn run(runs: &[Run], out: &Path, how: &SweepRunArgs) -> anyhow::Result<Exit> {
    let jobs = usize::from(how.jobs).min(runs.len());
    let mut estimates = Estimates::default();
    let mut times: BTreeMap<String, Time> = BTreeMap::new();
    let mut rows = Vec::new();
    for run in runs {
        let kind = kind(run)?;
        let time = match times.get(&kind) {
            Some(time) => time.clone(),
            None => times.entry(kind).or_insert(time(run, jobs, how)?).clone(),
        };
        rows.push((run, time, estimates.bytes(&run.largest)));
    }
    let text = if how.json { machine(&rows, out, how) } else { human(&rows, out, how, jobs) };
    output::line(&text)?;
    Ok(Exit::Done)
}

/// What decides how long a run takes: its arguments and settings but for the seed.
fn kind(run: &Run) -> anyhow::Result<String> {
    let mut config = run.config.clone();
    config.seed = 0;
    let names = run.arguments.iter().filter(|it| !it.starts_with("--set="));
    Ok(serde_json::to_string(&(config, names.collect::<Vec<_>>()))?)
}

/// Asks a process of its own, which times a few steps.
fn time(run: &Run, jobs: usize, how: &SweepRunArgs) -> anyhow::Result<Time> {
    if !how.quiet {
        output::note(&format!("timing a step of {}", run.name));
    }
    let mut command = Command::new(workers::program()?);
    command.args(&run.arguments).args(["--dry-run", "--json", "--quiet"]);
    workers::share_cores(&mut command, jobs);
    let done = command.stdin(Stdio::null()).output().context("cannot start a dry run")?;
    let printed = String::from_utf8_lossy(&done.stdout);
    let last = printed.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    let seconds = last.and_then(|object| object["seconds"].as_f64());
    Ok(seconds.filter(|_| done.status.success()).ok_or_else(|| {
        let said = String::from_utf8_lossy(&done.stderr);
        said.trim().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    }))
}

/// The command of a run, as a user would give it.
fn command(run: &Run, out: &Path) -> String {
    let place = run.directory(out).display().to_string();
    let words = ["sdarts"].into_iter().chain(run.arguments.iter().map(String::as_str));
    let words: Vec<String> = words.chain(["--out", &place]).map(quoted).collect();
    words.join(" ")
}

fn machine(rows: &[(&Run, Time, f64)], out: &Path, how: &SweepRunArgs) -> String {
    let runs = rows.iter().map(|(run, time, bytes)| {
        let varied: serde_json::Map<String, Value> = run.point.iter().cloned().collect();
        json!({
            "name": run.name,
            "directory": run.directory(out),
            "command": command(run, out),
            "varied": varied,
            "config": run.config,
            "seconds": time.as_ref().ok(),
            "fault": time.as_ref().err(),
            "memory_bytes": bytes,
        })
    });
    let runs: Vec<Value> = runs.collect();
    json!({ "runs": runs, "jobs": how.jobs, "seconds": seconds(rows) }).to_string()
}

fn human(rows: &[(&Run, Time, f64)], out: &Path, how: &SweepRunArgs, jobs: usize) -> String {
    let row = |(run, time, bytes): &(&Run, Time, f64)| {
        let varied: Vec<String> =
            run.point.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect();
        let time = match time {
            Ok(seconds) => HumanDuration(duration(*seconds)).to_string(),
            Err(_) => "?".to_owned(),
        };
        vec![run.name.clone(), varied.join(" "), time, HumanBytes(*bytes as u64).to_string()]
    };
    let header = ["run", "settings", "time", "memory"].map(str::to_owned).into();
    let table = Table { header, rows: rows.iter().map(row).collect() };
    let all = duration(seconds(rows) / jobs as f64);
    let mut text = format!(
        "{}\n\n{} runs, {jobs} at a time, in {} of memory: about {}",
        table.text(),
        rows.len(),
        HumanBytes(limit(how.memory_limit) as u64),
        HumanDuration(all),
    );
    if let Some((run, ..)) = rows.first() {
        text += &format!("\nthe first: {}", command(run, out));
    }
    for (run, time, _) in rows {
        if let Err(fault) = time {
            text += &format!("\n{} would not run: {fault}", run.name);
        }
    }
    text
}

/// Seconds of all runs of which it is known, one after another.
fn seconds(rows: &[(&Run, Time, f64)]) -> f64 {
    rows.iter().filter_map(|(_, time, _)| time.as_ref().ok()).sum()
}
