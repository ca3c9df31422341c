//! Measuring the step of a search or a training: what `sdarts bench` is made of.
//!
//! A row is a [`subject::Subject`] (a method in a config), timed by [`row::Timer`] on random
//! [`images`] or [`text`], beside the peaks of the [`machine`] that the same process measured.

pub mod images;
pub mod kernels;
pub mod loader;
pub mod loops;
pub mod machine;
pub mod memory;
pub mod row;
pub mod scaling;
pub mod subject;
pub mod table;
pub mod text;
pub mod text_training;
pub mod training;
