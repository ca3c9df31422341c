//! `sdarts compare RUN RUN…`.

use serde_json::json;

use crate::cli::CompareArgs;
use crate::compare::Comparison;
use crate::exit::Exit;
use crate::output;

/// Writes compare.html with its figures and prints the summary.
///
/// # Errors
/// If a run cannot be read or the files cannot be written.
pub fn run(args: &CompareArgs) -> anyhow::Result<Exit> {
    let comparison = Comparison::read(&args.runs, args.table.as_deref())?;
    let page = comparison.write(&args.out)?.display().to_string();
    if args.json {
        let mut object = serde_json::to_value(&comparison)?;
        object["page"] = json!(page);
        output::line(&serde_json::to_string(&object)?)?;
    } else {
        output::line(&comparison.summary().text())?;
        let flatness = comparison.flatness();
        if !flatness.rows.is_empty() {
            output::line(&format!("\n{}\n", flatness.text()))?;
        }
        output::line(&page)?;
    }
    Ok(Exit::Done)
}
