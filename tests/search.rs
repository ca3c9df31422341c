//! Laws of the search itself.

mod perturbation;
mod resume;
pub mod tiny;
mod unrolled;
