//! The numbers of a picture as a table for people.

use super::chart::{Chart, Unit};
use crate::cell::{Cell, Choice, Edge, Node, Rows};

/// Rows of texts under a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// As many texts in every row.
    pub rows: Vec<Vec<String>>,
}

/// Most rows of the table of a chart; the file has all.
const ROWS: usize = 60;

impl Table {
    /// The table in columns, two spaces apart, for a terminal.
    pub fn text(&self) -> String {
        let width = |column: usize| {
            let rows = [&self.header].into_iter().chain(&self.rows);
            let widths = rows.filter_map(|row| row.get(column)).map(|text| text.chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(text, &width)| format!("{text:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let lines = [&self.header].into_iter().chain(&self.rows).map(line);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A row for every x, or for every k-th and the last one where there are many; a column for every line, and for its standard deviation where it has bands.
    pub fn of_chart(chart: &Chart) -> Self {
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
        // Nothing where there is a gap.
        let number = |value: Option<f64>| {
            let value = value.filter(|value| value.is_finite());
            value.map_or(String::new(), |value| rounded(value, chart.y.unit))
        };
        let row = |&x: &f64| {
            let mut row = vec![rounded(x, chart.x.unit)];
            for series in &chart.series {
                let y = series.points.iter().find(|point| point.0 == x).map(|point| point.1);
                row.push(number(y));
                if !series.band.is_empty() {
                    let band = series.band.iter().find(|band| band.0 == x);
                    let half = band.map(|(_, low, high)| (high - low) / 2.0);
                    row.push(number(half));
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
        Self { header, rows }
    }

    /// The edges of a cell; with probabilities those too.
    pub fn of_cell(cell: &Cell, p: Option<(&Choice, &Rows)>) -> Self {
        let header = ["node", "reads", "operation", "p"].map(str::to_owned).to_vec();
        let row = |(node, edge): (usize, &Edge)| {
            let p = p.and_then(|(choice, rows)| choice.value(rows, node, edge));
            let p = p.map_or(String::new(), |p| format!("{p:.3}"));
            let operation = edge.operation.clone().unwrap_or_default();
            vec![cell.label(node), cell.label(edge.source), operation, p]
        };
        if cell.has_operations_on_nodes() {
            return Self::of_labelled(cell);
        }
        Self { header, rows: cell.edges().map(row).collect() }
    }

    /// The nodes of a cell whose operations sit on them, and what each reads; the output last.
    fn of_labelled(cell: &Cell) -> Self {
        let header = ["node", "operation", "reads"].map(str::to_owned).to_vec();
        let names = |states: &mut dyn Iterator<Item = usize>| {
            states.map(|state| cell.label(state)).collect::<Vec<_>>().join(", ")
        };
        let row = |(state, node): (usize, &Node)| {
            let operation = node.operation.clone().unwrap_or_default();
            let read = names(&mut node.edges.iter().map(|edge| edge.source));
            vec![cell.label(state), operation, read]
        };
        let output =
            vec!["output".to_owned(), String::new(), names(&mut cell.outputs().into_iter())];
        Self { header, rows: cell.nodes().map(row).chain([output]).collect() }
    }

    /// The probabilities after the last epoch, a row for every operation on every edge.
    pub fn of_probabilities(choice: &Choice, rows: &Rows) -> Self {
        let header = ["edge", "operation", "p after the last epoch"].map(str::to_owned).to_vec();
        let edges = choice.rows.iter().zip(rows);
        let cells = edges.flat_map(|(edge, row)| {
            edge.options
                .iter()
                .zip(row)
                .map(move |(operation, p)| vec![edge.name(), operation.clone(), format!("{p:.3}")])
        });
        Self { header, rows: cells.collect() }
    }
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
