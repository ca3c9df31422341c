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
    if let (true, Some(object)) = (args.json, json.as_object_mut()) {
        object.insert("kind".to_owned(), json!(kind.name()));
        object.insert("benchmark".to_owned(), json!(benchmark));
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
