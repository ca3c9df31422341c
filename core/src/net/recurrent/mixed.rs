//! The recurrent supernet: every node weighs what all activations make of all states before it (spec §10).

use burn::tensor::{Int, Tensor};
use shaders::CellNorm;

use super::{INIT, Reader, Sequence};
use crate::cell::Choice;
use crate::net::{LanguageNet, LanguageShape, Network, Predicted};
use crate::nn::{
    BlockId, Builder, GradientTarget, Layout, NORM_EPS, NormId, NormOptions, Pass, WeightId,
};
use crate::ops::Activation;

/// A cell of nodes, each of which reads all states before it:
///
/// (c_j, z_j) = s_j·W_i with one W_i for all states j, and
/// s_i = BN(Σ_j Σ_k p_jk·(s_j + σ(c_j)·(f_k(z_j) − s_j))) over the activations k that are not `none`. One
/// batch norm, without γ and β, normalises state 0 and every node. The output is the mean of the nodes.
pub struct RecurrentNet {
    layout: Layout,
    architecture: Vec<Choice>,
    reader: Reader,
    /// Of state 0: first what the words meet, then what the hidden state meets.
    first: WeightId,
    /// Those of all nodes, side by side.
    nodes: BlockId,
    count: usize,
    norm: NormId,
}

impl RecurrentNet {
    /// The network whose p are those of `choice`: a row for every state before every node, the nodes one after
    /// another, and a column for every [`Activation`].
    pub fn new(choice: Choice, shape: LanguageShape) -> Self {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let reader = Reader::new(&mut builder, shape);
        let mut cell = builder.child("rnns.0");
        let width = shape.hidden;
        let first = cell.weight("_W0", &[2 * width, 2 * width], INIT);
        let count = choice.rows.last().map_or(0, |row| row.node);
        let node = |index| cell.weight(&format!("_Ws.{index}"), &[width, 2 * width], INIT);
        let nodes: Vec<WeightId> = (0..count).map(node).collect();
        let norm = cell.child("bn").norm(width, NormOptions::new(false));
        let nodes = cell.join(&nodes);
        Self { layout, architecture: vec![choice], reader, first, nodes, count, norm }
    }

    /// The states after every row, [rows, columns, hidden].
    fn states(&self, text: Sequence, p: &[Tensor<2>], pass: &mut Pass) -> Tensor<3> {
        let (width, [columns, _]) = (self.reader.hidden, text.hidden.dims());
        let nodes = pass.block(self.nodes).reshape([self.count, width, 2 * width]);
        let text = text.of(pass.weight(self.first, [2 * width, 2 * width]), nodes);
        let none = || Tensor::zeros([self.pairs(), Activation::ALL.len()], &text.x.device());
        let p = p.first().cloned().unwrap_or_else(none);
        let norm = CellNorm { running: pass.running(self.norm), eps: NORM_EPS };
        let cell = shaders::mixed_cell(pass.kernels, text, p, norm);
        if let Some(moments) = cell.moments.filter(|_| pass.is_training()) {
            pass.observe_uses(self.norm, moments, columns);
        }
        cell.outputs
    }

    /// Pairs of a node and a state that it reads.
    fn pairs(&self) -> usize {
        self.count * (self.count + 1) / 2
    }
}

impl Network for RecurrentNet {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn architecture(&self) -> &[Choice] {
        &self.architecture
    }
}

impl LanguageNet for RecurrentNet {
    fn embedding(&self) -> usize {
        self.reader.embedding()
    }

    fn forward(
        &self,
        words: Tensor<2, Int>,
        hidden: Tensor<2>,
        p: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Predicted {
        self.reader.forward((words, hidden), pass, |text, pass| self.states(text, p, pass))
    }

    fn multiply_adds(&self, target: GradientTarget) -> u64 {
        let (width, vocabulary) = (self.reader.hidden as u64, self.reader.vocabulary as u64);
        let products = |of_state: bool| match target {
            GradientTarget::Nothing => 1,
            GradientTarget::Architecture => 1 + u64::from(of_state),
            GradientTarget::Weights => 3,
        };
        let edges = self.architecture.iter().map(|choice| choice.rows.len() as u64).sum::<u64>();
        let of_states = 2 * width * width * (1 + edges) + width * vocabulary;
        2 * width * width * products(false) + of_states * products(true)
    }
}
