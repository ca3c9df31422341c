//! From the bytes of an image file to pixels. What it is, its bytes say: a JPEG called .png is read
//! all the same.

use std::fs;
use std::io::{Cursor, ErrorKind};
use std::path::Path;

use image::{DynamicImage, ImageReader};

use super::listing::{DANGLING, NO_FILE};

/// The bytes of a file, or why they cannot be had. What is no file is not opened: a pipe would wait
/// for its writer.
///
/// # Errors
/// What is wrong, in words that go behind the name of the file.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => fs::read(path).map_err(|error| error.to_string()),
        Ok(_) => Err(NO_FILE.to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
            Err(DANGLING.to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The image in these bytes.
///
/// # Errors
/// Bytes that are no PNG, JPEG or WebP, are damaged, or end early.
pub fn decode(bytes: Vec<u8>) -> Result<DynamicImage, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    if ends_early(&bytes) {
        return Err("it ends early".to_owned());
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|error| error.to_string())?;
    reader.decode().map_err(|error| error.to_string())
}

const JPEG: [u8; 2] = [0xFF, 0xD8];
const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

/// Whether this is a JPEG without its end. The decoder fills what is missing with gray and says
/// nothing: image 0.25 switches zune-jpeg's strict mode off. In compressed data 0xFF is always followed
/// by 0 or a restart marker, so that the end marker after the first scan is the end; thumbnails with an
/// end of their own stand before it.
fn ends_early(bytes: &[u8]) -> bool {
    if !bytes.starts_with(&JPEG) {
        return false;
    }
    let mut at = JPEG.len();
    while let Some([0xFF, marker, rest @ ..]) = bytes.get(at..) {
        match (*marker, rest) {
            // Fill bytes may stand before a marker.
            (0xFF, _) => at += 1,
            (START_OF_SCAN, rest) => return !rest.windows(2).any(|pair| pair == END_OF_IMAGE),
            (_, [high, low, ..]) => at += 2 + usize::from(u16::from_be_bytes([*high, *low])),
            _ => return true,
        }
    }
    at >= bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg() -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let image = image::RgbImage::from_fn(40, 30, |x, y| {
            image::Rgb([(x * 6) as u8, (y * 8) as u8, ((x * y) % 256) as u8])
        });
        assert!(image.write_to(&mut bytes, image::ImageFormat::Jpeg).is_ok());
        bytes.into_inner()
    }

    #[test]
    fn a_whole_jpeg_is_read_and_every_shorter_one_refused() {
        let whole = jpeg();
        assert!(decode(whole.clone()).is_ok());
        for length in 0..whole.len() - 1 {
            assert!(decode(whole[..length].to_vec()).is_err(), "{length} of {}", whole.len());
        }
    }

    #[test]
    fn bytes_behind_the_end_do_no_harm() {
        assert!(decode([jpeg(), vec![0; 100]].concat()).is_ok());
    }
}
