//! `sdarts table find`.

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use smoothdarts::cell::nasbench101::oneshot::{self, OneShot};
use smoothdarts::cell::nasbench101::{Graph, Hash};

use crate::cli::FindArgs;
use crate::exit::Exit;
use crate::nasbench101::{Cell, Split, Standing, Table};
use crate::output;

/// Prints what the table knows of the cell.
///
/// # Errors
/// A text that is no cell or a space that is none, exit code 2; a table that is wrong, or that lacks the
/// cell, exit code 3.
pub fn run(args: &FindArgs) -> anyhow::Result<Exit> {
    let space = args.space.as_deref().map(space).transpose()?;
    let hash = hash(&args.cell).context(Exit::Usage)?;
    let table = Table::open(&args.table)?;
    let own = table.ours().find(hash);
    // A cell that only was trained by us is in the table, too.
    let only = || own.map(|_| Cell { hash, parameters: None, trainings: Vec::new() });
    let cell = table.find(hash)?.or_else(only).ok_or_else(|| {
        anyhow!("the table {} does not have the cell {hash}", args.table.display())
            .context(Exit::Data)
    })?;
    let own = own.map(|own| (1.0 - own.test, table.ours().size()));
    if args.json {
        let mut json = json(&cell, space);
        if let (Some(object), Some((error, size))) = (json.as_object_mut(), own) {
            let own = json!({ "test_error": error, "size": size });
            object.insert("ours".to_owned(), own);
        }
        output::line(&json.to_string())?;
        return Ok(Exit::Done);
    }
    let own = own.map_or(String::new(), |(error, size)| {
        format!("\nours        test error {:.2}% ({size})", 100.0 * error)
    });
    output::line(&(text(&cell, space) + &own))?;
    Ok(Exit::Done)
}

fn space(name: &str) -> anyhow::Result<&'static OneShot> {
    let known = || oneshot::ALL.each_ref().map(|space| space.name).join(", ");
    oneshot::find(name).ok_or_else(|| {
        anyhow!("--space {name}: NAS-Bench-1Shot1 has {}", known()).context(Exit::Usage)
    })
}

fn hash(cell: &str) -> anyhow::Result<Hash> {
    let text = cell.trim();
    let graph: Graph = match text {
        _ if text.starts_with('{') => {
            serde_json::from_str(text).with_context(|| format!("the cell {text}"))?
        }
        _ if text.contains(' ') => text.parse()?,
        _ => return Ok(text.parse()?),
    };
    graph
        .hash()
        .ok_or_else(|| anyhow!("the cell {text}: no way leads from its input to its output"))
}

fn text(cell: &Cell, space: Option<&OneShot>) -> String {
    let percent =
        |error: Option<f64>| error.map_or("-".to_owned(), |error| format!("{:.2}%", 100.0 * error));
    let mut lines = vec![format!("cell        {}", cell.hash)];
    lines.extend(cell.parameters.map(|count| format!("parameters  {count}")));
    lines.push(format!(
        "{:>6}{:>10}{:>18}{:>12}",
        "epochs", "trainings", "validation error", "test error"
    ));
    for (epochs, trainings) in &cell.trainings {
        let [valid, test] = errors(cell, *epochs).map(percent);
        lines.push(format!("{epochs:>6}{:>10}{valid:>18}{test:>12}", trainings.len()));
    }
    lines.extend(space.map(|space| {
        let standing = Standing::of_cell(cell, space);
        format!("in {}: {}", space.name, Standing::words(standing.as_ref()))
    }));
    lines.join("\n")
}

fn json(cell: &Cell, space: Option<&OneShot>) -> Value {
    let budget = |(epochs, trainings): &(u32, Vec<_>)| {
        let [valid, test] = errors(cell, *epochs);
        json!({ "epochs": epochs, "trainings": trainings.len(), "valid_error": valid, "test_error": test })
    };
    let budgets: Vec<Value> = cell.trainings.iter().map(budget).collect();
    let regret = space.and_then(|space| Standing::of_cell(cell, space)?.regret);
    json!({ "hash": cell.hash.to_string(), "parameters": cell.parameters, "budgets": budgets, "regret": regret })
}

fn errors(cell: &Cell, epochs: u32) -> [Option<f64>; 2] {
    [Split::Valid, Split::Test]
        .map(|split| cell.accuracy(epochs, split).map(|accuracy| 1.0 - accuracy))
}
