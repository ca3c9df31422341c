//! `sdarts list`: the catalogues.

use serde_json::{Map, Value, json};
use smoothdarts::cell::published;
use smoothdarts::config::presets;
use smoothdarts::data::corpus;
use smoothdarts::{data, method, ops, perturb, space};

use crate::cli::{Catalogue, ListArgs};
use crate::datasets;
use crate::exit::Exit;
use crate::fetch::tables;
use crate::output;

/// Prints the rows of a catalogue.
///
/// # Errors
/// If the output cannot be written.
pub fn run(args: &ListArgs) -> anyhow::Result<Exit> {
    let rows = rows(args.catalogue);
    let text = if args.json { serde_json::to_string_pretty(&rows)? } else { table(&rows) };
    output::line(&text)?;
    Ok(Exit::Done)
}

/// The rows as JSON objects, each with at least `name` and `help`.
fn rows(catalogue: Catalogue) -> Vec<Value> {
    let row = |name: &str, help: &str| json!({ "name": name, "help": help });
    match catalogue {
        Catalogue::Ops => {
            let activations = ops::Activation::ALL.into_iter().filter(|it| it.name() != ops::NONE);
            ops::ALL.iter().map(operation).chain(activations.map(activation)).collect()
        }
        Catalogue::Spaces => space::ALL.iter().map(|space| row(space.name, space.help)).collect(),
        Catalogue::Methods => method::ALL.iter().copied().map(searched).collect(),
        Catalogue::Perturbations => perturb::ALL.iter().map(|it| row(it.name, it.help)).collect(),
        Catalogue::Presets => presets::ALL.iter().map(preset).collect(),
        Catalogue::Tables => tables::ALL.iter().map(|table| row(table.name, table.help)).collect(),
        Catalogue::Genotypes => {
            published::ALL.iter().chain(published::RECURRENT).map(genotype).collect()
        }
        Catalogue::Data => {
            let imagenet = row(datasets::IMAGENET, datasets::imagenet::HELP);
            let folder = row(
                datasets::FOLDER,
                "your own images: --data-dir DIR with DIR/CLASS/*.png, or with DIR/train and DIR/test or DIR/val",
            );
            let texts = corpus::TEXTS.iter().map(|it| row(it.name, it.help));
            data::ALL
                .iter()
                .map(|it| row(it.name, it.help))
                .chain([imagenet, folder])
                .chain(texts)
                .collect()
        }
    }
}

fn operation(row: &ops::Operation) -> Value {
    json!({ "name": row.name, "help": row.help, "parameter_free": row.parameter_free })
}

fn activation(row: ops::Activation) -> Value {
    json!({ "name": row.name(), "help": row.help(), "parameter_free": true })
}

fn searched(row: &method::Method) -> Value {
    let perturbation = row.perturbation.name;
    json!({ "name": row.name, "title": row.title, "help": row.help, "perturbation": perturbation })
}

fn genotype(row: &published::Published) -> Value {
    json!({ "name": row.name, "help": row.help, "genotype": row.genotype() })
}

fn preset(row: &presets::Preset) -> Value {
    let settings: Map<String, Value> =
        row.settings.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({ "name": row.name, "help": row.help, "settings": settings })
}

/// Name and help, in two columns.
fn table(rows: &[Value]) -> String {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let width = rows.iter().map(|row| text(row, "name").len()).max().unwrap_or(0);
    let line = |row: &Value| format!("{:width$}  {}", text(row, "name"), text(row, "help"));
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
