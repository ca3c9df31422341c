//! What the parts of a step start from: rates, draws, batches, and which weights have been used.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::Search;
use crate::arrays::{Array, ArrayError, Arrays, vector};
use crate::net::Network as _;
use crate::nn::{Layout, Randomness, ReadError, drop_path};
use crate::optim::cosine;
use crate::policy::{Draw, Policy, Sample};
use crate::rng::{Stream, Streams};
use crate::run::noise::{Noise, Purpose};
use crate::run::{Position, state};
use crate::task::{Model, Point, Task};

/// What a policy draws for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    Alpha,
    Weights,
    /// The batch of this index of an evaluation.
    Evaluation(usize),
    Hessian,
    /// A step of a controller, by its number after an epoch.
    Round(usize),
    /// An architecture that is ranked.
    Ranked(usize),
}

impl For {
    /// Its place in the stream: every purpose has places of its own.
    pub fn place(self, at: Position, single_level: bool) -> u64 {
        let one_of = |index: usize| (at.total_steps << 20) + index as u64;
        match self {
            Self::Alpha if !single_level => 2 * at.total_steps,
            Self::Alpha | Self::Weights => 2 * at.total_steps + 1,
            Self::Evaluation(index) => (1 << 62) + one_of(index),
            Self::Round(index) => (1 << 61) + one_of(index),
            Self::Ranked(index) => (1 << 61) + (1 << 60) + one_of(index),
            Self::Hessian => (1 << 63) + at.total_steps,
        }
    }
}

impl<T: Task> Search<T> {
    /// The rate of this epoch; of the next one where the quirk says so.
    pub(super) fn learning_rate(&self, epoch: usize) -> f64 {
        let shift = usize::from(self.config.quirks.learning_rate_shift);
        let (epoch, epochs) = self.config.scheduled(epoch);
        cosine(&self.config.weights, epoch + shift, epochs)
    }

    /// The rate of a step: that of its epoch, as the task scales it for this batch.
    pub(super) fn rate(&self, at: Position, train: &T::Input) -> f64 {
        self.learning_rate(at.epoch) * self.model.task.rate(train)
    }

    /// The radius of this epoch; 0 without a perturbation.
    pub(super) fn epsilon(&self, epoch: usize) -> f64 {
        self.method.perturbation.epsilon(&self.config, epoch)
    }

    /// What p is asked for: the mean in evaluations and measurements, unless the policy draws there too.
    pub(super) async fn draw(&self, at: Position, purpose: For) -> Result<Draw, ReadError> {
        let steps = matches!(purpose, For::Alpha | For::Weights);
        if !steps && !self.policy.evaluates_draws() {
            return Ok(Draw::Mean);
        }
        let (epoch, epochs) = self.config.scheduled(at.epoch);
        let last = epochs.saturating_sub(1).max(1);
        let place = purpose.place(at, self.policy.is_single_level());
        let mut sample = Sample {
            rng: self.streams.at(Stream::Policy, place),
            progress: epoch as f64 / last as f64,
            picked: None,
            architecture: None,
        };
        if let Some(sampler) = self.policy.sampler() {
            sample.architecture = Some(Arc::new(sampler.draw(sample.rng.clone()).await?));
        }
        sample.picked = self.policy.pick(&sample).await?;
        Ok(Draw::Step(sample))
    }

    /// The network, as a function of weights and architecture.
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The architecture where the search stands.
    pub fn policy(&self) -> &dyn Policy {
        self.policy.as_ref()
    }

    /// The weights and statistics where the search stands.
    pub fn point(&self, eval: bool) -> Point<'_> {
        self.state.point(eval)
    }

    pub(super) fn noise(&self, at: Position, purpose: Purpose) -> Noise {
        let (epoch, epochs) = self.config.scheduled(at.epoch);
        let drop_path = drop_path(self.config.search.drop_path, epoch, epochs);
        let mut noise = Noise::new(self.streams, at, purpose, drop_path);
        noise.skip_dropout = self.config.skip_dropout(at.epoch);
        noise
    }

    /// A batch on the device of the search.
    pub(super) fn upload(&self, batch: T::Batch, carry: &T::Carry) -> T::Input {
        self.model.task.upload(batch, carry, &self.device)
    }

    /// Remembers that these weights had a part in a step.
    pub(super) fn wake(&mut self, used: &BTreeSet<usize>) {
        if let Some(awake) = &mut self.awake {
            awake.add(self.model.network.layout(), used);
        }
    }
}

/// Draws for the eye, which are not those of the search.
pub(super) fn for_the_eye(streams: Streams) -> Randomness {
    streams.at(Stream::Noise, u64::MAX).into()
}

/// The name in a checkpoint.
const AWAKE: &str = "awake";

/// The weights that a step has used so far. The others rest: no step changes them or their momentum, not even
/// by weight decay, as gradients that are missing do in PyTorch before 2.
pub(super) struct Awake {
    /// 1 or 0 for each weight, flat.
    mask: Tensor<1>,
}

impl Awake {
    pub fn new(layout: &Layout, device: &Device) -> Self {
        Self { mask: Tensor::zeros([layout.weight_count()], device) }
    }

    pub fn add(&mut self, layout: &Layout, used: &BTreeSet<usize>) {
        let used = vector(layout.mask(used), &self.mask.device());
        self.mask = self.mask.clone().max_pair(used);
    }

    /// `after` of what is awake, `before` of what rests.
    pub fn choose(&self, before: Tensor<1>, after: Tensor<1>) -> Tensor<1> {
        let awake = self.mask.clone().greater_elem(0.5);
        before.mask_where(awake, after)
    }

    pub async fn save(&self, layout: &Layout, arrays: &mut Arrays) -> Result<(), ReadError> {
        let array: Array = state::flat(layout, &self.mask).await?;
        arrays.insert(AWAKE.to_owned(), array);
        Ok(())
    }

    pub fn load(arrays: &Arrays, layout: &Layout, device: &Device) -> Result<Self, ArrayError> {
        Ok(Self { mask: state::placed(arrays, AWAKE, layout, device)? })
    }
}
