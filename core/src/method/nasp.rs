//! NASP: the network is that of the strongest operations, whose gradient moves the continuous α.
//!
//! - **Paper**: *Efficient Neural Architecture Search via Proximal Iterations* (Yao, Xu, Tu, Zhu, AAAI 2020).
//! - **Settings**: those of DARTS. α starts around 0.5, and after every step stays in [0, 1]. In paper mode
//!   only the strongest operation of each row is computed.
//! - **What the released code does differently**: for NAS-Bench-1Shot1 SmoothDARTS takes the softmax of the ones
//!   and zeros, e/(e + 2) and 1/(e + 2), so that all operations are computed (`quirks.nasp_softmax`). Only
//!   operations are binarised. The paper's own code for DARTS cells has other operations and keeps two edges of
//!   each node; here those spaces are searched by the rule for one-shot spaces.
//! - **Logged**: what DARTS logs. `alpha` is continuous, `probabilities` are those of the binarised α, where the
//!   Hessian is taken, too.

use super::Method;
use crate::perturb;
use crate::policy::proximal;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "nasp",
    title: "NASP",
    help: "NASP (Yao et al. 2020): p is that of the strongest operation of each row, and its gradient moves \
           the continuous alpha",
    policy: &proximal::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: None,
};
