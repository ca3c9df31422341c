//! `sdarts table convert`.

use crate::cli::ConvertArgs;
use crate::exit::Exit;
use crate::nasbench101::Table;
use crate::nasbench101::source::{self, Kind};
use crate::output;

/// Writes the table and says what is in it.
///
/// # Errors
/// The first thing that is wrong with the file, exit code 3; a table that cannot be written.
pub fn run(args: &ConvertArgs) -> anyhow::Result<Exit> {
    let gather = source::read(&args.file, Kind::of(&args.file)?)?;
    let out = args.out.clone().unwrap_or_else(|| args.file.with_extension("table"));
    Table::write(&out, &gather)?;
    let table = Table::open(&out)?;
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
