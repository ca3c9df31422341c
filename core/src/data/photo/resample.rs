//! Resizing as Pillow 11 does it with its bilinear filter, to the bit: triangles as wide as a new pixel
//! (which smooths where an image shrinks), first along the rows, then along the columns, each to u8
//! with weights in fixed point. Torchvision resizes images of Pillow so. (fast_image_resize 6 is not the
//! same to the bit: its weights have 16 bits, those of Pillow 22.)

use super::Photo;
use super::crop::Rect;

/// Bits behind the point of a weight: 8 of the 32 are those of a pixel, 2 are room.
const BITS: u32 = 32 - 8 - 2;

/// `part` of a photograph at `width`×`height` pixels. Pixels outside of the part have no influence.
pub fn resize(photo: &Photo, part: Rect, width: usize, height: usize) -> Photo {
    window(photo, part, [width, height], Rect { left: 0, top: 0, width, height })
}

/// The photograph with its shorter side at `side` pixels, and of that the square of `size` pixels in
/// the middle (torchvision's `Resize(side)` and `CenterCrop(size)`).
pub fn shorter_side(photo: &Photo, side: usize, size: usize) -> Photo {
    let long = |long: usize, short: usize| ((side * long) as f64 / short as f64) as usize;
    let (width, height) = if photo.width <= photo.height {
        (side, long(photo.height, photo.width))
    } else {
        (long(photo.width, photo.height), side)
    };
    let start = |whole: usize| ((whole - size) as f64 / 2.0).round_ties_even() as usize;
    let middle = Rect { left: start(width), top: start(height), width: size, height: size };
    window(photo, photo.rect(), [width, height], middle)
}

/// What `kept` shows of `part` at the size `[width, height]`. Only that is computed: a photograph of
/// extreme proportions would else fill the memory.
fn window(photo: &Photo, part: Rect, [width, height]: [usize; 2], kept: Rect) -> Photo {
    let across = Weights::new(part.width, width, kept.left, kept.width);
    let down = Weights::new(part.height, height, kept.top, kept.height);
    let rows = down.reach();
    let channels = photo.channels;
    let mut middle = Vec::with_capacity(rows.len() * kept.width * channels);
    for row in rows.clone() {
        let start = ((part.top + row) * photo.width + part.left) * channels;
        let line = &photo.pixels[start..start + part.width * channels];
        match channels {
            3 => across.row::<3>(line, &mut middle),
            _ => across.row::<1>(line, &mut middle),
        }
    }
    Photo {
        pixels: down.column(&middle, rows.start, kept.width * channels),
        width: kept.width,
        height: kept.height,
        channels,
    }
}

/// For each new pixel the old ones that it is made of.
struct Weights {
    /// First old pixel of each new one, and how many.
    spans: Vec<(usize, usize)>,
    /// Weights of each new pixel, `stride` apart.
    weights: Vec<i32>,
    stride: usize,
}

impl Weights {
    /// Of the new pixels `first..first + count` of `new`, which cover `old` pixels.
    fn new(old: usize, new: usize, first: usize, count: usize) -> Self {
        let scale = old as f64 / new as f64;
        let width = scale.max(1.0);
        let stride = width.ceil() as usize * 2 + 1;
        let mut spans = Vec::with_capacity(count);
        let mut weights = vec![0; count * stride];
        let mut line = Vec::with_capacity(stride);
        for (pixel, out) in (first..first + count).zip(weights.chunks_exact_mut(stride)) {
            let centre = (pixel as f64 + 0.5) * scale;
            // The cast rounds to zero, as in C.
            let start = (centre - width + 0.5).max(0.0) as usize;
            let end = ((centre + width + 0.5) as usize).min(old);
            line.clear();
            line.extend((start..end).map(|at| triangle((at as f64 - centre + 0.5) / width)));
            let sum: f64 = line.iter().sum();
            for (weight, out) in line.iter().zip(out) {
                *out = (weight / sum * f64::from(1u32 << BITS) + 0.5) as i32;
            }
            spans.push((start, end - start));
        }
        Self { spans, weights, stride }
    }

    /// The old pixels that have any weight.
    fn reach(&self) -> std::ops::Range<usize> {
        let first = self.spans.first().map_or(0, |(start, _)| *start);
        first..self.spans.last().map_or(first, |(start, count)| start + count)
    }

    fn row<const CHANNELS: usize>(&self, line: &[u8], out: &mut Vec<u8>) {
        for ((start, count), weights) in
            self.spans.iter().zip(self.weights.chunks_exact(self.stride))
        {
            let mut sums = [1i32 << (BITS - 1); CHANNELS];
            let pixels = line[start * CHANNELS..][..count * CHANNELS].chunks_exact(CHANNELS);
            for (pixel, weight) in pixels.zip(weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            out.extend(sums.map(clip));
        }
    }

    /// Rows of `length` values, of which the first is old row `offset`.
    fn column(&self, rows: &[u8], offset: usize, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.spans.len() * length);
        let mut sums = vec![0i32; length];
        for ((start, count), weights) in
            self.spans.iter().zip(self.weights.chunks_exact(self.stride))
        {
            sums.fill(1 << (BITS - 1));
            let lines = rows[(start - offset) * length..][..count * length].chunks_exact(length);
            for (line, weight) in lines.zip(weights) {
                for (sum, value) in sums.iter_mut().zip(line) {
                    *sum += i32::from(*value) * weight;
                }
            }
            out.extend(sums.iter().copied().map(clip));
        }
        out
    }
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

fn clip(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(width: usize, height: usize, value: impl Fn(usize, usize) -> [u8; 3]) -> Photo {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| value(x, y)).collect();
        Photo { pixels, width, height, channels: 3 }
    }

    fn ramp(width: usize, height: usize) -> Photo {
        photo(width, height, |x, y| [(10 * x) as u8, (7 * y) as u8, (x + y) as u8])
    }

    #[test]
    fn the_size_that_it_has_changes_nothing_and_a_part_is_a_crop() {
        let image = ramp(9, 7);
        assert_eq!(resize(&image, image.rect(), 9, 7), image);
        let part = Rect { left: 2, top: 1, width: 4, height: 3 };
        let expected =
            photo(4, 3, |x, y| [(10 * (x + 2)) as u8, (7 * (y + 1)) as u8, (x + y + 3) as u8]);
        assert_eq!(resize(&image, part, 4, 3), expected);
    }

    #[test]
    fn one_colour_stays_that_colour_at_any_size() {
        let image = photo(13, 5, |_, _| [200, 0, 255]);
        for (width, height) in [(1, 1), (4, 9), (40, 3), (13, 50)] {
            let out = resize(&image, image.rect(), width, height);
            assert_eq!(out.pixels, [200, 0, 255].repeat(width * height));
        }
    }

    /// Centres of the new pixels at −0.25, 0.25, 0.75 and 1.25 of the old ones.
    #[test]
    fn enlarging_interpolates_between_the_centres() {
        let image = Photo { pixels: vec![0, 100], width: 2, height: 1, channels: 1 };
        assert_eq!(resize(&image, image.rect(), 4, 1).pixels, [0, 25, 75, 100]);
    }

    /// At half the size the triangle weighs 1 : 3 : 3 : 1, and 3 : 3 : 1 at the border.
    #[test]
    fn shrinking_weighs_with_a_triangle() {
        let image =
            Photo { pixels: vec![0, 80, 160, 240, 80, 0], width: 6, height: 1, channels: 1 };
        let expected = [400.0 / 7.0, 1360.0 / 8.0, 480.0 / 7.0].map(|x: f64| x.round() as u8);
        assert_eq!(resize(&image, image.rect(), 3, 1).pixels, expected);
    }

    #[test]
    fn the_middle_alone_is_the_middle_of_the_whole() {
        for (width, height) in [(50, 37), (37, 50), (12, 12), (5, 31)] {
            let image = ramp(width, height);
            let kept = shorter_side(&image, 16, 14);
            let (wide, tall) =
                if width <= height { (16, 16 * height / width) } else { (16 * width / height, 16) };
            let whole = resize(&image, image.rect(), wide, tall);
            let start = |side: usize| ((side - 14) as f64 / 2.0).round_ties_even() as usize;
            let part = Rect { left: start(wide), top: start(tall), width: 14, height: 14 };
            assert_eq!(kept, resize(&whole, part, 14, 14), "{width}×{height}");
        }
    }

    #[test]
    fn extreme_proportions_cost_no_more_than_what_is_kept() {
        let image = photo(60_000, 1, |x, _| [x as u8; 3]);
        assert_eq!(shorter_side(&image, 256, 224).pixels.len(), 224 * 224 * 3);
    }
}
