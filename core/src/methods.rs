//! The named methods: what each does to the architecture during the w-step, and what else it adds
//! to the loop.

use crate::perturb::{self, Perturbation};

/// One row of the catalogue of methods.
pub struct Method {
    /// Its name everywhere.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Perturbation of the architecture during the w-step.
    pub perturbation: Perturbation,
    /// What else it adds to the loop.
    pub hook: Option<Hook>,
}

/// What a method adds to the loop besides a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Stop where the landscape becomes sharp ([`crate::early_stop`]).
    EarlyStop,
    /// Penalise the curvature of the validation loss in the α-step
    /// ([`crate::architect::curvature`]).
    CurvaturePenalty,
}

/// All methods.
pub static ALL: &[Method] = &[
    Method {
        name: "darts",
        help: "DARTS (Liu et al. 2019): no perturbation; search.order picks first or second order",
        perturbation: Perturbation::None,
        hook: None,
    },
    Method {
        name: "sdarts-rs",
        help: "SmoothDARTS, random smoothing: weights are trained under uniform noise on p",
        perturbation: Perturbation::Random,
        hook: None,
    },
    Method {
        name: "sdarts-adv",
        help: "SmoothDARTS, adversarial: weights are trained at the worst p nearby (PGD)",
        perturbation: Perturbation::Adversarial,
        hook: None,
    },
    Method {
        name: "darts-es",
        help: "DARTS-ES (Zela et al. 2020): stops where the Hessian's largest eigenvalue grows, and \
               returns to the cell before",
        perturbation: Perturbation::None,
        hook: Some(Hook::EarlyStop),
    },
    Method {
        name: "darts-hessian",
        help: "explicit Hessian regularisation: α also descends the curvature of the validation \
               loss along random directions",
        perturbation: Perturbation::None,
        hook: Some(Hook::CurvaturePenalty),
    },
];

/// No method of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no search method `{name}`; there are: {known}")]
pub struct UnknownMethod {
    /// The name.
    pub name: String,
    /// All names.
    pub known: String,
}

/// The method of this name.
///
/// # Errors
/// [`UnknownMethod`] with all names.
pub fn find(name: &str) -> Result<&'static Method, UnknownMethod> {
    ALL.iter().find(|method| method.name == name).ok_or_else(|| UnknownMethod {
        name: name.to_owned(),
        known: ALL.iter().map(|method| method.name).collect::<Vec<_>>().join(", "),
    })
}

impl Method {
    /// Row of its perturbation in the catalogue of [`perturb`].
    pub fn perturbation_row(&self) -> Option<&'static perturb::Row> {
        perturb::ALL.iter().find(|row| row.perturbation == self.perturbation)
    }
}
