//! What a GPU cannot bind is refused before the first step.

use burn::tensor::Device;
use shaders::device::largest_tensor;

use super::RunError;
use crate::config::Config;
use crate::nn::Layout;

/// Refuses a run whose largest tensor, of so many numbers, is larger than what the device binds.
pub(super) fn fits(numbers: f64, settings: &'static str, device: &Device) -> Result<(), RunError> {
    let bytes = (numbers * size_of::<f32>() as f64) as u64;
    match largest_tensor(device) {
        Some(limit) if bytes > limit => Err(RunError::TooLarge { bytes, limit, settings }),
        _ => Ok(()),
    }
}

/// Refuses a network whose weights, which lie in one tensor, are too many.
pub(super) fn fits_weights(layout: &Layout, device: &Device) -> Result<(), RunError> {
    let settings = "number of channels, of cells or of hidden units";
    fits(layout.weight_count() as f64, settings, device)
}

/// Refuses a text whose words, each with a number for every word of the vocabulary, are too many for a tensor.
pub(super) fn fits_text(
    config: &Config,
    batch: usize,
    vocabulary: usize,
    device: &Device,
) -> Result<(), RunError> {
    let words = (config.recurrent.bptt as f64) * batch as f64;
    let settings = "search.batch_size, train.batch_size, recurrent.bptt or data.vocabulary_limit";
    fits(words * vocabulary as f64, settings, device)
}
