//! P-DARTS: first-order DARTS in stages. The network grows from stage to stage, nearer to the depth of the one
//! that is trained in the end; to make room, the operations of lowest p fall on every edge.
//!
//! - **Paper**: *Progressive Differentiable Architecture Search: Bridging the Depth Gap between Search and
//!   Evaluation* (Chen, Xie, Wu, Tian, ICCV 2019). P-DARTS-RS and P-DARTS-ADV are SmoothDARTS's (Tables 1
//!   and 2): its perturbation in the w-steps of every stage.
//! - **Settings**: section `stages`; `search.architecture_from`, `search.epochs` (those of all stages
//!   together), `alpha.clip`, `perturbation.schedule`. Those of DARTS besides.
//! - **Stages**: each has a fresh network, fresh weights and a fresh α, and goes through the schedules of
//!   learning rate and drop-path. Normal and reduction cell lose operations edge by edge, each by itself.
//!   Dropout after skip connections of stride 1 keeps them from being chosen for being easy
//!   ([`crate::config::Config::skip_dropout`]).
//! - **Derivation**: [`crate::space::darts::progressive`]. `none` never wins, every edge takes its strongest
//!   operation, every node its two strongest edges. Then the normal cell is restricted to
//!   `stages.skip_limit` skip connections (authors: 2).
//! - **What the released code does differently**: ties go the other way round than in DARTS, and edges are
//!   listed by what they read. `none` of stride 2 halves downwards there, 5×5 → 2×2, where DARTS halves
//!   upwards; images here have sides that are multiples of 4, for which both are the same. Nothing of
//!   SmoothDARTS's P-DARTS is released; its ε grows over all epochs of the run here, or in every stage.
//! - **Logged**: what DARTS logs. `probabilities` are those of the operations that are left;
//!   `stage_started` says which fell. A step in which α rests has no `valid_loss`.

use super::{Extra, Method};
use crate::perturb;
use crate::policy::softmax;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "p-darts",
    title: "P-DARTS",
    help: "P-DARTS (Chen et al. 2019): DARTS in stages of deeper networks with fewer operations on every edge; \
           few skip connections",
    policy: &softmax::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: Some(Extra::Stages),
};
