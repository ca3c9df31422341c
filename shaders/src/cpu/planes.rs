//! An image as the window kernels want it: padded, the columns that one stride visits side by side.
//!
//! Vectors run along pixels × channels. A pixel holds whole vectors, or a vector whole pixels; where
//! neither is so the channels are filled up. Any tap of any window is then a shift by a constant:
//! output row = Σ weight[tap] · plane[offset(tap) ..]. With stride s the columns are dealt out to s
//! planes, column x to plane x mod s, which keeps that true.

use macerator::Simd;

use super::aligned::Aligned;

/// Where the rows of an image come from. Not a closure: those cannot be told to be inlined, and what
/// is not inlined into a [`Kernel`](super::Kernel) is compiled without its vectors.
pub(crate) trait Rows {
    /// Writes row `y`, NHWC: `#[inline(always)]`, or by a kernel of its own.
    fn write(&self, y: usize, row: &mut [f32]);
}

/// The rows of an image as they are.
struct Plain<'a>(&'a [f32]);

impl Rows for Plain<'_> {
    #[inline(always)]
    fn write(&self, y: usize, row: &mut [f32]) {
        row.copy_from_slice(&self.0[y * row.len()..][..row.len()]);
    }
}

/// A loop that keeps the few vectors of a pixel in registers: it is compiled for each number of them that the
/// networks of the papers have, and once for all others. `#[inline(always)]`, as a [`Kernel`](super::Kernel).
pub(crate) trait OfPixels: Sized {
    /// Pixels of `P` vectors.
    fn whole<S: Simd, const L: usize, const P: usize>(self);

    /// Pixels of so many vectors.
    fn many<S: Simd, const L: usize>(self, period: usize);

    /// The one that fits.
    #[inline(always)]
    fn of_pixels<S: Simd, const L: usize>(self, period: usize) {
        match period {
            1 => self.whole::<S, L, 1>(),
            2 => self.whole::<S, L, 2>(),
            3 => self.whole::<S, L, 3>(),
            4 => self.whole::<S, L, 4>(),
            5 => self.whole::<S, L, 5>(),
            8 => self.whole::<S, L, 8>(),
            period => self.many::<S, L>(period),
        }
    }
}

/// How the pixels of an image lie in the scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planes {
    /// Channels of the image.
    pub(crate) channels: usize,
    /// Floats of a pixel: the channels, filled up.
    pub(crate) pixel: usize,
    lanes: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    stride: usize,
    pub(crate) padding: usize,
}

impl Planes {
    /// The layout of images of [height, width, channels] for vectors of `lanes` floats.
    pub(crate) fn new(
        [height, width, channels]: [usize; 3],
        stride: usize,
        padding: usize,
        lanes: usize,
    ) -> Self {
        let fits = lanes.is_multiple_of(channels) || channels.is_multiple_of(lanes);
        let pixel = if fits { channels } else { channels.next_multiple_of(lanes) };
        Self { channels, pixel, lanes, height, width, stride, padding }
    }

    /// Vectors of a pixel, at least 1.
    #[inline(always)]
    pub(crate) fn period(&self) -> usize {
        (self.pixel / self.lanes).max(1)
    }

    /// Whether pixels are whole vectors, of so many floats.
    pub(crate) fn is_of_vectors(&self, lanes: usize) -> bool {
        self.lanes == lanes && self.pixel.is_multiple_of(lanes)
    }

    /// Floats of a row of `width` pixels, up to whole vectors.
    #[inline(always)]
    pub(crate) fn flat(&self, width: usize) -> usize {
        (width * self.pixel).next_multiple_of(self.lanes)
    }

    /// Floats of a row of one plane. A vector of zeros follows it, into which kernels may read.
    #[inline(always)]
    fn plane(&self) -> usize {
        self.flat((self.width + 2 * self.padding).div_ceil(self.stride)) + self.lanes
    }

    /// Floats from one row to the next.
    #[inline(always)]
    pub(crate) fn row(&self) -> usize {
        self.stride * self.plane()
    }

    /// Where the pixel at these coordinates of the padded image lies.
    #[inline(always)]
    pub(crate) fn offset(&self, y: usize, x: usize) -> usize {
        y * self.row() + x % self.stride * self.plane() + x / self.stride * self.pixel
    }

    /// Fills `scratch` with an image, with `border` around it.
    #[inline(always)]
    pub(crate) fn fill(&self, border: f32, scratch: &mut Aligned, image: impl Rows) {
        let Self { channels, pixel, height, width, padding, .. } = *self;
        let row = self.row();
        scratch.resize((height + 2 * padding) * row);
        let (top, rest) = scratch.split_at_mut(padding * row);
        let (middle, bottom) = rest.split_at_mut(height * row);
        top.fill(border);
        bottom.fill(border);
        if self.is_plain() {
            for (y, row) in middle.chunks_exact_mut(row).enumerate() {
                let (left, rest) = row.split_at_mut(padding * pixel);
                let (pixels, right) = rest.split_at_mut(width * pixel);
                left.fill(border);
                right.fill(border);
                image.write(y, pixels);
            }
            return;
        }
        let mut line = vec![0.0; width * channels];
        for (y, row) in middle.chunks_exact_mut(row).enumerate() {
            row.fill(border);
            image.write(y, &mut line);
            for (x, pixel) in line.chunks_exact(channels).enumerate() {
                copy_or_add(pixel, false, &mut row[self.offset(0, x + padding)..][..channels]);
            }
        }
    }

    /// [`fill`](Self::fill) from an image as it is.
    #[inline(always)]
    pub(crate) fn copy(&self, image: &[f32], border: f32, scratch: &mut Aligned) {
        self.fill(border, scratch, Plain(image));
    }

    /// Whether a row of the image is a stretch of a row of the scratch memory.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.stride == 1 && self.pixel == self.channels
    }

    /// Copies a row of pixels, filled up as kernels make them, into every `step`-th pixel of a row
    /// of an NHWC image, from `first` on; or adds it.
    #[inline(always)]
    pub(crate) fn put(&self, row: &[f32], out: &mut [f32], [first, step]: [usize; 2], add: bool) {
        let Self { channels, pixel, .. } = *self;
        if step == 1 && pixel == channels {
            return copy_or_add(&row[..out.len()], add, out);
        }
        let pixels = out.chunks_exact_mut(channels).skip(first).step_by(step);
        for (out, values) in pixels.zip(row.chunks_exact(pixel)) {
            copy_or_add(&values[..channels], add, out);
        }
    }

    /// The opposite of [`put`](Self::put) with all pixels: a row of an NHWC image, filled up.
    #[inline(always)]
    pub(crate) fn take(&self, image_row: &[f32], row: &mut [f32]) {
        let Self { channels, pixel, .. } = *self;
        if pixel == channels {
            row[..image_row.len()].copy_from_slice(image_row);
            return;
        }
        let pixels = image_row.chunks_exact(channels);
        for (values, row) in pixels.zip(row.chunks_exact_mut(pixel)) {
            copy_or_add(values, false, &mut row[..channels]);
        }
    }

    /// The opposite of [`fill`](Self::fill): copies the planes into an NHWC image, or adds them.
    pub(crate) fn collect(&self, scratch: &[f32], add: bool, image: &mut [f32]) {
        let Self { channels, width, padding, .. } = *self;
        let size = if self.is_plain() { width * channels } else { channels };
        for (index, out) in image.chunks_exact_mut(size).enumerate() {
            let pixel = index * size / channels;
            let start = self.offset(pixel / width + padding, pixel % width + padding);
            copy_or_add(&scratch[start..][..size], add, out);
        }
    }
}

/// Copies numbers, or adds them. Of a length that is known a copy needs no call: pixels of 36 and 72 channels,
/// as the paper trains them, are filled up to whole vectors one by one.
#[inline(always)]
pub(super) fn copy_or_add(values: &[f32], add: bool, out: &mut [f32]) {
    match values.len() {
        36 => copy_or_add_known::<36>(values, add, out),
        72 => copy_or_add_known::<72>(values, add, out),
        _ => copy_or_add_any(values, add, out),
    }
}

#[inline(always)]
fn copy_or_add_known<const N: usize>(values: &[f32], add: bool, out: &mut [f32]) {
    if let (Some(values), Some(out)) = (values.first_chunk::<N>(), out.first_chunk_mut::<N>()) {
        copy_or_add_any(values, add, out);
    }
}

#[inline(always)]
fn copy_or_add_any(values: &[f32], add: bool, out: &mut [f32]) {
    match add {
        true => out.iter_mut().zip(values).for_each(|(out, value)| *out += value),
        false => out.copy_from_slice(values),
    }
}
