//! DARTS-ES: DARTS that stops where the landscape becomes sharp, and returns to the cell of before.
//!
//! - **Paper**: *Understanding and Robustifying Differentiable Architecture Search* (Zela et al.,
//!   ICLR 2020).
//! - **Settings**: section `early_stop`; `hessian.every` (every second epoch, where it is 0). With
//!   `early_stop.simulate` the search only says where it would stop.
//! - **What the released code does differently from the text**: the paper stops where the average
//!   over 5 epochs grew by a third over 5 epochs; the code averages 5 measurements, compares with 4
//!   measurements before, and takes 1.3. Its measure is |λ_max + 1e-3|, the weight decay of α
//!   included ([`crate::measure::early_stop`]).
//! - **Logged**: what DARTS logs, the ends of the spectrum after every measurement, a warning
//!   `early_stop` with the growth, and at the end `returned_to`, the epoch whose cell is the result.

use super::{Extra, Method};
use crate::perturb;
use crate::policy::softmax;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "darts-es",
    title: "DARTS-ES",
    help: "DARTS-ES (Zela et al. 2020): stops where the Hessian's largest eigenvalue grows, and \
           returns to the cell before",
    policy: &softmax::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[],
    extra: Some(Extra::EarlyStop),
};
