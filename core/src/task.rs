//! What a network learns: from a batch to a loss.
//!
//! A [`Task`] is one of the three axes that are free of each other in the paper (the others are the
//! space and the policy). It says what a batch is, how it comes to the device, and which loss the
//! network has on it; [`Model`] makes losses and gradients of that, and everything after it is the
//! same for all tasks. [`Classify`]: images and their classes. [`Training`]: the same for a network without
//! choices, with the losses that a final training has. [`Language`]: the words of a text and those that follow.

mod classify;
mod language;
mod model;
mod recorded;
mod tally;
mod training;

use std::collections::BTreeSet;

use burn::tensor::{Device, Tensor};

use crate::net::Network;
use crate::nn::{GradientTarget, Pass};
pub use classify::{Classify, ImageBatch};
pub use language::{Hidden, Language, TextInput};
pub use model::{LossOfP, Model, Outcome, Point, Relax};
pub use recorded::{Learned, Recorded};
pub use tally::Tally;
pub use training::Training;

/// A kind of learning. The concrete task is a type, so that a step calls it without dispatch.
pub trait Task: Clone + 'static {
    /// The networks that it trains.
    type Net: Network + ?Sized;
    /// A batch on the host.
    type Batch: Clone;
    /// A batch on the device, with the state in which the network comes to it.
    type Input: Clone + 'static;
    /// What the network takes from one batch to the next.
    type Carry: Carry;

    /// Brings a batch to the device. Its numbers are handed over and not copied here: on a GPU a thread of the
    /// device's own does that.
    fn upload(&self, batch: Self::Batch, carry: &Self::Carry, device: &Device) -> Self::Input;

    /// Examples of a batch: what losses are means over.
    fn count(&self, input: &Self::Input) -> usize;

    /// The loss of a batch, with every choice of the network weighted by `p`.
    ///
    /// # Shapes
    /// - `p`: [rows, options] for every choice
    fn loss(
        &self,
        network: &Self::Net,
        input: &Self::Input,
        p: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Scored<Self::Carry>;

    /// A batch that starts from what another one left.
    fn continued(&self, input: &Self::Input, _carry: &Self::Carry) -> Self::Input {
        input.clone()
    }

    /// The same examples in batches of a good size for evaluations.
    fn merged(&self, inputs: Vec<Self::Input>) -> Vec<Self::Input> {
        inputs
    }

    /// Number of right answers, `[1]`.
    ///
    /// # Shapes
    /// - `logits`: [examples, classes], detached
    fn correct(&self, input: &Self::Input, logits: Tensor<2>) -> Tensor<1>;

    /// The perplexity at a mean loss, in nats; none where nobody speaks of it.
    fn perplexity(&self, _loss: f64) -> Option<f64> {
        None
    }

    /// What the learning rate of the weights is multiplied by for a batch.
    fn rate(&self, _input: &Self::Input) -> f64 {
        1.0
    }

    /// What the virtual step of the second-order gradient does besides.
    fn virtual_step(&self, _network: &Self::Net) -> VirtualStep {
        VirtualStep::default()
    }

    /// A batch as rows of numbers, for passes that are recorded; none where those of the task cannot be.
    fn rows_of(&self, _input: &Self::Input) -> Option<Vec<Tensor<1>>> {
        None
    }

    /// The batch of such rows.
    fn input_of(&self, _rows: &[Tensor<1>]) -> Option<Self::Input> {
        None
    }

    /// Multiply-adds of a pass for one example, with those of the gradients that are wanted.
    fn multiply_adds(&self, network: &Self::Net, target: GradientTarget) -> u64;
}

/// What a pass over a batch gives.
pub struct Scored<C> {
    /// The mean loss, `[1]`; part of the graph where a gradient is wanted.
    pub loss: Tensor<1>,
    /// What is added to the loss where weights descend it, `[1]`: neither the architecture nor an attack
    /// knows of it.
    pub penalty: Option<Tensor<1>>,
    /// What the network says of every example, [examples, classes]; of a text what its decoder reads. Part of
    /// the graph too.
    pub logits: Tensor<2>,
    /// Number of right answers, `[1]` and detached, where the loss has counted them.
    pub right: Option<Tensor<1>>,
    /// What the next batch starts from, detached.
    pub carry: C,
}

/// What the virtual step of the second-order gradient of α does besides (spec §2.3).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VirtualStep {
    /// Largest 2-norm of the gradients of weights; none where they are not clipped.
    pub clip: Option<f64>,
    /// Whether the correction is multiplied by clip / norm also where that is above 1.
    pub uncapped: bool,
    /// Weights that stay where they are, by their slots.
    pub held: BTreeSet<usize>,
}

/// What a network takes from one batch to the next: nothing from images to images, its hidden state
/// along a text. It is a part of the checkpoint.
pub trait Carry: Clone + Default {
    /// As matrices; none at the start of an epoch.
    fn tensors(&self) -> Vec<Tensor<2>>;

    /// From the matrices of [`Self::tensors`].
    fn from_tensors(tensors: Vec<Tensor<2>>) -> Self;
}

impl Carry for () {
    fn tensors(&self) -> Vec<Tensor<2>> {
        Vec::new()
    }

    fn from_tensors(_: Vec<Tensor<2>>) -> Self {}
}
