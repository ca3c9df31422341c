//! The recurrent supernet: every node weighs what all activations make of all states before it (spec §10).

use burn::tensor::{Int, Tensor};
use shaders::{Norm, PendingNorm};

use super::{INIT, Reader, Sequence, first_state, gate_and_candidate, inputs, masked};
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

/// The cell in one pass.
struct Cell {
    /// What the hidden state meets on its way to state 0, [hidden, 2 · hidden].
    first: Tensor<2>,
    /// W_i and the p of its edges, [states, activations], of every node.
    nodes: Vec<(Tensor<2>, Tensor<2>)>,
    mask: Option<Tensor<2>>,
    /// [2, hidden]; none in train mode.
    running: Option<Tensor<2>>,
    /// What the batch norm saw, [2, hidden] of every use.
    seen: Vec<Tensor<2>>,
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
        let first = pass.weight(self.first, [2 * width, 2 * width]);
        let Sequence { x, hidden, mask } = text;
        let inputs = inputs(x, first.clone().narrow(0, 0, width), pass);
        let mut cell = Cell {
            first: first.narrow(0, width, width),
            nodes: p.first().map_or_else(Vec::new, |p| self.nodes_of(p, pass)),
            mask,
            running: pass.running(self.norm),
            seen: Vec::new(),
        };
        let mut state = hidden;
        let mut states = Vec::with_capacity(inputs.len());
        for input in inputs {
            state = cell.forward(input, state, pass);
            states.push(state.clone());
        }
        if pass.is_training() {
            pass.observe_uses(self.norm, Tensor::stack(cell.seen, 0), columns);
        }
        Tensor::stack(states, 0)
    }

    fn nodes_of(&self, p: &Tensor<2>, pass: &Pass) -> Vec<(Tensor<2>, Tensor<2>)> {
        let (width, kernels) = (self.reader.hidden, pass.kernels);
        let weights = pass.block(self.nodes);
        let sizes = vec![2 * width * width; self.count];
        let weights = shaders::split_with_sizes(kernels, weights, &sizes).into_iter();
        let start = |node: usize| node * (node + 1) / 2;
        let node = |(index, weights): (usize, Tensor<1>)| {
            let p = p.clone().narrow(0, start(index), index + 1);
            (weights.reshape([width, 2 * width]), p)
        };
        weights.enumerate().map(node).collect()
    }
}

impl Cell {
    /// The next hidden state, [columns, hidden].
    fn forward(&mut self, input: Tensor<2>, hidden: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let (mask, nodes) = (self.mask.clone(), self.nodes.clone());
        let mask = mask.as_ref();
        let first = first_state(input, hidden, self.first.clone(), mask);
        let mut states = vec![self.normalise(first, pass)];
        let mut met = vec![masked(states[0].clone(), mask)];
        for (weights, p) in nodes {
            let product = Tensor::cat(met.clone(), 0).matmul(weights);
            let node = self.normalise(mixed(product, &states, &p), pass);
            met.push(masked(node.clone(), mask));
            states.push(node);
        }
        let count = self.nodes.len().max(1) as f64;
        let last = states[0].clone();
        let sum = states.into_iter().skip(1).reduce(|sum, node| sum + node);
        sum.map_or(last, |sum| sum.div_scalar(count))
    }

    fn normalise(&mut self, x: Tensor<2>, pass: &Pass) -> Tensor<2> {
        let [columns, width] = x.dims();
        let x = x.reshape([columns, 1, 1, width]);
        let of_batch = self.running.is_none();
        let moments = self.running.clone().unwrap_or_else(|| {
            let moments = shaders::moments(pass.kernels, x.clone(), 1);
            self.seen.push(moments.clone());
            moments
        });
        let norm = Some(Norm { moments, of_batch, eps: NORM_EPS, affine: None });
        pass.apply(PendingNorm { x, norm }).reshape([columns, width])
    }
}

/// Σ_j Σ_k p_jk·(s_j + σ(c_j)·(f_k(z_j) − s_j)): with q_j = Σ_k p_jk that is
/// Σ_j q_j·s_j + σ(c_j)·(Σ_k p_jk·f_k(z_j) − q_j·s_j).
///
/// # Shapes
/// - `product`: [states · columns, 2 · width], (c, z) of every state
/// - `states`: [columns, width] each
/// - `p`: [states, activations]
/// - output: [columns, width]
fn mixed(product: Tensor<2>, states: &[Tensor<2>], p: &Tensor<2>) -> Tensor<2> {
    let (count, [columns, width]) = (states.len(), states[0].dims());
    let shape = [count, columns, width];
    let (gate, z) = gate_and_candidate(product);
    let weights = |column: usize| p.clone().narrow(1, column, 1).reshape([count, 1, 1]);
    let kinds = Activation::ALL.into_iter().enumerate().filter(|(_, it)| *it != Activation::None);
    let weighed =
        kinds.clone().map(|(column, kind)| kind.apply(z.clone()).reshape(shape) * weights(column));
    let share = kinds.map(|(column, _)| weights(column)).reduce(|sum, it| sum + it);
    let (Some(value), Some(share)) = (weighed.reduce(|sum, it| sum + it), share) else {
        return states[0].zeros_like();
    };
    let kept = Tensor::stack::<3>(states.to_vec(), 0) * share;
    let sum = kept.clone() + gate.reshape(shape) * (value - kept);
    sum.sum_dim(0).reshape([columns, width])
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
