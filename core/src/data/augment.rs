//! From the pixels of an image to the input of a network: crop, flip, normalise, cut out, in this
//! order (spec §2.4).

use std::ops::Range;

use rand::RngExt;
use rand_pcg::Pcg64;

use crate::config;

/// What chance decided for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw {
    /// First row of the crop in the padded image.
    top: usize,
    /// First column of the crop in the padded image.
    left: usize,
    flip: bool,
    /// Centre of the cutout.
    centre: [usize; 2],
}

/// How images of one data set become inputs.
pub(super) struct Augment {
    size: usize,
    channels: usize,
    padding: usize,
    flip: bool,
    cutout: usize,
    /// For each channel what becomes of each of the 256 pixel values: (value / 255 − mean) / std.
    table: Vec<[f32; 256]>,
}

impl Augment {
    pub fn new(config: &config::Data, size: usize, mean: &[f32], std: &[f32]) -> Self {
        let table = |(&mean, &std): (&f32, &f32)| {
            std::array::from_fn(|value| (value as f32 / 255.0 - mean) / std)
        };
        Self {
            size,
            channels: mean.len(),
            padding: config.crop_padding,
            flip: config.flip,
            cutout: config.cutout,
            table: mean.iter().zip(std).map(table).collect(),
        }
    }

    /// The draws of one image: always five words, whatever is switched on, so that a setting
    /// changes its own effect and nothing else.
    pub fn draw(&self, rng: &mut Pcg64) -> Draw {
        let [top, left, flip, row, column] = std::array::from_fn(|_| rng.random::<u32>());
        let offsets = 2 * self.padding + 1;
        Draw {
            top: below(offsets, top),
            left: below(offsets, left),
            flip: self.flip && below(2, flip) == 1,
            centre: [below(self.size, row), below(self.size, column)],
        }
    }

    /// Appends the normalised image, augmented where there is a draw.
    pub fn append(&self, image: &[u8], draw: Option<Draw>, out: &mut Vec<f32>) {
        let start = out.len();
        match draw {
            None => self.normalise(image, out),
            Some(draw) => {
                self.crop(image, draw, out);
                self.cut_out(draw.centre, &mut out[start..]);
            }
        }
    }

    fn normalise(&self, pixels: &[u8], out: &mut Vec<f32>) {
        match self.table.as_slice() {
            [gray] => out.extend(pixels.iter().map(|&value| gray[usize::from(value)])),
            table => {
                for pixel in pixels.chunks_exact(self.channels) {
                    out.extend(pixel.iter().zip(table).map(|(&v, table)| table[usize::from(v)]));
                }
            }
        }
    }

    /// The crop at `draw`, flipped and normalised. The padding is black *before* normalisation.
    fn crop(&self, image: &[u8], draw: Draw, out: &mut Vec<f32>) {
        let row_len = self.size * self.channels;
        let mut row = vec![0u8; row_len];
        let columns = inside(draw.left, self.padding, self.size);
        for y in draw.top..draw.top + self.size {
            row.fill(0);
            if (self.padding..self.padding + self.size).contains(&y) {
                let source = &image[(y - self.padding) * row_len..][..row_len];
                self.copy(source, columns.clone(), draw, &mut row);
            }
            self.normalise(&row, out);
        }
    }

    /// Copies the columns of a source row that the crop keeps to their places in `row`.
    fn copy(&self, source: &[u8], kept: Range<usize>, draw: Draw, row: &mut [u8]) {
        let channels = self.channels;
        let first = kept.start + self.padding - draw.left;
        let source = &source[kept.start * channels..kept.end * channels];
        if draw.flip {
            let last = self.size - first;
            let target = &mut row[(last - kept.len()) * channels..last * channels];
            let flipped = target.chunks_exact_mut(channels).rev();
            for (target, source) in flipped.zip(source.chunks_exact(channels)) {
                target.copy_from_slice(source);
            }
        } else {
            row[first * channels..][..source.len()].copy_from_slice(source);
        }
    }

    /// Fills a square with 0, the mean colour: this comes after normalisation. The square reaches
    /// from size / 2 before its centre and is truncated at the borders.
    fn cut_out(&self, centre: [usize; 2], image: &mut [f32]) {
        let [rows, columns] = centre.map(|centre| {
            let end = centre + self.cutout - self.cutout / 2;
            centre.saturating_sub(self.cutout / 2)..end.min(self.size)
        });
        for row in rows {
            let row = &mut image[row * self.size * self.channels..][..self.size * self.channels];
            row[columns.start * self.channels..columns.end * self.channels].fill(0.0);
        }
    }
}

/// `word` mapped to 0..count. The probabilities differ by less than count / 2³².
fn below(count: usize, word: u32) -> usize {
    ((u64::from(word) * count as u64) >> 32) as usize
}

/// The source columns inside a crop that begins at padded column `left`.
fn inside(left: usize, padding: usize, size: usize) -> Range<usize> {
    left.saturating_sub(padding)..(left + size - padding).min(size)
}
