//! Explicit Hessian regularisation: α descends the validation loss and a penalty on its curvature
//! along a random direction.
//!
//! - **Paper**: a baseline of SmoothDARTS, Fig. 3. The paper gives neither the form nor the strength
//!   of its penalty, and there is no released code; both are ours (spec §4).
//! - **Settings**: section `penalty`: the penalty is `strength`·max(c, 0), where c is the second
//!   difference of the loss over steps of `radius` along a direction that is new in every step
//!   ([`super::architect::curvature`]).
//! - **Logged**: what DARTS logs. `valid_loss` is the loss without the penalty.

use super::{Extra, Method};
use crate::perturb;
use crate::policy::softmax;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "darts-hessian",
    title: "DARTS-Hessian",
    help: "explicit Hessian regularisation: α also descends the curvature of the validation \
           loss along random directions",
    policy: &softmax::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: Some(Extra::CurvaturePenalty),
};
