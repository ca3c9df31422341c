//! One perturbation of the architecture, slowly: p, then p + δ, then p̂ with its rows clipped to
//! probability vectors, then what it did to the training loss. Every stage is a group of class
//! `sd-stage` with its number in `data-stage`, so that a page can show them one after another.

use super::colour::{self, Palette};
use super::svg::{Anchor, Rect, Svg, number, plain};
use crate::cell::{Cell, Choice, Row, Rows};

const SIZE: f64 = 572.0;
const MARGIN: f64 = 16.0;
const NAMES: f64 = 104.0;
const PANEL: f64 = 132.0;
/// Room for a number behind the longest bar.
const VALUE: f64 = 32.0;
const GAP: f64 = 16.0;
const TOP: f64 = 78.0;
const ROW: f64 = 22.0;
const BAR: f64 = 14.0;

/// What a perturbation did to one choice, and to the loss.
#[derive(Clone, Copy, Debug)]
pub struct Perturbed<'a> {
    /// The choice.
    pub choice: &'a Choice,
    /// A cell of its space, which names the states.
    pub cell: &'a Cell,
    /// Its p = softmax(α).
    pub p: &'a Rows,
    /// Its p + δ.
    pub displaced: &'a Rows,
    /// Its p̂.
    pub perturbed: &'a Rows,
    /// Radius of the ball.
    pub epsilon: f64,
    /// Training loss at p and at p̂.
    pub losses: (f32, f32),
}

/// Draws the edge that the perturbation moved most. `None` for a choice without rows.
pub fn draw(found: &Perturbed) -> Option<String> {
    let index = most_moved(found)?;
    let edge = found.choice.rows.get(index)?;
    let rows = [found.p, found.displaced, found.perturbed].map(|rows| rows.get(index));
    let [Some(p), Some(displaced), Some(perturbed)] = rows else { return None };
    let height = TOP + ROW * p.len() as f64 + 58.0;
    let title = format!("The perturbation on one edge: {}", name(found.cell, edge));
    let mut svg =
        Svg::new((SIZE, height), &title, &describe(found), &colour::style(Palette::Operations));
    svg.text("sd-ink sd-large sd-strong", (MARGIN, 24.0), Anchor::Start, &title);
    let columns = Columns::new(&[p, displaced, perturbed]);
    for (row, operation) in edge.options.iter().enumerate() {
        let y = TOP + ROW * row as f64 + BAR - 2.0;
        svg.text("sd-ink", (MARGIN, y), Anchor::Start, operation);
    }
    let epsilon = format!("p + δ, |δ| ≤ {:.3}", found.epsilon);
    let stages =
        [("p = softmax(α)", p), (epsilon.as_str(), displaced), ("p̂, rows clipped", perturbed)];
    for (stage, (label, values)) in stages.into_iter().enumerate() {
        svg.open(&format!("class=\"sd-stage\" data-stage=\"{}\"", stage + 1));
        columns.panel(&mut svg, stage, label, edge, values);
        svg.close();
    }
    svg.open("class=\"sd-stage\" data-stage=\"4\"");
    let (before, after) = found.losses;
    let y = TOP + ROW * p.len() as f64 + 32.0;
    let text = format!("training loss: {before:.4} at p, {after:.4} at p̂ ({:+.4})", after - before);
    svg.text("sd-ink sd-strong", (MARGIN, y), Anchor::Start, &text);
    svg.close();
    Some(svg.finish())
}

fn most_moved(found: &Perturbed) -> Option<usize> {
    let moved = |(p, perturbed): (&Vec<f32>, &Vec<f32>)| -> f32 {
        p.iter().zip(perturbed).map(|(p, perturbed)| (perturbed - p).abs()).sum()
    };
    let distances: Vec<f32> = found.p.iter().zip(found.perturbed).map(moved).collect();
    (0..distances.len()).max_by(|&a, &b| distances[a].total_cmp(&distances[b]))
}

/// The scale that the three panels share.
struct Columns {
    low: f64,
    high: f64,
}

impl Columns {
    fn new(rows: &[&Vec<f32>]) -> Self {
        let values = || rows.iter().flat_map(|row| row.iter()).map(|&value| f64::from(value));
        Self { low: values().fold(0.0, f64::min), high: values().fold(0.1, f64::max) }
    }

    fn place(&self, stage: usize, value: f64) -> f64 {
        let left = MARGIN + NAMES + stage as f64 * (PANEL + GAP);
        left + (PANEL - VALUE) * (value - self.low) / (self.high - self.low)
    }

    fn panel(&self, svg: &mut Svg, stage: usize, label: &str, edge: &Row, values: &[f32]) {
        let zero = self.place(stage, 0.0);
        let middle = (self.place(stage, self.low) + self.place(stage, self.high)) / 2.0;
        svg.text("sd-muted", (middle, TOP - 16.0), Anchor::Middle, label);
        let bottom = TOP + ROW * values.len() as f64;
        svg.line("sd-axis", (zero, TOP - 6.0), (zero, bottom));
        for (row, (operation, &value)) in edge.options.iter().zip(values).enumerate() {
            let value = f64::from(value);
            let (at, y) = (self.place(stage, value), TOP + ROW * row as f64);
            let bar = Rect { x: zero.min(at), y, width: (at - zero).abs(), height: BAR };
            let class = format!("sd-fill {}", colour::of(operation).class);
            svg.rect(&class, bar, 2.0, &format!("{operation}: {value:.4}"));
            let x = at.max(zero) + 4.0;
            svg.text("sd-ink sd-small", (x, y + BAR - 3.0), Anchor::Start, &number(value));
        }
    }
}

fn name(cell: &Cell, edge: &Row) -> String {
    match edge.is_of_node() {
        true => plain(&cell.label(edge.node)),
        false => format!("{} → {}", plain(&cell.label(edge.source)), plain(&cell.label(edge.node))),
    }
}

fn describe(found: &Perturbed) -> String {
    format!(
        "Probabilities of the operations on the edge that moved most: as they are, displaced by at \
         most {:.3}, and brought back to a probability vector. The training loss goes from {:.4} \
         to {:.4}.",
        found.epsilon, found.losses.0, found.losses.1
    )
}
