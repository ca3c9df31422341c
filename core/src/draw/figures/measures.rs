//! The charts of what is measured beside the search: the shape of the cell, sharpness, and a table
//! of trained networks.

use super::course::{trained, zones};
use crate::cell::CellStatistics;
use crate::draw::chart::{Axis, Chart, Mark, Series, Unit};
use crate::draw::history::History;
use crate::event::{Anytime, Eigenvalues, EpochFinished, Warning, WarningCode};

/// Width and depth of the normal cell that would be derived after every epoch (§7.4 of the paper);
/// `None` of a search whose cells have neither, as those of NAS-Bench-201.
pub fn shape(history: &History) -> Option<Chart> {
    let normal = |epoch: &EpochFinished| {
        let cell = CellStatistics::of(epoch.genotype.cells.first()?)?;
        Some((trained(epoch.epoch), cell))
    };
    let cells: Option<Vec<(f64, CellStatistics)>> = history.epochs.iter().map(normal).collect();
    let cells = cells.filter(|cells| !cells.is_empty())?;
    let line = |name: &str, value: fn(&CellStatistics) -> f64| Series {
        name: name.to_owned(),
        points: cells.iter().map(|(x, cell)| (*x, value(cell))).collect(),
        band: Vec::new(),
    };
    Some(Chart {
        title: "Width and depth of the normal cell".to_owned(),
        description: "Of the normal cell that would be derived after every epoch. Width: its \
                      nodes, each counted by the share of its inputs that are cell inputs, in \
                      units of the channels c. Depth: edges on the longest path from an input to \
                      the output. Searches tend to wide and shallow cells, which train fast. The \
                      paper (§7.4) reports width 3.5 and depth 3 of DARTS, 3 and 4 of SDARTS-ADV."
            .to_owned(),
        x: Axis::new("epochs trained", Unit::Count),
        // The four nodes of a cell allow no more than this, so that runs compare at sight.
        y: Axis { range: Some((0.0, 5.0)), ..Axis::new("width, depth", Unit::Number) },
        series: vec![
            line("width (in c)", |cell| cell.width),
            line("depth (in edges)", |cell| cell.depth as f64),
        ],
        marks: Vec::new(),
        zones: zones(history),
    })
}

/// How sharp the validation loss is around α, in both measures of the field; `None` where no
/// Hessian was taken. The point of an early stop is marked.
pub fn hessian(history: &History) -> Option<Chart> {
    let line = |name: &str, value: fn(&Eigenvalues) -> f64| Series {
        name: name.to_owned(),
        points: history.hessians.iter().map(|it| (trained(it.epoch), value(it))).collect(),
        band: Vec::new(),
    };
    let stops = history.warnings.iter().filter(|warning| warning.code == WarningCode::EarlyStop);
    (!history.hessians.is_empty()).then(|| Chart {
        title: "Sharpness of the validation loss".to_owned(),
        description: "Hessian of the validation loss with respect to α. Spectral norm: max |λ|, \
                      the measure of the paper. Code's measure: |largest λ + 1e-3|, what the \
                      authors' code prints; 1e-3 is the weight decay of α. It rises where the \
                      search falls into a sharp minimum. Red marks: an early stop."
            .to_owned(),
        x: Axis::new("epochs trained", Unit::Count),
        y: Axis::new("λ", Unit::Number),
        series: vec![
            line("spectral norm max |λ| (paper)", Eigenvalues::spectral_norm),
            line("|λ_max + 1e-3| (code)", Eigenvalues::code_measure),
        ],
        marks: stops.map(mark).collect(),
        zones: zones(history),
    })
}

fn mark(warning: &Warning) -> Mark {
    Mark {
        x: trained(warning.epoch),
        message: format!("epoch {}: {}", warning.epoch + 1, warning.message),
    }
}

/// True errors of the cell that would be derived after every epoch, with gaps where the table does not
/// have it; `None` without a table of trained networks.
pub fn anytime(history: &History) -> Option<Chart> {
    let looks = &history.anytime;
    let points = |value: &dyn Fn(&Anytime) -> Option<f64>| {
        let point = |it: &Anytime| (trained(it.epoch), value(it).unwrap_or(f64::NAN));
        looks.iter().map(point).collect::<Vec<_>>()
    };
    let line = |name: &str, points| Series { name: name.to_owned(), points, band: Vec::new() };
    let lowest = looks.iter().find_map(|it| Some(it.test_error()? - it.regret? / 100.0));
    let mut series = vec![line("test error", points(&Anytime::test_error))];
    series.extend(lowest.map(|error| line("lowest of the space", points(&|_| Some(error)))));
    if looks.iter().any(|it| it.valid_accuracy.is_some()) {
        series.push(line("validation error", points(&Anytime::valid_error)));
    }
    let last = looks.last()?;
    let place = last.rank.map_or(String::new(), |rank| {
        format!(" The cell of the last epoch is place {rank} of {}.", last.cells)
    });
    let missing = looks.iter().filter(|it| it.test_accuracy.is_none()).count();
    let gaps = match missing {
        0 => String::new(),
        _ => format!(
            " After {missing} of {} epochs the table does not tell the test error of that cell: gaps.",
            looks.len()
        ),
    };
    Some(Chart {
        title: "Anytime test error".to_owned(),
        description: format!(
            "True error, from a table of trained networks, of the cell that would be derived after \
             every epoch. The distance of its test error to the lowest of the space is the \
             regret.{place}{gaps}"
        ),
        x: Axis::new("epochs trained", Unit::Count),
        y: Axis::new("error", Unit::Percent),
        series,
        marks: Vec::new(),
        zones: zones(history),
    })
}

/// Test errors of the derived cells in trainings of the user's own; `None` without any. They have a picture to
/// themselves: at their size the errors of a table are out of reach.
pub fn own_trainings(history: &History) -> Option<Chart> {
    let points = own_errors(history);
    if points.is_empty() {
        return None;
    }
    let series = Series { name: "test error".to_owned(), points, band: Vec::new() };
    Some(Chart {
        title: "Test error in trainings of your own".to_owned(),
        description: "Test error of the cell that would be derived after every epoch, in small trainings \
                      that `sdarts table fill` made. They compare with each other, not with the errors of \
                      the table; where there is none, there is a gap."
            .to_owned(),
        x: Axis::new("epochs trained", Unit::Count),
        y: Axis::new("error", Unit::Percent),
        series: vec![series],
        marks: Vec::new(),
        zones: zones(history),
    })
}

/// The spectral norm of every Hessian: (epochs trained, max |λ|).
pub(super) fn spectral_norms(history: &History) -> Vec<(f64, f64)> {
    history.hessians.iter().map(|it| (trained(it.epoch), it.spectral_norm())).collect()
}

/// Test error of the derived cell in trainings of the user's own: (epochs trained, share), NaN where there is
/// none; nothing where there are none at all.
pub(super) fn own_errors(history: &History) -> Vec<(f64, f64)> {
    let looks = &history.anytime;
    if looks.iter().all(|it| it.own_accuracy.is_none()) {
        return Vec::new();
    }
    let point = |it: &Anytime| (trained(it.epoch), it.own_error().unwrap_or(f64::NAN));
    looks.iter().map(point).collect()
}

/// True test error of the derived cell: (epochs trained, share), NaN where the table does not tell.
pub(super) fn test_errors(history: &History) -> Vec<(f64, f64)> {
    let point = |it: &Anytime| (trained(it.epoch), it.test_error().unwrap_or(f64::NAN));
    history.anytime.iter().map(point).collect()
}
