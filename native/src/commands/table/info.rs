//! `sdarts table info`.

use anyhow::Context as _;
use serde_json::{Value, json};
use smoothdarts::space::{self, table};

use crate::cli::InfoArgs;
use crate::exit::Exit;
use crate::nasbench101::source::{self, Kind};
use crate::nasbench101::{Best, Summary, Table};
use crate::output;

/// Prints what a table has.
///
/// # Errors
/// A file that is no table, or a wrong one: exit code 3.
pub fn run(args: &InfoArgs) -> anyhow::Result<Exit> {
    let kind = Kind::of(&args.file)?;
    let of_201 = if kind == Kind::Csv { nasbench201(args)? } else { None };
    let (benchmark, text, mut json) = match of_201 {
        Some((text, json)) => ("NAS-Bench-201", text, json),
        None => {
            let summary = summary(args, kind)?;
            ("NAS-Bench-101", words(&summary), serde_json::to_value(&summary)?)
        }
    };
    let ours = if kind == Kind::Compact { ours(args)? } else { None };
    let text = ours.iter().fold(text, |text, (words, _)| format!("{text}\n\n{words}"));
    if let (true, Some(object)) = (args.json, json.as_object_mut()) {
        object.insert("kind".to_owned(), json!(kind.name()));
        object.insert("benchmark".to_owned(), json!(benchmark));
        object.extend(ours.map(|(_, json)| ("ours".to_owned(), json)));
        output::line(&json.to_string())?;
    } else {
        output::line(&format!("{}: {benchmark}, {}\n{text}", args.file.display(), kind.name()))?;
    }
    Ok(Exit::Done)
}

fn summary(args: &InfoArgs, kind: Kind) -> anyhow::Result<Summary> {
    match kind {
        Kind::Compact => Summary::of(Table::open(&args.file)?.all()),
        _ => Summary::of(source::read(&args.file, kind)?.cells().map(Ok)),
    }
}

/// The trainings of ours that a table has, in words and as JSON.
fn ours(args: &InfoArgs) -> anyhow::Result<Option<(String, Value)>> {
    let table = Table::open(&args.file)?;
    let ours = table.ours();
    let errors = ours.all().map(|(_, own)| 1.0 - own.test);
    let Some((best, worst)) = errors.fold(None, |range: Option<(f64, f64)>, error| {
        let (best, worst) = range.unwrap_or((error, error));
        Some((best.min(error), worst.max(error)))
    }) else {
        return Ok(None);
    };
    let (count, size) = (ours.len(), ours.size());
    let words = format!(
        "{count} trainings of ours (`sdarts table fill`), which compare with nothing above: {size}\n\
         test error from {:.2}% to {:.2}%",
        100.0 * best,
        100.0 * worst
    );
    let cells: Vec<Value> = ours
        .all()
        .map(|(hash, own)| {
            json!({
                "hash": hash.to_string(),
                "cell": own.cell,
                "test_error": 1.0 - own.test,
                "parameters": own.parameters,
            })
        })
        .collect();
    Ok(Some((words, json!({ "size": size, "config": ours.config, "cells": cells }))))
}

fn words(summary: &Summary) -> String {
    let mut lines = vec![format!("{} cells", summary.cells), String::new()];
    lines.push(format!(
        "{:>6}{:>10}{:>12}{:>18}{:>12}",
        "epochs", "cells", "trainings", "with validation", "with test"
    ));
    for length in &summary.budgets {
        let repeats = match (length.fewest_repeats, length.most_repeats) {
            (fewest, most) if fewest == most => format!("{most} each"),
            (fewest, most) => format!("{fewest} to {most}"),
        };
        lines.push(format!(
            "{:>6}{:>10}{repeats:>12}{:>18}{:>12}",
            length.epochs, length.cells, length.valid, length.test
        ));
    }
    lines.push("\nNetworks of NAS-Bench-1Shot1 with accuracies after 108 epochs, and the lowest errors among them".to_owned());
    lines.push(format!(
        "{:<10}{:>10}{:>18}{:>12}{:>26}{:>26}",
        "space",
        "networks",
        "with validation",
        "with test",
        "validation error (best)",
        "test error (best)"
    ));
    for space in &summary.spaces {
        let best = |best: &Option<Best>| {
            best.as_ref().map_or("-".to_owned(), |best| {
                format!("{:.2}% ({:.2}%)", 100.0 * best.error, 100.0 * best.of_space)
            })
        };
        lines.push(format!(
            "{:<10}{:>10}{:>18}{:>12}{:>26}{:>26}",
            space.space,
            space.networks,
            space.valid,
            space.test,
            best(&space.best_valid),
            best(&space.best_test)
        ));
    }
    lines.push("(best): the lowest error of the whole space in the benchmark".to_owned());
    lines.join("\n")
}

/// What a CSV of NAS-Bench-201 has; `None` of one without its cells.
fn nasbench201(args: &InfoArgs) -> anyhow::Result<Option<(String, Value)>> {
    let named = || format!("the table {}", args.file.display());
    let bytes = std::fs::read(&args.file).with_context(named)?;
    let space = space::find("nasbench201")?;
    let records = table::records(&bytes).with_context(named)?;
    let [(_, header), (_, first), ..] = records.as_slice() else { return Ok(None) };
    if !first.iter().any(|field| (space.codec().decode)(field).is_ok()) {
        return Ok(None);
    }
    let (mut lines, mut columns) = (Vec::new(), Vec::new());
    let mut cells = 0;
    for column in header {
        // Columns that do not hold accuracies are no fault.
        let Ok(table) = table::Table::read(space, &bytes, column) else { continue };
        cells = table.cells();
        if let Some((cell, accuracy)) = table.best() {
            lines.push(format!("{column:<40}{accuracy:>8.2}%  {cell}"));
            columns.push(json!({ "column": column, "accuracy": accuracy, "cell": cell }));
        }
    }
    let text = format!("{cells} cells of 15625\n\nbest of each column\n{}", lines.join("\n"));
    Ok(Some((text, json!({ "cells": cells, "columns": columns }))))
}
