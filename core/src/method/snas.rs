//! SNAS: α and the weights descend the training loss together, at a soft draw of p.
//!
//! - **Paper**: *SNAS: Stochastic Neural Architecture Search* (Xie, Zheng, Liu, Lin, ICLR 2019).
//! - **Settings**: section `sampling` has the temperature, which falls linearly from epoch to epoch. α starts
//!   around 1; the paper's `alpha.init_scale` is 0.01. Those of DARTS besides.
//! - **What the released code does differently**: it searches with all training images, where here α and the
//!   weights descend on the training half and the other tells the validation accuracy. Its penalty on the
//!   resources of an operation is not here. It was never released for one-shot spaces: there all cells share a
//!   draw, and `none` is left out of what is derived, as in DARTS.
//! - **Logged**: what DARTS logs. `valid_loss` of a step is the training loss before it; `probabilities` is the
//!   softmax of α, which is what is derived from, evaluated and measured.

use super::Method;
use crate::perturb;
use crate::policy::concrete;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "snas",
    title: "SNAS",
    help: "SNAS (Xie et al. 2019): alpha and the weights descend the training loss together, at a soft draw \
           by Gumbel noise",
    policy: &concrete::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: None,
};
