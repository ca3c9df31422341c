//! The images of a search in the browser.

use std::collections::HashMap;

use smoothdarts::data::{DataError, Dataset, Images, find};

/// The official files of a data set, as the worker fetched them: name and bytes.
pub type Files = HashMap<String, Vec<u8>>;

/// A data set of the catalogue from its official files.
///
/// # Errors
/// A file that is missing or damaged, or an unknown data set.
pub fn official(name: &str, files: &Files) -> Result<Dataset, DataError> {
    find(name)?.decode(&mut |file| Ok(files.get(file).cloned()))
}

/// The user's own images: RGB, all of `size`×`size` pixels, one after another, with their classes.
/// Gray images count as such: a network for one channel is smaller.
///
/// # Errors
/// Parts that do not fit together.
pub fn own(
    pixels: Vec<u8>,
    labels: Vec<u16>,
    size: usize,
    class_names: Vec<String>,
) -> Result<Dataset, DataError> {
    let is_gray = |pixel: &[u8]| pixel[0] == pixel[1] && pixel[1] == pixel[2];
    let gray = pixels.len().is_multiple_of(3) && pixels.chunks_exact(3).all(is_gray);
    let (pixels, channels) = match gray {
        true => (pixels.into_iter().step_by(3).collect(), 1),
        false => (pixels, 3),
    };
    let train = Images { pixels, labels, height: size, width: size, channels };
    let none = Images { pixels: Vec::new(), labels: Vec::new(), ..train };
    Dataset::measured("folder".to_owned(), train, none, class_names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<String> {
        vec!["cat".to_owned(), "dog".to_owned()]
    }

    #[test]
    fn gray_images_become_images_of_one_channel() -> Result<(), DataError> {
        let gray: Vec<u8> = (0..2 * 16).flat_map(|value| [value; 3]).collect();
        let found = own(gray, vec![0, 1], 4, classes())?;
        assert_eq!((found.train.channels, found.train.len()), (1, 2));
        assert_eq!(found.train.image(1)[0], 16);
        let colour: Vec<u8> = (0..2 * 16 * 3).collect();
        assert_eq!(own(colour, vec![0, 1], 4, classes())?.train.channels, 3);
        Ok(())
    }

    #[test]
    fn pixels_that_make_no_images_are_refused() {
        assert!(own(vec![0; 47], vec![0], 4, classes()).is_err());
        assert!(own(vec![0; 48], vec![2], 4, classes()).is_err(), "class 2 of 2");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = official("fashion-mnist", &Files::new());
        let error = error.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(error.contains("train-images-idx3-ubyte"), "{error}");
    }
}
