//! The network that is trained from a genotype (spec §9): every edge computes the one operation that
//! was found, all batch norms are affine, and drop-path drops operations.
//!
//! Weights have the names of the authors' code (`model.py` of DARTS and SmoothDARTS, `InferCell` of
//! NAS-Bench-201), so that a `state_dict` of theirs loads and ours loads there.

mod bench101;
mod bench201;
mod error;
mod graph;
mod head;
mod stacked;

use burn::tensor::Tensor;

use super::{Network, Stem};
use crate::cell::codec::nb101;
use crate::cell::{Cell, Choice, Genotype, GenotypeError, Output};
use crate::nn::{GradientTarget, Layout, Pass, Trace};
use crate::ops::{self, Operation};
use bench101::DerivedBench101;
use bench201::DerivedBench201;
pub use error::DerivedError;
use stacked::Stacked;

/// Size of a derived network and of what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedShape {
    /// Channels of the images.
    pub image_channels: usize,
    /// Classes.
    pub classes: usize,
    /// Cells; those at 1/3 and 2/3 reduce. Of NAS-Bench-201 its residual blocks count, too. Of
    /// NAS-Bench-101 a third of them stands in each stage.
    pub cells: usize,
    /// Channels of the first cell, even.
    pub channels: usize,
    /// What it starts with.
    pub stem: Stem,
    /// Whether a second classifier, after the cell at 2/3, is trained along.
    pub auxiliary: bool,
}

/// What a network says of a batch.
#[derive(Clone, Debug)]
pub struct Logits {
    /// [batch, classes].
    pub logits: Tensor<2>,
    /// Those of the auxiliary head, [batch, classes]; in train mode only.
    pub auxiliary: Option<Tensor<2>>,
}

/// A network without choices.
pub trait Classifier {
    /// Places of all weights and statistics.
    fn layout(&self) -> &Layout;

    /// Multiply-adds of a pass for one image of this height and width, with those of the gradients
    /// that are wanted; the auxiliary head counts where a gradient is.
    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64;

    /// Logits for a batch.
    ///
    /// # Shapes
    /// - `images`: [batch, height, width, channels]
    fn forward(&self, images: Tensor<4>, pass: &mut Pass) -> Logits;

    /// Writes down what [`Self::forward`] computes in eval mode, where the auxiliary head has no part.
    fn trace(&self) -> Trace<'_>;
}

impl Network for dyn Classifier {
    fn layout(&self) -> &Layout {
        Classifier::layout(self)
    }

    fn architecture(&self) -> &[Choice] {
        &[]
    }
}

/// The network of a genotype: two cells of a DARTS space, or the one of NAS-Bench-201 or NAS-Bench-101.
///
/// # Errors
/// [`DerivedError`] where the genotype is of no such space, names an operation that is not in the
/// catalogue or reads a state that does not exist, and where there is no network of this shape.
pub fn derived(
    genotype: &Genotype,
    shape: DerivedShape,
) -> Result<Box<dyn Classifier>, DerivedError> {
    genotype.validate()?;
    check(shape)?;
    if let Some(graph) = nb101::graph(genotype) {
        return Ok(Box::new(DerivedBench101::new(&graph, shape)?));
    }
    match genotype.cells.as_slice() {
        [normal, reduce] if is_stackable(normal) && is_stackable(reduce) => {
            Ok(Box::new(Stacked::new([Derived::new(normal)?, Derived::new(reduce)?], shape)?))
        }
        [cell] if cell.inputs.len() == 1 && cell.output == Output::Last => {
            Ok(Box::new(DerivedBench201::new(&Derived::new(cell)?, shape)?))
        }
        cells => Err(DerivedError::foreign(cells)),
    }
}

/// Whether it is a cell of a DARTS space.
fn is_stackable(cell: &Cell) -> bool {
    cell.inputs.len() == 2 && matches!(cell.output, Output::Concatenation(_))
}

fn check(shape: DerivedShape) -> Result<(), DerivedError> {
    let DerivedShape { image_channels, classes, cells, channels, .. } = shape;
    let counts =
        [("image channels", image_channels), ("classes", classes), ("cells", cells)].into_iter();
    match counts.chain([("channels", channels)]).find(|(_, count)| *count == 0) {
        Some((what, _)) => Err(DerivedError::Nothing { what }),
        None if channels % 2 == 1 => Err(DerivedError::OddChannels { channels }),
        None => Ok(()),
    }
}

/// A cell whose edges all have an operation of the catalogue.
struct Derived<'a> {
    cell: &'a Cell,
    /// State that is read, state that is added to, operation; in the order of the genotype.
    edges: Vec<(usize, usize, &'static Operation)>,
}

impl<'a> Derived<'a> {
    fn new(cell: &'a Cell) -> Result<Self, DerivedError> {
        if cell.nodes.iter().any(|node| node.operation.is_some()) {
            return Err(DerivedError::foreign(std::slice::from_ref(cell)));
        }
        if let Some(state) = cell.outputs().into_iter().find(|state| *state < cell.inputs.len()) {
            return Err(DerivedError::InputInOutput { cell: cell.words(), state });
        }
        let edge = |(node, edge): (usize, &crate::cell::Edge)| {
            let name = edge.operation.as_deref().unwrap_or_default();
            let operation = ops::find(name);
            // Unknown names were refused before; what comes here is an edge without an operation.
            let operation = operation.ok_or_else(|| GenotypeError::UnknownOperation {
                cell: cell.name.clone(),
                operation: name.to_owned(),
            })?;
            Ok::<_, DerivedError>((edge.source, node, operation))
        };
        Ok(Self { cell, edges: cell.edges().map(edge).collect::<Result<_, _>>()? })
    }
}
