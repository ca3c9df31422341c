//! Laws of the search itself.

mod step;
mod unrolled;
