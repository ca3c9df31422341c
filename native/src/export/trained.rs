//! What is exported.

use smoothdarts::arrays::Arrays;
use smoothdarts::cell::Genotype;
use smoothdarts::net::DerivedShape;

use crate::commands::derive;

/// A network and what is known of it.
pub struct Trained<'a> {
    /// Its cells.
    pub genotype: &'a Genotype,
    /// Its size, and whether an auxiliary head is among its weights.
    pub shape: DerivedShape,
    /// Its weights and running statistics, all of them and no others.
    pub arrays: &'a Arrays,
    /// The names of its classes; none where they are not known.
    pub classes: &'a [String],
    /// Mean and standard deviation of pixel / 255, where the file has to normalise the images.
    pub normalisation: Option<(Vec<f32>, Vec<f32>)>,
}

impl Trained<'_> {
    /// What a file tells of it.
    pub fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![
            ("producer".to_owned(), "sdarts".to_owned()),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("genotype".to_owned(), derive::text(self.genotype)),
        ];
        if !self.classes.is_empty() {
            facts.push(("classes".to_owned(), serde_json::json!(self.classes).to_string()));
        }
        facts
    }
}
