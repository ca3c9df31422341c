//! The named methods. A row says which policy a method has, how it perturbs the architecture during
//! the w-step, and what else it adds to the loop; the loop itself is [`crate::run::search`], once.
//!
//! The perturbation is a setting of its own: `darts-es-adv` is `darts-es` with the adversarial
//! perturbation, and `--method darts --perturbation random` is SDARTS-RS. The two names that the
//! paper gives, `sdarts-rs` and `sdarts-adv`, have rows of their own.
//!
//! A method is a file here, whose documentation is its page, and a row of [`ALL`]: [`darts`],
//! [`sdarts`], [`darts_es`], [`darts_hessian`], [`pc_darts`], [`p_darts`],
//! [`gdas`], [`nasp`], [`snas`], [`random_ws`], [`enas`].

pub mod architect;
pub mod darts;
pub mod darts_es;
pub mod darts_hessian;
pub mod enas;
pub mod gdas;
pub mod nasp;
pub mod p_darts;
pub mod pc_darts;
pub mod random_ws;
pub mod sdarts;
pub mod snas;

use crate::cell::{Choice, Genotype, Rows};
use crate::config::Config;
use crate::perturb::{self, Perturbation, UnknownPerturbation};
use crate::policy;
use crate::space::darts::progressive;
use crate::space::modifier::Modifier;
use crate::space::{Modified, Space, SpaceError};

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
    /// What it changes of the space.
    pub modifiers: &'static [&'static Modifier],
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
    /// Search in stages, and derive as P-DARTS does ([`p_darts`]).
    Stages,
}

/// All methods.
pub static ALL: &[&Method] = &[
    &darts::ENTRY,
    &sdarts::RANDOM,
    &sdarts::ADVERSARIAL,
    &darts_es::ENTRY,
    &darts_hessian::ENTRY,
    &pc_darts::ENTRY,
    &p_darts::ENTRY,
    &gdas::ENTRY,
    &nasp::ENTRY,
    &snas::ENTRY,
    &random_ws::ENTRY,
    &enas::ENTRY,
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
    /// There is no α whose Hessian could be measured.
    #[error(
        "hessian.every: method {method} has no alpha; set it to 0, or search by another method"
    )]
    NoAlpha {
        /// The method.
        method: &'static str,
    },
    /// There is no p that could be perturbed.
    #[error(
        "method {method} trains whole architectures and has no probabilities that could be perturbed; \
         leave the perturbation out"
    )]
    NoProbabilities {
        /// The method.
        method: &'static str,
    },
    /// A method that has stages without any, or the other way round.
    #[error(
        "{}", if *.has_stages {
            format!("method {method} searches in stages: give stages.cells, stages.operations and \
                     stages.skip_dropout, or start from its preset, `--preset p-darts`")
        } else {
            format!("stages.cells: method {method} has no stages; p-darts has, and its smooth forms")
        }
    )]
    Stages {
        /// The method.
        method: &'static str,
        /// Whether it is one that has stages.
        has_stages: bool,
    },
    /// Stages that do not fit a space.
    #[error(
        "method {method} drops operations from the edges of DARTS cells: the first number of \
         stages.operations is that of the operations on every edge; in space {space} it is {}",
        if *.operations == 0 { "none, for its cells are others".to_owned() } else { operations.to_string() }
    )]
    Operations {
        /// The method.
        method: &'static str,
        /// The space.
        space: &'static str,
        /// Operations on its edges; 0 of a space of other cells.
        operations: usize,
    },
    /// A space of text is searched by a softmax of alpha only.
    #[error(
        "method {method} does not search text; darts, sdarts-rs, sdarts-adv, darts-es and darts-hessian do"
    )]
    Text {
        /// The method.
        method: &'static str,
    },
    /// The method does not know how to search a space.
    #[error(
        "method {method} does not search the space {space}; it knows {}",
        if *.method == "enas" { "oneshot-1, oneshot-2 and oneshot-3" }
        else { "nasbench201, oneshot-1, oneshot-2 and oneshot-3" }
    )]
    Space {
        /// The method.
        method: &'static str,
        /// The space.
        space: &'static str,
    },
}

/// The method of this name: a row, or a row without a perturbation and the suffix of one.
///
/// # Errors
/// [`UnknownMethod`] with all names.
pub fn find(name: &str) -> Result<Method, UnknownMethod> {
    let row = |name: &str| ALL.iter().find(|method| method.name == name).map(|method| **method);
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
    if config.hessian.every > 0 && !method.policy.has_alpha {
        return Err(MethodError::NoAlpha { method: method.name });
    }
    let method = match config.perturbation.kind.as_str() {
        BY_METHOD => method,
        kind => Method { perturbation: perturb::find(kind)?, ..method },
    };
    let has_stages = method.extra == Some(Extra::Stages);
    if has_stages == config.stages.cells.is_empty() {
        return Err(MethodError::Stages { method: method.name, has_stages });
    }
    if !method.policy.has_alpha && !method.perturbation.is_none() {
        return Err(MethodError::NoProbabilities { method: method.name });
    }
    Ok(method)
}

impl Method {
    /// A space as this method modifies it.
    ///
    /// # Errors
    /// Where the space has nothing that could be modified so.
    pub fn modify(&self, space: &'static Space, config: &Config) -> Result<Modified, SpaceError> {
        Modified::by(space, self.modifiers, config)
    }

    /// What is derived from p of these choices.
    pub fn derive(
        &self,
        space: &Space,
        config: &Config,
        choices: &[Choice],
        probabilities: &[Rows],
    ) -> Genotype {
        match self.extra {
            Some(Extra::Stages) => {
                progressive::derive(choices, probabilities, config.stages.skip_limit)
            }
            _ => space.derive_from(choices, probabilities),
        }
    }

    /// What is derived at every restriction of the skip connections, from the loosest; nothing of a method that
    /// restricts none.
    pub fn restrictions(
        &self,
        choices: &[Choice],
        probabilities: &[Rows],
    ) -> Vec<(usize, Genotype)> {
        match self.extra {
            Some(Extra::Stages) => progressive::restrictions(choices, probabilities),
            _ => Vec::new(),
        }
    }

    fn modifies_like(&self, other: &Self) -> bool {
        let names = |method: &Self| method.modifiers.iter().map(|it| it.name).collect::<Vec<_>>();
        names(self) == names(other)
    }
}

/// What the method that settings ask for derives; what the space does, where there is no such method.
pub fn derive(
    config: &Config,
    space: &Space,
    choices: &[Choice],
    probabilities: &[Rows],
) -> Genotype {
    match of(config) {
        Ok(method) => method.derive(space, config, choices, probabilities),
        Err(_) => space.derive_from(choices, probabilities),
    }
}

/// The method that settings ask for, by the name that says all of it: `darts` with the random
/// perturbation is `sdarts-rs`. A name that is not known stays as it is.
pub fn name(config: &Config) -> String {
    let Ok(method) = of(config) else { return config.search.method.clone() };
    let is_like = |row: &&&Method| {
        let same_loop = row.extra == method.extra && row.policy.name == method.policy.name;
        same_loop && row.modifies_like(&method)
    };
    let family = || ALL.iter().filter(is_like);
    let whole = family().find(|row| row.perturbation.name == method.perturbation.name);
    let base = family().find(|row| row.perturbation.is_none());
    match (whole, base) {
        (Some(row), _) => row.name.to_owned(),
        (None, Some(row)) => format!("{}{}", row.name, method.perturbation.suffix),
        (None, None) => method.name.to_owned(),
    }
}

fn join(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
