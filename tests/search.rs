//! Laws of the search itself.

mod baselines;
mod hessian;
mod perturbation;
mod resume;
mod tiny;
mod unrolled;
