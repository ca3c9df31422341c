//! Memory for vectors. The allocator gives large blocks 16 bytes behind the start of a line of the cache, so
//! every vector of 16 floats would lie in two lines, which takes two accesses. So it was before: a step of
//! `sdarts bench --method darts --device cpu --threads 2` took 0.78 s instead of 0.70 s.

use std::ops::{Deref, DerefMut};

use super::zeros;

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Floats of a line.
const FLOATS: usize = LINE / size_of::<f32>();

/// Floats that begin at the start of a line.
#[derive(Default)]
pub(crate) struct Aligned {
    values: Vec<f32>,
    start: usize,
    count: usize,
}

impl Aligned {
    pub(crate) const EMPTY: Self = Self { values: Vec::new(), start: 0, count: 0 };

    /// So many zeros.
    pub(crate) fn new(count: usize) -> Self {
        let values = zeros(count + FLOATS);
        let start = values.as_ptr().align_offset(LINE).min(FLOATS);
        Self { values, start, count }
    }

    /// So many floats of any value: whoever asks for them writes them all.
    pub(crate) fn resize(&mut self, count: usize) {
        if self.start + count > self.values.len() {
            *self = Self::new(count);
        }
        self.count = count;
    }
}

impl From<&[f32]> for Aligned {
    fn from(values: &[f32]) -> Self {
        let mut aligned = Self::new(values.len());
        aligned.copy_from_slice(values);
        aligned
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..][..self.count]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_begin_at_a_line_however_often_they_are_resized() {
        let mut floats = Aligned::EMPTY;
        for count in [1, 5, 0, 17, 1_000, 3, 100_003] {
            floats.resize(count);
            assert_eq!(floats.len(), count);
            assert_eq!(floats.as_ptr().align_offset(LINE), 0);
        }
        let copied = Aligned::from(&[1.0, 2.0, 3.0][..]);
        assert_eq!(*copied, [1.0, 2.0, 3.0]);
    }
}
