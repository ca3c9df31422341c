//! Edge normalisation: a weight β for every edge, beside the p of its operations.
//!
//! - **Paper**: *PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search* (Xu, Xie,
//!   Zhang, Chen, Qi, Tian, Xiong, ICLR 2020), for partial channels, which make α unsteady.
//! - **Settings**: `search.edge_weights`; `perturbation.edge_weights` and `hessian.edge_weights` for what looks
//!   at p or α.
//!
//! Every node has a choice of its own, one row that weighs the states before it; it follows the choice of
//! operations of its cell. A node is Σ β·edge, and an operation counts p·β where a genotype is derived.

use super::Modifier;
use crate::cell::{Cell, Choice, ChoiceKind, Row};
use crate::config::Config;
use crate::space::{Modified, SpaceError};

/// Its row of the catalogue.
pub static ENTRY: Modifier = Modifier {
    name: "edge-weights",
    help: "a weight for every edge of a node, beside the weights of its operations, with search.edge_weights",
    modify,
};

fn modify(modified: &mut Modified, config: &Config) -> Result<(), SpaceError> {
    if !config.search.edge_weights {
        return Ok(());
    }
    let is_of_edges =
        |choice: &Choice| choice.is_of_cell() && choice.rows.iter().all(|row| !row.is_of_node());
    if !modified.choices.iter().all(is_of_edges) {
        return Err(SpaceError::NoEdgeWeights { space: modified.space.name });
    }
    let cells = modified.space.derive(&[]).cells;
    let with_weights = |(choice, cell): (Choice, Cell)| {
        let weights = weights(&choice, &cell);
        [choice].into_iter().chain(weights).collect::<Vec<_>>()
    };
    modified.choices = std::mem::take(&mut modified.choices)
        .into_iter()
        .zip(cells)
        .flat_map(with_weights)
        .collect();
    Ok(())
}

/// A choice for every node.
fn weights(choice: &Choice, cell: &Cell) -> Vec<Choice> {
    let of_node = |entering: &[Row]| {
        let node = entering.first().map_or(0, |row| row.node);
        let options = entering.iter().map(|row| cell.label(row.source)).collect();
        Choice {
            name: format!("{}_beta_{node}", choice.name),
            kind: ChoiceKind::EdgeWeight,
            rows: vec![Row::of_node(node, options)],
        }
    };
    choice.rows.chunk_by(|one, next| one.node == next.node).map(of_node).collect()
}
