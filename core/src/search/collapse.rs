//! The alarm for the failure that the paper is about: skip connections crowd out everything that
//! has weights.

use crate::event::{Architecture, Event, Rows, Warning, WarningCode};
use crate::genotype::Gene;

const SKIP: &str = "skip_connect";

/// Above this share of the genes of the normal cell, or of the only one, skip connections have taken over.
const SHARE: f64 = 0.5;

/// How far the mean p of skip connections must stand above its uniform share: at the start of a
/// search, when all p are alike, a majority of skips is chance.
const EXCESS: f64 = 1.1;

/// Whether more than half of the genes are skip connections.
pub(super) fn has_happened(genes: &[Gene]) -> bool {
    skips(genes) as f64 > SHARE * genes.len() as f64
}

/// What to tell the user, if skip connections have taken over the cell.
pub(super) fn message(genes: &[Gene], cell: &Architecture, probabilities: &Rows) -> Option<String> {
    let (mean, uniform) = mean_probability(cell, probabilities)?;
    (has_happened(genes) && mean > EXCESS * uniform).then(|| {
        format!(
            "skip connections take over: {} of {} operations of the {}cell, mean p {mean:.2} \
             where {uniform:.2} would be even; the search is collapsing (try sdarts-adv, or a \
             larger perturbation.epsilon_max)",
            skips(genes),
            genes.len(),
            if cell.name == "normal" { "normal " } else { "" },
        )
    })
}

pub(super) fn warning(epoch: usize, message: String) -> Event {
    Event::Warning(Warning { epoch, code: WarningCode::Collapse, message })
}

fn skips(genes: &[Gene]) -> usize {
    genes.iter().filter(|gene| gene.operation == SKIP).count()
}

/// Mean p of skip connections over the edges that offer them, and its value for even rows.
fn mean_probability(cell: &Architecture, probabilities: &Rows) -> Option<(f64, f64)> {
    let (mut mean, mut uniform, mut edges) = (0.0, 0.0, 0.0);
    for (edge, row) in cell.edges.iter().zip(probabilities) {
        if let Some(column) = edge.operations.iter().position(|name| name == SKIP) {
            mean += f64::from(row[column]);
            uniform += 1.0 / row.len() as f64;
            edges += 1.0;
        }
    }
    (edges > 0.0).then(|| (mean / edges, uniform / edges))
}
