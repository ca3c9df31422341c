//! Images inside tar archives, by their place: the archives are never unpacked, and of their
//! contents only names and offsets are kept.
//!
//! The archive of the training images holds a tar for every class. As tar compresses nothing, an
//! image in it is a range of bytes of the outer file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
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
        let mut found = Self::empty(path)?;
        // The images of each class, in the order in which the archive has the classes.
        let mut classes: Vec<(String, Range<usize>)> = Vec::new();
        for class in members(path, &found.file, 0..length(path, &found.file)?)? {
            let Some(name) = file_name(&class.name).strip_suffix(".tar") else {
                let name = format!("{} in it", class.name);
                return Err(malformed(path, "a tar for every class", &name));
            };
            let range = class.start..class.start + class.length;
            let first = found.len();
            for image in images(path, &found.file, range)? {
                found.push(&image, 0)?;
            }
            if found.len() == first {
                return Err(malformed(path, "images in every class", &format!("none in {name}")));
            }
            classes.push((name.to_owned(), first..found.len()));
        }
        classes.sort_by(|a, b| a.0.cmp(&b.0));
        let labelled: Vec<(u16, usize)> = (0u16..)
            .zip(&classes)
            .flat_map(|(label, (_, range))| range.clone().map(move |index| (label, index)))
            .collect();
        let counts: Vec<usize> = classes.iter().map(|(_, range)| range.len()).collect();
        let order: Vec<(u16, usize)> =
            spread(&counts).into_iter().map(|place| labelled[place as usize]).collect();
        let archive = Self {
            names: found.names.reordered(order.iter().map(|(_, index)| *index)),
            places: order.iter().map(|(_, index)| found.places[*index]).collect(),
            labels: order.iter().map(|(label, _)| *label).collect(),
            ..found
        };
        Ok((classes.into_iter().map(|(name, _)| name).collect(), archive))
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
        let mut found = Self::empty(path)?;
        for image in images(path, &found.file, 0..length(path, &found.file)?)? {
            let name = file_name(&image.name);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            found.push(&image, label(stem)?)?;
        }
        Ok(found)
    }

    fn empty(path: &Path) -> Result<Self, DataError> {
        Ok(Self {
            path: path.to_owned(),
            file: open(path)?,
            names: Names::default(),
            places: Vec::new(),
            labels: Vec::new(),
        })
    }

    fn push(&mut self, image: &Member, label: u16) -> Result<(), DataError> {
        let length = u32::try_from(image.length).map_err(|_| {
            let found = format!("{} of {} bytes", image.name, image.length);
            malformed(&self.path, "images of less than 4 GiB", &found)
        })?;
        self.names.push(image.name.as_bytes());
        self.places.push((image.start, length));
        self.labels.push(label);
        Ok(())
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

/// The images of the archive in this range of bytes, sorted by name.
fn images(path: &Path, file: &File, range: Range<u64>) -> Result<Vec<Member>, DataError> {
    let mut images = members(path, file, range)?;
    images.retain(|member| is_image(Path::new(&member.name)));
    images.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(images)
}

/// The files of the archive in this range of bytes.
fn members(path: &Path, file: &File, range: Range<u64>) -> Result<Vec<Member>, DataError> {
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
