//! A derived cell: inputs on the left, nodes in the middle, output on the right, every gene a line
//! with the name of its operation.

mod layout;

use self::layout::{Layout, RADIUS};
use super::colour::{self, Palette};
use super::svg::{Anchor, Rect, Svg, number, shorten};
use crate::event::{Architecture, Rows};
use crate::genotype::{Gene, Genotype};

/// Which cell of a genotype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The normal cell.
    Normal,
    /// The reduction cell.
    Reduce,
}

impl Kind {
    /// Both, the normal cell first.
    pub const ALL: [Self; 2] = [Self::Normal, Self::Reduce];

    /// `normal` or `reduce`, as in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Reduce => "reduce",
        }
    }

    /// Its genes and the states of its output.
    pub fn of(self, genotype: &Genotype) -> (&[Gene], &[usize]) {
        match self {
            Self::Normal => (&genotype.normal, &genotype.normal_concat),
            Self::Reduce => (&genotype.reduce, &genotype.reduce_concat),
        }
    }
}

/// Width of a line without probabilities, and of lines with p = 0 and p = 1.
const WIDTH: f64 = 2.5;
const WIDTHS: (f64, f64) = (1.0, 7.0);

/// Draws a cell. With probabilities (an architecture tensor and its rows) the width of a line is
/// the probability of its operation. Genes that name states after their node are left out; a
/// genotype that [`Genotype::validate`] accepts has none.
pub fn draw(
    genotype: &Genotype,
    kind: Kind,
    probabilities: Option<(&Architecture, &Rows)>,
) -> String {
    let (genes, concat) = kind.of(genotype);
    let layout = Layout::new(genes.len().div_ceil(2));
    let title = match kind {
        Kind::Normal => "Normal cell",
        Kind::Reduce => "Reduction cell",
    };
    let style = colour::style(Palette::Operations);
    let mut svg = Svg::new(layout.size(), title, &describe(genes), &style);
    svg.text("sd-ink sd-large sd-strong", (16.0, 24.0), Anchor::Start, title);
    for &state in concat.iter().filter(|&&state| state < 2 + genes.len().div_ceil(2)) {
        svg.path("sd-axis", &layout.concat(state), "");
    }
    let lines = lines(&layout, genes, probabilities);
    lines.iter().for_each(|line| line.stroke(&mut svg, &layout));
    lines.iter().for_each(|line| line.label(&mut svg, &layout));
    states(&mut svg, &layout, genes.len().div_ceil(2));
    svg.finish()
}

/// One gene, and where it goes.
struct Line<'a> {
    gene: &'a Gene,
    node: usize,
    port: usize,
    /// How many edges between the same pair come before it.
    twin: usize,
    probability: Option<f64>,
}

/// The genes with their ports: of two that enter a node, the one that comes from above takes the
/// upper port, so that they do not cross.
fn lines<'a>(
    layout: &Layout,
    genes: &'a [Gene],
    probabilities: Option<(&Architecture, &Rows)>,
) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (index, pair) in genes.chunks(2).enumerate() {
        let node = 2 + index;
        let mut pair: Vec<&Gene> = pair.iter().filter(|gene| gene.source < node).collect();
        pair.sort_by(|one, other| {
            let height = |gene: &Gene| layout.approach(gene.source, node);
            height(one).total_cmp(&height(other))
        });
        for (port, &gene) in pair.iter().enumerate() {
            let twin = pair[..port].iter().filter(|other| other.source == gene.source).count();
            let probability =
                probabilities.and_then(|(shape, rows)| probability(shape, rows, gene, node));
            lines.push(Line { gene, node, port, twin, probability });
        }
    }
    lines
}

fn probability(shape: &Architecture, rows: &Rows, gene: &Gene, node: usize) -> Option<f64> {
    let mut edges = shape.edges.iter();
    let edge = edges.position(|edge| (edge.node, edge.source) == (node, gene.source))?;
    let operations = &shape.edges.get(edge)?.operations;
    let column = operations.iter().position(|operation| *operation == gene.operation)?;
    let p = f64::from(*rows.get(edge)?.get(column)?);
    p.is_finite().then_some(p)
}

impl Line<'_> {
    fn stroke(&self, svg: &mut Svg, layout: &Layout) {
        let look = colour::of(&self.gene.operation);
        let data = layout.edge(self.gene.source, self.node, self.port, self.twin);
        let width = self
            .probability
            .map_or(WIDTH, |p| WIDTHS.0 + p.clamp(0.0, 1.0) * (WIDTHS.1 - WIDTHS.0));
        let dashes = match look.dashed {
            true => {
                format!(" stroke-dasharray=\"{} {}\"", number(width + 4.0), number(width + 3.0))
            }
            false => String::new(),
        };
        svg.open(&format!("class=\"{}\"", look.class));
        svg.title(&self.words());
        // The edge of the background colour lets crossing lines pass over each other.
        svg.path("sd-casing", &data, &format!("stroke-width=\"{}\"", number(width + 4.0)));
        svg.path("sd-stroke", &data, &format!("stroke-width=\"{}\"{dashes}", number(width)));
        svg.close();
    }

    fn label(&self, svg: &mut Svg, layout: &Layout) {
        let look = colour::of(&self.gene.operation);
        let place = layout.pill(self.node, self.port);
        let class = format!("sd-pill sd-outline {}", look.class);
        svg.open("class=\"sd-gene\"");
        svg.title(&self.words());
        let dashes = if look.dashed { " stroke-dasharray=\"5 3\"" } else { "" };
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
            &format!("stroke-width=\"1.5\"{dashes}"),
        );
        svg.text("sd-ink", middle(place), Anchor::Middle, &shorten(&self.gene.operation, 13));
        svg.close();
    }

    fn words(&self) -> String {
        let p = self.probability.map_or(String::new(), |p| format!(", p = {p:.3}"));
        let (source, node) = (state(self.gene.source), state(self.node));
        format!("{source} → {node}: {}{p}", self.gene.operation)
    }
}

/// The boxes and circles of all states.
fn states(svg: &mut Svg, layout: &Layout, nodes: usize) {
    state_box(svg, layout.input(0), "k−2");
    state_box(svg, layout.input(1), "k−1");
    for node in 2..nodes + 2 {
        let at = layout.node(node);
        svg.circle("sd-box", at, RADIUS, &format!("node {} (state {node})", node - 2));
        let at = (at.0, at.1 + 4.5);
        svg.text("sd-ink sd-strong", at, Anchor::Middle, &(node - 2).to_string());
    }
    state_box(svg, layout.output(), "k");
}

/// The output of the cell with this index.
fn state_box(svg: &mut Svg, place: Rect, index: &str) {
    svg.rect("sd-box", place, 6.0, "");
    svg.indexed("sd-ink", middle(place), "c", index);
}

/// Baseline of a line of text in the middle of a box.
fn middle(place: Rect) -> (f64, f64) {
    (place.x + place.width / 2.0, place.y + place.height / 2.0 + 4.0)
}

/// The name of a state in drawings: the inputs are the outputs of the two cells before.
fn state(index: usize) -> String {
    match index {
        0 => "c_{k-2}".to_owned(),
        1 => "c_{k-1}".to_owned(),
        node => format!("node {}", node - 2),
    }
}

fn describe(genes: &[Gene]) -> String {
    let node = |(index, pair): (usize, &[Gene])| {
        let terms: Vec<String> = pair
            .iter()
            .map(|gene| format!("{} of {}", gene.operation, state(gene.source)))
            .collect();
        format!("Node {index} adds {}.", terms.join(" and "))
    };
    genes.chunks(2).enumerate().map(node).collect::<Vec<_>>().join(" ")
}
