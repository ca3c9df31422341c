//! A derived cell: inputs on the left, nodes in the middle, output on the right, every edge a line
//! with the name of its operation.

mod layout;
mod tree;

use self::layout::{Layout, Point, RADIUS};
use self::tree::Tree;
use super::colour::{self, Palette};
use super::svg::{Anchor, Rect, Svg, capital, number, shorten};
use crate::cell::{Cell, Choice, Edge, Node, Output, Rows};
use crate::ops::NONE;

/// Width of a line without probabilities, and of lines with p = 0 and p = 1.
const WIDTH: f64 = 2.5;
const WIDTHS: (f64, f64) = (1.0, 7.0);

/// What an edge of operation `none` looks like, and the room that the words of this need.
const PALE: &str = "thin and pale: none, an edge that passes nothing on";
const LEGEND: f64 = 22.0;

/// What stands before and after a recurrent cell.
const RECURRENT: ([&str; 2], &str) = (["x_{t}", "h_{t-1}"], "h_{t}");

/// Where everything in a drawing stands.
trait Places {
    fn size(&self) -> Point;

    /// Box of an input.
    fn input(&self, state: usize) -> Rect;

    /// Box of the output.
    fn output(&self) -> Rect;

    /// Centre of the node with this state index.
    fn node(&self, state: usize) -> Point;

    /// Label of a port of a node; 0 is the uppermost.
    fn pill(&self, state: usize, port: usize) -> Rect;

    /// Height at which an edge comes in, for the order of the ports: from above first.
    fn approach(&self, source: usize, node: usize) -> f64;

    /// The line of an edge into a port, behind the label, to the node. `twin` moves the second of two edges
    /// between the same pair off the first.
    fn edge(&self, source: usize, node: usize, port: usize, twin: usize) -> String;

    /// The thin line of a state that is part of the output.
    fn output_line(&self, state: usize) -> String;
}

/// Draws a cell. With probabilities (a choice and its rows) the width of a line is the probability
/// of its operation. An edge that takes `none` is thin and pale. Edges that name states after their
/// node are left out; a genotype that [`crate::cell::Genotype::validate`] accepts has none.
pub fn draw(cell: &Cell, probabilities: Option<(&Choice, &Rows)>) -> String {
    if cell.has_operations_on_nodes() {
        return super::blocks::derived(cell);
    }
    let recurrent = cell.is_recurrent();
    let layout: &dyn Places = if recurrent { &Tree::new(cell) } else { &Layout::new(cell) };
    let title = if recurrent { "Recurrent cell".to_owned() } else { capital(&cell.words()) };
    let palette = if recurrent { Palette::Activations } else { Palette::Operations };
    let style = colour::style(palette);
    let lines = lines(layout, cell, probabilities);
    let legend = lines.iter().any(Line::is_none);
    let (width, height) = layout.size();
    let size = (width, height + if legend { LEGEND } else { 0.0 });
    let mut svg =
        Svg::new(size, &title, &describe(cell, if recurrent { "takes" } else { "adds" }), &style);
    svg.text("sd-ink sd-large sd-strong", (16.0, 24.0), Anchor::Start, &title);
    for state in cell.outputs().into_iter().filter(|&state| state < cell.states()) {
        svg.path("sd-axis", &layout.output_line(state), "");
    }
    if recurrent {
        tree::input_lines(layout).iter().for_each(|line| svg.path("sd-axis", line, ""));
    }
    lines.iter().for_each(|line| line.stroke(&mut svg, layout));
    lines.iter().for_each(|line| line.label(&mut svg, layout));
    states(&mut svg, layout, cell);
    if legend {
        svg.text("sd-muted", (16.0, height + LEGEND - 12.0), Anchor::Start, PALE);
    }
    svg.finish()
}

/// One edge, and where it goes.
struct Line<'a> {
    cell: &'a Cell,
    edge: &'a Edge,
    node: usize,
    port: usize,
    /// How many edges between the same pair come before it.
    twin: usize,
    probability: Option<f64>,
}

/// The edges with their ports: of those that enter a node, the one that comes from above takes the
/// upper port, so that they do not cross.
fn lines<'a>(
    layout: &dyn Places,
    cell: &'a Cell,
    probabilities: Option<(&Choice, &Rows)>,
) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (node, Node { edges, .. }) in cell.nodes() {
        let mut entering: Vec<&Edge> = edges.iter().filter(|edge| edge.source < node).collect();
        entering.sort_by(|one, other| {
            let height = |edge: &Edge| layout.approach(edge.source, node);
            height(one).total_cmp(&height(other))
        });
        for (port, &edge) in entering.iter().enumerate() {
            let twin = entering[..port].iter().filter(|it| it.source == edge.source).count();
            let p = probabilities.and_then(|(choice, rows)| choice.value(rows, node, edge));
            let probability = p.filter(|p| p.is_finite()).map(f64::from);
            lines.push(Line { cell, edge, node, port, twin, probability });
        }
    }
    lines
}

impl Line<'_> {
    fn operation(&self) -> &str {
        self.edge.operation.as_deref().unwrap_or_default()
    }

    fn is_none(&self) -> bool {
        self.operation() == NONE
    }

    fn stroke(&self, svg: &mut Svg, layout: &dyn Places) {
        let look = colour::of(self.operation());
        let data = layout.edge(self.edge.source, self.node, self.port, self.twin);
        let probable = |p: f64| WIDTHS.0 + p.clamp(0.0, 1.0) * (WIDTHS.1 - WIDTHS.0);
        let width = match self.is_none() {
            true => WIDTHS.0,
            false => self.probability.map_or(WIDTH, probable),
        };
        let dashes = match look.dashed {
            true => {
                format!(" stroke-dasharray=\"{} {}\"", number(width + 4.0), number(width + 3.0))
            }
            false => String::new(),
        };
        let pale = if self.is_none() { " opacity=\"0.45\"" } else { "" };
        svg.open(&format!("class=\"{}\"{pale}", look.class));
        svg.title(&self.words());
        // The edge of the background colour lets crossing lines pass over each other.
        svg.path("sd-casing", &data, &format!("stroke-width=\"{}\"", number(width + 4.0)));
        svg.path("sd-stroke", &data, &format!("stroke-width=\"{}\"{dashes}", number(width)));
        svg.close();
    }

    fn label(&self, svg: &mut Svg, layout: &dyn Places) {
        let look = colour::of(self.operation());
        let place = layout.pill(self.node, self.port);
        let class = format!("sd-pill sd-outline {}", look.class);
        svg.open("class=\"sd-gene\"");
        svg.title(&self.words());
        let dashes = if look.dashed { " stroke-dasharray=\"5 3\"" } else { "" };
        // Only its outline is pale: its ground has to hide the line behind the word.
        let (ink, pale) = match self.is_none() {
            true => ("sd-muted", " stroke-opacity=\"0.45\""),
            false => ("sd-ink", ""),
        };
        let radius = number(place.height / 2.0);
        svg.path(
            &class,
            &format!(
                "M{x} {y}h{w}a{radius} {radius} 0 0 1 0 {h}h-{w}a{radius} {radius} 0 0 1 0 -{h}z",
                x = number(place.x + place.height / 2.0),
                y = number(place.y),
                w = number(place.width - place.height),
                h = number(place.height),
            ),
            &format!("stroke-width=\"1.5\"{dashes}{pale}"),
        );
        svg.text(ink, middle(place), Anchor::Middle, &shorten(self.operation(), 13));
        svg.close();
    }

    fn words(&self) -> String {
        let p = self.probability.map_or(String::new(), |p| format!(", p = {p:.3}"));
        let (source, node) = (self.cell.label(self.edge.source), self.cell.label(self.node));
        format!("{source} → {node}: {}{p}", self.operation())
    }
}

/// The boxes and circles of all states.
fn states(svg: &mut Svg, layout: &dyn Places, cell: &Cell) {
    let (inputs, output) = match cell.output {
        Output::Mean(_) => (RECURRENT.0.map(str::to_owned).to_vec(), RECURRENT.1),
        Output::Concatenation(_) => (cell.inputs.clone(), "c_{k}"),
        Output::Last => (cell.inputs.clone(), "output"),
    };
    for (index, input) in inputs.iter().enumerate() {
        state_box(svg, layout.input(index), input);
    }
    // Nodes of a recurrent cell are numbered as its states are.
    let first = if cell.is_recurrent() { 0 } else { cell.inputs.len() };
    for (index, state) in (first..cell.states()).enumerate() {
        let at = layout.node(state);
        let title = match cell.is_recurrent() {
            true => cell.label(state),
            false => format!("node {index} (state {state})"),
        };
        svg.circle("sd-box", at, RADIUS, &title);
        let at = (at.0, at.1 + 4.5);
        svg.text("sd-ink sd-strong", at, Anchor::Middle, &index.to_string());
    }
    state_box(svg, layout.output(), output);
}

fn state_box(svg: &mut Svg, place: Rect, label: &str) {
    svg.rect("sd-box", place, 6.0, "");
    svg.label("sd-ink", middle(place), label);
}

/// Baseline of a line of text in the middle of a box.
fn middle(place: Rect) -> (f64, f64) {
    (place.x + place.width / 2.0, place.y + place.height / 2.0 + 4.0)
}

/// A sentence for every node: what it `adds`.
pub(super) fn describe(cell: &Cell, adds: &str) -> String {
    let term = |edge: &Edge| match &edge.operation {
        Some(operation) => format!("{operation} of {}", cell.label(edge.source)),
        None => cell.label(edge.source),
    };
    let first = usize::from(cell.is_recurrent());
    let sentence = |(index, node): (usize, &Node)| {
        let index = first + index;
        let terms: Vec<String> = node.edges.iter().map(term).collect();
        match &node.operation {
            Some(operation) if terms.is_empty() => {
                format!("Node {index} ({operation}) is not reached.")
            }
            Some(operation) => {
                format!("Node {index} {adds} {}, then {operation}.", terms.join(" and "))
            }
            None => format!("Node {index} {adds} {}.", terms.join(" and ")),
        }
    };
    cell.nodes.iter().enumerate().map(sentence).collect::<Vec<_>>().join(" ")
}
