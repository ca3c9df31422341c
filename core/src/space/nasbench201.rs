//! The space `nasbench201`: cells whose true accuracies are known.
//!
//! # What it is
//!
//! NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search (Dong, Yang; ICLR
//! 2020, arXiv 2001.00326). A cell has one input and three nodes. Every node reads the input and
//! all nodes before it, so that there are six edges. Every edge takes one of five operations, so
//! that there are 5⁶ = 15,625 cells. The last node is the output. A network is a stem and three
//! stages of N equal cells, with a residual block between stages that halves the image and doubles
//! the channels. The authors trained all cells on three data sets; their accuracies are tables
//! ([`super::table`]).
//!
//! # Settings
//!
//! `search.cells` counts cells and residual blocks, 3N + 2; the benchmark has N = 5, that is 17.
//! `search.channels` is that of the first stage, 16. `search.stem_multiplier` does nothing here.
//! `table.path` and `table.column` name a table of true accuracies.
//!
//! # Derivation
//!
//! Every edge takes its strongest operation, the first of equals. `none` may win: such an edge
//! passes nothing on.
//!
//! # What the released code does differently
//!
//! SmoothDARTS releases a script for this space, but its paper does not report one. The script
//! searches 100 epochs in batches of 64 with N = 5 and 16 channels; the presets `nasbench201-…`
//! repeat it. A second script of theirs ranks cells by the weights of the supernet; that is not
//! here.
//!
//! # What the logged numbers mean
//!
//! `alpha` and `probabilities` have one tensor, `edges`, of six rows: edge (node, source) for node
//! 1 to 3 and all sources before it, state 0 being the input. `genotype` is the string of the
//! benchmark. `parameter_free` is the share of skip connections, pooling and `none` among the
//! six operations. Width and depth do not exist: nothing is concatenated. An event `anytime` tells the
//! test accuracy, the rank among all cells and the regret of the cell that would be derived, where
//! a table was given.

use super::{Family, SpaceError, edges, rows, strongest};
use crate::cell::codec::{Codec, nb201};
use crate::cell::{Choice, ChoiceKind, Edge, Genotype, Node, Row, Rows};
use crate::net::{Bench201Net, Build, NetShape, Supernet};

/// The space.
pub struct Bench201;

const OPERATIONS: [&str; 5] =
    ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];

/// States of the nodes: three, after the input.
const NODES: std::ops::Range<usize> = 1..4;

impl Family for Bench201 {
    fn choices(&self) -> Vec<Choice> {
        let (name, kind) = ("edges".to_owned(), ChoiceKind::Operation);
        vec![Choice { name, kind, rows: rows(NODES, |_| &OPERATIONS) }]
    }

    fn supernet(
        &self,
        choices: Vec<Choice>,
        shape: NetShape,
        build: &Build,
    ) -> Result<Box<dyn Supernet>, SpaceError> {
        super::parts_divide(shape, build)?;
        if shape.cells < 5 || shape.cells % 3 != 2 {
            return Err(SpaceError::Stages { cells: shape.cells });
        }
        let table = choices.first().map(|choice| edges(&choice.rows)).transpose()?;
        Ok(Box::new(Bench201Net::new(choices, &table.unwrap_or_default(), shape, build)))
    }

    fn derive(&self, probabilities: &[Rows]) -> Genotype {
        let rows = rows(NODES, |_| &OPERATIONS);
        let weighed: Vec<(&Row, &Vec<f32>)> =
            rows.iter().zip(probabilities.iter().flatten()).collect();
        let node = |entering: &[(&Row, &Vec<f32>)]| {
            let edges = entering.iter().filter_map(|(row, p)| strongest(row, p, None));
            Node { operation: None, edges: edges.map(|(_, edge)| edge).collect() }
        };
        let nodes = weighed.chunk_by(|one, next| one.0.node == next.0.node).map(node);
        nb201::from_nodes(nodes.collect())
    }

    fn codec(&self) -> &'static Codec {
        &nb201::CODEC
    }

    fn tabulated(&self) -> Option<fn() -> Vec<String>> {
        Some(cells)
    }
}

/// All cells, the first row's options slowest.
fn cells() -> Vec<String> {
    let rows = rows(NODES, |_| &OPERATIONS);
    let mut all: Vec<Vec<Edge>> = vec![Vec::new()];
    for row in &rows {
        let with = |edges: &Vec<Edge>, option: &String| {
            let edge = Edge { source: row.source, operation: Some(option.clone()) };
            edges.iter().cloned().chain([edge]).collect()
        };
        let longer = |edges| row.options.iter().map(move |option| with(edges, option));
        all = all.iter().flat_map(longer).collect();
    }
    let text = |edges: &Vec<Edge>| {
        let ends: Vec<(&Row, &Edge)> = rows.iter().zip(edges).collect();
        let node = |entering: &[(&Row, &Edge)]| Node {
            operation: None,
            edges: entering.iter().map(|(_, edge)| (*edge).clone()).collect(),
        };
        let nodes = ends.chunk_by(|one, next| one.0.node == next.0.node).map(node);
        nb201::encode(&nb201::from_nodes(nodes.collect()))
    };
    all.iter().filter_map(text).collect()
}
