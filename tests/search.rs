//! Laws of the search itself.

mod baselines;
mod draws;
mod hessian;
mod house;
mod perturbation;
mod replay;
mod resume;
pub mod stages;
mod text;
pub mod tiny;
mod unrolled;
