//! A figure of a page: the picture, its numbers as a file and as a table, and the command that
//! makes it.

use askama::Template;
use smoothdarts::cell::{Cell, Choice, Edge, Rows};
use smoothdarts::draw::chart::{Chart, Unit};
use smoothdarts::draw::{chart, csv};

/// A picture with its data.
#[derive(Template)]
#[template(path = "figure.html")]
pub(crate) struct Figure {
    /// SVG that was drawn by this program, which escapes all text in it.
    pub(crate) picture: String,
    pub(crate) caption: String,
    /// Name of the file that its data is saved as, and the data as an address.
    pub(crate) file: String,
    pub(crate) data: String,
    /// The numbers for those who do not see the picture, unless they are only in the file.
    pub(crate) table: Option<Table>,
    /// What makes the picture.
    pub(crate) command: String,
}

/// Rows of texts under a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Figure {
    /// A chart; its files are called `name`.
    pub(crate) fn chart(name: &str, chart: &Chart, command: &str) -> Self {
        Self {
            picture: chart::draw(chart),
            caption: chart.description.clone(),
            file: format!("{name}.csv"),
            data: data_uri("text/csv", &csv::chart(chart)),
            table: Some(chart_table(chart)),
            command: command.to_owned(),
        }
    }
}

/// Most rows of the table of a chart; the file has all.
const ROWS: usize = 60;

/// A row for every x, or for every k-th and the last one where there are many; a column for every line, and for its standard deviation where it has bands.
fn chart_table(chart: &Chart) -> Table {
    let mut header = vec![chart.x.label.clone()];
    let mut places: Vec<f64> = Vec::new();
    for series in &chart.series {
        header.push(series.name.clone());
        if !series.band.is_empty() {
            header.push("±".to_owned());
        }
        places.extend(series.points.iter().map(|point| point.0));
    }
    places.sort_by(f64::total_cmp);
    places.dedup();
    let row = |&x: &f64| {
        let mut row = vec![rounded(x, chart.x.unit)];
        for series in &chart.series {
            let y = series.points.iter().find(|point| point.0 == x).map(|point| point.1);
            row.push(y.map_or(String::new(), |y| rounded(y, chart.y.unit)));
            if !series.band.is_empty() {
                let band = series.band.iter().find(|band| band.0 == x);
                let half = band.map(|(_, low, high)| (high - low) / 2.0);
                row.push(half.map_or(String::new(), |half| rounded(half, chart.y.unit)));
            }
        }
        row
    };
    let stride = places.len().div_ceil(ROWS).max(1);
    if stride > 1 {
        header[0].push_str(&format!(" (1 of {stride} rows)"));
    }
    let mut rows: Vec<_> = places.iter().rev().step_by(stride).map(row).collect();
    rows.reverse();
    Table { header, rows }
}

fn rounded(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Percent => format!("{:.2} %", 100.0 * value),
        Unit::Count => format!("{value:.0}"),
        Unit::Number if value != 0.0 && !(1e-3..1e5).contains(&value.abs()) => {
            format!("{value:.3e}")
        }
        Unit::Number => format!("{value:.4}"),
    }
}

/// The edges of a cell; with probabilities those too.
pub(crate) fn cell_table(cell: &Cell, p: Option<(&Choice, &Rows)>) -> Table {
    let header = ["node", "reads", "operation", "p"].map(str::to_owned).to_vec();
    let row = |(node, edge): (usize, &Edge)| {
        let p = p.and_then(|(choice, rows)| choice.value(rows, node, edge));
        let p = p.map_or(String::new(), |p| format!("{p:.3}"));
        let operation = edge.operation.clone().unwrap_or_default();
        vec![cell.label(node), cell.label(edge.source), operation, p]
    };
    Table { header, rows: cell.edges().map(row).collect() }
}

/// The probabilities after the last epoch, a row for every operation on every edge. All epochs
/// together are for programs: 50 epochs of 98 numbers.
pub(crate) fn last_probabilities(choice: &Choice, rows: &Rows) -> Table {
    let header = ["edge", "operation", "p after the last epoch"].map(str::to_owned).to_vec();
    let edges = choice.rows.iter().zip(rows);
    let cells = edges.flat_map(|(edge, row)| {
        edge.options.iter().zip(row).map(move |(operation, p)| {
            let name = format!("{}←{}", edge.node, edge.source);
            vec![name, operation.clone(), format!("{p:.3}")]
        })
    });
    Table { header, rows: cells.collect() }
}

/// A text as the address of a file to save. What RFC 3986 reserves is written as %XX, except the
/// commas, which are half of a CSV and allowed in the data of such an address.
pub(crate) fn data_uri(kind: &str, text: &str) -> String {
    let mut address = format!("data:{kind};charset=utf-8,");
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
                address.push(char::from(byte));
            }
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}
