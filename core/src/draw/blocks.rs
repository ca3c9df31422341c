//! A cell whose operations sit on nodes, as those of NAS-Bench-101: while it is searched, and derived.
//!
//! States stand in a row: the input, the nodes, the output. Lines are arcs above them from what is read to what
//! reads it. Under the derived cell stand its matrix and its hash.

use super::colour::{self, Palette};
use super::svg::{Anchor, Rect, Svg, capital, number, shorten};
use crate::cell::codec::nb101;
use crate::cell::{Cell, Choice, ChoiceKind, Genotype, Rows};
use crate::space::oneshot;

const MARGIN: f64 = 16.0;
/// Size of a state, and the way from one to the next.
const STATE: (f64, f64) = (96.0, 44.0);
const STEP: f64 = 112.0;
const TOP: f64 = 40.0;
/// Rise of an arc to the next state, and for every state that it passes over.
const RISE: (f64, f64) = (22.0, 22.0);
/// Width of an arc of weight 1.
const WIDTH: f64 = 8.0;
const LEGEND: f64 = 20.0;
/// Size of an entry of the matrix.
const ENTRY: f64 = 18.0;

/// What a state shows.
enum Face<'a> {
    /// An input, or the output.
    End,
    /// Operations and their p.
    Bar(&'a [String], &'a [f32]),
    /// The operation that was derived, and whether the output reaches it.
    Operation(&'a str, bool),
}

/// A line from a state to a later one.
struct Arc {
    from: usize,
    to: usize,
    weight: f64,
    strong: bool,
}

/// Draws all candidates of a cell with these probabilities; `derived` is the cell that is derived from them.
pub fn mixture(choices: &[Choice], probabilities: &[Rows], derived: &Cell) -> String {
    let Some((operations, p)) = choices.first().zip(probabilities.first()) else {
        return String::new();
    };
    let last = operations.rows.len() + 1;
    let faces = operations.rows.iter().zip(p).map(|(row, p)| Face::Bar(&row.options, p));
    let faces: Vec<Face> = [Face::End].into_iter().chain(faces).chain([Face::End]).collect();
    let reads = |to: usize| match to == last {
        true => derived.outputs(),
        false => sources(derived, to),
    };
    let arcs = (1..=last).flat_map(|to| {
        let chosen = choices.iter().zip(probabilities).find(|(choice, _)| {
            let reading = matches!(choice.kind, ChoiceKind::Input | ChoiceKind::Output);
            reading && choice.rows.first().is_some_and(|row| row.node == to)
        });
        let weights = chosen.and_then(|(_, rows)| rows.first().cloned());
        let weights = weights.unwrap_or_else(|| vec![1.0; to]);
        let kept = reads(to);
        let arc = move |(from, weight)| Arc {
            from,
            to,
            weight: f64::from(weight),
            strong: kept.contains(&from),
        };
        weights.into_iter().enumerate().map(arc).collect::<Vec<_>>()
    });
    let arcs: Vec<Arc> = arcs.collect();
    let title = format!("{}, all candidates", capital(&derived.words()));
    let names = operations.rows.first().map_or(&[][..], |row| &row.options);
    let size = (width(last), base(last) + STATE.1 + 18.0 + LEGEND);
    let mut svg = start(size, &title, derived);
    states(&mut svg, derived, &faces, &arcs);
    let mut x = MARGIN;
    for name in names {
        let at = (x, base(last) + STATE.1 + 24.0);
        let swatch = Rect { x, y: at.1 - 10.0, width: 14.0, height: 10.0 };
        svg.rect(&format!("sd-fill {}", colour::of(name).class), swatch, 2.0, "");
        svg.text("sd-ink", (x + 20.0, at.1), Anchor::Start, name);
        x += 40.0 + 7.0 * name.chars().count() as f64;
    }
    svg.finish()
}

/// Draws a derived cell with the matrix that NAS-Bench-101 is asked for.
pub fn derived(cell: &Cell) -> String {
    let last = cell.states();
    let outputs = cell.outputs();
    let arc = |from, to| Arc { from, to, weight: 0.5, strong: true };
    let inner = cell.edges().map(|(node, edge)| arc(edge.source, node));
    let arcs: Vec<Arc> = inner.chain(outputs.iter().map(|&from| arc(from, last))).collect();
    let read = |state| arcs.iter().any(|arc| arc.from == state);
    let mut faces: Vec<Face> = cell.inputs.iter().map(|_| Face::End).collect();
    for (state, node) in cell.nodes() {
        faces.push(Face::Operation(node.operation.as_deref().unwrap_or_default(), read(state)));
    }
    faces.push(Face::End);
    let genotype = Genotype { cells: vec![cell.clone()] };
    let graph = oneshot::matrix(&genotype).ok();
    let rows = graph.as_ref().map_or(0, |graph| graph.vertices());
    let top = base(last) + STATE.1 + 30.0;
    let size = (width(last).max(440.0), top + ENTRY * rows as f64 + MARGIN);
    let mut svg = start(size, &capital(&cell.words()), cell);
    states(&mut svg, cell, &faces, &arcs);
    let hash = nb101::graph(&genotype).and_then(|graph| graph.hash());
    let hash =
        hash.map_or_else(|| "no hash: nothing reaches the output".to_owned(), |it| it.to_string());
    svg.text("sd-muted", (MARGIN, top - 8.0), Anchor::Start, &hash);
    for (from, label) in graph.iter().flat_map(|graph| graph.labels().enumerate()) {
        let y = top + ENTRY * from as f64 + 12.0;
        for to in 0..rows {
            let one = graph.as_ref().is_some_and(|graph| graph.has_edge(from, to));
            let (class, text) = if one { ("sd-ink sd-strong", "1") } else { ("sd-muted", "0") };
            svg.text(class, (MARGIN + ENTRY * to as f64, y), Anchor::Start, text);
        }
        let at = (MARGIN + ENTRY * rows as f64 + 8.0, y);
        svg.text("sd-ink", at, Anchor::Start, label);
    }
    svg.finish()
}

fn sources(cell: &Cell, node: usize) -> Vec<usize> {
    let edges = cell.edges().filter(|(state, _)| *state == node);
    edges.map(|(_, edge)| edge.source).collect()
}

fn start(size: (f64, f64), title: &str, cell: &Cell) -> Svg {
    let about = super::cell::describe(cell, "adds");
    let mut svg = Svg::new(size, title, &about, &colour::style(Palette::Operations));
    svg.text("sd-ink sd-large sd-strong", (MARGIN, 24.0), Anchor::Start, title);
    svg
}

fn left(state: usize) -> f64 {
    MARGIN + STEP * state as f64
}

fn width(last: usize) -> f64 {
    left(last) + STATE.0 + MARGIN
}

/// Upper side of the states.
fn base(last: usize) -> f64 {
    TOP + RISE.0 + RISE.1 * last as f64
}

fn states(svg: &mut Svg, cell: &Cell, faces: &[Face], arcs: &[Arc]) {
    let last = faces.len() - 1;
    arcs.iter().for_each(|arc| arc.draw(svg, cell, base(last)));
    for (state, face) in faces.iter().enumerate() {
        let place = Rect { x: left(state), y: base(last), width: STATE.0, height: STATE.1 };
        let middle = place.x + STATE.0 / 2.0;
        let label = if state == last { "output".to_owned() } else { cell.label(state) };
        svg.rect("sd-box", place, 6.0, "");
        let y = if matches!(face, Face::End) { 27.0 } else { 17.0 };
        svg.label("sd-ink", (middle, place.y + y), &label);
        match face {
            Face::End => {}
            Face::Bar(options, p) => bar(svg, options, p, (place.x + 6.0, place.y + 26.0)),
            Face::Operation(operation, reached) => {
                let look = colour::of(operation);
                let place = Rect {
                    x: place.x + 6.0,
                    y: place.y + 38.0,
                    width: STATE.0 - 12.0,
                    height: 3.0,
                };
                svg.open(if *reached { "opacity=\"1\"" } else { "opacity=\"0.35\"" });
                svg.rect(&format!("sd-fill {}", look.class), place, 1.5, operation);
                let at = (middle, place.y - 5.0);
                svg.text("sd-ink sd-small", at, Anchor::Middle, &shorten(operation, 16));
                svg.close();
            }
        }
    }
}

/// The operations side by side, each as long as its p.
fn bar(svg: &mut Svg, options: &[String], p: &[f32], at: (f64, f64)) {
    let mut x = at.0;
    let whole = p.iter().map(|&p| f64::from(p)).sum::<f64>().max(1.0);
    for (operation, &p) in options.iter().zip(p) {
        let width = (STATE.0 - 12.0) * (f64::from(p) / whole).clamp(0.0, 1.0);
        let place = Rect { x, y: at.1, width, height: 12.0 };
        let class = format!("sd-fill {}", colour::of(operation).class);
        svg.rect(&class, place, 0.0, &format!("{operation} {p:.3}"));
        x += width;
    }
}

impl Arc {
    fn draw(&self, svg: &mut Svg, cell: &Cell, base: f64) {
        let strength = if self.strong { "0.9" } else { "0.3" };
        svg.open(&format!("opacity=\"{strength}\""));
        let to = if self.to == cell.states() { "output".to_owned() } else { cell.label(self.to) };
        svg.title(&format!("{} → {to}: {:.3}", cell.label(self.from), self.weight));
        // What goes out leaves right of the middle, what comes in arrives left of it.
        let (from, to) = (left(self.from) + 0.62 * STATE.0, left(self.to) + 0.38 * STATE.0);
        let rise = RISE.0 + RISE.1 * (self.to - self.from - 1) as f64;
        let data = format!(
            "M{} {y}A{} {} 0 0 1 {} {y}",
            number(from),
            number((to - from) / 2.0),
            number(rise),
            number(to),
            y = number(base),
        );
        let width = number((WIDTH * self.weight.clamp(0.0, 1.0)).max(0.5));
        let stroke = format!("fill=\"none\" stroke=\"currentColor\" stroke-width=\"{width}\"");
        svg.path(colour::of("").class, &data, &stroke);
        svg.close();
    }
}
