//! The files of a page, read at the start. What is not read cannot be asked for, however its path is
//! written.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::answer::{File, Files};

/// More bytes than any page has, and less than would fill a memory.
const MAX_BYTES: u64 = 1 << 30;

/// All files of a folder that is a page, by their path in URLs. Links are not followed, and what is hidden
/// is left out.
pub(super) fn read(folder: &Path) -> anyhow::Result<Files> {
    let (mut files, mut room) = (Files::new(), MAX_BYTES);
    // Before anything is read: another folder than was meant may hold anything.
    let index = folder.join("index.html");
    ensure!(index.is_file(), "{} is no page: give a folder that --out wrote", folder.display());
    below(folder, "", &mut files, &mut room)?;
    Ok(files)
}

fn below(folder: &Path, prefix: &str, files: &mut Files, room: &mut u64) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let kind = entry.file_type().with_context(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = format!("{prefix}/{name}");
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            below(&entry.path(), &path, files, room)?;
        } else if kind.is_file() {
            let size = entry.metadata().with_context(unreadable)?.len();
            let left = room.checked_sub(size);
            *room = left.with_context(|| {
                format!("{path} and what was read before are more than {MAX_BYTES} bytes: give a folder that --out wrote")
            })?;
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
            files.insert(path, File::new(bytes));
        }
    }
    Ok(())
}
