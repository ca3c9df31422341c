//! Laws of the search itself.

mod baselines;
mod draws;
mod hessian;
mod house;
mod perturbation;
mod resume;
pub mod tiny;
mod unrolled;
