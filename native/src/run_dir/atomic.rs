//! Files that are replaced in one step: whatever stops the program, a file holds either all that was
//! written or what it held before.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// Replaces a file: afterwards it holds either all of `bytes` or what it held before.
///
/// # Errors
/// What the file system says, with the path.
pub fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    persist(temporary(path, bytes)?, path)
}

/// A file beside `path` with these bytes, safely on the disk.
pub(crate) fn temporary(path: &Path, bytes: &[u8]) -> anyhow::Result<tempfile::NamedTempFile> {
    let write = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(".tmp");
        // Temporary files are private by default; this one becomes a result that others may read.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(directory(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok::<_, std::io::Error>(file)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

pub(crate) fn persist(file: tempfile::NamedTempFile, path: &Path) -> anyhow::Result<()> {
    file.persist(path).with_context(|| format!("cannot replace {}", path.display()))?;
    // The new name itself has to reach the disk; only Unix lets us open a directory for that.
    #[cfg(unix)]
    File::open(directory(path))
        .and_then(|directory| directory.sync_all())
        .with_context(|| format!("cannot sync {}", path.display()))?;
    Ok(())
}

pub(crate) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
