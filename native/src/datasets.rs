//! Data sets as files: the folder of a catalogue row, or a folder of images by class. What the
//! bytes mean is the business of [`smoothdarts::data`].

mod archive;
mod common;
mod constants;
mod decode;
pub mod folder;
pub mod imagenet;
pub mod listing;
mod names;
mod open;
pub mod prefetch;
pub mod stream;
mod supply;
pub mod text;

pub use common::home;
pub use constants::{Constants, constants};
pub use folder::FOLDER;
pub use imagenet::IMAGENET;
pub use open::open;
pub use prefetch::Prefetch;
pub use supply::{Opened, Sizes, Supply, supply, supply_with};
