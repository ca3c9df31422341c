//! An image as the window kernels want it: padded, a block of channels at a time, the columns that
//! one stride visits side by side.
//!
//! Vectors run along pixels × channels of a block. A block holds a vector of channels, or, where
//! an image has fewer, a power of two of them and several pixels in a vector. Any tap of any
//! window is then a shift by a constant: output row = Σ weight[tap] · plane[offset(tap) ..].
//! With stride s the columns are dealt out to s planes, column x to plane x mod s, which keeps
//! that true.

/// How the pixels of an image lie in the scratch memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planes {
    /// Channels of the image.
    channels: usize,
    /// Channels of a block, a power of two.
    pub(crate) width_of_block: usize,
    height: usize,
    width: usize,
    stride: usize,
    padding: usize,
}

/// Vectors that a kernel works on at once; rows may be read and written up to their end.
pub(crate) const GROUP: usize = 8;

impl Planes {
    /// The layout of images of [height, width, channels] for vectors of `lanes` floats.
    pub(crate) fn new(
        [height, width, channels]: [usize; 3],
        stride: usize,
        padding: usize,
        lanes: usize,
    ) -> Self {
        let width_of_block = channels.next_power_of_two().min(lanes);
        Self { channels, width_of_block, height, width, stride, padding }
    }

    /// Number of blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.channels.div_ceil(self.width_of_block)
    }

    /// Channels of a block that exist.
    pub(crate) fn channels_of(&self, block: usize) -> std::ops::Range<usize> {
        let start = block * self.width_of_block;
        start..(start + self.width_of_block).min(self.channels)
    }

    fn plane(&self) -> usize {
        (self.width + 2 * self.padding).div_ceil(self.stride) * self.width_of_block
    }

    /// Floats from one row to the next.
    pub(crate) fn row(&self) -> usize {
        self.stride * self.plane()
    }

    /// Where the pixel at these coordinates of the padded image lies.
    #[inline(always)]
    pub(crate) fn offset(&self, y: usize, x: usize) -> usize {
        let Self { stride, width_of_block, .. } = *self;
        y * self.row() + x % stride * self.plane() + x / stride * width_of_block
    }

    /// Copies a block of an NHWC image into `scratch`, with `border` around it.
    #[inline(always)]
    pub(crate) fn fill(&self, image: &[f32], block: usize, border: f32, scratch: &mut Vec<f32>) {
        let Self { channels, height, width, padding, width_of_block, .. } = *self;
        let rows = height + 2 * padding;
        scratch.clear();
        // Kernels read whole groups of vectors: what follows the last row must exist, not matter.
        scratch.resize(rows * self.row() + GROUP * 16, border);
        let range = self.channels_of(block);
        for y in 0..height {
            let source = &image[y * width * channels..][..width * channels];
            if self.stride == 1 && width_of_block == channels {
                let start = self.offset(y + padding, padding);
                scratch[start..][..source.len()].copy_from_slice(source);
                continue;
            }
            for (x, pixel) in source.chunks_exact(channels).enumerate() {
                let start = self.offset(y + padding, x + padding);
                scratch[start..][..range.len()].copy_from_slice(&pixel[range.clone()]);
            }
        }
    }

    /// Copies a row of a block, as the kernels make them, into every `step`-th pixel of a row of
    /// an NHWC image, from `first` on.
    #[inline(always)]
    pub(crate) fn put(
        &self,
        row: &[f32],
        block: usize,
        out: &mut [f32],
        first: usize,
        step: usize,
    ) {
        let Self { channels, width_of_block, .. } = *self;
        if step == 1 && width_of_block == channels {
            let count = out.len();
            out.copy_from_slice(&row[..count]);
            return;
        }
        let range = self.channels_of(block);
        let pixels = out.chunks_exact_mut(channels).skip(first).step_by(step);
        for (pixel, values) in pixels.zip(row.chunks_exact(width_of_block)) {
            pixel[range.clone()].copy_from_slice(&values[..range.len()]);
        }
    }

    /// The opposite of [`put`](Self::put) with all pixels: a row of an NHWC image as a row of a
    /// block, followed by zeros.
    #[inline(always)]
    pub(crate) fn take(&self, image_row: &[f32], block: usize, row: &mut [f32]) {
        let Self { channels, width_of_block, .. } = *self;
        if width_of_block == channels {
            row[..image_row.len()].copy_from_slice(image_row);
            return;
        }
        let range = self.channels_of(block);
        let pixels = image_row.chunks_exact(channels);
        for (pixel, values) in pixels.zip(row.chunks_exact_mut(width_of_block)) {
            values[..range.len()].copy_from_slice(&pixel[range.clone()]);
        }
    }

    /// The opposite of [`fill`](Self::fill): copies a block of the planes into an NHWC image.
    pub(crate) fn collect(&self, scratch: &[f32], block: usize, image: &mut [f32]) {
        let Self { channels, width, padding, .. } = *self;
        let range = self.channels_of(block);
        for (index, pixel) in image.chunks_exact_mut(channels).enumerate() {
            let start = self.offset(index / width + padding, index % width + padding);
            pixel[range.clone()].copy_from_slice(&scratch[start..][..range.len()]);
        }
    }
}
