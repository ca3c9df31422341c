//! A folder of images by class: DIR/CLASS/* or DIR/train/CLASS/* with test images in DIR/test/CLASS/*
//! or, where that is not there, DIR/val/CLASS/*.
//!
//! Images without any colour give one channel, else all get three. Transparency is dropped.

use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, RgbImage};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use smoothdarts::data::{DataError, Dataset, Images, Part};

use super::common::unusable;
use super::decode;
pub use super::listing::Skipped;
use super::listing::{Lister, Listing};

/// `data.name` of a folder of images by class; see [`folder`](self).
pub const FOLDER: &str = "folder";

/// Largest `image_size`: what a [`smoothdarts::data::Loader`] accepts.
const MAX_SIDE: u32 = 1024;

/// A folder of images, read.
pub struct Folder {
    /// Its images; the test part is empty where there is no DIR/test and no DIR/val.
    pub dataset: Dataset,
    /// Files that were not read, if any.
    pub skipped: Option<Skipped>,
}

/// A folder of images, not read yet.
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Names of the classes, by label.
    pub classes: Vec<String>,
    /// Images for training.
    pub train: Listing,
    /// Images that no search touches.
    pub test: Listing,
    /// Files that were left out so far.
    pub skipped: Skipped,
    /// Whether damaged files are left out.
    pub skip_damaged: bool,
    /// A folder that looks like a part and is none.
    pub unused: Option<PathBuf>,
}

/// Lists a folder of images, that of its test images only if they are wanted. With `skip_damaged` what is
/// called like an image and is no file is left out.
///
/// # Errors
/// A folder without classes or without images, a link to nothing, a pipe, or a class of the test
/// images that the training images do not have.
pub fn list(dir: &Path, skip_damaged: bool, test: bool) -> Result<Listed, DataError> {
    let mut lister = Lister { skip_damaged, skipped: Skipped::default() };
    let split = dir.join("train").is_dir();
    let train_dir = if split { dir.join("train") } else { dir.to_owned() };
    let classes = lister.classes(&train_dir)?;
    check_classes(&train_dir, &classes)?;
    let train = lister.list(&train_dir, &classes)?;
    let parts = ["test", "val"].map(|part| dir.join(part));
    let mut parts = parts.into_iter().filter(|part| test && split && part.is_dir());
    let test = match parts.next() {
        Some(test_dir) => {
            refuse_unknown(&test_dir, &classes, &lister.classes(&test_dir)?)?;
            lister.list(&test_dir, &classes)?
        }
        None => Listing::default(),
    };
    Ok(Listed {
        name: dir.file_name().map_or(FOLDER.into(), |name| name.to_string_lossy().into_owned()),
        classes,
        train,
        test,
        skipped: lister.skipped,
        skip_damaged,
        unused: parts.next(),
    })
}

/// Reads a folder of images. With `image_size` the largest square in the middle of each image is
/// resized to that many pixels; with 0 all images must have one size.
///
/// # Errors
/// As for [`list`], a file that is no image, or images of several sizes where `image_size` is 0.
pub fn open(dir: &Path, image_size: usize) -> Result<Folder, DataError> {
    read(list(dir, false, true)?, image_size)
}

/// Reads the images of a folder.
///
/// # Errors
/// A file that is no image, unless such are left out, or images of several sizes where `image_size`
/// is 0.
pub fn read(listed: Listed, image_size: usize) -> Result<Folder, DataError> {
    let Listed { name, classes, train, test, mut skipped, skip_damaged, .. } = listed;
    let file = |listing: &Listing, index| Labelled {
        path: listing.path(index),
        label: listing.label(index),
        part: Part::Train,
    };
    let mut files: Vec<Labelled> = (0..train.len()).map(|index| file(&train, index)).collect();
    files.extend((0..test.len()).map(|index| Labelled { part: Part::Test, ..file(&test, index) }));
    let damaged = skip_damaged.then_some(&mut skipped.damaged);
    let (mut train, train_count) = images(files, image_size, damaged)?;
    let test = split_off(&mut train, train_count);
    let dataset = Dataset::measured(name, train, test, classes)?;
    Ok(Folder { dataset, skipped: (!skipped.is_empty()).then_some(skipped) })
}

/// One image file and its class.
struct Labelled {
    path: PathBuf,
    label: u16,
    part: Part,
}

fn check_classes(dir: &Path, classes: &[String]) -> Result<(), DataError> {
    let most = usize::from(u16::MAX) + 1;
    if (2..=most).contains(&classes.len()) {
        return Ok(());
    }
    Err(unusable(
        format!("{} has {} class folders", dir.display(), classes.len()),
        format!("put the images of each class into a folder of its own, of 2 to {most} classes"),
    ))
}

fn refuse_unknown(dir: &Path, known: &[String], classes: &[String]) -> Result<(), DataError> {
    match classes.iter().find(|class| known.binary_search(class).is_err()) {
        None => Ok(()),
        Some(class) => Err(unusable(
            format!("{} is a class without training images", dir.join(class).display()),
            "rename it, or add training images",
        )),
    }
}

/// Decodes all files, in parallel and in their order. Damaged ones are named in `damaged`, if that is
/// there. Also says how many of the images are for training.
fn images(
    mut files: Vec<Labelled>,
    image_size: usize,
    damaged: Option<&mut Vec<String>>,
) -> Result<(Images, usize), DataError> {
    let side =
        u32::try_from(image_size).ok().filter(|side| *side <= MAX_SIDE).ok_or_else(|| {
            unusable(
                format!("data.image_size = {image_size} is larger than images can be"),
                format!("set it to at most {MAX_SIDE}"),
            )
        })?;
    let mut results = Vec::new();
    (0..files.len())
        .into_par_iter()
        .map(|index| decode(&files[index].path, side))
        .collect_into_vec(&mut results);
    if let Some(damaged) = damaged {
        let mut whole = results.iter().map(Result::is_ok);
        files.retain(|_| whole.next().unwrap_or(true));
        results.retain(|result| {
            result.as_ref().inspect_err(|error| damaged.push(reason(error))).is_ok()
        });
    }
    // Of several faults the first in the order of the files is told, whichever thread was faster.
    let decoded = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (width, height) = one_size(&files, &decoded)?;
    let colour = decoded.iter().any(|image| matches!(image, Decoded::Colour(_)));
    let channels = if colour { 3 } else { 1 };
    let mut pixels = Vec::with_capacity(files.len() * height * width * channels);
    decoded.into_iter().for_each(|image| image.append(colour, &mut pixels));
    let labels = files.iter().map(|file| file.label).collect();
    let train = files.iter().filter(|file| file.part == Part::Train).count();
    Ok((Images { pixels, labels, height, width, channels }, train))
}

/// A damaged file in one clause.
fn reason(error: &DataError) -> String {
    match error {
        DataError::Damaged { file, reason } => format!("{file}: {reason}"),
        other => other.to_string(),
    }
}

enum Decoded {
    Gray(GrayImage),
    Colour(RgbImage),
}

impl Decoded {
    /// Width and height.
    fn size(&self) -> (u32, u32) {
        match self {
            Self::Gray(image) => image.dimensions(),
            Self::Colour(image) => image.dimensions(),
        }
    }

    fn append(self, colour: bool, pixels: &mut Vec<u8>) {
        match self {
            Self::Colour(image) => pixels.extend(image.into_raw()),
            Self::Gray(image) if colour => {
                pixels.extend(image.into_raw().into_iter().flat_map(|value| [value; 3]));
            }
            Self::Gray(image) => pixels.extend(image.into_raw()),
        }
    }
}

/// One image, cropped and resized to `side` unless that is 0.
fn decode(path: &Path, side: u32) -> Result<Decoded, DataError> {
    let image = decode::read(path).and_then(decode::decode);
    let image =
        image.map_err(|reason| DataError::Damaged { file: path.display().to_string(), reason })?;
    let image = if side == 0 { image } else { square(&image, side) };
    let image = image.into_rgb8();
    // WebP has no gray images, and many gray PNGs are saved as RGB: so the pixels decide.
    if image.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]) {
        return Ok(Decoded::Gray(imageops::grayscale(&image)));
    }
    Ok(Decoded::Colour(image))
}

/// The largest square in the middle at `side`×`side` pixels, each of them weighted over the area
/// that it covers.
fn square(image: &DynamicImage, side: u32) -> DynamicImage {
    let (width, height) = (image.width(), image.height());
    let edge = width.min(height);
    let middle = image.crop_imm((width - edge) / 2, (height - edge) / 2, edge, edge);
    if edge == side { middle } else { middle.resize_exact(side, side, FilterType::Triangle) }
}

/// Width and height of all images.
fn one_size(files: &[Labelled], decoded: &[Decoded]) -> Result<(usize, usize), DataError> {
    let mut sizes =
        files.iter().map(|file| file.path.display()).zip(decoded.iter().map(Decoded::size));
    let Some((first, (width, height))) = sizes.next() else {
        return Ok((0, 0));
    };
    match sizes.find(|(_, size)| *size != (width, height)) {
        None => Ok((width as usize, height as usize)),
        Some((other, (wide, high))) => Err(unusable(
            format!("{other} has {wide}×{high} pixels, but {first} has {width}×{height}"),
            "resize all with data.image_size, e.g. `--set data.image_size=32`",
        )),
    }
}

/// Keeps the first `count` images and returns the others.
fn split_off(images: &mut Images, count: usize) -> Images {
    let pixels = images.pixels.split_off(count * images.image_len());
    let labels = images.labels.split_off(count);
    Images { pixels, labels, ..*images }
}
