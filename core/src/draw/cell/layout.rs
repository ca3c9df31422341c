//! Where everything in the drawing of a cell stands. It depends on the numbers of inputs, of nodes
//! and of edges that enter each, never on what they read, so that two drawings of a space can be
//! compared by looking from one to the other. (dagre, layout-rs and rust-sugiyama place what the edges
//! of one graph need: nodes would move whenever a search takes another edge.)
//!
//! Nodes stand in a row on the middle line. Left of each node are its ports, one above the other,
//! each with the label of one edge: labels cannot collide. An edge from the state just before goes
//! straight; every other edge has a lane of its own above or below the row, so that no line crosses
//! a label.

use super::Places;
use crate::cell::Cell;
use crate::draw::svg::{Rect, number, point};

/// Radius of a node.
pub(super) const RADIUS: f64 = 15.0;
/// Size of the label of an edge.
pub(super) const PILL: (f64, f64) = (98.0, 24.0);
/// Size of the box of an input or of the output.
const STATE: (f64, f64) = (58.0, 30.0);
/// Room for lines to fan out, left of the labels, and between labels and node.
const GAP: f64 = 68.0;
const LEAD: f64 = 18.0;
/// Half of the distance from port to port. Distance of the first lane from the middle line where
/// nodes have two ports, and from lane to lane.
const PORT: f64 = 17.0;
const FIRST_LANE: f64 = 50.0;
const LANE: f64 = 17.0;
/// Distance between the points where lines leave a state.
const EXIT: f64 = 6.0;
/// Half of the distance from input to input.
const INPUT: f64 = 40.0;
const MARGIN: f64 = 16.0;
const HEADING: f64 = 34.0;

/// A point of the drawing.
pub(super) type Point = (f64, f64);

/// The layout of a cell.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    inputs: usize,
    /// Ports of every node.
    ports: Vec<usize>,
    /// Distance of the first lane from the middle line.
    first_lane: f64,
    /// Lane of every (source, node) that needs one: positive above the row, negative below.
    lanes: Vec<((usize, usize), i32)>,
    middle: f64,
}

impl Layout {
    pub(super) fn new(cell: &Cell) -> Self {
        let (inputs, nodes) = (cell.inputs.len(), cell.nodes.len());
        let ports: Vec<usize> = cell.nodes.iter().map(|node| node.edges.len()).collect();
        let more = ports.iter().copied().max().unwrap_or(0).saturating_sub(2);
        let first_lane = FIRST_LANE + PORT * more as f64;
        let lanes = lanes(inputs, nodes);
        let above = lanes.iter().map(|&(_, lane)| lane).max().unwrap_or(0).max(1);
        let middle = HEADING + first_lane + LANE * f64::from(above - 1) + 12.0;
        Self { inputs, ports, first_lane, lanes, middle }
    }

    /// Height of the rail of the concatenation.
    fn bus(&self) -> f64 {
        let below = self.lanes.iter().map(|&(_, lane)| -lane).max().unwrap_or(0).max(1);
        self.middle + self.first_lane + LANE * f64::from(below) + 8.0
    }

    fn states(&self) -> usize {
        self.inputs + self.ports.len()
    }

    fn pill_left(&self, column: usize) -> f64 {
        let step = GAP + PILL.0 + LEAD + 2.0 * RADIUS;
        MARGIN + STATE.0 + GAP + column as f64 * step
    }

    fn port(&self, state: usize, port: usize) -> Point {
        let column = state.saturating_sub(self.inputs);
        let ports = self.ports.get(column).copied().unwrap_or(1);
        (self.pill_left(column), self.middle + PORT * spread(port, ports))
    }

    /// Where an edge leaves its source. Every possible edge has its own point, the one that goes
    /// highest the highest, so that lines do not lie on each other from the start.
    fn exit(&self, source: usize, node: usize) -> Point {
        let targets = (source + 1).max(self.inputs)..self.states();
        let height = |node| self.lane(source, node).unwrap_or(self.middle);
        let count = targets.len();
        let rank = targets.filter(|&other| height(other) < height(node)).count();
        let offset = EXIT * (rank as f64 - (count as f64 - 1.0) / 2.0);
        if source < self.inputs {
            let input = self.input(source);
            (input.x + input.width, input.y + input.height / 2.0 + offset)
        } else {
            let (x, y) = self.node(source);
            (x + (RADIUS * RADIUS - offset * offset).max(0.0).sqrt(), y + offset)
        }
    }

    fn lane(&self, source: usize, node: usize) -> Option<f64> {
        let (_, lane) = self.lanes.iter().find(|(ends, _)| *ends == (source, node))?;
        let distance = self.first_lane + LANE * f64::from(lane.abs() - 1);
        Some(self.middle - distance * f64::from(lane.signum()))
    }
}

impl Places for Layout {
    fn size(&self) -> Point {
        let output = self.output();
        (output.x + output.width + MARGIN, self.bus() + MARGIN)
    }

    /// Box of an input.
    fn input(&self, state: usize) -> Rect {
        let (width, height) = STATE;
        let offset = INPUT * spread(state, self.inputs);
        Rect { x: MARGIN, y: self.middle + offset - height / 2.0, width, height }
    }

    /// Box of the output.
    fn output(&self) -> Rect {
        let (width, height) = STATE;
        let x = self.pill_left(self.ports.len()) - 12.0;
        Rect { x, y: self.middle - height / 2.0, width, height }
    }

    /// Centre of the node with this state index.
    fn node(&self, state: usize) -> Point {
        let x = self.pill_left(state.saturating_sub(self.inputs)) + PILL.0 + LEAD + RADIUS;
        (x, self.middle)
    }

    /// Label of a port of a node; 0 is the uppermost.
    fn pill(&self, state: usize, port: usize) -> Rect {
        let y = self.port(state, port).1 - PILL.1 / 2.0;
        Rect { x: self.port(state, port).0, y, width: PILL.0, height: PILL.1 }
    }

    /// Height at which an edge comes in, for the order of the ports: from above first.
    fn approach(&self, source: usize, node: usize) -> f64 {
        self.lane(source, node).unwrap_or_else(|| self.exit(source, node).1)
    }

    /// The line of an edge: from its source along its lane into a port, behind the label, to the
    /// node. `twin` moves the second of two edges between the same pair off the first.
    fn edge(&self, source: usize, node: usize, port: usize, twin: usize) -> String {
        let (from, to) = (self.exit(source, node), self.port(node, port));
        let pill = to.0 + PILL.0;
        let centre = self.node(node);
        let tail = format!(
            "H{}{}",
            number(pill),
            // At most where the circle is: 0.8 and 0.6 of its radius from the centre.
            curve(
                (pill, to.1),
                (
                    centre.0 - RADIUS * 0.8,
                    centre.1 + ((to.1 - centre.1) * 0.4).clamp(-RADIUS * 0.6, RADIUS * 0.6),
                ),
            ),
        );
        let Some(height) = self.lane(source, node) else {
            return format!("M{}{}{tail}", point(from), curve(from, to));
        };
        let height = height + 6.0 * twin as f64;
        let turn = GAP - 8.0;
        let (up, down) = ((from.0 + turn, height), (to.0 - turn, height));
        format!("M{}{}H{}{}{tail}", point(from), curve(from, up), number(down.0), curve(down, to))
    }

    /// The thin line of a state that is part of the output. That of the last node goes straight,
    /// all others drop to a rail below everything.
    fn output_line(&self, state: usize) -> String {
        let output = self.output();
        if state + 1 == self.states() {
            let from = (self.node(state).0 + RADIUS, self.middle);
            return format!("M{}H{}", point(from), number(output.x));
        }
        let lowest = self.inputs.saturating_sub(1);
        let from = match state < self.inputs {
            true => (self.input(state).x + STATE.0 / 2.0, self.input(lowest).y + STATE.1),
            false => (self.node(state).0, self.middle + RADIUS),
        };
        let (end, round) = (output.x + STATE.0 / 2.0, 8.0);
        format!(
            "M{}V{}q0 {round} {round} {round}H{}q{round} 0 {round} -{round}V{}",
            point(from),
            number(self.bus() - round),
            number(end - round),
            number(output.y + STATE.1),
        )
    }
}

/// Gives every possible edge that passes a node a lane: those of every second state, the first
/// input among them, above, the others below; short ones inside long ones; two in one lane never pass the same node.
fn lanes(inputs: usize, nodes: usize) -> Vec<((usize, usize), i32)> {
    let column = |state: usize| (state + 1).saturating_sub(inputs);
    let mut edges: Vec<(usize, usize)> = (inputs..nodes + inputs)
        .flat_map(|node| (0..node).map(move |source| (source, node)))
        .filter(|&(source, node)| column(node) > column(source) + 1)
        .collect();
    edges.sort_by_key(|&(source, node)| (column(node) - column(source), source));
    let mut lanes: Vec<((usize, usize), i32)> = Vec::new();
    for (source, node) in edges {
        let side = if source % 2 == 0 { 1 } else { -1 };
        let meets = |&((other, end), _): &((usize, usize), i32)| {
            column(other).max(column(source)) + 1 < column(end).min(column(node))
        };
        let lane = (1..)
            .map(|lane| side * lane)
            .find(|&lane| !lanes.iter().filter(|taken| taken.1 == lane).any(meets));
        lanes.extend(lane.map(|lane| ((source, node), lane)));
    }
    lanes
}

/// Place `index` of `count` around 0, two apart.
fn spread(index: usize, count: usize) -> f64 {
    2.0 * index as f64 - (count as f64 - 1.0)
}

/// A curve that leaves and arrives level.
pub(super) fn curve(from: Point, to: Point) -> String {
    let half = (from.0 + to.0) / 2.0;
    format!("C{} {} {}", point((half, from.1)), point((half, to.1)), point(to))
}
