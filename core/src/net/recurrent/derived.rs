//! The recurrent network of a genotype (spec §10, evaluation): every node reads one state through one
//! activation, and there is no batch norm.

use burn::tensor::{Int, Tensor};

use super::{INIT, Reader, Sequence, first_state, gate_and_candidate, inputs, masked};
use crate::cell::{Choice, Genotype, codec};
use crate::net::{DerivedError, LanguageNet, LanguageShape, Network, Predicted};
use crate::nn::{Builder, GradientTarget, Layout, Pass, WeightId};
use crate::ops::Activation;

/// (c, z) = s_j·W_i and s_i = s_j + σ(c)·(f(z) − s_j) of the state j that node i reads, with the mask of the
/// sequence on what meets W_i. The output is the mean of the states that the genotype names.
pub struct DerivedRecurrent {
    layout: Layout,
    reader: Reader,
    /// Of state 0: what the word meets, and what the hidden state meets.
    first: WeightId,
    nodes: Vec<Node>,
    outputs: Vec<usize>,
}

struct Node {
    activation: Activation,
    source: usize,
    weights: WeightId,
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
        let node = |(index, (name, source)): (usize, (String, usize))| Node {
            // What is unknown was refused before.
            activation: Activation::find(&name).unwrap_or(Activation::None),
            source,
            weights: cell.weight(&format!("_Ws.{index}"), &[width, 2 * width], INIT),
        };
        let nodes = genes.into_iter().enumerate().map(node).collect();
        Ok(Self { layout, reader, first, nodes, outputs })
    }
}

/// What a pass reads in every row of a text.
struct Cell<'a> {
    network: &'a DerivedRecurrent,
    first: Tensor<2>,
    weights: Vec<Tensor<2>>,
    mask: Option<Tensor<2>>,
}

impl Cell<'_> {
    /// The next hidden state.
    ///
    /// # Shapes
    /// - output: [columns, hidden]
    fn forward(&self, input: Tensor<2>, hidden: Tensor<2>) -> Tensor<2> {
        let mask = self.mask.as_ref();
        let mut states = vec![first_state(input, hidden, self.first.clone(), mask)];
        for (node, weights) in self.network.nodes.iter().zip(&self.weights) {
            let state = states[node.source].clone();
            let product = masked(state.clone(), mask).matmul(weights.clone());
            let (gate, z) = gate_and_candidate(product);
            states.push(state.clone() + gate * (node.activation.apply(z) - state));
        }
        let outputs = &self.network.outputs;
        let sum = outputs.iter().map(|&state| states[state].clone()).reduce(|sum, it| sum + it);
        sum.map_or_else(|| states.swap_remove(0), |sum| sum.div_scalar(outputs.len() as f64))
    }
}

impl DerivedRecurrent {
    /// The states after every row, [rows, columns, hidden].
    fn states(&self, text: Sequence, pass: &mut Pass) -> Tensor<3> {
        let width = self.reader.hidden;
        let first = pass.weight(self.first, [2 * width, 2 * width]);
        let inputs = inputs(text.x, first.clone().narrow(0, 0, width), pass);
        let weights = |node: &Node| pass.weight(node.weights, [width, 2 * width]);
        let weights = self.nodes.iter().map(weights).collect();
        let first = first.narrow(0, width, width);
        let cell = Cell { network: self, first, weights, mask: text.mask };
        let mut state = text.hidden;
        let next = inputs.into_iter().map(|input| {
            state = cell.forward(input, state.clone());
            state.clone()
        });
        Tensor::stack(next.collect(), 0)
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
        products * (2 * width * width * (2 + self.nodes.len() as u64) + width * vocabulary)
    }
}
