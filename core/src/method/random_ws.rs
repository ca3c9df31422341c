//! Random search with weight sharing: every step trains a random architecture; the best of many is derived.
//!
//! - **Paper**: *Random Search and Reproducibility for Neural Architecture Search* (Li, Talwalkar, UAI 2019).
//! - **Settings**: section `sampling`: 1,000 architectures are ranked by their accuracy on ten validation batches
//!   each, and the best five on all of them. By default that is done after the last epoch; before, there is
//!   nothing to derive and the cell in the log is that of even rows.
//! - **What the released code does differently**: the script of SmoothDARTS calls a helper that it does not have.
//!   Of the operations only the drawn one is computed, here also where that script would compute all.
//! - **Logged**: there is no alpha. `valid_loss` of a step is that of a random architecture in eval mode;
//!   `probabilities` are ones and zeros, those of the best.

use super::Method;
use crate::perturb;
use crate::policy::uniform;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "random-ws",
    title: "Random-WS",
    help: "random search with weight sharing (Li, Talwalkar 2019): trains random architectures, and ranks many",
    policy: &uniform::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: None,
};
