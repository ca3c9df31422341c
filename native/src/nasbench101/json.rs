//! Tables of NAS-Bench-101 as JSON: an object of lists, one entry a cell. `key` has the hashes,
//! `EPOCHS_final_validation_accuracy` and `EPOCHS_final_test_accuracy` accuracies from 0 to 1,
//! `final_training_time` the seconds of the longest trainings, `trainable_parameters` the parameters.
//! `adjacency` and `operations`, where they are, hold graphs, which have to fit the hashes; they are padded
//! to seven vertices with the label −3.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use smoothdarts::cell::nasbench101::{Graph, Hash};

use super::csv::EPOCHS;
use super::gather::{Gather, Named, refused};
use super::training::Training;

/// The label of a vertex that is not there.
const PADDING: i64 = -3;

#[derive(Deserialize)]
struct Columns {
    key: Vec<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Reads such a file.
///
/// # Errors
/// The first entry that is wrong, exit code 3.
pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Gather> {
    let columns: Columns = serde_json::from_slice(bytes).map_err(|error| {
        refused(
            "the file",
            &format!("it is no JSON of NAS-Bench-101, an object with the list `key`: {error}"),
        )
    })?;
    let count = columns.key.len();
    let slice = Slice::new(columns).map_err(|problem| refused("the file", &problem))?;
    let mut gather = Gather::default();
    for index in 0..count {
        let added = slice.entry(&mut gather, index);
        added.map_err(|problem| refused(&format!("entry {}", index + 1), &problem))?;
    }
    Ok(gather)
}

struct Slice {
    key: Vec<String>,
    parameters: Option<Vec<u32>>,
    seconds: Option<Vec<f64>>,
    adjacency: Option<Vec<Vec<Vec<f64>>>>,
    operations: Option<Vec<Vec<i64>>>,
    /// Epochs, and validation and test accuracies.
    accuracies: Vec<(u32, [Option<Vec<f64>>; 2])>,
}

impl Slice {
    fn new(mut columns: Columns) -> Result<Self, String> {
        let count = columns.key.len();
        let parameters = take(&mut columns.others, count, "trainable_parameters")?;
        let seconds = take(&mut columns.others, count, "final_training_time")?;
        let adjacency = take(&mut columns.others, count, "adjacency")?;
        let operations = take(&mut columns.others, count, "operations")?;
        if adjacency.is_some() != operations.is_some() {
            return Err("of `adjacency` and `operations` there is one and not the other".to_owned());
        }
        let mut accuracies = Vec::new();
        for epochs in EPOCHS {
            let mut of = |split: &str| {
                take(&mut columns.others, count, &format!("{epochs}_final_{split}_accuracy"))
            };
            let found = [of("validation")?, of("test")?];
            accuracies.extend((found != [None, None]).then_some((epochs, found)));
        }
        if accuracies.is_empty() {
            return Err("there is no list `EPOCHS_final_validation_accuracy` or \
                        `EPOCHS_final_test_accuracy` of 4, 12, 36 or 108 epochs"
                .to_owned());
        }
        Ok(Self { key: columns.key, parameters, seconds, adjacency, operations, accuracies })
    }

    fn entry(&self, gather: &mut Gather, index: usize) -> Result<(), String> {
        let hash = self.key[index].parse::<Hash>().map_err(|error| error.to_string())?;
        let parameters = self.parameters.as_ref().map(|column| column[index]);
        let named = Named { hash, graph: self.graph(index)?, parameters };
        let (place, before) = gather.cell(index as u64 + 1, named)?;
        if let Some(first) = before {
            return Err(format!("cell {hash} is entry {first} already"));
        }
        let longest = self.accuracies.last().map(|(epochs, _)| *epochs);
        for (epochs, found) in &self.accuracies {
            let [valid, test] = found.each_ref().map(|column| column.as_ref().map(|it| it[index]));
            let timed = self.seconds.as_ref().filter(|_| Some(*epochs) == longest);
            let seconds = timed.map(|column| column[index]);
            gather.training(place, *epochs, Training { valid, test, seconds })?;
        }
        Ok(())
    }

    fn graph(&self, index: usize) -> Result<Option<Graph>, String> {
        let (Some(adjacency), Some(operations)) = (&self.adjacency, &self.operations) else {
            return Ok(None);
        };
        let labels = operations[index].iter().filter(|&&label| label != PADDING);
        let labels: Vec<String> = labels.map(i64::to_string).collect();
        let row = |row: &Vec<f64>| row.iter().take(labels.len()).map(|&it| entry(it)).collect();
        let rows = adjacency[index].iter().take(labels.len()).map(row);
        let matrix = rows.collect::<Result<Vec<Vec<u8>>, String>>()?;
        Graph::from_matrix(&matrix, &labels).map(Some).map_err(|error| error.to_string())
    }
}

fn entry(value: f64) -> Result<u8, String> {
    match value {
        0.0 => Ok(0),
        1.0 => Ok(1),
        _ => Err(format!("the matrix has the entry {value}; 1 is an edge, 0 is none")),
    }
}

/// The list of this name, with as many entries as there are cells.
fn take<T: DeserializeOwned>(
    others: &mut BTreeMap<String, Value>,
    count: usize,
    name: &str,
) -> Result<Option<Vec<T>>, String> {
    let Some(value) = others.remove(name) else { return Ok(None) };
    let column: Vec<T> =
        serde_json::from_value(value).map_err(|error| format!("the list `{name}`: {error}"))?;
    match column.len() {
        found if found == count => Ok(Some(column)),
        found => Err(format!("the list `{name}` has {found} entries, `key` has {count}")),
    }
}
