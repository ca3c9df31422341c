//! `sdarts search --dry-run`: what a search would be, and how long it would take.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration};
use serde_json::{Value, json};
use smoothdarts::event::{Event, Started};
use smoothdarts::run::ImageSearch;

use crate::bench::memory;
use crate::datasets::Prefetch;
use crate::exit::Exit;
use crate::output;

/// Steps that are timed, after one that is not: the first one compiles kernels and fills caches.
const TIMED: u32 = 3;

/// Times a few steps and prints what is known.
///
/// # Errors
/// Like a search.
pub fn run(json: bool, search: ImageSearch, mut batches: Prefetch) -> anyhow::Result<Exit> {
    let started = search.started();
    let step = time_step(search, &mut batches)?;
    let text = if json { machine(&started, step).to_string() } else { human(&started, step)? };
    output::line(&text)?;
    Ok(Exit::Done)
}

fn time_step(mut search: ImageSearch, batches: &mut Prefetch) -> anyhow::Result<Duration> {
    let wanted = TIMED.min(search.started().steps_per_epoch.saturating_sub(1) as u32);
    let (mut done, mut began) = (0, Instant::now());
    while let Some(event) = pollster::block_on(search.advance(batches))? {
        match event {
            Event::Step(step) if step.step == 0 && wanted > 0 => began = Instant::now(),
            Event::Step(_) => done += 1,
            _ => {}
        }
        if done >= wanted.max(1) {
            break;
        }
    }
    Ok(began.elapsed() / done.max(1))
}

fn machine(started: &Started, step: Duration) -> Value {
    let edges: Vec<Value> = started
        .choices
        .iter()
        .flat_map(|cell| cell.rows.iter().map(move |edge| (cell, edge)))
        .map(|(cell, edge)| {
            json!({
                "cell": cell.name,
                "node": edge.node,
                "source": edge.source,
                "operations": edge.options,
            })
        })
        .collect();
    let alphas: Vec<Value> = started
        .choices
        .iter()
        .map(|cell| {
            let columns = cell.rows.first().map_or(0, |edge| edge.options.len());
            json!({ "name": cell.name, "edges": cell.rows.len(), "operations": columns })
        })
        .collect();
    let epoch = step * started.steps_per_epoch as u32;
    json!({
        "device": started.device,
        "mode": started.config.mode,
        "parameters": started.parameters,
        "alphas": alphas,
        "edges": edges,
        "epochs": started.config.search.epochs,
        "steps_per_epoch": started.steps_per_epoch,
        "seconds_per_step": step.as_secs_f64(),
        "seconds_per_epoch": epoch.as_secs_f64(),
        "seconds": epoch.as_secs_f64() * started.config.search.epochs as f64,
        "memory_bytes": memory::peak(),
    })
}

fn human(started: &Started, step: Duration) -> anyhow::Result<String> {
    let mut text = String::new();
    for cell in &started.choices {
        let columns = cell.rows.first().map_or(0, |edge| edge.options.len());
        writeln!(text, "{} cell, alpha {} x {columns}", cell.name, cell.rows.len())?;
        for edge in &cell.rows {
            let operations = edge.options.join(" ");
            writeln!(text, "  {} -> {}  {operations}", edge.source, edge.node)?;
        }
    }
    let epoch = step * started.steps_per_epoch as u32;
    let (epochs, mode) = (started.config.search.epochs, &started.config.mode);
    writeln!(text, "\nparameters  {}", started.parameters)?;
    writeln!(text, "mode        {}", serde_json::to_value(mode)?.as_str().unwrap_or_default())?;
    writeln!(text, "device      {}", started.device)?;
    writeln!(text, "step        {step:.2?}, {} steps in an epoch", started.steps_per_epoch)?;
    writeln!(text, "epoch       {epoch:.1?}")?;
    let search = HumanDuration(epoch.mul_f64(epochs as f64));
    write!(
        text,
        "search      about {search} ({epochs} epochs, without the evaluation after each)"
    )?;
    if let Some(bytes) = memory::peak() {
        write!(text, "\nmemory      {} of this process at its peak so far", HumanBytes(bytes))?;
    }
    Ok(text)
}
