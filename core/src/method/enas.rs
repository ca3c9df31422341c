//! ENAS: a controller draws the architectures that are trained, and learns from their accuracy.
//!
//! - **Paper**: *Efficient Neural Architecture Search via Parameter Sharing* (Pham, Guan, Zoph, Le, Dean, ICML 2018).
//! - **Settings**: section `sampling`: after each epoch of the weights 300 steps of REINFORCE on a validation
//!   batch each; 1,000 architectures are ranked on one batch each, and the best five on all validation images.
//!   `data.train_portion` is 0.9 in the presets, as in the released code.
//! - **What the released code does differently**: the baseline of the reward is updated before it is subtracted;
//!   the operation that is drawn with what block k reads is that of block k − 1; while weights learn all
//!   operations are computed (`quirks.enas_computes_all`). All that is here. Its ranking uses the test images,
//!   which is a leak, and is not here; nor is its learning rate that falls after every batch.
//! - **Logged**: as random-ws does.

use super::Method;
use crate::perturb;
use crate::policy::controller;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "enas",
    title: "ENAS",
    help: "ENAS (Pham et al. 2018): an LSTM draws the architectures that are trained, and learns by REINFORCE \
           from their accuracy",
    policy: &controller::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: None,
};
