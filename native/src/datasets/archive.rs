//! Images inside tar archives, by their place: the archives are never unpacked, and of their
//! contents only names and offsets are kept.
//!
//! The archive of the training images holds a tar for every class. As tar compresses nothing, an
//! image in it is a range of bytes of the outer file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use smoothdarts::data::DataError;
use tar::EntryType;

use super::common::unreadable;
use super::listing::{NO_FILE, is_image};
use super::names::{Names, spread};

/// Bytes of a block of a tar; two empty ones are the end of an archive.
const BLOCK: u64 = 512;

/// The images of one archive.
pub struct Archive {
    path: PathBuf,
    file: File,
    names: Names,
    /// First byte and length.
    places: Vec<(u64, u32)>,
    labels: Vec<u16>,
}

/// A file in an archive.
struct Member {
    name: String,
    start: u64,
    length: u64,
}

impl Archive {
    /// An archive with a tar of each class, called CLASS.tar. Also says the names of the classes.
    ///
    /// # Errors
    /// No archive, one that ends early, a class without images, or what is no image in a class.
    pub fn of_classes(path: &Path) -> Result<(Vec<String>, Self), DataError> {
        let file = open(path)?;
        let mut classes: Vec<(String, Vec<Member>)> = Vec::new();
        for class in members(path, &file, 0..length(path, &file)?)? {
            let Some(name) = file_name(&class.name).strip_suffix(".tar") else {
                let (shown, name) = (path.display(), &class.name);
                return Err(malformed(
                    path,
                    "a tar for every class",
                    &format!("{name} in {shown}"),
                ));
            };
            let mut images = members(path, &file, class.start..class.start + class.length)?;
            images.retain(|member| is_image(Path::new(&member.name)));
            images.sort_by(|a, b| a.name.cmp(&b.name));
            if images.is_empty() {
                return Err(malformed(path, "images in every class", &format!("none in {name}")));
            }
            classes.push((name.to_owned(), images));
        }
        classes.sort_by(|a, b| a.0.cmp(&b.0));
        let counts: Vec<usize> = classes.iter().map(|(_, images)| images.len()).collect();
        let mut all = Vec::with_capacity(counts.iter().sum());
        let mut names = Vec::with_capacity(classes.len());
        for (label, (class, images)) in classes.into_iter().enumerate() {
            all.extend(images.into_iter().map(|image| (label as u16, image)));
            names.push(class);
        }
        let order = spread(&counts);
        let archive = Self::new(path, file, order.iter().map(|&index| &all[index as usize]))?;
        Ok((names, archive))
    }

    /// An archive of images, of which `label` knows the classes by their file names without end, in
    /// the order of their names.
    ///
    /// # Errors
    /// As for [`Self::of_classes`], and what `label` says.
    pub fn labelled(
        path: &Path,
        label: impl Fn(&str) -> Result<u16, DataError>,
    ) -> Result<Self, DataError> {
        let file = open(path)?;
        let mut images = members(path, &file, 0..length(path, &file)?)?;
        images.retain(|member| is_image(Path::new(&member.name)));
        images.sort_by(|a, b| a.name.cmp(&b.name));
        let of = |image: Member| {
            let name = file_name(&image.name);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            Ok((label(stem)?, image))
        };
        let all = images.into_iter().map(of).collect::<Result<Vec<_>, DataError>>()?;
        Self::new(path, file, all.iter())
    }

    fn new<'a>(
        path: &Path,
        file: File,
        images: impl Iterator<Item = &'a (u16, Member)>,
    ) -> Result<Self, DataError> {
        let (names, places, labels) = (Names::default(), Vec::new(), Vec::new());
        let mut archive = Self { path: path.to_owned(), file, names, places, labels };
        for (label, image) in images {
            let length = u32::try_from(image.length).map_err(|_| {
                let found = format!("{} of {} bytes", image.name, image.length);
                malformed(path, "images of less than 4 GiB", &found)
            })?;
            archive.names.push(image.name.as_bytes());
            archive.places.push((image.start, length));
            archive.labels.push(*label);
        }
        Ok(archive)
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The class of image `index`.
    pub fn label(&self, index: usize) -> u16 {
        self.labels[index]
    }

    /// The archive and the name of image `index` in it.
    pub fn name(&self, index: usize) -> String {
        let name = String::from_utf8_lossy(self.names.get(index));
        format!("{name} in {}", self.path.display())
    }

    /// The bytes of image `index`.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self, index: usize) -> Result<Vec<u8>, String> {
        let (start, length) = self.places[index];
        let mut bytes = vec![0; length as usize];
        self.read_at(start, &mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    /// Threads share the file, so none may move its cursor.
    #[cfg(unix)]
    fn read_at(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, start)
    }

    #[cfg(not(unix))]
    fn read_at(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(bytes)
    }
}

/// Opens what is a file; a pipe would wait for its writer.
fn open(path: &Path) -> Result<File, DataError> {
    let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !found.is_file() {
        return Err(malformed(path, "an archive", NO_FILE));
    }
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn length(path: &Path, file: &File) -> Result<u64, DataError> {
    Ok(file.metadata().map_err(|error| unreadable(path, &error))?.len())
}

/// The files of the archive in this range of bytes.
fn members(
    path: &Path,
    file: &File,
    range: std::ops::Range<u64>,
) -> Result<Vec<Member>, DataError> {
    let (start, end) = (range.start, range.end);
    let ends_early = |after: &str| {
        malformed(path, "an archive with its end", &format!("one that ends early, {after}"))
    };
    let broken = |error: io::Error| malformed(path, "an archive", &format!("no archive ({error})"));
    let section = Section { file, start, end, at: start };
    let mut archive = tar::Archive::new(section);
    let mut found: Vec<Member> = Vec::new();
    let mut last = 0;
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = entry.map_err(|error| match (error.kind(), found.last()) {
            (io::ErrorKind::UnexpectedEof, Some(member)) => {
                ends_early(&format!("after {}", member.name))
            }
            _ => broken(error),
        })?;
        let (inside, length) = (entry.raw_file_position(), entry.size());
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        last = inside.saturating_add(length.next_multiple_of(BLOCK));
        if inside.saturating_add(length) > end - start {
            return Err(ends_early(&format!("within {name}")));
        }
        if matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Continuous) {
            found.push(Member { name, start: start + inside, length });
        }
    }
    // An archive that was cut between two files is known by its missing end alone.
    match found.last() {
        Some(member) if last + BLOCK > end - start => {
            Err(ends_early(&format!("after {}", member.name)))
        }
        Some(_) => Ok(found),
        None => Err(malformed(path, "an archive", "no files in it")),
    }
}

/// A range of a file as a file of its own.
struct Section<'a> {
    file: &'a File,
    start: u64,
    end: u64,
    at: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut file = self.file;
        file.seek(SeekFrom::Start(self.at))?;
        let count = file.read(&mut buffer[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
            SeekFrom::End(offset) => self.end.checked_add_signed(offset),
        };
        self.at = at.filter(|at| *at >= self.start).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at - self.start)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn malformed(path: &Path, expected: &str, found: &str) -> DataError {
    DataError::Malformed {
        file: path.display().to_string(),
        expected: expected.to_owned(),
        found: found.to_owned(),
        remedy: "get the archive again, and compare its length and MD5 with those of its source",
    }
}
