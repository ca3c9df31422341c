//! Perturbations of the architecture (spec §3): they act on p, only for the w-step, and the search
//! never writes them back to its parameters.
//!
//! A perturbation is a row of [`ALL`] and a file here. It is a setting of its own
//! (`perturbation.kind`) and belongs to no method: every method can be smoothed.
//! [`random`] is SDARTS-RS, [`adversarial`] is SDARTS-ADV.

pub mod adversarial;
pub mod project;
pub mod random;

use burn::tensor::Tensor;
use rand_pcg::Pcg64;
use shaders::Kernels;

use crate::arrays::Later;
use crate::config::{self, Norm, Projection, Quirks};
use crate::nn::ReadError;

pub use adversarial::{Ascent, Attacked, attack};
pub use random::displaced;
pub use shaders::row_clip;

/// One row of the catalogue of perturbations.
pub struct Perturbation {
    /// Its name everywhere.
    pub name: &'static str,
    /// What it does.
    pub help: &'static str,
    /// What a method with it has at the end of its name; empty for none.
    pub suffix: &'static str,
    /// Passes that one perturbation takes: for the loss alone, for the gradient of p.
    pub passes: fn(&config::Perturbation) -> (usize, usize),
    /// Perturbs.
    pub apply: for<'a> fn(Request<'a>) -> Later<'a, Result<Perturbed, ReadError>>,
}

/// All perturbations.
pub static ALL: &[&Perturbation] = &[&NONE, &random::ENTRY, &adversarial::ENTRY];

/// No perturbation: the weights are trained at p itself.
pub static NONE: Perturbation = Perturbation {
    name: "none",
    help: "the weights are trained at p = softmax(alpha)",
    suffix: "",
    passes: |_| (0, 0),
    apply: |request| Box::pin(async move { Ok(Perturbed::unmoved(request.p)) }),
};

/// No perturbation of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no perturbation `{name}`; there are: {known}")]
pub struct UnknownPerturbation {
    /// The name.
    pub name: String,
    /// All names.
    pub known: String,
}

/// The perturbation of this name.
///
/// # Errors
/// [`UnknownPerturbation`] with all names.
pub fn find(name: &str) -> Result<&'static Perturbation, UnknownPerturbation> {
    ALL.iter().copied().find(|row| row.name == name).ok_or_else(|| UnknownPerturbation {
        name: name.to_owned(),
        known: ALL.iter().map(|row| row.name).collect::<Vec<_>>().join(", "),
    })
}

impl Perturbation {
    /// Whether it leaves p as it is.
    pub fn is_none(&self) -> bool {
        self.suffix.is_empty()
    }

    /// Its radius in an epoch: 0 for none.
    pub fn epsilon(&self, config: &config::Config, epoch: usize) -> f64 {
        let reaches_max = config.quirks.epsilon_reaches_max;
        let (at, epochs) = config.scheduled_epsilon(epoch);
        match self.is_none() {
            true => 0.0,
            false => epsilon(&config.perturbation, reaches_max, at, epochs),
        }
    }
}

/// What a perturbation starts from.
pub struct Request<'a> {
    /// p, [rows, options] for every choice.
    pub p: &'a [Tensor<2>],
    /// Where it may go.
    pub ball: Ball,
    /// Its settings.
    pub settings: &'a config::Perturbation,
    /// Where the authors' code and the paper differ.
    pub quirks: &'a Quirks,
    /// Whether plain burn ops or our kernels compute.
    pub kernels: Kernels,
    /// The training loss.
    pub objective: &'a mut dyn Objective,
    /// Its draws.
    pub rng: Pcg64,
}

/// p̂, and how it was found.
pub struct Perturbed {
    /// The perturbed p.
    pub p: Vec<Tensor<2>>,
    /// p + δ, before its rows became probability vectors again.
    pub displaced: Vec<Tensor<2>>,
    /// Training loss before and after an attack, `[1]` each; after: before a revert.
    pub losses: Option<[Tensor<1>; 2]>,
}

impl Perturbed {
    fn unmoved(p: &[Tensor<2>]) -> Self {
        Self { p: p.to_vec(), displaced: p.to_vec(), losses: None }
    }
}

/// The training loss as a function of p, with weights, batch and batch-norm statistics fixed.
pub trait Objective {
    /// The loss, of shape `[1]`.
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1>;
    /// Its gradient with respect to p.
    fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>>;
}

/// Where a perturbation may go and how it gets there.
#[derive(Clone, Copy, Debug)]
pub struct Ball {
    /// Radius ε.
    pub epsilon: f64,
    /// Norm of the ball; random perturbations are always uniform per entry.
    pub norm: Norm,
    /// How a row becomes a probability vector again.
    pub projection: Projection,
}

/// Radius in an epoch: grows linearly from ε_min towards ε_max. The authors' code divides by E and
/// so stops one step short of ε_max; the paper says that ε reaches it.
pub fn epsilon(
    config: &config::Perturbation,
    reaches_max: bool,
    epoch: usize,
    epochs: usize,
) -> f64 {
    let last = if reaches_max { epochs.saturating_sub(1).max(1) } else { epochs };
    config.epsilon_min + (config.epsilon_max - config.epsilon_min) * epoch as f64 / last as f64
}
