//! SDARTS-RS and SDARTS-ADV: DARTS whose weights are trained at a perturbed p, so that the landscape
//! around the architecture stays smooth and skip connections do not take over.
//!
//! - **Paper**: *Stabilizing Differentiable Architecture Search via Perturbation-based
//!   Regularization* (Chen, Hsieh, ICML 2020), Algorithm 1.
//! - **Settings**: section `perturbation`. ε grows linearly from `epsilon_min` to `epsilon_max`;
//!   where skip connections still dominate, the authors advise a larger `epsilon_max`. Those of
//!   DARTS besides.
//! - **What the released code does differently from the text**: rows are clipped and not projected,
//!   and can leave the ball (`quirks.projection`); ε stops one step short of `epsilon_max`
//!   (`quirks.epsilon_reaches_max`); an attack runs in eval mode (`quirks.attack_in_eval_mode`) and is
//!   taken back where it lowered the loss (`quirks.revert_failed_attack`).
//! - **Logged**: what DARTS logs, where `train_loss` and `train_accuracy` are those of the perturbed
//!   network, and `epsilon`. Of an attack `loss_before` and `loss_after` in eval mode, the latter before
//!   it is taken back, and `reverted`, whether it was.

use super::Method;
use crate::perturb::{adversarial, random};
use crate::policy::softmax;

/// SDARTS-RS.
pub static RANDOM: Method = Method {
    name: "sdarts-rs",
    title: "SDARTS-RS",
    help: "SmoothDARTS, random smoothing: weights are trained under uniform noise on p",
    policy: &softmax::ENTRY,
    perturbation: &random::ENTRY,
    modifiers: &[],
    extra: None,
};

/// SDARTS-ADV.
pub static ADVERSARIAL: Method = Method {
    name: "sdarts-adv",
    title: "SDARTS-ADV",
    help: "SmoothDARTS, adversarial: weights are trained at the worst p nearby (PGD)",
    policy: &softmax::ENTRY,
    perturbation: &adversarial::ENTRY,
    modifiers: &[],
    extra: None,
};
