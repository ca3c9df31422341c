//! Names of runs, which are names of folders: `method=darts,seed=1`.
//!
//! A name has the axes in their order. Of a setting it has the part after the last dot, or all of it
//! where two axes end alike. What is neither letter, digit nor one of `. _ - +` is percent-encoded, so
//! that a name is good on every file system and needs no quotes in a shell; what is too long ends in a checksum.

use crc32c::crc32c;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What is encoded.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-').remove(b'+');

/// Bytes of a value in a name, at most.
const LONGEST_VALUE: usize = 48;

/// Bytes of a name, at most: file systems allow 255.
const LONGEST: usize = 200;

/// Bytes of `~` and a checksum in hexadecimal digits.
const SUM: usize = 9;

/// The name of the run with these values of these settings.
pub fn of(point: &[(String, Value)]) -> String {
    let keys: Vec<&str> = point.iter().map(|(key, _)| key.as_str()).collect();
    let part = |(key, value): &(String, Value)| {
        let value = utf8_percent_encode(&plain(value), UNSAFE).to_string();
        format!("{}={}", label(key, &keys), at_most(value, LONGEST_VALUE))
    };
    let parts: Vec<String> = point.iter().map(part).collect();
    at_most(parts.join(","), LONGEST)
}

/// A value as people write it: texts without quotes.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a setting is called among others.
fn label<'a>(key: &'a str, keys: &[&str]) -> &'a str {
    let last = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let ends_alike = |other: &&&str| other.rsplit('.').next() == Some(last(key));
    if keys.iter().filter(ends_alike).count() > 1 { key } else { last(key) }
}

/// A text of ASCII, or its begin and the checksum of all of it.
fn at_most(text: String, longest: usize) -> String {
    if text.len() <= longest {
        return text;
    }
    let begin = text.get(..longest - SUM).unwrap_or_default();
    format!("{begin}~{:08x}", crc32c(text.as_bytes()))
}
