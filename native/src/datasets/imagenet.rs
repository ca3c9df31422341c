//! ImageNet (ILSVRC 2012), as the folder that most tools use or as its official archives.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use smoothdarts::data::DataError;

use super::archive::Archive;
use super::common::{home, unreadable, unusable};
use super::folder;
use super::stream::{Files, Parts};

/// `data.name` of ImageNet.
pub const IMAGENET: &str = "imagenet";

/// A line of `sdarts list data`.
pub const HELP: &str = "photographs, RGB, 1000 classes, 1,281,167 + 50,000 images; read from the \
     disk: DIR/train/WNID/*.JPEG and DIR/val/WNID/*.JPEG, or ILSVRC2012_img_train.tar and \
     ILSVRC2012_img_val.tar with val_labels.txt; not to be fetched: register at image-net.org";

/// How to get it.
pub const HOW: &str = "register at image-net.org, which gives it for non-commercial research, get \
     ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, and set `--data imagenet --data-dir DIR` \
     to their folder; the classes of the test images come from DIR/val_labels.txt (a line each: \
     ILSVRC2012_val_00000001.JPEG n01751748) or from LOC_val_solution.csv of Kaggle; or unpack them \
     into DIR/train/WNID/*.JPEG and DIR/val/WNID/*.JPEG";

/// Side of its images where `data.image_size` says nothing.
pub const SIZE: usize = 224;

const TRAIN: &str = "ILSVRC2012_img_train.tar";
const VAL: &str = "ILSVRC2012_img_val.tar";
const LABELS: [&str; 2] = ["val_labels.txt", "LOC_val_solution.csv"];
const CLASSES: usize = 1000;

/// Finds the images in DIR/imagenet or DIR; those to test on only if they are wanted.
///
/// # Errors
/// Neither layout, classes that are no WordNet ids, archives that end early, test images without
/// labels.
pub fn open(dir: &Path, skip_damaged: bool, test: bool) -> Result<Parts, DataError> {
    let homes = [home(dir, IMAGENET), dir.to_owned()];
    let has = |home: &&std::path::PathBuf| home.join("train").is_dir() || home.join(TRAIN).exists();
    let Some(home) = homes.iter().find(has) else {
        let shown = dir.display();
        return Err(unusable(
            format!("{shown} has neither a folder train nor {TRAIN}: it is not ImageNet"),
            HOW,
        ));
    };
    let mut parts = if home.join("train").is_dir() {
        Parts::from(folder::list(home, skip_damaged, test)?)
    } else {
        archives(home, test)?
    };
    if let Some(class) = parts.classes.iter().find(|class| !is_wordnet_id(class)) {
        return Err(unusable(
            format!("the class {class} in {} is no WordNet id as n01440764", home.display()),
            "set `--data folder` for images of your own",
        ));
    }
    let count = parts.classes.len();
    if count != CLASSES {
        parts.notes.push(format!("{} has {count} of the {CLASSES} classes", home.display()));
    }
    if test && parts.test.len() == 0 {
        parts.notes.push(format!("{} has no test images ({VAL} or val/)", home.display()));
    }
    Ok(parts)
}

fn is_wordnet_id(class: &str) -> bool {
    let digits = class.strip_prefix('n').unwrap_or_default();
    digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn archives(home: &Path, test: bool) -> Result<Parts, DataError> {
    let (classes, train) = Archive::of_classes(&home.join(TRAIN))?;
    let mut parts = Parts { classes, train: Files::Archive(train), ..Parts::default() };
    let val = home.join(VAL);
    if !test || !val.exists() {
        return Ok(parts);
    }
    let Some(labels) = LABELS.map(|name| home.join(name)).into_iter().find(|path| path.exists())
    else {
        let names = LABELS.join(" and no ");
        return Err(unusable(format!("{} has {VAL}, but no {names}", home.display()), HOW));
    };
    let known = read_labels(&labels, &parts.classes)?;
    let test = Archive::labelled(&val, |name| {
        known.get(name).copied().ok_or_else(|| {
            unusable(
                format!("{} has no class of {name}", labels.display()),
                "add its line: NAME WNID",
            )
        })
    })?;
    parts.test = Files::Archive(test);
    Ok(parts)
}

/// The class of every image, by its file name without end. A line names an image and, behind white
/// space or a comma, its class; what follows (the boxes of Kaggle's file) is left.
fn read_labels(path: &Path, classes: &[String]) -> Result<BTreeMap<String, u16>, DataError> {
    let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !found.is_file() {
        return Err(unusable(format!("{} is no file", path.display()), HOW));
    }
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let mut labels = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split([' ', '\t', ',']).filter(|word| !word.is_empty());
        let (Some(image), Some(class)) = (words.next(), words.next()) else { continue };
        match classes.binary_search_by(|known| known.as_str().cmp(class)) {
            Ok(label) => {
                let stem = image.strip_suffix(".JPEG").unwrap_or(image);
                labels.insert(stem.to_owned(), label as u16);
            }
            // The head of Kaggle's file.
            Err(_) if number == 1 && image == "ImageId" => {}
            Err(_) => {
                let shown = path.display();
                return Err(unusable(
                    format!("line {number} of {shown} names {class}, which has no training images"),
                    "a line is the name of an image and its WordNet id",
                ));
            }
        }
    }
    Ok(labels)
}
