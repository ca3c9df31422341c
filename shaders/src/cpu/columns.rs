//! Loops over the columns (channels) of a matrix of pixels × channels.
//!
//! A row of channels may be shorter than a vector, or not a multiple of one. So the loops run over
//! *strips* of several whole pixels, and a row of per-channel numbers is repeated to the length of
//! a strip.

/// The strips of a matrix with this many columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    channels: usize,
}

/// Floats of a strip: enough that the sums of one are not waited for by the next.
const STRIP: usize = 64;

impl Columns {
    /// For images of so many channels, at least one.
    pub(crate) fn new(channels: usize) -> Self {
        Self { channels: channels.max(1) }
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Floats of a strip, a multiple of the channels and of the longest vector (16 floats), at
    /// least [`STRIP`].
    pub(crate) fn strip(&self) -> usize {
        let whole = self.channels << 4_u32.saturating_sub(self.channels.trailing_zeros());
        whole * STRIP.div_ceil(whole)
    }

    /// A row of per-channel numbers, repeated.
    pub(crate) fn repeat(&self, row: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
        row.cycle().take(self.strip()).collect()
    }

    /// The sums of a strip by channel.
    pub(crate) fn fold(&self, strip: &[f32]) -> Vec<f32> {
        let mut row = vec![0.0; self.channels];
        for pixel in strip.chunks_exact(self.channels) {
            row.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
        }
        row
    }
}
