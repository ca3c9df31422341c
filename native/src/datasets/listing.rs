//! The images of a folder of class folders, by name: what is where, and never a pixel.
//!
//! Labels follow the names of the class folders in byte order. The images of a class are sorted by
//! path, and the classes are spread evenly over the whole list (`names::spread`).

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use smoothdarts::data::DataError;

use super::common::{unreadable, unusable};
use super::names::{Names, spread};

/// Ends of file names that mean an image, in lower case.
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// The images of one part of a data set.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    root: PathBuf,
    names: Names,
    labels: Vec<u16>,
}

/// Files beside the images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many are not called like an image.
    pub count: usize,
    /// The first of them.
    pub first: PathBuf,
    /// Those that are called like an image and are none, each with what it is.
    pub damaged: Vec<String>,
}

impl fmt::Display for Skipped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, first) = (self.count, self.first.display());
        let mut parts = Vec::new();
        if count > 0 {
            let files = if count == 1 { "file" } else { "files" };
            parts.push(format!("{count} {files} not called like an image ({first})"));
        }
        if !self.damaged.is_empty() {
            parts.push(format!("{} damaged ({})", self.damaged.len(), self.damaged.join("; ")));
        }
        write!(out, "{}", parts.join(" and "))
    }
}

impl Skipped {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.damaged.is_empty()
    }

    fn add(&mut self, path: PathBuf) {
        self.count += 1;
        if self.count == 1 {
            self.first = path;
        }
    }
}

impl Listing {
    /// How many images.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The file of image `index`.
    pub fn path(&self, index: usize) -> PathBuf {
        self.names.path(&self.root, index)
    }

    /// The class of image `index`.
    pub fn label(&self, index: usize) -> u16 {
        self.labels[index]
    }

    /// The class of every image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }
}

/// Lists folders of images.
pub struct Lister {
    /// Whether what is called like an image and cannot be one is left out, instead of being an error.
    pub skip_damaged: bool,
    /// What was left out.
    pub skipped: Skipped,
}

/// What stands in a folder.
struct Found {
    name: OsString,
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    LinkedFolder,
    /// With what it is.
    Other(&'static str),
}

impl Lister {
    /// Names of the folders in a folder, sorted.
    ///
    /// # Errors
    /// A folder that cannot be read, a name that is not UTF-8, or a link to nothing.
    pub fn classes(&mut self, dir: &Path) -> Result<Vec<String>, DataError> {
        let mut names = Vec::new();
        for found in entries(dir)? {
            match found.kind {
                _ if found.is_hidden() => self.skipped.add(found.path),
                Kind::Folder | Kind::LinkedFolder => {
                    let name = found.name.into_string().map_err(|_| {
                        let shown = found.path.display();
                        unusable(format!("the name of {shown} is not UTF-8"), "rename it")
                    })?;
                    names.push(name);
                }
                Kind::Other(what) if what == DANGLING => self.damaged(&found.path, what)?,
                _ => self.skipped.add(found.path),
            }
        }
        Ok(names)
    }

    /// The images of all classes, spread evenly. A class that has no folder here has no images.
    ///
    /// # Errors
    /// A folder that cannot be read or has no images, or something called like an image that is no
    /// file, unless such are left out.
    pub fn list(&mut self, dir: &Path, classes: &[String]) -> Result<Listing, DataError> {
        let (mut names, mut counts) = (Names::default(), Vec::new());
        for class in classes {
            let (folder, before) = (dir.join(class), names.len());
            if folder.is_dir() {
                self.walk(&folder, dir, &mut names)?;
                if names.len() == before {
                    let extensions = EXTENSIONS.join(", ");
                    return Err(unusable(
                        format!("{} has no images", folder.display()),
                        format!("add some ({extensions}), or remove the folder"),
                    ));
                }
            }
            counts.push(names.len() - before);
        }
        if u32::try_from(names.len()).is_err() {
            let count = names.len();
            return Err(unusable(format!("{count} images are too many"), "take fewer"));
        }
        let order = spread(&counts);
        let of_class = |(class, &count): (usize, &usize)| std::iter::repeat_n(class as u16, count);
        let labels: Vec<u16> = counts.iter().enumerate().flat_map(of_class).collect();
        Ok(Listing {
            root: dir.to_owned(),
            names: names.reordered(order.iter().map(|&index| index as usize)),
            labels: order.iter().map(|&index| labels[index as usize]).collect(),
        })
    }

    /// The image files below a folder, sorted by path. Linked folders are left out, as they can be
    /// circles.
    fn walk(&mut self, dir: &Path, root: &Path, names: &mut Names) -> Result<(), DataError> {
        for found in entries(dir)? {
            match found.kind {
                _ if found.is_hidden() => self.skipped.add(found.path),
                Kind::Folder => self.walk(&found.path, root, names)?,
                Kind::File if found.is_image() => {
                    let inside = found.path.strip_prefix(root).unwrap_or(&found.path);
                    names.push(inside.as_os_str().as_encoded_bytes());
                }
                Kind::Other(what) if found.is_image() => self.damaged(&found.path, what)?,
                _ => self.skipped.add(found.path),
            }
        }
        Ok(())
    }

    fn damaged(&mut self, path: &Path, what: &str) -> Result<(), DataError> {
        if self.skip_damaged {
            self.skipped.damaged.push(format!("{}: {what}", path.display()));
            return Ok(());
        }
        Err(DataError::Damaged { file: path.display().to_string(), reason: what.to_owned() })
    }
}

/// A link whose target is not there.
pub const DANGLING: &str = "a link to nothing";

/// What is no file and no folder, and would be waited for without end if it were opened.
pub const NO_FILE: &str = "not a regular file";

/// Everything in a folder, sorted.
fn entries(dir: &Path) -> Result<Vec<Found>, DataError> {
    let found = |entry: fs::DirEntry| -> io::Result<Found> {
        let path = entry.path();
        Ok(Found { kind: kind(&path, entry.file_type()?)?, name: entry.file_name(), path })
    };
    let read = || fs::read_dir(dir)?.map(|entry| found(entry?)).collect::<io::Result<Vec<_>>>();
    let mut found = read().map_err(|error| unreadable(dir, &error))?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn kind(path: &Path, of_entry: FileType) -> io::Result<Kind> {
    let plain = |kind: FileType| match kind {
        _ if kind.is_file() => Kind::File,
        _ if kind.is_dir() => Kind::Folder,
        _ => Kind::Other(NO_FILE),
    };
    if !of_entry.is_symlink() {
        return Ok(plain(of_entry));
    }
    match fs::metadata(path) {
        Ok(target) if target.is_dir() => Ok(Kind::LinkedFolder),
        Ok(target) => Ok(plain(target.file_type())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kind::Other(DANGLING)),
        // Circles of links, targets behind closed doors.
        Err(_) => Ok(Kind::Other("a link that leads nowhere")),
    }
}

impl Found {
    fn is_hidden(&self) -> bool {
        self.name.as_encoded_bytes().starts_with(b".")
    }

    fn is_image(&self) -> bool {
        is_image(&self.path)
    }
}

/// Whether a file is called like an image.
pub fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}
