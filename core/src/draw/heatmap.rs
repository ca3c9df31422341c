//! The probabilities of every edge over the epochs: small multiples, one panel for each edge, with
//! operations as rows and epochs as columns.
//!
//! Panels stand where their edges are in the cell: a row for each node, a column for each source.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use super::colour::{self, LEVELS, Palette};
use super::history::History;
use super::svg::{Anchor, Rect, Svg, number, shorten};
use crate::cell::{Cell, Choice, ChoiceKind, Row};
use crate::event::EpochFinished;

/// Width of the names of operations beside a panel, and of the panel itself.
const NAMES: f64 = 80.0;
const PANEL: f64 = 112.0;
const ROW: f64 = 12.0;
/// Room above a panel for its name, and between panels.
const HEAD: f64 = 20.0;
const GAP: (f64, f64) = (14.0, 12.0);
const TOP: f64 = 42.0;
const LEFT: f64 = 16.0;

/// More columns than this are thinner than two pixels of a page; then every second (third, …)
/// epoch is drawn.
const COLUMNS: usize = 50;

/// The epochs that a heatmap draws.
pub fn drawn(history: &History) -> impl Iterator<Item = &EpochFinished> {
    history.epochs.iter().step_by(stride(history))
}

/// Epochs from one column to the next.
fn stride(history: &History) -> usize {
    history.epochs.len().div_ceil(COLUMNS).max(1)
}

/// What the colours stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// p from 0 to 1: comparable between runs.
    One,
    /// From the smallest to the largest p of all cell types of the run. Early in a search all p are
    /// nearly even; on the scale from 0 to 1 nothing would show.
    Fitted,
}

/// Draws the probabilities of the choices that begin with `name` ([`History::groups`]). Edges that the latest
/// genotype keeps are named in bold, with the kept operation. `None` if the search has no such choices.
pub fn draw(history: &History, name: &str, scale: Scale) -> Option<String> {
    let group = history.group(name)?;
    let choice = history.choices().get(group.start)?;
    let cell = history.cell(group.start);
    let map = Map::new(history, group, choice.kind, scale);
    let title = match choice.kind {
        ChoiceKind::Operation => format!("Probabilities in the {}", cell.words()),
        ChoiceKind::EdgeWeight => format!("Weights of the edges in the {}", cell.words()),
        _ => format!("Probabilities in the {}: {}", cell.words(), choice.name),
    };
    let about = format!(
        "For each of {} edges, the probability of every candidate operation over {} epochs. Names \
         are node←source, counted as states: {}.",
        map.rows.len(),
        history.epochs.len(),
        match cell.inputs.len() {
            1 => "0 is the input of the cell, 1 its first node",
            _ => "0 and 1 are the two inputs of the cell, 2 is its first node",
        },
    );
    let mut svg = Svg::new(map.size(), &title, &about, &colour::style(Palette::Scale));
    svg.text("sd-ink sd-large sd-strong", (LEFT, 24.0), Anchor::Start, &title);
    for (place, edge) in &map.rows {
        map.panel(&mut svg, *place, edge);
    }
    map.legend(&mut svg);
    Some(svg.finish())
}

/// A choice, and a row of it.
type Place = (usize, usize);

/// Where everything stands.
struct Map<'a> {
    history: &'a History,
    /// Every row, and its place: its choice and its index there.
    rows: Vec<(Place, &'a Row)>,
    /// The cell of the latest genotype.
    kept: Option<&'a Cell>,
    kind: ChoiceKind,
    /// Row of every node, column of every source.
    nodes: Vec<usize>,
    sources: Vec<usize>,
    height: f64,
    /// p of the first and of the last colour.
    range: (f64, f64),
}

impl<'a> Map<'a> {
    fn new(history: &'a History, group: Range<usize>, kind: ChoiceKind, scale: Scale) -> Self {
        let choices = group.clone().zip(&history.choices()[group.clone()]);
        let of_choice = |(index, choice): (usize, &'a Choice)| {
            choice.rows.iter().enumerate().map(move |(row, edge)| ((index, row), edge))
        };
        let rows: Vec<(Place, &Row)> = choices.flat_map(of_choice).collect();
        let edges = || rows.iter().map(|(_, edge)| *edge);
        let ends = |end: fn(&Row) -> usize| -> Vec<usize> {
            edges().map(end).collect::<BTreeSet<_>>().into_iter().collect()
        };
        let height = edges().map(|edge| edge.options.len()).max();
        let range = match scale {
            Scale::One => (0.0, 1.0),
            Scale::Fitted => fitted(history, kind == ChoiceKind::EdgeWeight),
        };
        Self {
            history,
            kept: history.derived(group.start),
            kind,
            nodes: ends(|edge| edge.node),
            // Rows of nodes stand one below the other.
            sources: ends(|edge| if edge.is_of_node() { 0 } else { edge.source }),
            height: ROW * height.unwrap_or(0) as f64,
            rows,
            range,
        }
    }

    fn size(&self) -> (f64, f64) {
        // One panel is too narrow for the legend.
        let columns = self.sources.len().max(3) as f64;
        let rows = self.nodes.len() as f64;
        (
            2.0 * LEFT + columns * (NAMES + PANEL + GAP.0) - GAP.0,
            TOP + rows * (HEAD + self.height + GAP.1) + 22.0,
        )
    }

    /// Top left corner of the coloured area of an edge.
    fn corner(&self, edge: &Row) -> (f64, f64) {
        let rank = |all: &[usize], one| all.iter().position(|&other| other == one).unwrap_or(0);
        (
            LEFT + NAMES + rank(&self.sources, edge.source) as f64 * (NAMES + PANEL + GAP.0),
            TOP + HEAD + rank(&self.nodes, edge.node) as f64 * (HEAD + self.height + GAP.1),
        )
    }

    fn panel(&self, svg: &mut Svg, place: Place, edge: &Row) {
        let (x, y) = self.corner(edge);
        let kept = self.kept_operations(edge);
        let strong = if kept.is_empty() { "sd-muted" } else { "sd-ink sd-strong" };
        svg.text(strong, (x, y - 6.0), Anchor::Start, &edge.name());
        for (row, operation) in edge.options.iter().enumerate() {
            let is_kept = kept.contains(&operation.as_str());
            let class = if is_kept { "sd-ink sd-small sd-strong" } else { "sd-muted sd-small" };
            let at = (x - 5.0, y + ROW * (row as f64 + 0.5) + 3.5);
            svg.text(class, at, Anchor::End, &shorten(operation, 12));
        }
        self.values(svg, place, edge, (x, y));
        let frame = Rect { x, y, width: PANEL, height: ROW * edge.options.len() as f64 };
        svg.path("sd-axis", &outline(frame), "");
        if self.nodes.last() == Some(&edge.node) {
            self.epochs(svg, (x, y + frame.height + 13.0));
        }
    }

    fn kept_operations<'b>(&'b self, edge: &'b Row) -> Vec<&'b str> {
        self.kept.map_or(Vec::new(), |cell| cell.kept(self.kind, edge))
    }

    /// The colours, in a grid of 1 × 1 fields. All fields of one colour are one path and equal
    /// neighbours are one stretch: a search of 50 epochs has eleven thousand fields.
    fn values(&self, svg: &mut Svg, place: Place, edge: &Row, corner: (f64, f64)) {
        let columns: Vec<&EpochFinished> = drawn(self.history).collect();
        if columns.is_empty() {
            let middle = (corner.0 + PANEL / 2.0, corner.1 + ROW);
            svg.text("sd-muted sd-small", middle, Anchor::Middle, "no epoch yet");
            return;
        }
        let width = PANEL / columns.len() as f64;
        svg.open(&format!(
            "transform=\"translate({} {}) scale({width:.4} {})\" shape-rendering=\"crispEdges\"",
            number(corner.0),
            number(corner.1),
            number(ROW),
        ));
        for (class, data) in self.stretches(place, edge, &columns) {
            svg.path(&format!("sd-fill {class}"), &data, "");
        }
        for (column, epoch) in columns.iter().enumerate() {
            let height = edge.options.len() as f64;
            let field = Rect { x: column as f64, y: 0.0, width: 1.0, height };
            svg.rect("sd-ghost", field, 0.0, &self.words(place, edge, epoch));
        }
        svg.close();
    }

    fn stretches(
        &self,
        place: Place,
        edge: &Row,
        columns: &[&EpochFinished],
    ) -> BTreeMap<String, String> {
        let mut paths = BTreeMap::<String, String>::new();
        for row in 0..edge.options.len() {
            let level = |epoch: &&EpochFinished| {
                self.probability(epoch, place, row)
                    .map(|p| colour::level((p - self.range.0) / (self.range.1 - self.range.0)))
            };
            let levels: Vec<Option<String>> = columns.iter().map(level).collect();
            let mut column = 0;
            for stretch in levels.chunk_by(|one, next| one == next) {
                let length = stretch.len();
                if let [Some(class), ..] = stretch {
                    let path = paths.entry(class.clone()).or_default();
                    let _ = write!(path, "M{column} {row}h{length}v1h-{length}z");
                }
                column += length;
            }
        }
        paths
    }

    fn probability(&self, epoch: &EpochFinished, place: Place, option: usize) -> Option<f64> {
        probability(self.history, epoch, (place.0, place.1, option))
    }

    /// Every value of one epoch on one edge.
    fn words(&self, place: Place, edge: &Row, epoch: &EpochFinished) -> String {
        let mut text = format!("{}, epoch {}", edge.name(), epoch.epoch + 1);
        for (row, operation) in edge.options.iter().enumerate() {
            if let Some(p) = self.probability(epoch, place, row) {
                let _ = write!(text, "\n{p:.4} {operation}");
            }
        }
        text
    }

    /// First and last epoch under a panel.
    fn epochs(&self, svg: &mut Svg, (x, y): (f64, f64)) {
        let epochs: Vec<&EpochFinished> = drawn(self.history).collect();
        let [first, .., last] = epochs[..] else { return self.only_epoch(svg, (x, y)) };
        let name = |epoch: &EpochFinished| (epoch.epoch + 1).to_string();
        let first = format!("epoch {}", name(first));
        svg.text("sd-muted sd-small", (x, y), Anchor::Start, &first);
        svg.text("sd-muted sd-small", (x + PANEL, y), Anchor::End, &name(last));
    }

    /// The p of a share of the way along the scale, with the digits that its span needs.
    fn label(&self, share: f64) -> String {
        let (low, high) = self.range;
        let digits = (1.0 - (high - low).log10().floor()).clamp(1.0, 6.0) as usize;
        format!("{:.digits$}", low + share * (high - low))
    }

    fn only_epoch(&self, svg: &mut Svg, (x, y): (f64, f64)) {
        let name = self.history.epochs.first().map(|epoch| format!("epoch {}", epoch.epoch + 1));
        let middle = (x + PANEL / 2.0, y);
        svg.text("sd-muted sd-small", middle, Anchor::Middle, &name.unwrap_or_default());
    }

    /// The scale of colours, in the corner that a cell leaves free: its first node has few edges.
    fn legend(&self, svg: &mut Svg) {
        let (width, height, y) = (6.0 * LEVELS as f64, 12.0, TOP + HEAD);
        let x = self.size().0 - LEFT - width - 10.0;
        for step in 0..LEVELS {
            let share = step as f64 / (LEVELS - 1) as f64;
            let place = Rect { x: x + 6.0 * step as f64, y, width: 6.0, height };
            let class = format!("sd-fill {}", colour::level(share));
            svg.rect(&class, place, 0.0, &format!("p = {}", self.label(share)));
        }
        svg.path("sd-axis", &outline(Rect { x, y, width, height }), "");
        svg.text("sd-ink", (x, y - 6.0), Anchor::Start, "probability p");
        for (share, anchor) in [(0.0, Anchor::Start), (0.5, Anchor::Middle), (1.0, Anchor::End)] {
            let at = (x + share * width, y + 26.0);
            svg.text("sd-muted", at, anchor, &self.label(share));
        }
        let kept = "bold: kept by the latest genotype";
        svg.text("sd-muted", (x, y + 44.0), Anchor::Start, kept);
        let stride = stride(self.history);
        if stride > 1 {
            let text = format!("one of {stride} epochs is drawn");
            svg.text("sd-muted", (x, y + 60.0), Anchor::Start, &text);
        }
    }
}

/// The finite p of an option in an epoch, if the option was there; its choice, edge and place.
fn probability(
    history: &History,
    epoch: &EpochFinished,
    (choice, edge, place): (usize, usize, usize),
) -> Option<f64> {
    let p = f64::from(*epoch.probabilities.get(choice)?.get(edge)?.get(place)?);
    let option = history.choices().get(choice)?.rows.get(edge)?.options.get(place)?;
    (p.is_finite() && history.is_there(epoch.epoch, choice, edge, option)).then_some(p)
}

/// Smallest and largest finite p of all drawn epochs: of the weights of edges, or of all other choices.
fn fitted(history: &History, of_edges: bool) -> (f64, f64) {
    let choices = history.choices();
    let mut ends = (1.0f64, 0.0f64);
    for epoch in drawn(history) {
        let own = choices.iter().zip(&epoch.probabilities).enumerate();
        for (choice, (_, rows)) in own.filter(|(_, (it, _))| it.weighs_edges() == of_edges) {
            for (edge, row) in rows.iter().enumerate() {
                let p = (0..row.len())
                    .filter_map(|place| probability(history, epoch, (choice, edge, place)));
                ends = p.fold(ends, |(low, high), p| (p.min(low), p.max(high)));
            }
        }
    }
    let (low, high) = ends;
    if low < high { (low, high) } else { (0.0, 1.0) }
}

fn outline(Rect { x, y, width, height }: Rect) -> String {
    format!("M{} {}h{}v{}h-{}z", number(x), number(y), number(width), number(height), number(width))
}
