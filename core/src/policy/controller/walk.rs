//! One architecture, decision by decision.

use burn::tensor::{Tensor, TensorData, activation};
use rand::RngExt;
use rand_pcg::Pcg64;
use shaders::{Kernels, product};

use crate::nn::{ReadError, read};

/// Logits of what a node reads are divided by it.
const TEMPERATURE: f64 = 5.0;

/// And lie within ±2.5 then.
const TANH: f64 = 2.5;

/// Logits of operations lie within ±2.5 / 5.
const OPERATION_TANH: f64 = TANH / 5.0;

/// Added to the logits of the operations: the first two are favoured, the others are not.
const BIAS: f32 = 0.25;

/// A node whose parents are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its state: it may read those before it.
    pub state: usize,
    /// How many it reads.
    pub parents: usize,
}

/// What was decided for every node, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// The states that it reads, as they were drawn.
    pub parents: Vec<Vec<usize>>,
    /// The operation that was drawn after them.
    pub operations: Vec<usize>,
}

/// How decisions are made.
pub enum Deciding<'a> {
    /// They are known.
    Given(&'a Decisions),
    /// They are drawn.
    Drawn(Pcg64),
}

/// What a walk found.
pub struct Walk {
    /// The decisions.
    pub decisions: Decisions,
    /// Σ −log π, `[1]`: of the parents of a node the mean, of its operation as it is.
    pub neg_log_prob: Tensor<1>,
    /// The sum of the entropies of all distributions, `[1]`.
    pub entropy: Tensor<1>,
    /// The distributions: of every node that of its parents, then that of its operation.
    pub probabilities: Vec<Tensor<2>>,
}

/// An LSTM cell, and what it attends by.
struct Cell<'a> {
    weights: &'a [Tensor<2>],
    hidden: Tensor<2>,
    memory: Tensor<2>,
}

impl Cell<'_> {
    fn product(&self, x: Tensor<2>, weight: usize) -> Tensor<2> {
        product(Kernels::Composed, x, self.weights[weight].clone())
    }

    /// One step (gates i, f, g, o).
    fn step(&mut self, input: Tensor<2>) -> Tensor<2> {
        let gates = self.product(input, 1)
            + self.weights[3].clone()
            + self.product(self.hidden.clone(), 2)
            + self.weights[4].clone();
        let size = self.hidden.dims()[1];
        let gate = |index: usize| gates.clone().slice_dim(1, index * size..(index + 1) * size);
        let sigmoid = |index: usize| activation::sigmoid(gate(index));
        self.memory = sigmoid(1) * self.memory.clone() + sigmoid(0) * gate(2).tanh();
        self.hidden = sigmoid(3) * self.memory.clone().tanh();
        self.hidden.clone()
    }

    /// The row of the encoder.
    fn encoded(&self, row: usize) -> Tensor<2> {
        self.weights[0].clone().slice_dim(0, row..row + 1)
    }

    fn key(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.product(hidden, 6)
    }

    /// Logits of the states with these keys.
    fn attention(&self, keys: &[Tensor<2>], hidden: Tensor<2>) -> Tensor<2> {
        let query = Tensor::cat(keys.to_vec(), 0) + self.product(hidden, 7);
        let logits = self.product(query.tanh(), 5).transpose();
        logits.div_scalar(TEMPERATURE).tanh().mul_scalar(TANH)
    }

    /// Logits of the operations.
    fn operations(&self, hidden: Tensor<2>) -> Tensor<2> {
        let logits = self.product(hidden, 8) + self.weights[9].clone();
        let count = logits.dims()[1];
        let bias = (0..count).map(|option| if option < 2 { BIAS } else { -BIAS }).collect();
        let bias = Tensor::from_data(TensorData::new(bias, [1, count]), &logits.device().inner());
        let bias = if logits.is_autodiff() { bias.autodiff() } else { bias };
        logits.div_scalar(TEMPERATURE).tanh().mul_scalar(OPERATION_TANH) + bias
    }
}

/// Walks through the nodes.
///
/// # Errors
/// If the device failed.
pub async fn walk(
    weights: &[Tensor<2>],
    nodes: &[Node],
    mut deciding: Deciding<'_>,
) -> Result<Walk, ReadError> {
    let zeros = {
        let size = weights[0].dims()[1];
        let zeros = Tensor::zeros([1, size], &weights[0].device().inner());
        if weights[0].is_autodiff() { zeros.autodiff() } else { zeros }
    };
    let mut cell = Cell { weights, hidden: zeros.clone(), memory: zeros.clone() };
    let nothing = zeros.clone().slice_dim(1, 0..1).reshape([1]);
    let mut found = Walk {
        decisions: Decisions::default(),
        neg_log_prob: nothing.clone(),
        entropy: nothing,
        probabilities: Vec::new(),
    };
    // The input and the block that reads it alone.
    let (mut anchors, mut keys) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let hidden = cell.step(cell.encoded(0));
        anchors.push(zeros.clone());
        keys.push(cell.key(hidden));
    }
    for (index, node) in nodes.iter().enumerate() {
        let hidden = cell.step(cell.encoded(0));
        let logits = cell.attention(&keys[..node.state], hidden);
        let known = |it: &Decisions| it.parents[index].clone();
        let parents = found.decide(logits, node.parents, &mut deciding, known).await?;
        let last = parents.last().copied().unwrap_or(0);
        let hidden = cell.step(anchors[last].clone());
        let known = |it: &Decisions| vec![it.operations[index]];
        let logits = cell.operations(hidden);
        let operation = found.decide(logits, 1, &mut deciding, known).await?;
        let operation = operation.first().copied().unwrap_or(0);
        let hidden = cell.step(cell.encoded(operation + 1));
        keys.push(cell.key(hidden.clone()));
        anchors.push(hidden);
        found.decisions.parents.push(parents);
        found.decisions.operations.push(operation);
    }
    Ok(found)
}

impl Walk {
    /// Takes `count` different options of these logits.
    async fn decide(
        &mut self,
        logits: Tensor<2>,
        count: usize,
        deciding: &mut Deciding<'_>,
        known: impl Fn(&Decisions) -> Vec<usize>,
    ) -> Result<Vec<usize>, ReadError> {
        let log = activation::log_softmax(logits, 1);
        let plain = if log.is_autodiff() { log.clone().inner() } else { log.clone() };
        let probabilities = plain.exp();
        let taken = match deciding {
            Deciding::Given(decisions) => known(decisions),
            Deciding::Drawn(rng) => drawn(read(probabilities.clone()).await?, count, rng),
        };
        let each = taken.iter().map(|&option| log.clone().slice_dim(1, option..option + 1));
        let mean = Tensor::cat(each.collect(), 1).mean().reshape([1]);
        self.neg_log_prob = self.neg_log_prob.clone() - mean;
        self.entropy = self.entropy.clone() - (log.clone().exp() * log).sum().reshape([1]);
        self.probabilities.push(probabilities);
        Ok(taken)
    }
}

/// So many options by their weights, without replacement.
fn drawn(mut weights: Vec<f32>, count: usize, rng: &mut Pcg64) -> Vec<usize> {
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count.min(weights.len()) {
        let mut left = rng.random::<f32>() * weights.iter().sum::<f32>();
        let mut option = weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0);
        for (index, &weight) in weights.iter().enumerate() {
            if weight > 0.0 && left < weight {
                option = index;
                break;
            }
            left -= weight;
        }
        weights[option] = 0.0;
        taken.push(option);
    }
    taken
}
