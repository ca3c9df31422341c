//! `sdarts compare RUN RUN…`.

use serde_json::json;
use smoothdarts::draw::table::Table;

use crate::cli::CompareArgs;
use crate::compare::Comparison;
use crate::exit::Exit;
use crate::output;

/// Writes compare.html with its figures and prints the summary.
///
/// # Errors
/// If a run cannot be read or the files cannot be written.
pub fn run(args: &CompareArgs) -> anyhow::Result<Exit> {
    let comparison = Comparison::read(&args.runs)?;
    let page = comparison.write(&args.out)?.display().to_string();
    if args.json {
        let mut object = serde_json::to_value(&comparison)?;
        object["page"] = json!(page);
        output::line(&serde_json::to_string(&object)?)?;
    } else {
        output::line(&aligned(&comparison.summary()))?;
        let flatness = comparison.flatness();
        if !flatness.rows.is_empty() {
            output::line(&format!("\n{}\n", aligned(&flatness)))?;
        }
        output::line(&page)?;
    }
    Ok(Exit::Done)
}

/// A table in columns, two spaces apart.
fn aligned(table: &Table) -> String {
    let width = |column: usize| {
        let rows = [&table.header].into_iter().chain(&table.rows);
        rows.filter_map(|row| row.get(column)).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.header.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(text, &width)| format!("{text:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = [&table.header].into_iter().chain(&table.rows).map(line);
    lines.collect::<Vec<_>>().join("\n")
}
