//! The named methods. A row says which policy a method has, how it perturbs the architecture during
//! the w-step, and what else it adds to the loop; the loop itself is [`crate::run::search`], once.
//!
//! The perturbation is a setting of its own: `darts-es-adv` is `darts-es` with the adversarial
//! perturbation, and `--method darts --perturbation random` is SDARTS-RS. The two names that the
//! paper gives, `sdarts-rs` and `sdarts-adv`, have rows of their own.
//!
//! - **darts**: Liu, Simonyan, Yang, *DARTS*, ICLR 2019. α descends the validation loss at the
//!   current weights, or after one virtual step of them (`search.order`). Reported: the losses of
//!   both batches before their steps.
//! - **sdarts-rs**, **sdarts-adv**: Chen and Hsieh, *Stabilizing Differentiable Architecture Search
//!   via Perturbation-based Regularization*, ICML 2020. Reported besides: ε, and of an attack the
//!   loss before and after it. See [`crate::perturb`].
//! - **darts-es**: Zela et al., *Understanding and Robustifying DARTS*, ICLR 2020. See
//!   [`crate::measure::early_stop`].
//! - **darts-hessian**: the explicit penalty of Fig. 3. See [`architect::curvature`].

pub mod architect;

use crate::config::Config;
use crate::perturb::{self, Perturbation, UnknownPerturbation, adversarial, random};
use crate::policy::{self, softmax};

/// `perturbation.kind` that leaves the choice to the name of the method.
pub const BY_METHOD: &str = "by-method";

/// One row of the catalogue of methods.
#[derive(Clone, Copy)]
pub struct Method {
    /// Its name everywhere.
    pub name: &'static str,
    /// Its name in titles.
    pub title: &'static str,
    /// What it is.
    pub help: &'static str,
    /// From architecture parameters to p.
    pub policy: &'static policy::Entry,
    /// Perturbation of the architecture during the w-step.
    pub perturbation: &'static Perturbation,
    /// What else it adds to the loop.
    pub extra: Option<Extra>,
}

/// What a method adds to the loop besides a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Stop where the landscape becomes sharp ([`crate::measure::early_stop`]).
    EarlyStop,
    /// Penalise the curvature of the validation loss in the α-step ([`architect::curvature`]).
    CurvaturePenalty,
}

/// All methods.
pub static ALL: &[Method] = &[
    Method {
        name: "darts",
        title: "DARTS",
        help: "DARTS (Liu et al. 2019): no perturbation; search.order picks first or second order",
        policy: &softmax::ENTRY,
        perturbation: &perturb::NONE,
        extra: None,
    },
    Method {
        name: "sdarts-rs",
        title: "SDARTS-RS",
        help: "SmoothDARTS, random smoothing: weights are trained under uniform noise on p",
        policy: &softmax::ENTRY,
        perturbation: &random::ENTRY,
        extra: None,
    },
    Method {
        name: "sdarts-adv",
        title: "SDARTS-ADV",
        help: "SmoothDARTS, adversarial: weights are trained at the worst p nearby (PGD)",
        policy: &softmax::ENTRY,
        perturbation: &adversarial::ENTRY,
        extra: None,
    },
    Method {
        name: "darts-es",
        title: "DARTS-ES",
        help: "DARTS-ES (Zela et al. 2020): stops where the Hessian's largest eigenvalue grows, and \
               returns to the cell before",
        policy: &softmax::ENTRY,
        perturbation: &perturb::NONE,
        extra: Some(Extra::EarlyStop),
    },
    Method {
        name: "darts-hessian",
        title: "DARTS-Hessian",
        help: "explicit Hessian regularisation: α also descends the curvature of the validation \
               loss along random directions",
        policy: &softmax::ENTRY,
        perturbation: &perturb::NONE,
        extra: Some(Extra::CurvaturePenalty),
    },
];

/// No method of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no search method `{name}`; there are: {known}; each that has no perturbation also with {suffixes} at its end"
)]
pub struct UnknownMethod {
    /// The name.
    pub name: String,
    /// All names.
    pub known: String,
    /// What names of perturbed methods end in.
    pub suffixes: String,
}

/// Why settings name no method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// See [`UnknownMethod`].
    #[error("search.method: {0}")]
    Method(#[from] UnknownMethod),
    /// See [`UnknownPerturbation`].
    #[error("perturbation.kind: {0}, or {BY_METHOD}")]
    Perturbation(#[from] UnknownPerturbation),
}

/// The method of this name: a row, or a row without a perturbation and the suffix of one.
///
/// # Errors
/// [`UnknownMethod`] with all names.
pub fn find(name: &str) -> Result<Method, UnknownMethod> {
    let row = |name: &str| ALL.iter().find(|method| method.name == name).copied();
    let perturbed = |perturbation: &&'static Perturbation| {
        let base = name.strip_suffix(perturbation.suffix).filter(|_| !perturbation.is_none())?;
        let method = row(base).filter(|method| method.perturbation.is_none())?;
        Some(Method { perturbation, ..method })
    };
    row(name).or_else(|| perturb::ALL.iter().find_map(perturbed)).ok_or_else(|| UnknownMethod {
        name: name.to_owned(),
        known: join(ALL.iter().map(|method| method.name)),
        suffixes: join(perturb::ALL.iter().map(|row| row.suffix).filter(|it| !it.is_empty())),
    })
}

/// The method that settings ask for; a perturbation that they name takes the place of its own.
///
/// # Errors
/// An unknown name.
pub fn of(config: &Config) -> Result<Method, MethodError> {
    let method = find(&config.search.method)?;
    Ok(match config.perturbation.kind.as_str() {
        BY_METHOD => method,
        kind => Method { perturbation: perturb::find(kind)?, ..method },
    })
}

fn join(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
