//! `sdarts fetch`: the official files of a data set or a table, checked and unpacked.
//!
//! A download grows in NAME.part, so that a broken one goes on where it stopped, and gets its name
//! once its length and its SHA-256 are right. The catalogue knows the checksum of an archive and
//! not of the files in it: those are listed in ARCHIVE.sha256, which `sha256sum --check` reads too.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use smoothdarts::data::{self, RemoteFile, corpus};

use self::disk::{last_part, partial, rename, sha256, with_suffix};
use crate::exit::Exit;
use crate::run_dir::replace;
use crate::{datasets, output};

mod disk;
mod download;
pub mod tables;
mod unpack;

pub use download::download;
pub use unpack::unpack;

/// Brings the files of a data set or a table into the folder of its name in `dir`. Files that are there and
/// right are left alone. `url_base` takes the place of all but the last part of each address.
///
/// # Errors
/// An unknown name, a base without its scheme, and everything that [`files`] says.
pub fn run(name: &str, dir: &Path, url_base: Option<&str>) -> anyhow::Result<()> {
    if name == datasets::FOLDER {
        let fault = anyhow!(
            "your own images cannot be fetched; search on them with `--data {name} --data-dir DIR`"
        );
        return Err(fault.context(Exit::Usage));
    }
    if name == datasets::IMAGENET {
        bail!("imagenet cannot be fetched; {}", datasets::imagenet::HOW);
    }
    if let Some(text) = corpus::find_text(name) {
        let how = if text.how.is_empty() { "it comes with the program" } else { text.how };
        bail!("the text {name} cannot be fetched; {how}");
    }
    if let Some(base) = url_base.filter(|base| !base.contains("://")) {
        let fault =
            anyhow!("--url-base {base}: an address starts with its scheme, e.g. https://{base}");
        return Err(fault.context(Exit::Usage));
    }
    if let Some(table) = tables::find(name) {
        let folder = dir.join(name);
        files(std::slice::from_ref(&table.file), &folder, url_base)?;
        output::note(&format!(
            "{name} is complete; make a table of it with `sdarts table convert {}`",
            folder.join(table.file.path).display()
        ));
        return Ok(());
    }
    let source = data::find(name)?;
    let folder = datasets::home(dir, name);
    files(source.files, &folder, url_base)?;
    output::note(&format!(
        "{name} is complete in {}; search on it with `--data {name} --data-dir {}`",
        folder.display(),
        dir.display()
    ));
    Ok(())
}

/// Brings these files into a folder.
///
/// # Errors
/// No network, an HTTP status other than success, a transfer that breaks off, a wrong length or
/// checksum, an archive without the files or with unsafe paths, a disk that is full.
pub fn files(files: &[RemoteFile], folder: &Path, url_base: Option<&str>) -> anyhow::Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    // Files of one archive stand together in the catalogue, with the same address.
    for group in files.chunk_by(|a, b| a.url == b.url) {
        let Some(first) = group.first() else { continue };
        if first.member.is_some() {
            archive(first, group, folder, url_base)?;
        } else {
            single(first, folder, url_base)?;
        }
    }
    Ok(())
}

/// A download that is the file itself.
fn single(file: &RemoteFile, folder: &Path, url_base: Option<&str>) -> anyhow::Result<()> {
    let path = folder.join(file.path);
    if path.is_file() {
        if sha256(&path)? == file.sha256 {
            output::note(&format!("{}: is there", path.display()));
            return Ok(());
        }
        output::note(&format!("{}: is not the official file and gets replaced", path.display()));
    }
    let part = partial(&path);
    download(file, &address(file.url, url_base), &part)?;
    rename(&part, &path)?;
    output::note(&format!("{}: downloaded and checked", path.display()));
    Ok(())
}

/// A download that is an archive with these files in it.
fn archive(
    remote: &RemoteFile,
    members: &[RemoteFile],
    folder: &Path,
    url_base: Option<&str>,
) -> anyhow::Result<()> {
    let path = folder.join(last_part(remote.url));
    let list = with_suffix(&path, ".sha256");
    if unpacked(members, folder, &list) {
        output::note(&format!("{}: its files are there", path.display()));
        return Ok(());
    }
    let part = partial(&path);
    download(remote, &address(remote.url, url_base), &part)?;
    unpack(&part, members, folder)?;
    replace(&list, sums(members, folder)?.as_bytes())?;
    fs::remove_file(&part).with_context(|| format!("cannot remove {}", part.display()))?;
    output::note(&format!("{}: downloaded, checked and unpacked", path.display()));
    Ok(())
}

/// Whether the files of an archive are as they were when they came out of it.
fn unpacked(members: &[RemoteFile], folder: &Path, list: &Path) -> bool {
    let Ok(listed) = fs::read_to_string(list) else { return false };
    // A file that cannot be read now is one that has to come again.
    sums(members, folder).is_ok_and(|now| now == listed)
}

/// The lines of `sha256sum` for these files.
fn sums(files: &[RemoteFile], folder: &Path) -> anyhow::Result<String> {
    let line =
        |file: &RemoteFile| Ok(format!("{}  {}\n", sha256(&folder.join(file.path))?, file.path));
    files.iter().map(line).collect()
}

/// Where a file is downloaded from.
fn address(url: &str, base: Option<&str>) -> String {
    base.map_or_else(
        || url.to_owned(),
        |base| format!("{}/{}", base.trim_end_matches('/'), last_part(url)),
    )
}
