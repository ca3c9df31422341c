//! The numbers behind the pictures as CSV (RFC 4180): a header, then one record on each line.
//! Numbers are written so that they read back exactly.

mod landscape;

pub use self::landscape::{LandscapeCsvError, landscape, read_landscape};

use super::chart::Chart;
use super::heatmap;
use super::history::History;
use crate::cell::codec::{self, Codec};
use crate::cell::{Cell, Edge, Genotype};
use crate::event::{Anytime, EpochFinished};

/// The columns of [`curves`] that every search has.
const CURVES: [&str; 7] = [
    "epoch",
    "learning_rate",
    "epsilon",
    "train_loss",
    "train_accuracy",
    "valid_loss",
    "valid_accuracy",
];

/// One record for each epoch: rates, losses, accuracies, the parameter-free share of every cell
/// type, and what would be derived, in the columns of the codec of the space: both cells
/// (`sep_conv_3x3 1; skip_connect 0; …`: operation and the state that it reads, two for each node)
/// or the architecture string of NAS-Bench-201 or NAS-Bench-101. Of text the perplexities follow. With a table of trained networks, what that says
/// follows.
pub fn curves(history: &History) -> String {
    let empty = history.space().map(|space| space.derive(&[]));
    let genotype = history.genotype().or(empty.as_ref());
    let codec = genotype.and_then(codec::of);
    let columns =
        |genotype: &Genotype| codec.map_or(Vec::new(), |it: &Codec| (it.columns)(genotype));
    let names = history.cell_choices().filter_map(|it| Some(&history.choices().get(it)?.name));
    let mut header = CURVES.map(str::to_owned).to_vec();
    header.extend(names.map(|name| format!("parameter_free_{name}")));
    header.extend(genotype.map_or(Vec::new(), columns).into_iter().map(|(name, _)| name));
    let of_text = history.epochs.iter().any(|epoch| epoch.perplexity.is_some());
    if of_text {
        header.extend(["train_perplexity", "valid_perplexity"].map(str::to_owned));
    }
    if !history.anytime.is_empty() {
        header.extend(TABULATED.map(str::to_owned));
    }
    let has_own = history.anytime.iter().any(|it| it.own_accuracy.is_some());
    header.extend(has_own.then(|| OWN.to_owned()));
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
        row.extend((0..history.cell_choices().count()).map(share));
        row.extend(columns(&epoch.genotype).into_iter().map(|(_, text)| text));
        if of_text {
            let number = |value: Option<f64>| value.map_or(String::new(), |it| it.to_string());
            let perplexity = epoch.perplexity;
            row.extend([perplexity.map(|it| it.train), perplexity.map(|it| it.valid)].map(number));
        }
        row.extend(tabulated(history, epoch));
        row.extend(has_own.then(|| own(history, epoch)));
        row
    });
    table([header].into_iter().chain(rows))
}

/// One record for each epoch of a training: rates, losses, accuracies; those of the moving average of
/// the weights where there is one, the top-5 accuracy where there are more than five
/// classes, and the perplexity on a text.
pub fn training(history: &History) -> String {
    let mut header = TRAINING.map(str::to_owned).to_vec();
    let average = history.train_epochs.iter().any(|epoch| epoch.ema.is_some());
    if average {
        header.extend(["ema_loss", "ema_accuracy"].map(str::to_owned));
    }
    let top5 = history.train_epochs.iter().any(|epoch| epoch.top5.is_some());
    if top5 {
        header.push("top5_accuracy".to_owned());
    }
    let text = history.train_epochs.iter().any(|epoch| epoch.perplexity.is_some());
    if text {
        header.extend(["perplexity", "averaged"].map(str::to_owned));
    }
    let rows = history.train_epochs.iter().map(|epoch| {
        let mut row = vec![epoch.epoch.to_string()];
        let numbers = [
            epoch.learning_rate,
            epoch.drop_path,
            epoch.train_loss,
            epoch.train_accuracy,
            epoch.loss,
            epoch.accuracy,
        ];
        row.extend(numbers.map(|number| number.to_string()));
        if average {
            let of = |index: usize| epoch.ema.map_or(String::new(), |it| it[index].to_string());
            row.extend([of(0), of(1)]);
        }
        if top5 {
            row.push(epoch.top5.map_or(String::new(), |share| share.to_string()));
        }
        if text {
            row.push(epoch.perplexity.map_or(String::new(), |it| it.to_string()));
            row.push(epoch.averaged.to_string());
        }
        row
    });
    table([header].into_iter().chain(rows))
}

/// The columns of [`training`] that every training has.
const TRAINING: [&str; 7] =
    ["epoch", "learning_rate", "drop_path", "train_loss", "train_accuracy", "loss", "accuracy"];

/// The columns of what a table of trained networks says, percent; a field is empty where the table does
/// not know it.
const TABULATED: [&str; 4] = ["test_accuracy", "rank", "regret", "true_valid_accuracy"];

/// The column of test accuracies in trainings of the user's own, percent.
const OWN: &str = "own_test_accuracy";

/// That of an epoch; empty where there is none.
fn own(history: &History, epoch: &EpochFinished) -> String {
    let found = history.anytime.iter().find(|it| it.epoch == epoch.epoch);
    found.and_then(|it| it.own_accuracy).map_or(String::new(), |accuracy| accuracy.to_string())
}

/// What the table of trained networks says after an epoch; nothing without a table.
fn tabulated(history: &History, epoch: &EpochFinished) -> Vec<String> {
    let found = history.anytime.iter().find(|anytime| anytime.epoch == epoch.epoch);
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let values = |anytime: &Anytime| {
        let rank = anytime.rank.map_or(String::new(), |rank| rank.to_string());
        let (test, valid) = (number(anytime.test_accuracy), number(anytime.valid_accuracy));
        vec![test, rank, number(anytime.regret), valid]
    };
    let missing = if history.anytime.is_empty() { 0 } else { TABULATED.len() };
    found.map_or(vec![String::new(); missing], values)
}

/// The numbers of a heatmap: one record for each epoch that it draws ([`heatmap::drawn`]), one
/// column for every option of every row of a choice, or of those that stand with it ([`History::groups`]):
/// `2←0 skip_connect`. `None` if the search has no such choice.
pub fn probabilities(history: &History, name: &str) -> Option<String> {
    let group = history.group(name)?;
    let edges = history.choices().get(group.clone())?.iter().flat_map(|choice| &choice.rows);
    let columns = edges.flat_map(|edge| {
        let name = edge.name();
        edge.options.iter().map(move |operation| format!("{name} {operation}"))
    });
    let header = ["epoch".to_owned()].into_iter().chain(columns).collect();
    let rows = heatmap::drawn(history).map(|epoch| {
        let values =
            epoch.probabilities.get(group.clone()).into_iter().flatten().flatten().flatten();
        [epoch.epoch.to_string()].into_iter().chain(values.map(f32::to_string)).collect()
    });
    Some(table([header].into_iter().chain(rows)))
}

/// The points of a chart, a record for each; with the edges of its bands where it has any. A field is
/// empty where there is a gap.
pub fn chart(chart: &Chart) -> String {
    means(chart, &[])
}

/// The same of a chart of means, with the number of values of each: of every line and every point.
pub fn means(chart: &Chart, counts: &[Vec<usize>]) -> String {
    let banded = chart.series.iter().any(|series| !series.band.is_empty());
    let mut header = vec!["series".to_owned(), chart.x.label.clone(), chart.y.label.clone()];
    if banded {
        header.extend(["low", "high"].map(str::to_owned));
    }
    if !counts.is_empty() {
        header.push("runs".to_owned());
    }
    let rows = chart.series.iter().enumerate().flat_map(|(line, series)| {
        series.points.iter().enumerate().map(move |(place, &(x, y))| {
            let number = |value: Option<f64>| {
                value.filter(|it| it.is_finite()).map_or(String::new(), |value| value.to_string())
            };
            let mut row = vec![series.name.clone(), x.to_string(), number(Some(y))];
            if banded {
                let edges = series.band.iter().find(|edges| edges.0 == x);
                row.extend([
                    number(edges.map(|edges| edges.1)),
                    number(edges.map(|edges| edges.2)),
                ]);
            }
            row.extend(counts.get(line).and_then(|it| it.get(place)).map(usize::to_string));
            row
        })
    });
    table([header].into_iter().chain(rows))
}

/// The edges of one cell: node, operation, and the state that it reads. Where operations sit on nodes, that
/// of the node; the output is the node after the last.
pub fn cell(cell: &Cell) -> String {
    if cell.has_operations_on_nodes() {
        return labelled(cell);
    }
    let header = ["node", "operation", "source"].map(str::to_owned).to_vec();
    let rows = cell.edges().map(|(node, Edge { source, operation })| {
        vec![node.to_string(), operation.clone().unwrap_or_default(), source.to_string()]
    });
    table([header].into_iter().chain(rows))
}

fn labelled(cell: &Cell) -> String {
    let header = ["node", "operation", "source"].map(str::to_owned).to_vec();
    let row = |node: usize, operation: &str, source: usize| {
        vec![node.to_string(), operation.to_owned(), source.to_string()]
    };
    let nodes = cell.nodes().flat_map(|(state, node)| {
        let operation = node.operation.as_deref().unwrap_or_default();
        node.edges.iter().map(move |edge| row(state, operation, edge.source))
    });
    let output = cell.outputs().into_iter().map(|source| row(cell.states(), "output", source));
    table([header].into_iter().chain(nodes).chain(output))
}

/// These records as CSV; a field is in quotes where it needs them.
pub fn table(rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |row: Vec<String>| {
        let fields: Vec<String> = row.iter().map(|field| quote(field)).collect();
        fields.join(",") + "\n"
    };
    rows.map(line).collect()
}

/// Own code: csv-core, which reads tables here, writes into buffers of a fixed size.
fn quote(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
