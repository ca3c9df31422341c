//! From architecture parameters to p: which parameters there are, how p follows from them, and how
//! they learn.
//!
//! A policy is one of the three axes that are free of each other in the paper (the others are the
//! task and the space). The network, the perturbations and the measures see only p, a matrix for
//! every choice whose rows weigh its options; so a new policy is a file here and a row of [`ALL`]:
//! [`softmax`], [`gumbel`], [`concrete`], [`proximal`], [`uniform`], [`controller`].

pub mod concrete;
pub mod controller;
pub mod gumbel;
pub mod proximal;
pub mod softmax;
pub mod uniform;

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rand_pcg::Pcg64;

use crate::arrays::{ArrayError, Arrays, Later};
use crate::cell::{Choice, Rows};
use crate::config::Config;
use crate::nn::{Picked, ReadError};
use crate::rng::Streams;

/// What p is asked for.
#[derive(Clone, Debug)]
pub enum Draw {
    /// The p that is derived from, evaluated and measured: no draw.
    Mean,
    /// The p of a step, from the draws of its position. Policies that draw nothing give the mean.
    Step(Sample),
}

impl Draw {
    /// The options that are computed, where not all are.
    pub fn picked(&self) -> Option<Arc<Picked>> {
        match self {
            Self::Mean => None,
            Self::Step(sample) => sample.picked.clone(),
        }
    }
}

/// One draw: the same as often as p is asked for.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where it draws from.
    pub rng: Pcg64,
    /// How far the schedules of the search are, from 0 in its first epoch to 1 in its last.
    pub progress: f64,
    /// What [`Policy::pick`] gave for it.
    pub picked: Option<Arc<Picked>>,
    /// What [`Sampler::draw`] gave for it, of a policy that draws whole architectures.
    pub architecture: Option<Arc<Architecture>>,
}

/// An architecture as p: 1 for what it takes and 0 for all else, choice by choice.
pub type Architecture = Vec<Rows>;

/// An architecture, once the device has told what it depends on.
pub type Drawn<'a> = Later<'a, Result<Architecture, ReadError>>;

/// How architectures are ranked after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// Architectures that are drawn.
    pub architectures: usize,
    /// Batches that each is evaluated on.
    pub batches: usize,
    /// How many of the best are evaluated on all batches.
    pub finalists: usize,
    /// Epochs between two rankings; 0: only after the last epoch.
    pub every: usize,
}

/// A policy that draws whole architectures. What is derived is the best of many.
pub trait Sampler {
    /// How they are ranked.
    fn ranking(&self) -> Ranking;

    /// How often it learns from a reward after an epoch.
    fn rounds(&self) -> usize {
        0
    }

    /// An architecture: the same of the same generator, until it learns.
    fn draw(&self, rng: Pcg64) -> Drawn<'_>;

    /// Learns from the accuracy, from 0 to 1, of what it drew from this generator.
    fn reward(&mut self, _rng: Pcg64, _accuracy: f64) -> Later<'_, Result<(), ReadError>> {
        Box::pin(async { Ok(()) })
    }

    /// What is derived from now on.
    fn choose(&mut self, best: &Architecture);
}

/// What a policy picks, once the device has told its parameters.
pub type Pick<'a> = Later<'a, Result<Option<Arc<Picked>>, ReadError>>;

/// Choice parameters, and what becomes of them.
pub trait Policy {
    /// The parameters, a matrix for every choice.
    fn leaves(&self) -> &[Tensor<2>];

    /// p of these leaves, [rows, options] for every choice; differentiable where a gradient is
    /// wanted. A p may have the rows of every cell that has its own ([`Setup::copies`]).
    fn relax(&self, leaves: &[Tensor<2>], draw: Draw) -> Vec<Tensor<2>>;

    /// The options that a pass of this draw computes, where it does not compute all.
    fn pick<'a>(&'a self, _: &'a Sample) -> Pick<'a> {
        Box::pin(async { Ok(None) })
    }

    /// Whether weights that no draw has used yet rest: they know neither weight decay nor momentum.
    fn lets_weights_rest(&self) -> bool {
        false
    }

    /// Whether evaluations and the Hessian see draws, too, and not the mean.
    fn evaluates_draws(&self) -> bool {
        false
    }

    /// Whether the parameters descend the training loss, together with the weights and at one draw.
    fn is_single_level(&self) -> bool {
        false
    }

    /// Itself, if it draws whole architectures; then it has no leaves.
    fn sampler(&self) -> Option<&dyn Sampler> {
        None
    }

    /// As [`Self::sampler`].
    fn sampler_mut(&mut self) -> Option<&mut dyn Sampler> {
        None
    }

    /// Descends along a gradient with respect to the leaves; `step` counts from 1.
    fn learn(&mut self, gradient: Vec<Tensor<2>>, step: u64);

    /// What follows when the weights have learnt, too.
    fn settle(&mut self) {}

    /// Where the Hessian is taken: leaves whose p is that of [`Draw::Mean`], or of a draw.
    fn measured(&self) -> Vec<Tensor<2>> {
        self.leaves().to_vec()
    }

    /// Everything that it has learnt, by the names that a checkpoint gives it.
    fn saved(&self) -> Vec<(String, Tensor<2>)>;

    /// Takes what [`Self::saved`] gave.
    ///
    /// # Errors
    /// [`ArrayError::Missing`].
    fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError>;

    /// The p that is derived from.
    fn mean(&self) -> Vec<Tensor<2>> {
        self.relax(&self.measured(), Draw::Mean)
    }
}

/// What a policy starts from.
pub struct Setup<'a> {
    /// The choices.
    pub choices: &'a [Choice],
    /// How many cells may each have a p of their own ([`crate::net::Network::copies`]).
    pub copies: usize,
    /// How many options are derived from each row of every choice ([`crate::net::Network::takes`]); empty where
    /// rows are not derived one by one.
    pub takes: Vec<usize>,
    /// All settings.
    pub config: &'a Config,
    /// Where its initial parameters are drawn from.
    pub streams: &'a Streams,
    /// Where they live.
    pub device: &'a Device,
}

/// One row of the catalogue of policies.
pub struct Entry {
    /// Its name everywhere.
    pub name: &'static str,
    /// How p follows from the parameters.
    pub help: &'static str,
    /// Whether it has parameters that a gradient reaches, so that there is a Hessian and a landscape of them.
    pub has_alpha: bool,
    /// Whether it knows how to search such choices.
    pub fits: fn(&Setup) -> bool,
    /// Makes one.
    pub new: fn(&Setup) -> Box<dyn Policy>,
    /// The p that is derived from, on the host, from the arrays of a checkpoint.
    pub read: fn(&[Choice], &Arrays) -> Result<Vec<Rows>, ArrayError>,
}

/// All policies.
pub static ALL: &[&Entry] = &[
    &softmax::ENTRY,
    &gumbel::ENTRY,
    &concrete::ENTRY,
    &proximal::ENTRY,
    &uniform::ENTRY,
    &controller::ENTRY,
];
