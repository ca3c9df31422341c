//! The recurrent network of a genotype (spec §10, evaluation): every node reads one state through one
//! activation, and there is no batch norm.

use burn::tensor::{Int, Tensor};
use shaders::RecurrentCell;

use super::{INIT, Reader, Sequence};
use crate::cell::{Choice, Genotype, codec};
use crate::net::{DerivedError, LanguageNet, LanguageShape, Network, Predicted};
use crate::nn::{BlockId, Builder, GradientTarget, Layout, Pass, WeightId};
use crate::ops::Activation;

/// (c, z) = s_j·W_i and s_i = s_j + σ(c)·(f(z) − s_j) of the state j that node i reads, with the mask of the
/// sequence on what meets W_i. The output is the mean of the states that the genotype names.
pub struct DerivedRecurrent {
    layout: Layout,
    reader: Reader,
    /// Of state 0: what the word meets, and what the hidden state meets.
    first: WeightId,
    /// Those of all nodes, side by side.
    nodes: BlockId,
    cell: RecurrentCell,
}

impl DerivedRecurrent {
    /// Builds the network.
    ///
    /// # Errors
    /// [`DerivedError`] where the genotype is not of a recurrent cell, and where a size is 0.
    pub fn new(genotype: &Genotype, shape: LanguageShape) -> Result<Self, DerivedError> {
        genotype.validate()?;
        let Some((genes, outputs)) = codec::recurrent::genes(genotype) else {
            return Err(DerivedError::no_recurrent(&genotype.cells));
        };
        let gene =
            |(name, source): (String, usize)| Some((Activation::find(&name)?.kernel()?, source));
        let genes: Option<Vec<_>> = genes.into_iter().map(gene).collect();
        let genes = genes.ok_or_else(|| DerivedError::no_recurrent(&genotype.cells))?;
        for (what, size) in [("words", shape.vocabulary), ("hidden units", shape.hidden)] {
            if size == 0 {
                return Err(DerivedError::Nothing { what });
            }
        }
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let reader = Reader::new(&mut builder, shape);
        let mut cell = builder.child("rnns.0");
        let width = shape.hidden;
        let first = cell.weight("_W0", &[2 * width, 2 * width], INIT);
        let node = |index| cell.weight(&format!("_Ws.{index}"), &[width, 2 * width], INIT);
        let nodes: Vec<WeightId> = (0..genes.len()).map(node).collect();
        let nodes = cell.join(&nodes);
        let cell = RecurrentCell { nodes: genes, concat: outputs };
        Ok(Self { layout, reader, first, nodes, cell })
    }
}

impl DerivedRecurrent {
    /// The states after every row, [rows, columns, hidden].
    fn states(&self, text: Sequence, pass: &mut Pass) -> Tensor<3> {
        let (width, count) = (self.reader.hidden, self.cell.nodes.len());
        let nodes = pass.block(self.nodes).reshape([count, width, 2 * width]);
        let text = text.of(pass.weight(self.first, [2 * width, 2 * width]), nodes);
        shaders::derived_cell(pass.kernels, text, &self.cell)
    }
}

impl Network for DerivedRecurrent {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn architecture(&self) -> &[Choice] {
        &[]
    }
}

impl LanguageNet for DerivedRecurrent {
    fn embedding(&self) -> usize {
        self.reader.embedding()
    }

    fn forward(
        &self,
        words: Tensor<2, Int>,
        hidden: Tensor<2>,
        _: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Predicted {
        self.reader.forward((words, hidden), pass, |text, pass| self.states(text, pass))
    }

    fn multiply_adds(&self, target: GradientTarget) -> u64 {
        let (width, vocabulary) = (self.reader.hidden as u64, self.reader.vocabulary as u64);
        let products = if target == GradientTarget::Weights { 3 } else { 1 };
        products * (2 * width * width * (2 + self.cell.nodes.len() as u64) + width * vocabulary)
    }
}
