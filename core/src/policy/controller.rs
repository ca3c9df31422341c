//! ENAS for NAS-Bench-1Shot1: an LSTM draws architectures one decision after another and learns by REINFORCE
//! which of them are right more often on a validation batch. What is derived is the best of many that are ranked.
//!
//! Paper: *Efficient Neural Architecture Search via Parameter Sharing* (Pham, Guan, Zoph, Le, Dean, ICML 2018).
//! Settings: section `sampling`.
//!
//! The order of decisions is that of the released code. The block of a cell that reads only its input is given.
//! Then for each further node, the output last, the controller draws what it reads, without replacement, and then
//! one operation. So there are as many operations as blocks, and the one that is drawn with what block k reads
//! is that of block k − 1.

mod walk;

use burn::tensor::{Device, Tensor, TensorData};
use rand_pcg::Pcg64;

use super::uniform::{self, Best};
use super::{Architecture, Draw, Drawn, Entry, Pick, Policy, Ranking, Sample, Sampler, Setup};
use crate::arrays::{ArrayError, Arrays, Later, find, matrix};
use crate::cell::{Choice, ChoiceKind, Row};
use crate::config::AlphaOptimiser;
use crate::nn::{ReadError, read};
use crate::optim::{Moments, adam};
use crate::rng::{Stream, Streams, uniform as uniform_numbers};
pub use walk::{Deciding, Decisions, Node, Walk, walk};

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "controller",
    help: "p is an architecture that an LSTM draws, which learns from its accuracy by REINFORCE",
    has_alpha: false,
    // It draws what blocks read.
    fits: |setup| {
        let has_blocks = setup.choices.iter().any(|choice| choice.kind == ChoiceKind::Output);
        !setup.takes.is_empty() && has_blocks
    },
    new: |setup| Box::new(Controller::new(setup)),
    read: uniform::read,
};

/// Size of its state.
pub const STATE: usize = 64;

/// Weight of the entropy in the reward, which is an accuracy in percent.
const ENTROPY: f64 = 1e-4;

/// Share of the old baseline in the new one.
const BASELINE: f64 = 0.99;

/// What initial weights lie within, and the bias of the first two operations.
const START: (f32, f32) = (0.1, 10.0);

/// Batches of a ranking of its architectures.
const BATCHES: usize = 1;

/// Adam of the released code (spec §7.6).
pub fn optimiser() -> AlphaOptimiser {
    AlphaOptimiser {
        learning_rate: 3.5e-4,
        beta1: 0.1,
        beta2: 0.999,
        eps: 1e-3,
        weight_decay: 0.0,
        ..AlphaOptimiser::default()
    }
}

/// The weights of a controller, by the names of the reference code; each a matrix.
pub const WEIGHTS: [&str; 10] = [
    "encoder.weight",
    "lstm.weight_ih",
    "lstm.weight_hh",
    "lstm.bias_ih",
    "lstm.bias_hh",
    "v_attn.weight",
    "w_attn_1.weight",
    "w_attn_2.weight",
    "w_soft.weight",
    "b_soft",
];

/// Their shapes, for so many operations.
pub fn shapes(operations: usize, state: usize) -> [[usize; 2]; 10] {
    let square = [state, state];
    [
        [operations + 1, state],
        [4 * state, state],
        [4 * state, state],
        [1, 4 * state],
        [1, 4 * state],
        [1, state],
        square,
        square,
        [operations, state],
        [1, operations],
    ]
}

/// Where it stands: weights, their moments and the baseline of the reward.
#[derive(Clone, Debug)]
pub struct Learner {
    /// In the order of [`WEIGHTS`].
    pub weights: Vec<Tensor<2>>,
    moments: Vec<Moments>,
    /// [baseline, rounds], as a matrix for checkpoints.
    baseline: [f64; 2],
}

/// What a round of learning gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Accuracy in percent, and the weighted entropy.
    pub reward: f64,
    /// The baseline after it.
    pub baseline: f64,
    /// −log π · (reward − baseline).
    pub loss: f64,
}

impl Learner {
    /// At these weights, with this baseline.
    pub fn at(weights: Vec<Tensor<2>>, baseline: f64) -> Self {
        let zero = |w: &Tensor<2>| Moments { first: w.zeros_like(), second: w.zeros_like() };
        Self { moments: weights.iter().map(zero).collect(), weights, baseline: [baseline, 0.0] }
    }

    /// The gradient of −log π of decisions, and the walk along them.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn gradient(
        &self,
        nodes: &[Node],
        decisions: &Decisions,
    ) -> Result<(Vec<Tensor<2>>, Walk), ReadError> {
        let weights: Vec<_> =
            self.weights.iter().map(|w| w.clone().autodiff().require_grad()).collect();
        let found = walk(&weights, nodes, Deciding::Given(decisions)).await?;
        let mut gradients = found.neg_log_prob.backward();
        let gradient = weights.iter().map(|weight| {
            let found = weight.grad_remove(&mut gradients);
            found.unwrap_or_else(|| weight.clone().inner().zeros_like())
        });
        Ok((gradient.collect(), found))
    }

    /// One step of REINFORCE: the baseline is updated before it is subtracted, as in the released code.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn learn(
        &mut self,
        nodes: &[Node],
        decisions: &Decisions,
        percent: f64,
    ) -> Result<Round, ReadError> {
        let (gradient, found) = self.gradient(nodes, decisions).await?;
        let number = |tensor: Tensor<1>| async move {
            Ok::<_, ReadError>(f64::from(
                read(tensor.inner()).await?.first().copied().unwrap_or(0.0),
            ))
        };
        let reward = percent + ENTROPY * number(found.entropy).await?;
        let [baseline, rounds] = self.baseline;
        let baseline = BASELINE * baseline + (1.0 - BASELINE) * reward;
        let loss = number(found.neg_log_prob).await? * (reward - baseline);
        self.baseline = [baseline, rounds + 1.0];
        let tensors = self.weights.iter_mut().zip(&mut self.moments).zip(gradient);
        for ((weight, moments), gradient) in tensors {
            let gradient = gradient.mul_scalar(reward - baseline);
            let step = rounds as u64 + 1;
            (*weight, *moments) =
                adam(weight.clone(), moments.clone(), gradient, step, &optimiser());
        }
        Ok(Round { reward, baseline, loss })
    }
}

/// The controller and the best architecture so far.
pub struct Controller {
    choices: Vec<Choice>,
    nodes: Vec<Node>,
    learner: Learner,
    best: Best,
    ranking: Ranking,
    rounds: usize,
    computes_all: bool,
}

impl Controller {
    fn new(setup: &Setup) -> Self {
        let nodes = nodes(setup.choices, &setup.takes);
        let operations = setup.choices.first().map_or(0, |choice| choice.shape()[1]);
        Self {
            choices: setup.choices.to_vec(),
            nodes,
            learner: Learner::at(initial(operations, setup.streams, setup.device), 0.0),
            best: Best::new(setup),
            ranking: uniform::ranking(setup.config, BATCHES),
            rounds: setup.config.sampling.rounds,
            computes_all: setup.config.quirks.enas_computes_all,
        }
    }

    async fn decisions(&self, rng: Pcg64) -> Result<Decisions, ReadError> {
        Ok(walk(&self.learner.weights, &self.nodes, Deciding::Drawn(rng)).await?.decisions)
    }
}

fn initial(operations: usize, streams: &Streams, device: &Device) -> Vec<Tensor<2>> {
    let (bound, bias) = START;
    let weight = |(index, shape): (usize, [usize; 2])| {
        let mut rng = streams.at(Stream::Alpha, index as u64);
        let mut values = uniform_numbers(&mut rng, shape[0] * shape[1], -bound, bound);
        if WEIGHTS[index] == "b_soft" {
            let start =
                |(option, value): (usize, &mut f32)| *value = if option < 2 { bias } else { 0.0 };
            values.iter_mut().enumerate().for_each(start);
        }
        Tensor::from_data(TensorData::new(values, shape), device)
    };
    shapes(operations, STATE).into_iter().enumerate().map(weight).collect()
}

/// What is drawn for every node after the first block: how many states it reads. A block without a choice reads
/// all before it.
pub fn nodes(choices: &[Choice], takes: &[usize]) -> Vec<Node> {
    let output = choices.iter().find(|choice| choice.kind == ChoiceKind::Output);
    let last = output.and_then(|choice| choice.rows.first()).map_or(0, |row| row.node);
    let node = |state: usize| {
        let reads = |choice: &Choice| {
            let own = |row: &Row| row.node == state && choice.kind != ChoiceKind::Operation;
            choice.rows.iter().any(own)
        };
        let chosen = choices.iter().position(reads);
        Node { state, parents: chosen.map_or(state, |index| takes[index]) }
    };
    (2..=last).map(node).collect()
}

/// The architecture of decisions.
pub fn architecture(choices: &[Choice], nodes: &[Node], decisions: &Decisions) -> Architecture {
    let parents = |state: usize| {
        let at = nodes.iter().position(|node| node.state == state);
        at.map_or(&[][..], |at| &decisions.parents[at])
    };
    let rows = |choice: &Choice| {
        let row = |(index, row): (usize, &Row)| {
            let mut p = vec![0.0; row.options.len()];
            match choice.kind {
                ChoiceKind::Operation => p[decisions.operations[index]] = 1.0,
                _ => parents(row.node).iter().for_each(|&state| p[state] = 1.0),
            }
            p
        };
        choice.rows.iter().enumerate().map(row).collect()
    };
    choices.iter().map(rows).collect()
}

impl Policy for Controller {
    fn leaves(&self) -> &[Tensor<2>] {
        &[]
    }

    fn relax(&self, _: &[Tensor<2>], draw: Draw) -> Vec<Tensor<2>> {
        self.best.relax(&draw)
    }

    fn pick<'a>(&'a self, sample: &'a Sample) -> Pick<'a> {
        let drawn = sample.architecture.as_ref().filter(|_| !self.computes_all);
        let picked = drawn.map(|architecture| uniform::picked(&self.choices, architecture));
        Box::pin(async move { Ok(picked) })
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn sampler_mut(&mut self) -> Option<&mut dyn Sampler> {
        Some(self)
    }

    fn learn(&mut self, _: Vec<Tensor<2>>, _: u64) {}

    fn saved(&self) -> Vec<(String, Tensor<2>)> {
        let Learner { weights, moments, baseline } = &self.learner;
        let learnt =
            WEIGHTS.iter().zip(weights).zip(moments).flat_map(|((name, weight), moments)| {
                [
                    (format!("controller.{name}"), weight.clone()),
                    (format!("controller.first.{name}"), moments.first.clone()),
                    (format!("controller.second.{name}"), moments.second.clone()),
                ]
            });
        let device = weights.first().map(Tensor::device).unwrap_or_default();
        let numbers = split(*baseline);
        let numbers = Tensor::from_data(TensorData::new(numbers.to_vec(), [1, 3]), &device);
        let baseline = ("controller.baseline".to_owned(), numbers);
        self.best.saved().into_iter().chain(learnt).chain([baseline]).collect()
    }

    fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError> {
        let mut learner = self.learner.clone();
        for (index, name) in WEIGHTS.iter().enumerate() {
            let shape = learner.weights[index].dims();
            let get = |name: &str| matrix(arrays, name, shape, device);
            learner.weights[index] = get(&format!("controller.{name}"))?;
            learner.moments[index] = Moments {
                first: get(&format!("controller.first.{name}"))?,
                second: get(&format!("controller.second.{name}"))?,
            };
        }
        let numbers = find(arrays, "controller.baseline", &[1, 3])?;
        learner.baseline = joined(&numbers.values);
        self.best.restore(arrays, device)?;
        self.learner = learner;
        Ok(())
    }
}

/// A baseline in double precision, and a count, as single numbers that give it back exactly.
fn split([baseline, rounds]: [f64; 2]) -> [f32; 3] {
    let high = baseline as f32;
    [high, (baseline - f64::from(high)) as f32, rounds as f32]
}

fn joined(numbers: &[f32]) -> [f64; 2] {
    let number = |index: usize| numbers.get(index).map_or(0.0, |&number| f64::from(number));
    [number(0) + number(1), number(2)]
}

impl Sampler for Controller {
    fn ranking(&self) -> Ranking {
        self.ranking
    }

    fn rounds(&self) -> usize {
        self.rounds
    }

    fn draw(&self, rng: Pcg64) -> Drawn<'_> {
        Box::pin(async move {
            let decisions = self.decisions(rng).await?;
            Ok(architecture(&self.choices, &self.nodes, &decisions))
        })
    }

    fn reward(&mut self, rng: Pcg64, accuracy: f64) -> Later<'_, Result<(), ReadError>> {
        Box::pin(async move {
            let decisions = self.decisions(rng).await?;
            self.learner.learn(&self.nodes, &decisions, 100.0 * accuracy).await?;
            Ok(())
        })
    }

    fn choose(&mut self, best: &Architecture) {
        self.best.choose(best);
    }
}
