//! The files of a data set out of their .tar.gz.
//!
//! Paths inside an archive are never written to: files go where the catalogue says. Still an
//! archive with a path that leaves its folder is refused as a whole, as no official one has any.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use flate2::read::GzDecoder;
use smoothdarts::data::{DataError, RemoteFile};
use tar::Archive;

use super::disk::{cannot_write, partial, rename};

/// Unpacks the members that the catalogue names into `folder`, and skips all others. The files get
/// their names after the whole archive was read.
///
/// # Errors
/// An archive that is damaged, lacks a member or has a path that leaves it (nothing of it is
/// kept), or a failed write.
pub fn unpack(archive: &Path, members: &[RemoteFile], folder: &Path) -> anyhow::Result<()> {
    let result = extract(archive, members, folder);
    for path in members.iter().map(|member| folder.join(member.path)) {
        if result.is_ok() {
            rename(&partial(&path), &path)?;
        } else {
            // It may not be there; and where it cannot be removed, the first fault says more.
            let _ = fs::remove_file(partial(&path));
        }
    }
    result
}

fn extract(archive: &Path, members: &[RemoteFile], folder: &Path) -> anyhow::Result<()> {
    let file = File::open(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let mut tar = Archive::new(GzDecoder::new(BufReader::new(file)));
    let damaged = |error: io::Error| refused(archive, "an intact .tar.gz".to_owned(), error);
    let mut missing: Vec<&RemoteFile> = members.iter().collect();
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let shown = path.display();
        let inside = inside(&path)
            .ok_or_else(|| refused(archive, "only paths below the folder".to_owned(), &shown))?;
        let wanted = |file: &&RemoteFile| file.member.is_some_and(|name| Path::new(name) == inside);
        let Some(index) = missing.iter().position(wanted) else { continue };
        let kind = entry.header().entry_type();
        if !kind.is_file() {
            return Err(refused(archive, format!("the file {shown}"), format!("{kind:?}")).into());
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        let part = partial(&folder.join(missing.swap_remove(index).path));
        write(&part, &bytes).map_err(|error| cannot_write(&part, error))?;
    }
    match missing.first().and_then(|file| file.member) {
        None => Ok(()),
        Some(member) => {
            Err(refused(archive, format!("the file {member}"), "an archive without it").into())
        }
    }
}

/// The path without `.` parts; `None` where it is absolute or goes up.
fn inside(path: &Path) -> Option<PathBuf> {
    let part = |part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    };
    path.components().filter(|part| *part != Component::CurDir).map(part).collect()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn refused(archive: &Path, expected: String, found: impl ToString) -> DataError {
    DataError::Malformed {
        file: archive.display().to_string(),
        expected,
        found: found.to_string(),
        remedy: "nothing of it is used; delete it, and take a mirror with --url-base URL",
    }
}
