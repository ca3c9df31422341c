//! Where everything in the drawing of a recurrent cell stands, as the papers draw it: x and h on the left,
//! which node 0 is made of, then every node right of the one that it reads, and the next h on the right.
//!
//! Every node reads one other, so a cell is a tree and no two edges cross. A node stands in the column of
//! its depth, in the row of its first reader; other readers get rows below. What belongs to the mean goes
//! down to a rail, which ends in the next h.

use super::Places;
use super::layout::{PILL, Point, RADIUS, curve};
use crate::cell::Cell;
use crate::draw::svg::{Rect, number, point};

/// Size of the boxes of x and of h.
const STATE: (f64, f64) = (46.0, 28.0);
/// Half of the distance between x and h.
const INPUT: f64 = 24.0;
/// Room for lines to fan out, left of a label, and from a label to its node.
const GAP: f64 = 46.0;
const LEAD: f64 = 12.0;
/// Distance from row to row.
const ROW: f64 = 46.0;
const MARGIN: f64 = 16.0;
const HEADING: f64 = 40.0;

/// The layout of a recurrent cell.
pub(super) struct Tree {
    /// Column and row of every state.
    places: Vec<(usize, usize)>,
    columns: usize,
    rows: usize,
}

impl Tree {
    pub fn new(cell: &Cell) -> Self {
        let mut columns = vec![0; cell.states()];
        let mut readers = vec![Vec::new(); cell.states()];
        for (node, edge) in cell.edges().filter(|(node, edge)| edge.source < *node) {
            columns[node] = columns[edge.source] + 1;
            readers[edge.source].push(node);
        }
        let mut rows = vec![0; cell.states()];
        let mut next = 0;
        place(0, &readers, &mut rows, &mut next);
        let last = columns.iter().copied().max().unwrap_or(0);
        Self { places: columns.into_iter().zip(rows).collect(), columns: last + 1, rows: next }
    }

    fn row(&self, row: usize) -> f64 {
        HEADING + INPUT + STATE.1 / 2.0 + ROW * row as f64
    }

    /// Height of the rail of the mean.
    fn rail(&self) -> f64 {
        let last = self.rows.max(2) - 1;
        self.row(last) + ROW - 8.0
    }

    fn step() -> f64 {
        GAP + PILL.0 + LEAD + 2.0 * RADIUS
    }
}

/// Gives a state and all that come of it their rows.
fn place(state: usize, readers: &[Vec<usize>], rows: &mut [usize], next: &mut usize) {
    rows[state] = *next;
    if readers[state].is_empty() {
        *next += 1;
    }
    for &reader in &readers[state] {
        place(reader, readers, rows, next);
    }
}

impl Places for Tree {
    fn size(&self) -> Point {
        let output = self.output();
        (output.x + output.width + MARGIN, self.rail() + MARGIN)
    }

    /// The boxes of x and of h.
    fn input(&self, index: usize) -> Rect {
        let (width, height) = STATE;
        let offset = if index == 0 { -INPUT } else { INPUT };
        Rect { x: MARGIN, y: self.row(0) + offset - height / 2.0, width, height }
    }

    fn output(&self) -> Rect {
        let (width, height) = STATE;
        let x = self.node(0).0 + self.columns as f64 * Self::step() - PILL.0 - LEAD;
        Rect { x, y: self.row(0) - height / 2.0, width, height }
    }

    fn node(&self, state: usize) -> Point {
        let (column, row) = self.places.get(state).copied().unwrap_or_default();
        let first = MARGIN + STATE.0 + GAP + RADIUS;
        (first + column as f64 * Self::step(), self.row(row))
    }

    fn pill(&self, state: usize, _: usize) -> Rect {
        let (x, y) = self.node(state);
        let (width, height) = PILL;
        Rect { x: x - RADIUS - LEAD - width, y: y - height / 2.0, width, height }
    }

    fn approach(&self, _: usize, _: usize) -> f64 {
        0.0
    }

    fn edge(&self, source: usize, node: usize, port: usize, _: usize) -> String {
        let (from, to) = (self.node(source), self.node(node));
        let from = (from.0 + RADIUS, from.1);
        let pill = (self.pill(node, port).x, to.1);
        format!("M{}{}H{}", point(from), curve(from, pill), number(to.0 - RADIUS))
    }

    /// Down to the rail, along it, and up to the next h.
    fn output_line(&self, state: usize) -> String {
        let (x, y) = self.node(state);
        let (rail, output, round) = (self.rail(), self.output(), 8.0);
        let (side, end) = (x + RADIUS + 8.0, output.x + output.width / 2.0);
        format!(
            "M{}Q{} {}V{}q0 {round} {round} {round}H{}q{round} 0 {round} -{round}V{}",
            point((x + 0.7 * RADIUS, y + 0.7 * RADIUS)),
            point((side, y + RADIUS)),
            point((side, y + 2.0 * RADIUS)),
            number(rail - round),
            number(end - round),
            number(output.y + output.height),
        )
    }
}

/// The lines from x and from h to node 0.
pub(super) fn input_lines(places: &dyn Places) -> [String; 2] {
    [0, 1].map(|index| {
        let (input, node) = (places.input(index), places.node(0));
        let from = (input.x + input.width, input.y + input.height / 2.0);
        format!("M{}{}", point(from), curve(from, (node.0 - RADIUS, node.1)))
    })
}
