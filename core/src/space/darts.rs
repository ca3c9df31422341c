//! The spaces of DARTS cells: `darts`, `s5`, and `s1` to `s4`.
//!
//! # What they are
//!
//! DARTS: Differentiable Architecture Search (Liu, Simonyan, Yang; ICLR 2019, arXiv 1806.09055). A
//! network is a stack of two kinds of cells. A reduction cell stands at a third and at two thirds
//! of the depth; it halves the image and doubles the channels. All others are normal cells. A cell
//! reads the outputs of the two cells before it. It has four nodes, and its output is their
//! concatenation. Every node may read both inputs and all nodes before it, so that a cell has 14
//! edges. Every edge mixes the same candidate operations. Normal and reduction cells have an
//! architecture tensor each, shared by all cells of the kind.
//!
//! - `darts` has the eight operations of that paper.
//! - `s5` is the same without `none`. SmoothDARTS (Chen, Hsieh; Stabilizing Differentiable
//!   Architecture Search via Perturbation-based Regularization, ICML 2020, arXiv 2002.05283)
//!   searches it on CIFAR. The `s5` of RobustDARTS keeps `none`.
//! - `s1` to `s4` come from RobustDARTS (Zela, Elsken, Saikia, Marrakchi, Brox, Hutter;
//!   Understanding and Robustifying Differentiable Architecture Search, ICLR 2020, arXiv
//!   1909.09656), which built them to make DARTS fail. `s1` has two operations on every edge, those
//!   that a search of the whole space favoured there. `s2` has skip connection and separable
//!   convolution, `s3` adds `none`, and `s4` has noise in the place of the skip connection.
//!
//! # Settings
//!
//! `search.cells` is the number of cells, 8 in the paper. `search.channels` is that of the first
//! cell, 16. `search.stem_multiplier` makes the stem wider, 3 times.
//!
//! # Derivation
//!
//! Every node keeps two incoming edges: those whose strongest operation, `none` left out, has the
//! largest p. Every kept edge takes that operation. `none` is not derived, but it has its share of
//! p while the space has it.
//!
//! # What the released code does differently
//!
//! Nothing that changes a result. It looks `none` up by the index of an edge among those of its
//! node; that is harmless, because `none` is the first candidate everywhere. The two edges of a
//! node are listed by their strength, not by their source, here as there. The paper names the
//! operations of `s3` in another order; the order of the code is the one that decides ties.
//!
//! # What the logged numbers mean
//!
//! `alpha` and `probabilities` have the tensors `normal` and `reduce`, 14 rows each: edge (node,
//! source) for node 2 to 5 and all sources before it. `genotype` is the tuple of the Python code
//! bases. `parameter_free` is the share of skip connections, pooling and noise among the eight
//! operations of each cell; the paper reports that of the normal cell (Table 5). Width and depth
//! are those of its §7.4. No table of true accuracies exists: accuracies of such cells are known
//! only by training them.

pub mod progressive;
mod s1;

use super::{Family, SpaceError, edges, rows, strongest};
use crate::cell::codec::{Codec, darts};
use crate::cell::{Cell, Choice, ChoiceKind, Edge, Genotype, Node, Row, Rows};
use crate::net::{Build, CellNet, NetShape, Supernet};
use crate::ops::NONE;

/// A space of DARTS cells: which operations every edge has.
pub struct Cells(Candidates);

enum Candidates {
    /// The same on all edges of both cells.
    Everywhere(&'static [&'static str]),
    /// A pair for every edge: normal cell, reduction cell.
    Pairs([&'static [[&'static str; 2]; 14]; 2]),
}

/// The original space.
pub static DARTS: Cells = Cells(Candidates::Everywhere(&[
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
]));

/// The original space without `none`.
pub static S5: Cells = Cells(Candidates::Everywhere(&[
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
]));

/// Two operations for each edge.
pub static S1: Cells = Cells(Candidates::Pairs([&s1::NORMAL, &s1::REDUCE]));

/// Skip connection or separable convolution.
pub static S2: Cells = Cells(Candidates::Everywhere(&["skip_connect", "sep_conv_3x3"]));

/// The same and `none`.
pub static S3: Cells = Cells(Candidates::Everywhere(&["none", "skip_connect", "sep_conv_3x3"]));

/// Noise or separable convolution.
pub static S4: Cells = Cells(Candidates::Everywhere(&["noise", "sep_conv_3x3"]));

/// States of the nodes: four, after the two inputs.
const NODES: std::ops::Range<usize> = 2..6;

impl Cells {
    fn options(&self, cell: usize, edge: usize) -> &'static [&'static str] {
        match &self.0 {
            Candidates::Everywhere(names) => names,
            Candidates::Pairs(tables) => &tables[cell][edge],
        }
    }

    fn choice(&self, cell: usize) -> Choice {
        Choice {
            name: darts::CELLS[cell].to_owned(),
            kind: ChoiceKind::Operation,
            rows: rows(NODES, |edge| self.options(cell, edge)),
        }
    }
}

impl Family for Cells {
    fn choices(&self) -> Vec<Choice> {
        vec![self.choice(0), self.choice(1)]
    }

    fn supernet(
        &self,
        choices: Vec<Choice>,
        shape: NetShape,
        build: &Build,
    ) -> Result<Box<dyn Supernet>, SpaceError> {
        super::parts_divide(shape, build)?;
        let of_cells = choices.iter().filter(|choice| choice.is_of_cell());
        let mut tables =
            of_cells.map(|choice| edges(&choice.rows)).collect::<Result<Vec<_>, _>>()?;
        let reduce = tables.pop().unwrap_or_default();
        let normal = tables.pop().unwrap_or_default();
        Ok(Box::new(CellNet::new(choices, &normal, &reduce, shape, build)))
    }

    fn derive(&self, probabilities: &[Rows]) -> Genotype {
        let none = Rows::new();
        let cell = |(index, choice): (usize, Choice)| {
            derive_cell(&choice.name, &choice.rows, probabilities.get(index).unwrap_or(&none))
        };
        Genotype { cells: self.choices().into_iter().enumerate().map(cell).collect() }
    }

    fn codec(&self) -> &'static Codec {
        &darts::CODEC
    }
}

/// One cell: for every node the incoming edges whose best operation is strongest, in that order,
/// each with its best operation. `none` is never chosen; the first of equals wins. The output is
/// the concatenation of all nodes.
///
/// `probabilities` has one row for every one of `rows`, which stand node by node.
pub fn derive_cell(name: &str, rows: &[Row], probabilities: &Rows) -> Cell {
    let rows: Vec<(&Row, &Vec<f32>)> = rows.iter().zip(probabilities).collect();
    let node = |entering: &[(&Row, &Vec<f32>)]| {
        let edges = entering.iter().filter_map(|(row, p)| strongest(row, p, Some(NONE)));
        let mut edges: Vec<(f32, Edge)> = edges.collect();
        // A stable sort keeps the lower source index first among equals.
        edges.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        let kept = edges.into_iter().take(darts::EDGES).map(|(_, edge)| edge);
        Node { operation: None, edges: kept.collect() }
    };
    let nodes: Vec<Node> = rows.chunk_by(|one, next| one.0.node == next.0.node).map(node).collect();
    let concat = (darts::INPUTS.len()..).take(nodes.len()).collect();
    darts::from_nodes(name, nodes, concat)
}
