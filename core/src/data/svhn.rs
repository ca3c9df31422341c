//! SVHN, format 2 (cropped digits): MATLAB files with the arrays `X` and `y`.
//!
//! `X` is u8 of shape [32, 32, 3, N] in column-major order, `y` holds the digits, with 10 for 0.

use super::files::Files;
use super::mat::{self, Array};
use super::{DataError, Images, Part};

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const IMAGE: usize = SIDE * SIDE * CHANNELS;

/// Training or test images from one of the two files.
pub(super) fn decode(part: Part, _: usize, files: &mut Files) -> Result<Images, DataError> {
    let name = if part == Part::Test { "test_32x32.mat" } else { "train_32x32.mat" };
    let (file, bytes) = files.get(&[name])?;
    let labels = labels(&file, &mat::array(&file, &bytes, "y")?)?;
    let pixels = pixels(&file, &mat::array(&file, &bytes, "X")?, labels.len())?;
    Ok(Images { pixels, labels, height: SIDE, width: SIDE, channels: CHANNELS })
}

fn labels(file: &str, digits: &Array) -> Result<Vec<u16>, DataError> {
    let label = |(index, digit): (usize, f64)| match digit {
        10.0 => Ok(0),
        _ if (1.0..10.0).contains(&digit) && digit.fract() == 0.0 => Ok(digit as u16),
        _ => Err(DataError::malformed(
            file,
            "digits from 1 to 10 in y",
            format!("{digit} at image {index}"),
        )),
    };
    let labels: Vec<u16> = digits.numbers().enumerate().map(label).collect::<Result<_, _>>()?;
    if labels.is_empty() {
        return Err(DataError::malformed(file, "at least one digit in y", "none"));
    }
    Ok(labels)
}

/// Column-major [row, column, channel, image] to row-major [image, row, column, channel].
fn pixels(file: &str, images: &Array, count: usize) -> Result<Vec<u8>, DataError> {
    let expected = [SIDE as u64, SIDE as u64, CHANNELS as u64, count as u64];
    // A trailing dimension of one image is left out of the file.
    let dimensions: &[u64] = if count == 1 { &expected[..3] } else { &expected };
    if images.dimensions != expected && images.dimensions != dimensions {
        return Err(DataError::malformed(
            file,
            format!("X of shape {expected:?}, one image for each digit of y"),
            format!("X of shape {:?}", images.dimensions),
        ));
    }
    let columns = images.bytes(file)?;
    let mut pixels = Vec::with_capacity(columns.len());
    for image in columns.chunks_exact(IMAGE) {
        for row in 0..SIDE {
            for column in 0..SIDE {
                let at = |channel: usize| image[row + SIDE * (column + SIDE * channel)];
                pixels.extend([at(0), at(1), at(2)]);
            }
        }
    }
    Ok(pixels)
}
