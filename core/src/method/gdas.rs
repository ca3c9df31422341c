//! GDAS: every step draws an architecture and trains it alone.
//!
//! - **Paper**: *Searching for a Robust Neural Architecture in Four GPU Hours* (Dong, Yang, CVPR 2019).
//! - **Settings**: section `sampling` has the temperature, which falls linearly from epoch to epoch. Those of
//!   DARTS besides. Of each row of operations only the drawn one is computed. With a perturbation
//!   (`gdas-rs`, `gdas-adv`) the drawn p is what moves; what was not drawn is not computed then either.
//! - **What the released code does differently**: for NAS-Bench-1Shot1 SmoothDARTS lets τ fall to 1, not to 0.1
//!   (`quirks.gdas_temperature_stops`), weighs inputs and outputs by the soft draw
//!   (`quirks.gdas_soft_inputs`), and draws for every cell anew. It evaluates draws, so that the validation
//!   accuracy is that of random architectures. Weights that no draw has used yet know neither weight decay
//!   nor momentum (`quirks.unused_weights_rest`). In spaces of DARTS cells one draw is shared by all cells of a
//!   kind, as the paper has it; its rule to derive two operations of one edge is not here.
//! - **Logged**: what DARTS logs. `probabilities` is the softmax of α, which is what is derived from.

use super::Method;
use crate::perturb;
use crate::policy::gumbel;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "gdas",
    title: "GDAS",
    help: "GDAS (Dong, Yang 2019): every step draws one operation of each row by Gumbel noise and computes \
           it alone",
    policy: &gumbel::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: None,
};
