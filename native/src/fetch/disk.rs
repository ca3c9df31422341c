//! What all parts of a download do with files and their names.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use sha2::{Digest as _, Sha256};

/// Bytes that are read at once.
pub(super) const BUFFER: usize = 1 << 16;

/// The name of the file behind an address.
pub(super) fn last_part(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// The name of a file that is not complete.
pub(super) fn partial(path: &Path) -> PathBuf {
    with_suffix(path, ".part")
}

/// The name of a file beside this one.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Gives a complete file its name.
pub(super) fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

/// SHA-256 of a file in hexadecimal.
pub(super) fn sha256(path: &Path) -> anyhow::Result<String> {
    let named = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(named)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    loop {
        match file.read(&mut buffer).with_context(named)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a failed write means and what to do.
pub(super) fn cannot_write(path: &Path, error: io::Error) -> anyhow::Error {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let remedy = if full {
        "the disk is full: free some space and run the same command again, it goes on from here"
    } else {
        "check its permissions and the disk, then run the same command again"
    };
    anyhow!(error).context(format!("cannot write {}; {remedy}", path.display()))
}
