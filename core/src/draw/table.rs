//! The numbers of a picture as a table for people.

use super::chart::{Chart, Unit};
use crate::event::{Architecture, Rows};
use crate::genotype::Gene;

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
        Self { header, rows }
    }

    /// The genes of a cell; with probabilities those too.
    pub fn of_genes(genes: &[Gene], p: Option<(&Architecture, &Rows)>) -> Self {
        let header = ["node", "reads", "operation", "p"].map(str::to_owned).to_vec();
        let row = |(index, gene): (usize, &Gene)| {
            let node = 2 + index / 2;
            let p = p.and_then(|(shape, rows)| probability(shape, rows, node, gene));
            let p = p.map_or(String::new(), |p| format!("{p:.3}"));
            vec![format!("node {}", node - 2), state(gene.source), gene.operation.clone(), p]
        };
        Self { header, rows: genes.iter().enumerate().map(row).collect() }
    }

    /// The probabilities after the last epoch, a row for every operation on every edge.
    pub fn of_probabilities(shape: &Architecture, rows: &Rows) -> Self {
        let header = ["edge", "operation", "p after the last epoch"].map(str::to_owned).to_vec();
        let edges = shape.edges.iter().zip(rows);
        let cells = edges.flat_map(|(edge, row)| {
            edge.operations.iter().zip(row).map(move |(operation, p)| {
                let name = format!("{}←{}", edge.node, edge.source);
                vec![name, operation.clone(), format!("{p:.3}")]
            })
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

fn probability(shape: &Architecture, rows: &Rows, node: usize, gene: &Gene) -> Option<f32> {
    let edge = shape.edges.iter().position(|it| (it.node, it.source) == (node, gene.source))?;
    let operations = &shape.edges.get(edge)?.operations;
    let column = operations.iter().position(|it| *it == gene.operation)?;
    rows.get(edge)?.get(column).copied()
}

fn state(index: usize) -> String {
    match index {
        0 => "c_{k-2}".to_owned(),
        1 => "c_{k-1}".to_owned(),
        node => format!("node {}", node - 2),
    }
}
