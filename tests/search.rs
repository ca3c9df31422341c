//! Laws of the search itself.

mod baselines;
mod draws;
mod hessian;
mod house;
mod late;
mod limits;
mod perturbation;
mod replay;
mod resume;
pub mod stages;
mod text;
mod text_command;
pub mod tiny;
mod unrolled;
