//! Laws of the search itself.

mod baselines;
mod hessian;
mod perturbation;
mod resume;
pub mod tiny;
mod unrolled;
