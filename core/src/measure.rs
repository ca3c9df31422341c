//! What is measured of a search: how sharp the loss is around its architecture ([`hessian`]), how
//! the accuracy falls around it ([`landscape`]), how good the derived cell truly is ([`anytime`]),
//! whether skip connections take over ([`collapse`]).
//!
//! What is measured after every epoch is an [`Observer`]: a file here and a row of [`ALL`]. It keeps
//! its own state, and may end the search.

pub mod anytime;
pub mod collapse;
pub mod confusion;
pub mod early_stop;
pub mod hessian;
pub mod landscape;
pub mod sharpness;

use std::rc::Rc;

use serde_json::Value;

use crate::arrays::Later;
use crate::cell::Genotype;
use crate::cell::{Choice, Rows};
use crate::config::Config;
use crate::data::DataError;
use crate::event::Event;
use crate::method::Method;
use crate::nn::ReadError;
use crate::space::table::Lookup;
use hessian::{HessianError, Spectrum};

/// A search between two epochs, as an observer sees it.
pub trait Subject {
    /// 0-based epoch that has ended.
    fn epoch(&self) -> usize;

    /// Whether it was the last one.
    fn is_last(&self) -> bool;

    /// Its choices.
    fn choices(&self) -> &[Choice];

    /// The p that is derived from.
    fn probabilities(&self) -> Later<'_, Result<Vec<Rows>, MeasureError>>;

    /// What p derives.
    fn derive(&self, probabilities: &[Rows]) -> Genotype;

    /// A genotype as its space writes it.
    fn encode(&self, genotype: &Genotype) -> String;

    /// The Hessian of the validation loss: all eigenvalues (`dense`), or the extreme ones.
    fn hessian(&mut self, dense: bool) -> Later<'_, Result<Spectrum, MeasureError>>;
}

/// What looks at a search after every epoch.
pub trait Observer {
    /// Looks.
    fn after_epoch<'a>(
        &'a mut self,
        subject: &'a mut dyn Subject,
    ) -> Later<'a, Result<Observed, MeasureError>>;

    /// What it remembers, for a checkpoint.
    fn saved(&self) -> Value {
        Value::Null
    }

    /// Takes what [`Self::saved`] gave.
    ///
    /// # Errors
    /// If it is something else.
    fn restore(&mut self, _: &Value) -> Result<(), serde_json::Error> {
        Ok(())
    }
}

/// What an observer has to say.
#[derive(Default)]
pub struct Observed {
    /// Events, in order.
    pub events: Vec<Event>,
    /// That the search is to end, and with which result.
    pub stop: Option<Stop>,
}

impl From<Option<Event>> for Observed {
    fn from(event: Option<Event>) -> Self {
        Self { events: event.into_iter().collect(), stop: None }
    }
}

/// The result of a search that ends early.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Stop {
    /// 0-based epoch whose cell is the result.
    pub epoch: usize,
    /// That cell.
    pub genotype: Genotype,
}

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The device failed.
    #[error(transparent)]
    Device(#[from] ReadError),
    /// A batch could not be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The Hessian could not be measured.
    #[error(transparent)]
    Hessian(#[from] HessianError),
}

/// What decides which observers a search has.
pub struct Setup<'a> {
    /// All settings.
    pub config: &'a Config,
    /// The method.
    pub method: &'a Method,
    /// A table of true accuracies, where there is one.
    pub table: Option<&'a Rc<dyn Lookup>>,
}

/// One row of the catalogue of observers.
pub struct Entry {
    /// Its name in checkpoints.
    pub name: &'static str,
    /// What it looks for.
    pub help: &'static str,
    /// Makes one, if the search is to have it.
    pub new: fn(&Setup) -> Option<Box<dyn Observer>>,
}

/// All observers, in the order in which they look. Checkpoints count them: a new one comes last.
pub static ALL: &[&Entry] = &[&anytime::ENTRY, &sharpness::ENTRY, &collapse::ENTRY];

/// The observers of a search, in the places of [`ALL`]; none where a search does not have it.
pub fn observers(setup: &Setup) -> Vec<Option<Box<dyn Observer>>> {
    ALL.iter().map(|entry| (entry.new)(setup)).collect()
}
