//! Tables of NAS-Bench-101 as CSV: a column `hash`, columns `valid_EPOCHS` and `test_EPOCHS` with accuracies
//! from 0 to 1, one row a cell. An empty field is an accuracy that is not known. Beside these, `params` has
//! the number of parameters, and `adjacency` with `ops` the graph, which then has to fit the hash. Further
//! columns are ignored, also accuracies after other than the 4, 12, 36 or 108 epochs of the benchmark:
//! those inside a training are no trainings of their own.

use smoothdarts::cell::codec::nb201;
use smoothdarts::cell::nasbench101::{Graph, Hash};
use smoothdarts::space::table::records;

use super::gather::{Gather, Named, refused};
use super::training::Training;

/// Numbers of epochs that the benchmark trains for.
pub(super) const EPOCHS: [u32; 4] = [4, 12, 36, 108];

/// The columns that are read.
struct Columns {
    hash: usize,
    parameters: Option<usize>,
    graph: Option<[usize; 2]>,
    /// Epochs, and the columns of validation and test accuracy.
    accuracies: Vec<(u32, [Option<usize>; 2])>,
    count: usize,
}

/// Reads such a file.
///
/// # Errors
/// The first line that is wrong, exit code 3.
pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Gather> {
    let mut records = records(bytes)?.into_iter();
    let (line, header) = records.next().ok_or_else(|| refused("line 1", "the file is empty"))?;
    let second = records.as_slice().first().map_or(&[][..], |(_, fields)| fields);
    let columns =
        columns(&header, second).map_err(|problem| refused(&format!("line {line}"), &problem))?;
    let mut gather = Gather::default();
    for (line, fields) in records {
        let added = row(&mut gather, line as u64, &columns, &fields);
        added.map_err(|problem| refused(&format!("line {line}"), &problem))?;
    }
    Ok(gather)
}

fn columns(header: &[String], second: &[String]) -> Result<Columns, String> {
    let find = |name: &str| header.iter().position(|column| column == name);
    let of = |epochs| (epochs, ["valid", "test"].map(|split| find(&format!("{split}_{epochs}"))));
    let accuracies = EPOCHS.map(of).into_iter().filter(|(_, found)| *found != [None, None]);
    let accuracies: Vec<_> = accuracies.collect();
    let missing = |column: &str| {
        if second.iter().any(|field| nb201::decode(field).is_ok()) {
            return "this is a table of NAS-Bench-201, whose cells are texts; it is used as it is, with \
                    `sdarts search --space nasbench201 --table FILE:COLUMN`"
                .to_owned();
        }
        format!(
            "there is no column {column}; a table of NAS-Bench-101 has `hash`, `valid_EPOCHS` or \
             `test_EPOCHS`, and may have `params`, `adjacency` and `ops`"
        )
    };
    let hash = find("hash").ok_or_else(|| missing("`hash`"))?;
    if accuracies.is_empty() {
        return Err(missing("of accuracies after 4, 12, 36 or 108 epochs"));
    }
    let graph = match [find("adjacency"), find("ops")] {
        [Some(adjacency), Some(ops)] => Some([adjacency, ops]),
        [None, None] => None,
        [None, _] => return Err(missing("`adjacency` beside `ops`")),
        [_, None] => return Err(missing("`ops` beside `adjacency`")),
    };
    Ok(Columns { hash, parameters: find("params"), graph, accuracies, count: header.len() })
}

fn row(gather: &mut Gather, line: u64, columns: &Columns, fields: &[String]) -> Result<(), String> {
    if fields.len() != columns.count {
        let (found, expected) = (fields.len(), columns.count);
        return Err(format!("it has {found} fields, but the header has {expected}"));
    }
    let hash = fields[columns.hash].parse::<Hash>().map_err(|error| error.to_string())?;
    let graph = |[adjacency, ops]: [usize; 2]| {
        let labels: Vec<&str> = fields[ops].split_whitespace().collect();
        Graph::from_texts(&fields[adjacency], &labels).map_err(|error| error.to_string())
    };
    let graph = columns.graph.map(graph).transpose()?;
    let parameters =
        columns.parameters.map(|column| &fields[column]).filter(|text| !text.is_empty());
    let number =
        |text: &String| text.parse().map_err(|_| format!("`{text}` is no number of parameters"));
    let parameters = parameters.map(number).transpose()?;
    let (place, before) = gather.cell(line, Named { hash, graph, parameters })?;
    if let Some(first) = before {
        return Err(format!("cell {hash} stands in line {first} already"));
    }
    for (epochs, found) in &columns.accuracies {
        let [valid, test] = found.map(|column| column.map_or("", |column| fields[column].as_str()));
        let training = Training { valid: accuracy(valid)?, test: accuracy(test)?, seconds: None };
        if training != Training::default() {
            gather.training(place, *epochs, training)?;
        }
    }
    Ok(())
}

fn accuracy(text: &str) -> Result<Option<f64>, String> {
    let number = || text.parse().map_err(|_| format!("`{text}` is no accuracy from 0 to 1"));
    (!text.is_empty()).then(number).transpose()
}
