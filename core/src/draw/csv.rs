//! The numbers behind the pictures as CSV (RFC 4180): a header, then one record on each line.
//! Numbers are written so that they read back exactly.

use super::history::History;
use crate::genotype::Gene;

/// One record for each epoch: rates, losses, accuracies, the parameter-free share of every cell
/// type, and both cells that would be derived (`sep_conv_3x3 1; skip_connect 0; …`: operation and
/// the state that it reads, two for each node).
pub fn curves(history: &History) -> String {
    let names: Vec<&str> = match history.architecture() {
        [] => vec!["normal", "reduce"],
        architecture => architecture.iter().map(|cell| cell.name.as_str()).collect(),
    };
    let mut header: Vec<String> = [
        "epoch",
        "learning_rate",
        "epsilon",
        "train_loss",
        "train_accuracy",
        "valid_loss",
        "valid_accuracy",
    ]
    .map(str::to_owned)
    .into();
    header.extend(names.iter().map(|name| format!("parameter_free_{name}")));
    header.extend(["genotype_normal", "genotype_reduce"].map(str::to_owned));
    let rows = history.epochs.iter().map(|epoch| {
        let numbers = [
            epoch.learning_rate,
            epoch.epsilon,
            epoch.train_loss,
            epoch.train_accuracy,
            epoch.valid_loss,
            epoch.valid_accuracy,
        ];
        let share = |index| epoch.parameter_free.get(index).map_or(String::new(), f32::to_string);
        let mut row = vec![epoch.epoch.to_string()];
        row.extend(numbers.map(|number| number.to_string()));
        row.extend((0..names.len()).map(share));
        row.extend([genes(&epoch.genotype.normal), genes(&epoch.genotype.reduce)]);
        row
    });
    table([header].into_iter().chain(rows))
}

/// One record for each epoch, one column for every operation on every edge of a cell type
/// (`2←0 skip_connect`). `None` if the search has no such cell type.
pub fn probabilities(history: &History, cell: &str) -> Option<String> {
    let index = history.index(cell)?;
    let edges = &history.architecture().get(index)?.edges;
    let columns = edges.iter().flat_map(|edge| {
        let name = format!("{}←{}", edge.node, edge.source);
        edge.operations.iter().map(move |operation| format!("{name} {operation}"))
    });
    let header = ["epoch".to_owned()].into_iter().chain(columns).collect();
    let rows = history.epochs.iter().map(|epoch| {
        let values = epoch.probabilities.get(index).into_iter().flatten().flatten();
        [epoch.epoch.to_string()].into_iter().chain(values.map(f32::to_string)).collect()
    });
    Some(table([header].into_iter().chain(rows)))
}

/// The step losses as they are drawn ([`History::step_means`]).
pub fn step_means(history: &History, points: usize) -> String {
    let header = ["epochs_trained", "train_loss", "valid_loss"].map(str::to_owned).to_vec();
    let rows = history.step_means(points).into_iter().map(|mean| {
        [mean.epoch, mean.train_loss, mean.valid_loss].map(|number| number.to_string()).to_vec()
    });
    table([header].into_iter().chain(rows))
}

/// The genes of one cell: node, operation, and the state that it reads.
pub fn cell(genes: &[Gene]) -> String {
    let header = ["node", "operation", "source"].map(str::to_owned).to_vec();
    let rows = genes.iter().enumerate().map(|(index, gene)| {
        vec![(2 + index / 2).to_string(), gene.operation.clone(), gene.source.to_string()]
    });
    table([header].into_iter().chain(rows))
}

fn genes(genes: &[Gene]) -> String {
    let genes: Vec<String> =
        genes.iter().map(|gene| format!("{} {}", gene.operation, gene.source)).collect();
    genes.join("; ")
}

fn table(rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |row: Vec<String>| {
        let fields: Vec<String> = row.iter().map(|field| quote(field)).collect();
        fields.join(",") + "\n"
    };
    rows.map(line).collect()
}

fn quote(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
