//! Files with a checksum. That of FILE stands in `checksums/FILE` beside it, in two lines: the
//! checksum of what is written, and of what was there before. The checksum is written first, so
//! that after a kill between the two the old file is still a right one.
//!
//! A file without a checksum, as earlier versions and the page leave them, is read unchecked.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use crc32c::crc32c;

use super::atomic::{directory, replace};

/// The folder of the checksums.
pub(super) const FOLDER: &str = "checksums";

/// A file is not what was written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is not as it was written: its checksum is {found}, and {} says {expected}; it is damaged, or \
     was changed by hand", .path.display(), .sums.display()
)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// The file of its checksum.
    sums: PathBuf,
    found: String,
    expected: String,
}

/// Replaces a file and its checksum.
///
/// # Errors
/// What the file system says; the old file is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let sums = sums(path);
    fs::create_dir_all(directory(&sums))
        .with_context(|| format!("cannot create the folder {}", directory(&sums).display()))?;
    let listed = listed(&sums);
    let before = match fs::read(path) {
        Ok(bytes) => Some(checksum(&bytes)),
        Err(_) => None,
    };
    // What is damaged now must not pass as right later.
    let before = match (before, listed.first()) {
        (Some(before), Some(first)) if !listed.contains(&before) => Some(first.clone()),
        (before, _) => before,
    };
    let lines = [Some(checksum(bytes)), before].into_iter().flatten();
    replace(&sums, lines.map(|line| line + "\n").collect::<String>().as_bytes())?;
    replace(path, bytes)
}

/// Reads a file, if it is what was written; `None` where there is none.
///
/// # Errors
/// [`Damaged`], or what the file system says.
pub fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let sums = sums(path);
    let (found, listed) = (checksum(&bytes), listed(&sums));
    if !sums.exists() || listed.contains(&found) {
        return Ok(Some(bytes));
    }
    let expected = listed.first().cloned().unwrap_or_else(|| "nothing".to_owned());
    Err(Damaged { path: path.to_owned(), sums, found, expected }.into())
}

/// Reads a text, if it is what was written; `None` where there is none.
///
/// # Errors
/// As [`read`], and if it is no text.
pub fn text(path: &Path) -> anyhow::Result<Option<String>> {
    let text = read(path)?.map(String::from_utf8);
    text.transpose().with_context(|| format!("{} is not UTF-8 text", path.display()))
}

/// Whether a checksum of the file is kept.
pub fn has_checksum(path: &Path) -> bool {
    sums(path).exists()
}

/// The file of the checksums of a file.
fn sums(path: &Path) -> PathBuf {
    directory(path).join(FOLDER).join(path.file_name().unwrap_or_default())
}

/// Those checksums. Of a file that cannot be read there are none, and nothing fits it.
fn listed(sums: &Path) -> Vec<String> {
    let text = fs::read(sums).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

fn checksum(bytes: &[u8]) -> String {
    format!("{:08x}", crc32c(bytes))
}
