//! A folder of images by class: DIR/CLASS/* or DIR/train/CLASS/* with an optional DIR/test/CLASS/*.
//!
//! Labels follow the names of the class folders in byte order. The images of a class are sorted by
//! path, and the classes are spread evenly over the whole list: a search takes the first half of
//! it for w and the second one for α, so a list sorted by class would show each half only half of
//! the classes.
//!
//! Images without any colour give one channel, else all get three. Transparency is dropped.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageReader, RgbImage};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use smoothdarts::data::{DataError, Dataset, Images};

/// `data.name` of a folder of images by class; see `[`folder`]`.
pub const FOLDER: &str = "folder";

/// Ends of file names that mean an image, in lower case.
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// Largest `image_size`: what a [`smoothdarts::data::Loader`] accepts.
const MAX_SIDE: u32 = 1024;

/// A folder of images, read.
pub struct Folder {
    /// Its images; the test part is empty where there is no DIR/test.
    pub dataset: Dataset,
    /// Files that were not read, if any.
    pub skipped: Option<Skipped>,
}

/// Files beside the images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: PathBuf,
}

impl fmt::Display for Skipped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, first) = (self.count, self.first.display());
        let files = if count == 1 { "file" } else { "files" };
        write!(out, "{count} {files} not called like an image ({first})")
    }
}

/// Reads a folder of images. With `image_size` the largest square in the middle of each image is
/// resized to that many pixels; with 0 all images must have one size.
///
/// # Errors
/// A folder without classes or without images, a file that is no image, images of several sizes
/// where `image_size` is 0, or a class of the test images that the training images do not have.
pub fn open(dir: &Path, image_size: usize) -> Result<Folder, DataError> {
    let mut skipped = Skipped::default();
    let split = dir.join("train").is_dir();
    let train_dir = if split { dir.join("train") } else { dir.to_owned() };
    let classes = sub_folders(&train_dir, &mut skipped)?;
    check_classes(&train_dir, &classes)?;
    let mut files = list(&train_dir, &classes, &mut skipped)?;
    let train_count = files.len();
    if split && dir.join("test").is_dir() {
        let test_dir = dir.join("test");
        refuse_unknown(&test_dir, &classes, &sub_folders(&test_dir, &mut skipped)?)?;
        files.extend(list(&test_dir, &classes, &mut skipped)?);
    }
    let mut train = images(&files, image_size)?;
    let test = split_off(&mut train, train_count);
    let name = dir.file_name().map_or(FOLDER.into(), |name| name.to_string_lossy());
    let dataset = Dataset::measured(name.into_owned(), train, test, classes)?;
    Ok(Folder { dataset, skipped: (skipped.count > 0).then_some(skipped) })
}

/// One image file and its class.
struct Labelled {
    path: PathBuf,
    label: u16,
}

/// Names of the folders in a folder, sorted.
fn sub_folders(dir: &Path, skipped: &mut Skipped) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    for path in entries(dir)? {
        match path.file_name() {
            Some(name) if path.is_dir() && !is_hidden(&path) => {
                let name = name.to_str().ok_or_else(|| {
                    unusable(format!("the name of {} is not UTF-8", path.display()), "rename it")
                })?;
                names.push(name.to_owned());
            }
            _ => skipped.add(path),
        }
    }
    Ok(names)
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

/// The images of all classes, spread evenly. A class that has no folder here has no images.
fn list(dir: &Path, classes: &[String], skipped: &mut Skipped) -> Result<Vec<Labelled>, DataError> {
    let mut placed = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let folder = dir.join(class);
        if !folder.is_dir() {
            continue;
        }
        let mut paths = Vec::new();
        walk(&folder, &mut paths, skipped)?;
        if paths.is_empty() {
            let extensions = EXTENSIONS.join(", ");
            return Err(unusable(
                format!("{} has no images", folder.display()),
                format!("add some ({extensions}), or remove the folder"),
            ));
        }
        let count = paths.len() as f64;
        let place =
            |(index, path)| ((index as f64 + 0.5) / count, Labelled { path, label: label as u16 });
        placed.extend(paths.into_iter().enumerate().map(place));
    }
    // The sort is stable: classes of one size take turns in the order of their labels.
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(placed.into_iter().map(|(_, file)| file).collect())
}

/// The image files below a folder, sorted by path. Linked folders are left out, as they can be
/// circles.
fn walk(dir: &Path, paths: &mut Vec<PathBuf>, skipped: &mut Skipped) -> Result<(), DataError> {
    for path in entries(dir)? {
        if is_hidden(&path) {
            skipped.add(path);
        } else if path.is_dir() && !path.is_symlink() {
            walk(&path, paths, skipped)?;
        } else if path.is_file() && is_image(&path) {
            paths.push(path);
        } else {
            skipped.add(path);
        }
    }
    Ok(())
}

/// Everything in a folder, sorted.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    let read = || fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = read().map_err(|error| unreadable(dir, error))?;
    paths.sort();
    Ok(paths)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

impl Skipped {
    fn add(&mut self, path: PathBuf) {
        self.count += 1;
        if self.count == 1 {
            self.first = path;
        }
    }
}

/// Decodes all files, in parallel and in their order.
fn images(files: &[Labelled], image_size: usize) -> Result<Images, DataError> {
    let side =
        u32::try_from(image_size).ok().filter(|side| *side <= MAX_SIDE).ok_or_else(|| {
            unusable(
                format!("data.image_size = {image_size} is larger than images can be"),
                format!("set it to at most {MAX_SIDE}"),
            )
        })?;
    let decoded: Vec<Result<Decoded, DataError>> =
        files.par_iter().map(|file| decode(&file.path, side)).collect();
    // Of several faults the first in the order of the files is told, whichever thread was faster.
    let decoded = decoded.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (width, height) = one_size(files, &decoded)?;
    let colour = decoded.iter().any(|image| matches!(image, Decoded::Colour(_)));
    let channels = if colour { 3 } else { 1 };
    let mut pixels = Vec::with_capacity(files.len() * height * width * channels);
    decoded.into_iter().for_each(|image| image.append(colour, &mut pixels));
    let labels = files.iter().map(|file| file.label).collect();
    Ok(Images { pixels, labels, height, width, channels })
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

/// One image, cropped and resized to `side` unless that is 0. What it is, its bytes say: a JPEG
/// called .png is read all the same.
fn decode(path: &Path, side: u32) -> Result<Decoded, DataError> {
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
    let image = reader.map_err(|error| unreadable(path, error))?.decode().map_err(|error| {
        unusable(
            format!("{} is no image that can be read ({error})", path.display()),
            "replace or remove the file",
        )
    })?;
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

fn unusable(problem: String, remedy: impl Into<String>) -> DataError {
    DataError::Unusable { problem, remedy: remedy.into() }
}

fn unreadable(path: &Path, error: io::Error) -> DataError {
    DataError::Unreadable { file: path.display().to_string(), reason: error.to_string() }
}
