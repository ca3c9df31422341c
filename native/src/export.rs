//! A trained network as a file of another program.

pub mod onnx;
mod trained;

use std::collections::HashMap;

use anyhow::Context as _;
use serde_json::Value;
use smoothdarts::arrays;

use crate::cli::Format;
use crate::pytorch;

pub use trained::Trained;

/// The entry of the metadata of a safetensors file that tells of the network, a JSON object.
pub const METADATA: &str = "sdarts";

/// The bytes of the file; always the same for the same network.
///
/// # Errors
/// If there is no such network, or it is too large for the format.
pub fn to_bytes(trained: &Trained, format: Format) -> anyhow::Result<Vec<u8>> {
    match format {
        Format::Onnx => onnx::to_bytes(trained),
        Format::Pytorch => pytorch::to_bytes(trained.arrays),
        Format::Safetensors => {
            let named = trained.arrays.iter().map(|(name, array)| (name.as_str(), array));
            let facts = trained.facts().into_iter().map(|(key, value)| (key, Value::from(value)));
            // One entry, as several would stand in an order of chance.
            let facts = Value::Object(facts.collect()).to_string();
            let metadata = HashMap::from([(METADATA.to_owned(), facts)]);
            arrays::to_bytes(named, Some(metadata)).context("the weights do not fit their shapes")
        }
    }
}
