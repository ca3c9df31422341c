//! IDX, the format of MNIST and of the sets that replace it: two files a part, big-endian.
//!
//! Images: magic 0x00000803 (u8, 3 dimensions), count, rows, columns, pixels row by row.
//! Labels: magic 0x00000801 (u8, 1 dimension), count, one byte each.

use super::files::Files;
use super::input::Input;
use super::{DataError, Images, Part};

const IMAGES_MAGIC: u32 = 0x0803;
const LABELS_MAGIC: u32 = 0x0801;

/// Sides beyond this are a damaged header, not a data set for cell search.
const MAX_SIDE: u32 = 1024;

/// Training or test images from two of the four files.
pub(super) fn decode(part: Part, classes: usize, files: &mut Files) -> Result<Images, DataError> {
    let part = if part == Part::Test { "t10k" } else { "train" };
    let (file, bytes) = files.get(&[&format!("{part}-images-idx3-ubyte")])?;
    let (pixels, [count, height, width]) = images(&file, &bytes)?;
    let (file, bytes) = files.get(&[&format!("{part}-labels-idx1-ubyte")])?;
    let labels = labels(&file, &bytes, count, classes)?;
    Ok(Images { pixels, labels, height: height as usize, width: width as usize, channels: 1 })
}

/// The pixels, and `[count, height, width]`.
fn images(file: &str, bytes: &[u8]) -> Result<(Vec<u8>, [u32; 3]), DataError> {
    let mut input = Input::new(file, bytes);
    magic(&mut input, IMAGES_MAGIC, "IDX images")?;
    let count = number(&mut input, "the number of images")?;
    let height = number(&mut input, "the number of rows")?;
    let width = number(&mut input, "the number of columns")?;
    let sides = 1..=MAX_SIDE;
    if count == 0 || !sides.contains(&height) || !sides.contains(&width) {
        return Err(input.malformed(
            format!("at least one image with sides of 1 to {MAX_SIDE} pixels"),
            format!("{count} images of {height}×{width}"),
        ));
    }
    // No overflow: 2^32 images of 2^10 × 2^10.
    let size = u64::from(count) * u64::from(height) * u64::from(width);
    let pixels = input.bytes(size, "pixels")?;
    input.end("the pixels")?;
    Ok((pixels, [count, height, width]))
}

fn labels(file: &str, bytes: &[u8], images: u32, classes: usize) -> Result<Vec<u16>, DataError> {
    let mut input = Input::new(file, bytes);
    magic(&mut input, LABELS_MAGIC, "IDX labels")?;
    let count = number(&mut input, "the number of labels")?;
    if count != images {
        return Err(input.malformed(
            format!("{images} labels, as many as there are images"),
            format!("a header that claims {count}"),
        ));
    }
    let labels = input.bytes(u64::from(count), "labels")?;
    input.end("the labels")?;
    if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
        return Err(input.malformed(
            format!("labels from 0 to {}", classes - 1),
            format!("label {} at image {index}", labels[index]),
        ));
    }
    Ok(labels.into_iter().map(u16::from).collect())
}

fn magic(input: &mut Input, expected: u32, what: &str) -> Result<(), DataError> {
    let found = number(input, "the magic number")?;
    if found == expected {
        return Ok(());
    }
    Err(input.malformed(
        format!("the magic number {expected:#010x} of {what}"),
        format!("{found:#010x}"),
    ))
}

fn number(input: &mut Input, what: &str) -> Result<u32, DataError> {
    Ok(u32::from_be_bytes(input.array(what)?))
}
