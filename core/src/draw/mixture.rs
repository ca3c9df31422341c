//! The cell while it is searched: every edge with all of its candidate operations. An edge is a
//! bundle of strands, as wide as the probabilities of the operations; nothing moves but widths.
//!
//! States stand in a row and edges are arcs above them, nested so that only edges that interleave
//! cross. The edges that would be kept now are strong, the others pale.

use std::fmt::Write as _;

use super::colour::{self, Palette};
use super::svg::{Anchor, Rect, Svg, capital, number};
use crate::cell::{Cell, Choice, Row, Rows};
use crate::ops::NONE;

const MARGIN: f64 = 16.0;
/// Size of a state, and the shortest way from one to the next.
const STATE: (f64, f64) = (80.0, 26.0);
const STEP: f64 = 92.0;
/// The way from the first state to the last is at least that of a cell of four nodes, so that the
/// text of all pictures is equally large on a page.
const WAY: f64 = 5.0 * STEP;
/// Room above the arcs.
const TOP: f64 = 40.0;
/// Rise of an arc to the next state, and for every state that it passes over.
const RISE: (f64, f64) = (24.0, 25.0);
/// Width of a bundle. Five of them meet at each state of a cell of four nodes: 75 of 80 pixels.
const BUNDLE: f64 = 12.0;
const LEGEND: f64 = 20.0;

/// Draws a choice of operations with these probabilities. `derived` is the cell that is derived from
/// them; it tells which edges are kept and what the states are called.
pub fn draw(choice: &Choice, probabilities: &Rows, derived: &Cell) -> String {
    let states = states(choice);
    let width = left(choice, states - 1) + STATE.0 + MARGIN;
    let longest = choice.rows.iter().map(|edge| edge.node - edge.source).max().unwrap_or(1);
    let base = TOP + RISE.0 + RISE.1 * longest as f64;
    let places = legend(choice, width);
    let rows = places.iter().map(|place| place.row + 1).max().unwrap_or(0);
    let height = base + STATE.1 + 18.0 + LEGEND * rows as f64;
    let title = format!("{}, all candidates", capital(&derived.words()));
    let about = describe(choice, derived);
    let mut svg = Svg::new((width, height), &title, &about, &colour::style(Palette::Operations));
    svg.text("sd-ink sd-large sd-strong", (MARGIN, 24.0), Anchor::Start, &title);
    bundles(&mut svg, choice, probabilities, derived, base);
    for state in 0..states {
        let place = Rect { x: left(choice, state), y: base, width: STATE.0, height: STATE.1 };
        svg.rect("sd-box", place, 6.0, "");
        let middle = (place.x + STATE.0 / 2.0, base + 17.0);
        svg.label("sd-ink", middle, &derived.label(state));
    }
    for place in &places {
        place.draw(&mut svg, base + STATE.1 + 24.0);
    }
    svg.finish()
}

fn states(choice: &Choice) -> usize {
    choice.rows.iter().map(|edge| edge.node + 1).max().unwrap_or(2)
}

/// Left side of a state.
fn left(choice: &Choice, state: usize) -> f64 {
    let step = STEP.max(WAY / states(choice).saturating_sub(1).max(1) as f64);
    MARGIN + step * state as f64
}

fn bundles(svg: &mut Svg, choice: &Choice, probabilities: &Rows, derived: &Cell, base: f64) {
    let is_kept = |row: &Row| {
        let mut here = derived.edges().filter(|(node, edge)| (*node, edge.source) == ends(row));
        here.any(|(_, edge)| edge.operation.as_deref() != Some(NONE))
    };
    for (edge, row) in choice.rows.iter().zip(probabilities) {
        let strength = if is_kept(edge) { "1" } else { "0.35" };
        svg.open(&format!("opacity=\"{strength}\""));
        svg.title(&words(edge, row, derived));
        let from = slot(choice, edge.source, |other| {
            other.source == edge.source && other.node > edge.node
        });
        let to =
            slot(choice, edge.node, |other| other.node == edge.node && other.source > edge.source);
        let incoming = choice.rows.iter().filter(|other| other.node == edge.source).count();
        let shift = incoming as f64 * width_of_slot(choice, edge.source);
        let passed = (edge.node - edge.source).saturating_sub(1);
        let rise = RISE.0 + RISE.1 * passed as f64;
        let arc = Arc { from: from + shift, to, base, rise };
        arc.strands(svg, edge, row);
        svg.close();
    }
}

/// Every edge at a state has a slot of its upper side: first those that come in, the nearest source
/// first, then those that go out, the farthest target first. So nested arcs do not cross.
fn slot(choice: &Choice, state: usize, is_before: impl Fn(&Row) -> bool) -> f64 {
    let before = choice.rows.iter().filter(|edge| is_before(edge)).count();
    left(choice, state) + (before as f64 + 0.5) * width_of_slot(choice, state)
}

/// State that the edge of a row ends in, and the state that it reads.
fn ends(row: &Row) -> (usize, usize) {
    (row.node, row.source)
}

fn width_of_slot(choice: &Choice, state: usize) -> f64 {
    let edges = choice.rows.iter().filter(|edge| edge.node == state || edge.source == state);
    STATE.0 / edges.count().max(1) as f64
}

/// Half of an ellipse over the states.
struct Arc {
    from: f64,
    to: f64,
    base: f64,
    rise: f64,
}

impl Arc {
    /// The strands from the innermost to the outermost.
    fn strands(&self, svg: &mut Svg, edge: &Row, row: &[f32]) {
        let mut inner = -BUNDLE / 2.0;
        for (operation, &p) in edge.options.iter().zip(row) {
            let width = BUNDLE * f64::from(p).clamp(0.0, 1.0);
            let look = colour::of(operation);
            let dashes = if look.dashed { " stroke-dasharray=\"7 2\"" } else { "" };
            let stroke = format!(
                "fill=\"none\" stroke=\"currentColor\" stroke-width=\"{}\"{dashes}",
                number(width)
            );
            svg.path(look.class, &self.path(inner + width / 2.0), &stroke);
            inner += width;
        }
    }

    /// The ellipse that lies `outwards` of the middle one.
    fn path(&self, outwards: f64) -> String {
        let (from, to) = (self.from - outwards, self.to + outwards);
        let (rx, ry) = ((to - from) / 2.0, self.rise + outwards);
        format!(
            "M{} {y}A{} {} 0 0 1 {} {y}",
            number(from),
            number(rx),
            number(ry),
            number(to),
            y = number(self.base)
        )
    }
}

/// The name of an operation in the legend.
struct Place {
    operation: String,
    x: f64,
    row: usize,
}

impl Place {
    fn draw(&self, svg: &mut Svg, top: f64) {
        let look = colour::of(&self.operation);
        let y = top + LEGEND * self.row as f64;
        let dashes = if look.dashed { " stroke-dasharray=\"7 2\"" } else { "" };
        let stroke = format!("fill=\"none\" stroke=\"currentColor\" stroke-width=\"5\"{dashes}");
        svg.path(look.class, &format!("M{} {}h18", number(self.x), number(y)), &stroke);
        svg.text("sd-ink", (self.x + 24.0, y + 4.0), Anchor::Start, &self.operation);
    }
}

/// Every operation of the choice once, in rows.
fn legend(choice: &Choice, width: f64) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let (mut x, mut row) = (MARGIN, 0);
    for operation in choice.rows.iter().flat_map(|edge| &edge.options) {
        if places.iter().any(|place| place.operation == *operation) {
            continue;
        }
        // Widths of text are unknown here; 6.8 px is a wide average of the usual fonts at 12 px.
        let needed = 24.0 + 6.8 * operation.chars().count() as f64 + 16.0;
        if x > MARGIN && x + needed > width {
            (x, row) = (MARGIN, row + 1);
        }
        places.push(Place { operation: operation.clone(), x, row });
        x += needed;
    }
    places
}

fn words(edge: &Row, row: &[f32], derived: &Cell) -> String {
    let (source, node) = (derived.label(edge.source), derived.label(edge.node));
    let mut text = format!("{source} → {node}:");
    for (operation, p) in edge.options.iter().zip(row) {
        let _ = write!(text, " {operation} {p:.3}");
    }
    text
}

fn describe(choice: &Choice, derived: &Cell) -> String {
    let kept = super::cell::describe(derived, "would add");
    format!("{} edges, each a mixture of its candidate operations. {kept}", choice.rows.len())
}
