//! From architecture parameters to p: which parameters there are, how p follows from them, and how
//! they learn.
//!
//! A policy is one of the three axes that are free of each other in the paper (the others are the
//! task and the space). The network, the perturbations and the measures see only p, a matrix for
//! every choice whose rows weigh its options; so a new policy is a file here and a row of [`ALL`].

pub mod softmax;

use burn::tensor::{Device, Tensor};
use rand_pcg::Pcg64;

use crate::arrays::{ArrayError, Arrays};
use crate::cell::{Choice, Rows};
use crate::config::Config;
use crate::rng::Streams;

/// What p is asked for.
#[derive(Clone, Debug)]
pub enum Draw {
    /// The p that is derived from, evaluated and measured: no draw.
    Mean,
    /// The p of a step, from the draws of its position. Policies that draw nothing give the mean.
    Step(Pcg64),
}

/// Choice parameters, and what becomes of them.
pub trait Policy {
    /// The parameters, a matrix for every choice.
    fn leaves(&self) -> &[Tensor<2>];

    /// p of these leaves, [rows, options] for every choice; differentiable where a gradient is
    /// wanted.
    fn relax(&self, leaves: &[Tensor<2>], draw: Draw) -> Vec<Tensor<2>>;

    /// Descends along a gradient with respect to the leaves; `step` counts from 1.
    fn learn(&mut self, gradient: Vec<Tensor<2>>, step: u64);

    /// Everything that it has learnt, by the names that a checkpoint gives it.
    fn saved(&self) -> Vec<(String, Tensor<2>)>;

    /// Takes what [`Self::saved`] gave.
    ///
    /// # Errors
    /// [`ArrayError::Missing`].
    fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError>;

    /// The p that is derived from.
    fn mean(&self) -> Vec<Tensor<2>> {
        self.relax(self.leaves(), Draw::Mean)
    }
}

/// What a policy starts from.
pub struct Setup<'a> {
    /// The choices.
    pub choices: &'a [Choice],
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
    /// Makes one.
    pub new: fn(&Setup) -> Box<dyn Policy>,
    /// The p that is derived from, on the host, from the arrays of a checkpoint.
    pub read: fn(&[Choice], &Arrays) -> Result<Vec<Rows>, ArrayError>,
}

/// All policies.
pub static ALL: &[&Entry] = &[&softmax::ENTRY];
