//! Many names in little memory: one buffer for all of them, so that a million paths take some 40 MB
//! and no more allocations than ten.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A list of names. Bytes are those of the system, so no name is too strange.
#[derive(Clone, Debug, Default)]
pub struct Names {
    bytes: Vec<u8>,
    /// Where each name ends.
    ends: Vec<u64>,
}

impl Names {
    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a name at the end.
    pub fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len() as u64);
    }

    /// Name `index`; empty where there is none.
    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(index).copied().unwrap_or_default();
        self.bytes.get(start.unwrap_or(0) as usize..end as usize).unwrap_or_default()
    }

    /// Name `index` as a path below `root`.
    pub fn path(&self, root: &Path, index: usize) -> PathBuf {
        root.join(&*os_str(self.get(index)))
    }

    /// The same names in another order.
    pub fn reordered(&self, order: impl Iterator<Item = usize>) -> Self {
        let mut names = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            ends: Vec::with_capacity(self.ends.len()),
        };
        order.for_each(|index| names.push(self.get(index)));
        names
    }
}

#[cfg(unix)]
fn os_str(bytes: &[u8]) -> std::borrow::Cow<'_, OsStr> {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn os_str(bytes: &[u8]) -> std::borrow::Cow<'_, OsStr> {
    std::ffi::OsString::from(String::from_utf8_lossy(bytes).into_owned()).into()
}

/// Places of the images of classes that have so many each, so that every part of the list has every
/// class in its share: class after class in, evenly spread out. A search takes the first half of the
/// list for w and the second one for α.
pub fn spread(counts: &[usize]) -> Vec<u32> {
    let place = |count: usize| (0..count).map(move |index| (index as f64 + 0.5) / count as f64);
    let places = counts.iter().flat_map(|&count| place(count));
    let mut order: Vec<(f64, u32)> = places.zip(0..).collect();
    // The sort is stable: classes of one size take turns in the order of their labels.
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    order.into_iter().map(|(_, index)| index).collect()
}
