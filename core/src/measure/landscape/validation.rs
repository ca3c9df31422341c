//! What a landscape is measured on.

use burn::tensor::{Device, Tensor};

use super::LandscapeError;
use crate::data::text::TextBatch;
use crate::data::{Batch, Batches, Part};
use crate::task::{ImageBatch, TextInput};

/// The first `images` validation images (0: all), as batches on the device.
///
/// # Errors
/// If there are none, or what the data say.
pub fn validation(
    batches: &mut dyn Batches<Batch = Batch>,
    epoch: usize,
    images: usize,
    device: &Device,
) -> Result<Vec<ImageBatch>, LandscapeError> {
    let mut left = if images == 0 { usize::MAX } else { images };
    let mut found = Vec::new();
    for index in 0..batches.evaluation_batches(Part::Valid) {
        let batch = batches.evaluation(Part::Valid, epoch, index)?.first(left);
        let count = batch.labels.len();
        if count == 0 {
            break;
        }
        left -= count;
        found.push(ImageBatch::new(batch, device));
    }
    if found.is_empty() { Err(LandscapeError::NoImages) } else { Ok(found) }
}

/// The first `words` validation words (0: all), as sequences on the device; where it is not all of them, whole
/// sequences that are at least so many.
///
/// # Errors
/// What the data say.
pub fn validation_text(
    batches: &mut dyn Batches<Batch = TextBatch>,
    words: usize,
    hidden: usize,
    device: &Device,
) -> Result<Vec<TextInput>, LandscapeError> {
    let (most, mut read) = (if words == 0 { usize::MAX } else { words }, 0);
    let mut found = Vec::new();
    for index in 0..batches.evaluation_batches(Part::Valid) {
        if read >= most {
            break;
        }
        let batch = batches.evaluation(Part::Valid, 0, index)?;
        read += batch.words.len();
        found.push(TextInput::new(&batch, Tensor::zeros([batch.columns, hidden], device)));
    }
    if found.is_empty() { Err(LandscapeError::NoImages) } else { Ok(found) }
}
