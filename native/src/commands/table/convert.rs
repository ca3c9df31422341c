//! `sdarts table convert`.

use std::path::Path;

use anyhow::Context as _;

use crate::cli::ConvertArgs;
use crate::exit::Exit;
use crate::nasbench101::source::{self, Kind};
use crate::nasbench101::{Ours, Table};
use crate::output;

/// Writes the table and says what is in it. Trainings of ours that the table before it had stay.
///
/// # Errors
/// The first thing that is wrong with the file, exit code 3; a table that cannot be written.
pub fn run(args: &ConvertArgs) -> anyhow::Result<Exit> {
    let gather = source::read(&args.file, Kind::of(&args.file)?)?;
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("table"));
    let ours = ours(&out)?;
    // At once: killed between two writings, the file would have lost them.
    Table::write_with(&out, &gather, &ours)?;
    let table = Table::open(&out)?;
    if !ours.is_empty() {
        output::note(&format!("{} keeps its {} trainings of ours", out.display(), ours.len()));
    }
    let lengths = table.budgets().iter().map(|budget| {
        let repeats = if budget.repeats == 1 { "training" } else { "trainings" };
        format!("{} {repeats} of {} epochs", budget.repeats, budget.epochs)
    });
    let lengths = lengths.collect::<Vec<_>>().join(", ");
    output::line(&format!(
        "{}: {} cells, of each at most {lengths}",
        out.display(),
        table.cells()
    ))?;
    Ok(Exit::Done)
}

/// The trainings of ours of a table that is about to be replaced; none where there is no table.
fn ours(out: &Path) -> anyhow::Result<Ours> {
    if !out.exists() || Kind::of(out)? != Kind::Compact {
        return Ok(Ours::default());
    }
    // Hours of training are not thrown away with a damaged file.
    let named = || format!("{} is in the way; move it, or name another --out", out.display());
    Ok(Table::open(out).with_context(named)?.ours().clone())
}
