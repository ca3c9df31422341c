//! The part of MATLAB's MAT-file format, level 5, that SVHN needs: real numeric arrays, plain or
//! compressed, little-endian.
//!
//! A file is a header of 128 bytes and a sequence of elements: a tag (type, size) and content. An
//! element is an array, or one array as a zlib stream. An array is again a sequence of elements,
//! padded to 8 bytes: flags, dimensions, name, numbers. (The crate matfile 0.5 reads the same format,
//! but on damaged files it prints, overflows in the product of the dimensions, recurses without a
//! bound and inflates without a limit.)

use super::DataError;
use super::input::Input;

const HEADER: usize = 128;
const VERSION_5: u16 = 0x0100;
/// Since MATLAB 7.3 `save` can also write HDF5 behind a similar header.
const VERSION_7_3: u16 = 0x0200;

const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT16: u32 = 3;
const UINT16: u32 = 4;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const SINGLE: u32 = 7;
const DOUBLE: u32 = 9;
const INT64: u32 = 12;
const UINT64: u32 = 13;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// Classes of array that hold plain numbers: double to uint64. Below are cells, structs, objects,
/// text and sparse arrays.
const NUMERIC_CLASSES: std::ops::RangeInclusive<u8> = 6..=15;
const COMPLEX: u8 = 0x08;

/// MATLAB's own limits: a name has at most 63 characters. SVHN has 4 dimensions.
const MAX_NAME: u64 = 63;
const MAX_DIMENSIONS: u64 = 8;

/// A numeric array of a file.
pub(super) struct Array {
    /// Its shape; the first dimension varies fastest.
    pub dimensions: Vec<u64>,
    /// How the numbers are stored.
    storage: Storage,
    data: Vec<u8>,
}

/// The type code that numbers are stored under, which can be smaller than that of their class.
#[derive(Clone, Copy)]
struct Storage {
    code: u32,
    size: usize,
}

impl Storage {
    fn new(code: u32) -> Option<Self> {
        let size = match code {
            INT8 | UINT8 => 1,
            INT16 | UINT16 => 2,
            INT32 | UINT32 | SINGLE => 4,
            DOUBLE | INT64 | UINT64 => 8,
            _ => return None,
        };
        Some(Self { code, size })
    }

    /// One number, exact up to 2^53. `bytes` holds its little-endian bytes.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(word);
        match self.code {
            INT8 => f64::from(bits as i8),
            INT16 => f64::from(bits as i16),
            INT32 => f64::from(bits as i32),
            SINGLE => f64::from(f32::from_bits(bits as u32)),
            DOUBLE => f64::from_bits(bits),
            INT64 => bits as i64 as f64,
            _ => bits as f64,
        }
    }
}

impl Array {
    /// The numbers in the order of the file.
    pub fn numbers(&self) -> impl Iterator<Item = f64> {
        self.data.chunks_exact(self.storage.size).map(|bytes| self.storage.number(bytes))
    }

    /// The numbers of an array of bytes.
    pub fn bytes(&self, file: &str) -> Result<&[u8], DataError> {
        if self.storage.code == UINT8 {
            return Ok(&self.data);
        }
        Err(DataError::malformed(
            file,
            "an array of unsigned bytes",
            format!("numbers of type {}", self.storage.code),
        ))
    }
}

/// The array called `name`.
pub(super) fn array(file: &str, bytes: &[u8], name: &str) -> Result<Array, DataError> {
    check_header(file, bytes)?;
    let mut rest = &bytes[HEADER..];
    while let Some((kind, size)) = element_tag(rest) {
        let Some((content, after)) = rest[8..].split_at_checked(size) else {
            return Err(DataError::malformed(
                file,
                format!("an element of {size} bytes at byte {}", bytes.len() - rest.len()),
                format!("only {} bytes up to the end of the file", rest.len() - 8),
            ));
        };
        let found = match kind {
            MATRIX => named_array(Input::plain(file, content), name)?,
            COMPRESSED => compressed_array(Input::zlib(file, content), name)?,
            _ => None,
        };
        if let Some(array) = found {
            return Ok(array);
        }
        rest = after;
    }
    Err(DataError::malformed(file, format!("an array {name}"), "no numeric array of that name"))
}

fn check_header(file: &str, bytes: &[u8]) -> Result<(), DataError> {
    let found = match bytes.get(HEADER - 4..HEADER) {
        None => format!("{} bytes", bytes.len()),
        Some(&[low, high, b'I', b'M']) => match u16::from_le_bytes([low, high]) {
            VERSION_5 => return Ok(()),
            VERSION_7_3 => "the HDF5 format of MATLAB 7.3 (save it with -v7)".to_owned(),
            version => format!("version {version:#06x}"),
        },
        Some(b"\x01\x00MI") => "a big-endian one (save it again on this machine)".to_owned(),
        Some(other) => format!("{other:02x?} where version and byte order should be"),
    };
    Err(DataError::malformed(file, "a MATLAB file of level 5, little-endian", found))
}

/// Type and size of the element that `bytes` begins with; none at the end of the file.
fn element_tag(bytes: &[u8]) -> Option<(u32, usize)> {
    let (kind, rest) = bytes.split_first_chunk::<4>()?;
    let (size, _) = rest.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*kind), u32::from_le_bytes(*size) as usize))
}

/// The array of a zlib stream, which holds one whole element. Anything else than an array inside,
/// another stream above all, is passed over.
fn compressed_array(mut input: Input, name: &str) -> Result<Option<Array>, DataError> {
    match element_tag(&input.up_to(8)?) {
        Some((MATRIX, _)) => named_array(input, name),
        _ => Ok(None),
    }
}

/// The array of which `input` is the content, if it is numeric and has this name.
fn named_array(mut input: Input, name: &str) -> Result<Option<Array>, DataError> {
    let flags = part(&mut input, UINT32, 8, "array flags")?;
    let &[class, bits, ..] = flags.as_slice() else { return Ok(None) };
    if !NUMERIC_CLASSES.contains(&class) {
        return Ok(None);
    }
    let dimensions = part(&mut input, INT32, 4 * MAX_DIMENSIONS, "dimensions")?;
    if part(&mut input, INT8, MAX_NAME, "array name")? != name.as_bytes() {
        return Ok(None);
    }
    if bits & COMPLEX != 0 {
        return Err(input.malformed(format!("real numbers in {name}"), "complex ones"));
    }
    numbers(input, name, &dimensions).map(Some)
}

fn numbers(mut input: Input, name: &str, dimensions: &[u8]) -> Result<Array, DataError> {
    // A negative dimension becomes a huge one, which the product below refuses.
    let dimensions: Vec<u64> = dimensions
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| i32::from_le_bytes(*bytes) as i64 as u64)
        .collect();
    let tag = tag(&mut input, "numbers")?;
    let Some(storage) = Storage::new(tag.kind) else {
        return Err(input.malformed(format!("numbers in {name}"), format!("type {}", tag.kind)));
    };
    let size = dimensions.iter().try_fold(storage.size as u64, |size, &d| size.checked_mul(d));
    if size != Some(u64::from(tag.size)) {
        return Err(input.malformed(
            format!("{name} of shape {dimensions:?} in numbers of {} bytes", storage.size),
            format!("{} bytes", tag.size),
        ));
    }
    let data = tag.content(&mut input, name)?;
    input.up_to(7)?;
    input.end(&format!("the numbers of {name}"))?;
    Ok(Array { dimensions, storage, data })
}

/// The head of a part of an array. Up to 4 bytes of content stand in the tag itself.
struct Tag {
    kind: u32,
    size: u32,
    small: Option<[u8; 4]>,
}

fn tag(input: &mut Input, what: &str) -> Result<Tag, DataError> {
    let word = u32::from_le_bytes(input.array(what)?);
    let second = input.array(what)?;
    if word >> 16 == 0 {
        return Ok(Tag { kind: word, size: u32::from_le_bytes(second), small: None });
    }
    let size = word >> 16;
    if size > 4 {
        return Err(input.malformed(format!("at most 4 bytes of {what} in a tag"), size));
    }
    Ok(Tag { kind: word & 0xFFFF, size, small: Some(second) })
}

impl Tag {
    /// The content without its padding, which stays unread.
    fn content(&self, input: &mut Input, what: &str) -> Result<Vec<u8>, DataError> {
        match self.small {
            Some(bytes) => Ok(bytes.iter().copied().take(self.size as usize).collect()),
            None => input.bytes(u64::from(self.size), what),
        }
    }
}

/// A part of the given type and of at most `limit` bytes, with its padding.
fn part(input: &mut Input, kind: u32, limit: u64, what: &str) -> Result<Vec<u8>, DataError> {
    let tag = tag(input, what)?;
    if tag.kind != kind || u64::from(tag.size) > limit {
        return Err(input.malformed(
            format!("{what}: type {kind}, at most {limit} bytes"),
            format!("type {}, {} bytes", tag.kind, tag.size),
        ));
    }
    let content = tag.content(input, what)?;
    if tag.small.is_none() {
        input.up_to(u64::from(tag.size.next_multiple_of(8) - tag.size))?;
    }
    Ok(content)
}
