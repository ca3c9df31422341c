//! Laws of the search itself.

mod perturbation;
mod resume;
mod tiny;
mod unrolled;
