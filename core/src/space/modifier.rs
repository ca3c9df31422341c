//! What a method may change of a space: a file here, whose documentation is its page, and a row of [`ALL`].
//!
//! A modifier changes the choices or how the network is built of them ([`Modified`]). The rows of
//! [`crate::method::ALL`] name those that a method has: [`partial_channels`], [`edge_weights`].

pub mod edge_weights;
pub mod partial_channels;

use super::{Modified, SpaceError};
use crate::config::Config;

/// One row of the catalogue of modifiers.
pub struct Modifier {
    /// Its name everywhere.
    pub name: &'static str,
    /// What it changes.
    pub help: &'static str,
    /// Changes it, as the settings say.
    pub modify: fn(&mut Modified, &Config) -> Result<(), SpaceError>,
}

/// All modifiers.
pub static ALL: &[&Modifier] = &[&partial_channels::ENTRY, &edge_weights::ENTRY];
