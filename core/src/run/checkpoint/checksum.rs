//! The checksum of a checkpoint, over every byte of its file. It stands inside its header, as
//! safetensors allows nothing after the last tensor; while it is computed its own digits are zeros.

use crc32c::{crc32c, crc32c_append};

/// The digits of a checksum that is not computed yet.
pub(super) const NONE: &str = "00000000";

/// What stands before the digits: the first field of our header, which is a JSON text inside a JSON
/// text. No value can look like it, as its quotes would be escaped once more.
const BEFORE: &[u8] = br#"{\"checksum\":\""#;

/// Writes the checksum to the place that the header has for it.
pub(super) fn seal(bytes: &mut [u8]) {
    let sum = crc32c(bytes);
    if let Some(digits) = place(bytes).and_then(|place| bytes.get_mut(place)) {
        digits.copy_from_slice(format!("{sum:08x}").as_bytes());
    }
}

/// Whether the file has a checksum.
///
/// # Errors
/// If it is not the one of its bytes.
pub(super) fn verify(bytes: &[u8]) -> Result<bool, String> {
    let Some(place) = place(bytes) else { return Ok(false) };
    let (before, rest) = bytes.split_at(place.start);
    let (digits, after) = rest.split_at(NONE.len());
    let sum = crc32c_append(crc32c_append(crc32c(before), NONE.as_bytes()), after);
    if format!("{sum:08x}").as_bytes() == digits {
        return Ok(true);
    }
    let said = String::from_utf8_lossy(digits);
    Err(format!("its checksum says {said:?}, its bytes have {sum:08x}"))
}

/// Where the digits stand. A damaged length of the header makes the search longer or shorter, and
/// the file one that is refused for another reason.
fn place(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length))?;
    let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(8).min(bytes.len());
    let header = bytes.get(..end)?;
    let found = header.windows(BEFORE.len()).position(|window| window == BEFORE)?;
    let start = found + BEFORE.len();
    (start + NONE.len() <= bytes.len()).then(|| start..start + NONE.len())
}
