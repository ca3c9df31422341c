//! DARTS: the weights descend the training loss and α the validation loss, in turns.
//!
//! - **Paper**: *DARTS: Differentiable Architecture Search* (Liu, Simonyan, Yang, ICLR 2019).
//! - **Settings**: `search.order` takes the gradient of α at the current weights (first, all results
//!   of the SmoothDARTS paper) or after one virtual step of them (second). Sections `weights` and
//!   `alpha` hold the two optimisers. R-DARTS(L2) is DARTS with another `weights.weight_decay`,
//!   R-DARTS(DP) with `search.drop_path` and `data.cutout`.
//! - **What the released code does differently**: it draws a fresh batch for α at every step
//!   (`quirks.alpha_batches`), augments the validation half (`quirks.augment_validation`), splits
//!   without a shuffle (`quirks.split`), and with a newer PyTorch takes the learning rate of the next
//!   epoch (`quirks.learning_rate_shift`). It prints the genotype before an epoch; here it is told
//!   after, also after the last. Forks of it divide by R/2 instead of 2R in the second order.
//! - **Logged**: `train_loss` and `train_accuracy` of a step are those of the training batch before
//!   the w-step; `valid_loss` that of the validation batch before the α-step. After an epoch,
//!   `valid_loss` and `valid_accuracy` are those of the whole validation half in eval mode, `alpha`
//!   is raw and `probabilities` its softmax, and `parameter_free` is the share of such operations
//!   in every derived cell.

use super::Method;
use crate::perturb;
use crate::policy::softmax;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "darts",
    title: "DARTS",
    help: "DARTS (Liu et al. 2019): no perturbation; search.order picks first or second order",
    policy: &softmax::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: None,
};
