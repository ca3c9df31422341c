//! Data sets that are read into memory.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use smoothdarts::config::Config;
use smoothdarts::data::{self, DataError, Dataset, corpus};

use super::common::home;
use super::folder::{self, FOLDER};
use super::imagenet::{self, IMAGENET};
use crate::output;

/// `data.name` of the images that come with the program.
const EMBEDDED: &str = "fashion-mnist";

/// The data set that `data.name` and `data.dir` ask for; without test images where none is read.
///
/// # Errors
/// An unknown name, no folder where one is needed, or files that are missing or damaged.
pub fn open(config: &Config) -> anyhow::Result<Dataset> {
    let (name, dir) = (config.data.name.as_str(), Path::new(&config.data.dir));
    let test = config.reads_test_data();
    if corpus::find_text(name).is_some() {
        let problem = format!("{name} is a text, and images are read here");
        let remedy = "search the space `recurrent` or train a recurrent cell on it, or name images";
        return Err(DataError::Unusable { problem, remedy: remedy.to_owned() }.into());
    }
    if dir.as_os_str().is_empty() {
        return without_folder(name);
    }
    if !dir.is_dir() {
        return Err(no_such_folder(name, dir).into());
    }
    match name {
        FOLDER => {
            let listed = folder::list(dir, config.data.skip_damaged, test);
            open_folder(listed.with_context(|| cannot_open(FOLDER, dir))?, config)
        }
        IMAGENET => Err(DataError::Unusable {
            problem: "imagenet does not fit into memory".to_owned(),
            remedy: "search or train on it: both read it from the disk".to_owned(),
        }
        .into()),
        _ => open_files(name, dir, test),
    }
}

/// Reads a folder that is listed, and tells what was left out.
///
/// # Errors
/// As for [`folder::read`].
pub fn open_folder(listed: folder::Listed, config: &Config) -> anyhow::Result<Dataset> {
    let dir = Path::new(&config.data.dir);
    note_unused(&listed);
    let folder = folder::read(listed, config.data.image_size);
    let folder = folder.with_context(|| cannot_open(FOLDER, dir))?;
    if let Some(skipped) = &folder.skipped {
        note_skipped(dir, skipped);
    }
    Ok(folder.dataset)
}

/// Tells what was left out.
pub fn note_skipped(dir: &Path, skipped: &folder::Skipped) {
    let warning = if skipped.damaged.is_empty() { "" } else { "warning: " };
    output::note(&format!("{warning}{}: skipped {skipped}", dir.display()));
}

fn note_unused(listed: &folder::Listed) {
    if let Some(unused) = &listed.unused {
        output::note(&format!(
            "{} is not used: the test images are those of test",
            unused.display()
        ));
    }
}

fn open_files(name: &str, dir: &Path, test: bool) -> anyhow::Result<Dataset> {
    let source = data::find(name)?;
    let mut missing = String::new();
    for folder in [&home(dir, name), dir] {
        let read = &mut |file: &str| read(&folder.join(file));
        match if test { source.decode(read) } else { source.decode_training(read) } {
            Err(DataError::Missing { file, .. }) => missing = file,
            result => return result.with_context(|| cannot_open(name, folder)),
        }
    }
    let shown = dir.display();
    Err(DataError::Unusable {
        problem: format!("{shown} does not have all files of {name}: {missing} is missing"),
        remedy: format!(
            "get them with `sdarts fetch {name} --data-dir {shown}`, or set --data-dir to their \
             folder"
        ),
    }
    .into())
}

/// The context of an error.
pub fn cannot_open(name: &str, folder: &Path) -> String {
    format!("cannot open the data set {name} in {}", folder.display())
}

fn without_folder(name: &str) -> anyhow::Result<Dataset> {
    if name == EMBEDDED {
        return Ok(data::embedded()?);
    }
    let remedy = if name == FOLDER {
        "say where the images are: `--data folder --data-dir DIR`, with DIR/CLASS/*.png or \
         DIR/train/CLASS/*.png"
            .to_owned()
    } else if name == IMAGENET {
        imagenet::HOW.to_owned()
    } else {
        data::find(name)?;
        format!(
            "get its files with `sdarts fetch {name} --data-dir DIR`, then search with \
             `--data {name} --data-dir DIR`"
        )
    };
    let problem = format!("the data set {name} does not come with the program");
    Err(DataError::Unusable { problem, remedy }.into())
}

/// A folder that is not there.
pub fn no_such_folder(name: &str, dir: &Path) -> DataError {
    let shown = dir.display();
    let remedy = if name == FOLDER {
        "set --data-dir to the folder of the images".to_owned()
    } else if name == IMAGENET {
        imagenet::HOW.to_owned()
    } else {
        format!(
            "set --data-dir to the folder of its files, or get them with \
             `sdarts fetch {name} --data-dir {shown}`"
        )
    };
    DataError::Unusable { problem: format!("{shown}, the folder of {name}, is not there"), remedy }
}

/// The bytes of a file, if it is there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        // NotADirectory: something else is called like a folder on the way.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error.to_string()),
    }
}
