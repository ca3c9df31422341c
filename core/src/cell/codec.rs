//! Texts and files that other programs write a genotype in. A codec reads its form into the graph
//! and writes the graphs that fit it; nothing else knows how a form is laid out.
//!
//! - [`darts`]: the tuple of the Python code bases, as Python text and as JSON object.
//! - [`nb201`]: the string of NAS-Bench-201.
//! - [`nb101`]: the matrix and the labels of NAS-Bench-101, whose operations sit on nodes.
//! - [`recurrent`]: the tuple of a recurrent cell, which has one edge for each node.

pub mod darts;
pub mod nb101;
pub mod nb201;
mod python;
pub mod recurrent;

use serde::{Deserialize, Serialize};

use super::{Genotype, GenotypeError, published};

/// One row of the catalogue of codecs.
pub struct Codec {
    /// Its name.
    pub name: &'static str,
    /// What its texts are, for people.
    pub title: &'static str,
    /// The text of a genotype; `None` if the form cannot hold this graph.
    pub encode: fn(&Genotype) -> Option<String>,
    /// Reads such a text.
    pub decode: fn(&str) -> Result<Genotype, GenotypeError>,
    /// The genotype in the columns of a table of many: a header and a text for each.
    pub columns: fn(&Genotype) -> Vec<(String, String)>,
}

/// All codecs.
pub static ALL: &[&Codec] = &[&darts::CODEC, &nb201::CODEC, &nb101::CODEC, &recurrent::CODEC];

/// The first codec that can write this genotype.
pub fn of(genotype: &Genotype) -> Option<&'static Codec> {
    ALL.iter().find(|codec| (codec.encode)(genotype).is_some()).copied()
}

/// Reads a genotype in any of its forms: the name of a published one, JSON, or the text of a codec.
///
/// # Errors
/// Why it is none.
pub fn read(text: &str) -> Result<Genotype, GenotypeError> {
    let text = text.trim();
    if let Some(row) = published::find(text) {
        return Ok(row.genotype());
    }
    if text.contains("Genotype(") && recurrent::is_meant(text) {
        return recurrent::from_python(text);
    }
    if text.contains("Genotype(") {
        return darts::from_python(text);
    }
    if text.starts_with('{') || text.starts_with('"') {
        let genotype = serde_json::from_str(text)
            .map_err(|error| GenotypeError::Text { what: error.to_string() })?;
        return valid(genotype);
    }
    if text.starts_with('|') {
        return valid(nb201::decode(text)?);
    }
    if nb101::is_meant(text) {
        return nb101::decode(text);
    }
    Err(GenotypeError::Text {
        what: format!(
            "{text:?} is neither the name of a published one, nor JSON, nor a tuple of Python, nor \
             a string of NAS-Bench-201, nor a matrix and labels of NAS-Bench-101"
        ),
    })
}

/// The genotype, if its operations and its edges exist.
fn valid(genotype: Genotype) -> Result<Genotype, GenotypeError> {
    genotype.validate()?;
    Ok(genotype)
}

/// A genotype as JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Json {
    Tuple(darts::Tuple),
    Recurrent(recurrent::Tuple),
    Text(String),
}

impl Json {
    pub(super) fn write(genotype: &Genotype) -> Option<Self> {
        let tuple = darts::Tuple::write(genotype).map(Self::Tuple);
        let recurrent = || recurrent::Tuple::write(genotype).map(Self::Recurrent);
        let text = || nb201::encode(genotype).or_else(|| nb101::encode(genotype));
        tuple.or_else(recurrent).or_else(|| text().map(Self::Text))
    }

    pub(super) fn read(self) -> Result<Genotype, GenotypeError> {
        match self {
            Self::Tuple(tuple) => tuple.read(),
            Self::Recurrent(tuple) => Ok(tuple.read()),
            Self::Text(text) if nb101::is_meant(&text) => nb101::decode(&text),
            Self::Text(text) => nb201::decode(&text),
        }
    }
}
