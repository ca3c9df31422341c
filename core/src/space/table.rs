//! Tables of trained networks: how good the cells of a space truly are ([`Lookup`]); and that of
//! NAS-Bench-201, which has every cell of its space, as CSV ([`Table`]).
//!
//! Such a CSV has a header. One of its columns holds cells, each as the codec of the space writes it
//! (`|nor_conv_3x3~0|+|…`), at least one other accuracies in percent; further columns are ignored.
//! Fields may stand in quotes, as R and spreadsheets write them.
//! The name of a column of accuracies should say data set, split and epochs, e.g.
//! `cifar10-test-200epochs`: accuracies after 12 epochs are no substitute for those after 200.
//!
//! A cell is looked up by its text. Different texts can describe the same network; each is a
//! row of its own.

use std::collections::{HashMap, HashSet};

use csv_core::ReadFieldResult;

use super::{ALL, Space};
use crate::cell::nasbench101::oneshot;
use crate::cell::{Genotype, codec};
use crate::ops;

/// A table of trained networks that a search can ask. This crate opens no file: whoever has one gives
/// the run something that answers.
pub trait Lookup {
    /// Checks that it is a table of this space.
    ///
    /// # Errors
    /// What it lacks or has too much, or of which space it is not.
    fn covers(&self, space: &Space) -> Result<(), TableError>;

    /// Number of cells of the space that it has.
    fn cells(&self) -> usize;

    /// What it knows of a derived cell; `None` if it does not have it.
    fn known(&self, genotype: &Genotype) -> Option<Known>;
}

/// What is known of a trained cell. A table need not know everything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Its test accuracy in percent.
    pub test_accuracy: Option<f64>,
    /// Its validation accuracy in percent.
    pub valid_accuracy: Option<f64>,
    /// Its place among all cells of the space, 1 for the best; `None` where the table lacks some.
    pub rank: Option<usize>,
    /// How far its test accuracy lies below that of the best cell of the space, in percentage points.
    pub regret: Option<f64>,
    /// Its test accuracy in percent in a small training of the user's own, which compares with no other number
    /// here.
    pub own_accuracy: Option<f64>,
}

/// A table in memory.
#[derive(Clone, Debug)]
pub struct Table {
    rows: HashMap<String, Entry>,
    /// All accuracies, the largest first.
    ranking: Vec<f64>,
    best: String,
    lines: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    line: usize,
    accuracy: f64,
}

/// The line that a record begins in, and its fields.
pub type Record = (usize, Vec<String>);

/// Where a cell stands among all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Its accuracy in percent.
    pub accuracy: f64,
    /// Its place, 1 for the best; equals share the best place of theirs.
    pub rank: usize,
    /// Cells of the table.
    pub cells: usize,
    /// How far it lies below the best, in percentage points.
    pub regret: f64,
}

/// Why a file is no table, or not that of a space.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// There are several columns to choose from, or none of this name.
    #[error("it has no column of accuracies `{column}`; name one of: {known}")]
    Column {
        /// The name that was asked for.
        column: String,
        /// All columns.
        known: String,
    },
    /// There is no column beside that of the cells.
    #[error("it has a column of architectures, and none of accuracies")]
    NoColumn,
    /// Nothing stands below the header.
    #[error("it has no rows")]
    Empty,
    /// A row cannot be read.
    #[error("line {line}: {problem}")]
    Malformed {
        /// Its line, from 1 on.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A cell stands there twice.
    #[error("line {line}: {architecture} stands in line {first} already")]
    Duplicate {
        /// Line of the second row.
        line: usize,
        /// Line of the first row.
        first: usize,
        /// The cell.
        architecture: String,
    },
    /// A cell is not in the space.
    #[error("line {line}: {architecture} is no cell of the space")]
    Foreign {
        /// Its line.
        line: usize,
        /// The cell.
        architecture: String,
    },
    /// Cells of the space are not in the table.
    #[error("it ends in line {line} and lacks {missing} cells of the space, one of them {example}")]
    Missing {
        /// The last line.
        line: usize,
        /// How many are missing.
        missing: usize,
        /// The first of them.
        example: String,
    },
    /// The cells of the table belong to another benchmark than the space.
    #[error("its cells are of another benchmark than those of space {space}")]
    OtherBenchmark {
        /// The space that is searched.
        space: String,
    },
    /// The space is none that tables know.
    #[error("tables know the cells of space {known}; search in that one, or without a table")]
    OtherSpace {
        /// The spaces that have tables.
        known: String,
    },
}

impl Table {
    /// Reads a file of cells of `space` and takes the accuracies of `column`; without a name, of
    /// the only other column of a file with two.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(space: &Space, bytes: &[u8], column: &str) -> Result<Self, TableError> {
        if space.tabulated().is_none() {
            return Err(other_space(space));
        }
        let mut records = records(bytes)?.into_iter();
        let (_, header) = records.next().ok_or(TableError::Empty)?;
        let (line, first) = records.as_slice().first().ok_or(TableError::Empty)?;
        let architecture = architecture_column(space, *line, first)?;
        let accuracy = accuracy_column(&header, architecture, column)?;
        let mut table = Self {
            rows: HashMap::with_capacity(records.len()),
            ranking: Vec::with_capacity(records.len()),
            best: String::new(),
            lines: 0,
        };
        for (line, fields) in records {
            let (found, expected) = (fields.len(), header.len());
            if found != expected {
                let problem = format!("it has {found} fields, but the header has {expected}");
                return Err(TableError::Malformed { line, problem });
            }
            table.add(space, line, &fields[architecture], &fields[accuracy])?;
            table.lines = line;
        }
        table.ranking.sort_by(|one, other| other.total_cmp(one));
        Ok(table)
    }

    fn add(
        &mut self,
        space: &Space,
        line: usize,
        architecture: &str,
        accuracy: &str,
    ) -> Result<(), TableError> {
        let problem = |problem: String| TableError::Malformed { line, problem };
        let genotype = (space.codec().decode)(architecture)
            .map_err(|error| problem(format!("{architecture}: {error}")))?;
        let mut operations = genotype.cells.iter().flat_map(|cell| cell.operations());
        if let Some(operation) = operations.find(|operation| ops::find(operation).is_none()) {
            return Err(problem(format!("there is no operation `{operation}`")));
        }
        let percent = accuracy.parse().ok().filter(|value| (0.0..=100.0).contains(value));
        let accuracy: f64 = percent
            .ok_or_else(|| problem(format!("`{accuracy}` is no accuracy from 0 to 100 percent")))?;
        if self.find(&self.best).is_none_or(|best| best.accuracy < accuracy) {
            self.best = architecture.to_owned();
        }
        self.ranking.push(accuracy);
        match self.rows.insert(architecture.to_owned(), Entry { line, accuracy }) {
            None => Ok(()),
            Some(Entry { line: first, .. }) => {
                let architecture = architecture.to_owned();
                Err(TableError::Duplicate { line, first, architecture })
            }
        }
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.rows.len()
    }

    /// The best cell and its accuracy in percent; of equals the first one.
    pub fn best(&self) -> Option<(&str, f64)> {
        self.rows.get(&self.best).map(|row| (self.best.as_str(), row.accuracy))
    }

    /// Where the cell with this text stands; `None` if it is not in the table.
    pub fn find(&self, architecture: &str) -> Option<Standing> {
        let Entry { accuracy, .. } = *self.rows.get(architecture)?;
        Some(Standing {
            accuracy,
            rank: 1 + self.ranking.partition_point(|&other| other > accuracy),
            cells: self.cells(),
            regret: self.best()?.1 - accuracy,
        })
    }

    /// Checks that the table has exactly the cells of this space.
    ///
    /// # Errors
    /// The first row too many, or the number of missing ones.
    pub fn covers(&self, space: &Space) -> Result<(), TableError> {
        let expected = space.tabulated().ok_or_else(|| other_space(space))?();
        let missing = expected.iter().filter(|cell| !self.rows.contains_key(*cell));
        if let Some(example) = missing.clone().next().cloned() {
            return Err(TableError::Missing {
                line: self.lines,
                missing: missing.count(),
                example,
            });
        }
        let known: HashSet<&String> = expected.iter().collect();
        let foreign = self.rows.iter().filter(|(cell, _)| !known.contains(cell));
        match foreign.min_by_key(|(_, row)| row.line) {
            None => Ok(()),
            Some((architecture, &Entry { line, .. })) => {
                Err(TableError::Foreign { line, architecture: architecture.clone() })
            }
        }
    }
}

impl Lookup for Table {
    fn covers(&self, space: &Space) -> Result<(), TableError> {
        Self::covers(self, space)
    }

    fn cells(&self) -> usize {
        Self::cells(self)
    }

    fn known(&self, genotype: &Genotype) -> Option<Known> {
        let text = (codec::of(genotype)?.encode)(genotype)?;
        let Standing { accuracy, rank, regret, .. } = self.find(&text)?;
        let (test_accuracy, rank, regret) = (Some(accuracy), Some(rank), Some(regret));
        Some(Known { test_accuracy, rank, regret, ..Known::default() })
    }
}

/// Why this space has no such table.
fn other_space(space: &Space) -> TableError {
    let has_parts = |space: &Space| oneshot::find(space.name).is_some();
    if has_parts(space) {
        return TableError::OtherBenchmark { space: space.name.to_owned() };
    }
    let known = ALL.iter().filter(|space| space.tabulated().is_some() || has_parts(space));
    let known: Vec<&str> = known.map(|space| space.name).collect();
    TableError::OtherSpace { known: known.join(", ") }
}

/// The column of the first record that holds a cell.
fn architecture_column(space: &Space, line: usize, first: &[String]) -> Result<usize, TableError> {
    let is_one = |field: &String| (space.codec().decode)(field).is_ok();
    first.iter().position(is_one).ok_or_else(|| TableError::Malformed {
        line,
        problem: "no field is an architecture string like |nor_conv_3x3~0|+|none~0|none~1|+…"
            .to_owned(),
    })
}

fn accuracy_column(
    header: &[String],
    architecture: usize,
    column: &str,
) -> Result<usize, TableError> {
    let found = match (header.len(), column) {
        (2, "") => 1usize.checked_sub(architecture),
        _ => header.iter().position(|name| name == column),
    };
    found.filter(|&index| index != architecture).ok_or_else(|| {
        let others = header.iter().enumerate().filter(|&(index, _)| index != architecture);
        let known: Vec<&str> = others.map(|(_, name)| name.as_str()).collect();
        if known.is_empty() {
            return TableError::NoColumn;
        }
        TableError::Column { column: column.to_owned(), known: known.join(", ") }
    })
}

/// All records of a CSV file but blank lines, the header among them.
///
/// # Errors
/// [`TableError::Malformed`] for a line that is no UTF-8 text.
pub fn records(bytes: &[u8]) -> Result<Vec<Record>, TableError> {
    // A field is never longer than what it is read from.
    let (mut reader, mut field) = (csv_core::Reader::new(), vec![0; bytes.len() + 1]);
    let (mut rest, mut length, mut line, mut start) = (bytes, 0, 1, 1);
    let (mut records, mut fields): (Vec<Record>, Vec<String>) = (Vec::new(), Vec::new());
    loop {
        if fields.is_empty() && length == 0 {
            // The reader passes over empty lines by itself, but does not tell how many.
            let blank = rest.iter().take_while(|byte| b"\r\n".contains(byte)).count();
            line += pass(&mut rest, blank);
            start = line;
        }
        let (result, read, written) = reader.read_field(rest, &mut field[length..]);
        line += pass(&mut rest, read);
        length += written;
        match result {
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            ReadFieldResult::End => return Ok(records),
            ReadFieldResult::Field { record_end } => {
                let text = std::str::from_utf8(&field[..length]);
                let problem = || "it is no UTF-8 text".to_owned();
                let text =
                    text.map_err(|_| TableError::Malformed { line: start, problem: problem() })?;
                fields.push(text.trim().to_owned());
                length = 0;
                if record_end {
                    let found = std::mem::take(&mut fields);
                    records.extend((found != [""]).then_some((start, found)));
                }
            }
        }
    }
}

/// Goes `count` bytes on and returns how many lines end in them.
fn pass(rest: &mut &[u8], count: usize) -> usize {
    let (passed, after) = rest.split_at(count);
    *rest = after;
    passed.iter().filter(|byte| **byte == b'\n').count()
}
