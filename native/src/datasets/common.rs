//! What the modules of the data sets share.

use std::io;
use std::path::{Path, PathBuf};

use smoothdarts::data::DataError;

/// Where `sdarts fetch` puts the files of a data set, and where they are looked for first. MNIST and
/// Fashion-MNIST give their files the same names, so each data set has a folder of its own.
pub fn home(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}

/// Files that are there and do not do.
pub fn unusable(problem: String, remedy: impl Into<String>) -> DataError {
    DataError::Unusable { problem, remedy: remedy.into() }
}

/// A file that the system does not give.
pub fn unreadable(path: &Path, error: &io::Error) -> DataError {
    DataError::Unreadable { file: path.display().to_string(), reason: error.to_string() }
}
