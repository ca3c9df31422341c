//! From the pixels of an image to the input of a network: crop, flip, normalise, cut out, in this
//! order (spec §2.4). What makes images of one size comes before ([`super::photo`]).

use std::ops::Range;

use rand::RngExt;
use rand_pcg::Pcg64;

use super::order::Picks;
use super::photo::{Photo, Resizer};
use crate::config::{self, Transform};
use crate::rng::Streams;

/// What chance decided for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// First row of the crop in the padded image.
    top: usize,
    /// First column of the crop in the padded image.
    left: usize,
    flip: bool,
    /// Centre of the cutout.
    centre: [usize; 2],
    /// The random state of the resized crop and of the colours: how many draws a crop takes depends
    /// on the size of its image, so each image has its own.
    photo: Option<[u8; 32]>,
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
    resizer: Resizer,
}

impl Augment {
    pub fn new(config: &config::Data, size: usize, mean: &[f32], std: &[f32]) -> Self {
        let table = |(&mean, &std): (&f32, &f32)| {
            std::array::from_fn(|value| (value as f32 / 255.0 - mean) / std)
        };
        Self {
            size,
            channels: mean.len(),
            // A resized crop is a crop already.
            padding: match config.transform {
                Transform::Crop => config.crop_padding,
                Transform::ResizedCrop => 0,
            },
            flip: config.flip,
            cutout: config.cutout,
            table: mean.iter().zip(std).map(table).collect(),
            resizer: Resizer::new(config, size),
        }
    }

    /// The draws of the images of a batch, in their order.
    pub fn draws(&self, picks: &Picks, streams: Streams) -> Vec<Option<Draw>> {
        let mut rng = picks.augment.map(|(stream, at)| streams.at(stream, at as u64));
        picks.indices.iter().map(|_| rng.as_mut().map(|rng| self.draw(rng))).collect()
    }

    /// The draws of one image: always five words, whatever is switched on, so that a setting
    /// changes its own effect and nothing else; and four of 64 bits where photographs need them.
    pub fn draw(&self, rng: &mut Pcg64) -> Draw {
        let [top, left, flip, row, column] = std::array::from_fn(|_| rng.random::<u32>());
        let offsets = 2 * self.padding + 1;
        Draw {
            top: below(offsets, top),
            left: below(offsets, left),
            flip: self.flip && below(2, flip) == 1,
            centre: [below(self.size, row), below(self.size, column)],
            photo: self.resizer.draws().then(|| seed(rng)),
        }
    }

    /// Appends a photograph of any size.
    pub fn append_photo(&self, photo: &Photo, draw: Option<Draw>, out: &mut Vec<f32>) {
        let image = match draw.and_then(|draw| draw.photo) {
            Some(seed) => self.resizer.train(photo, seed),
            None => self.resizer.evaluate(photo),
        };
        self.append_sized(&image.pixels, draw, out);
    }

    /// Appends an image that has its size already: a random part of it, its colours changed, where
    /// there is a draw and the settings say so.
    pub fn append(&self, image: &[u8], draw: Option<Draw>, out: &mut Vec<f32>) {
        let Some(seed) = draw.and_then(|draw| draw.photo) else {
            return self.append_sized(image, draw, out);
        };
        let (pixels, size, channels) = (image.to_vec(), self.size, self.channels);
        let photo = Photo { pixels, width: size, height: size, channels };
        self.append_sized(&self.resizer.train(&photo, seed).pixels, draw, out);
    }

    /// Appends the normalised image, augmented where there is a draw.
    fn append_sized(&self, image: &[u8], draw: Option<Draw>, out: &mut Vec<f32>) {
        let start = out.len();
        out.resize(start + image.len(), 0.0);
        let out = &mut out[start..];
        match draw {
            None => self.normalise(image, out),
            Some(draw) => {
                self.crop(image, draw, out);
                self.cut_out(draw.centre, out);
            }
        }
    }

    fn normalise(&self, pixels: &[u8], out: &mut [f32]) {
        let pixels = pixels.chunks_exact(self.channels);
        for (pixel, out) in pixels.zip(out.chunks_exact_mut(self.channels)) {
            for ((&value, table), out) in pixel.iter().zip(&self.table).zip(out) {
                *out = table[usize::from(value)];
            }
        }
    }

    /// The crop at `draw`, flipped and normalised. The padding is black *before* normalisation.
    fn crop(&self, image: &[u8], draw: Draw, out: &mut [f32]) {
        let row_len = self.size * self.channels;
        let mut row = vec![0u8; row_len];
        let columns = inside(draw.left, self.padding, self.size);
        for (y, out) in (draw.top..).zip(out.chunks_exact_mut(row_len)) {
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

/// The random state of one image.
fn seed(rng: &mut Pcg64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed.chunks_exact_mut(8)
        .for_each(|word| word.copy_from_slice(&rng.random::<u64>().to_le_bytes()));
    seed
}

/// `word` mapped to 0..count. The probabilities differ by less than count / 2³².
fn below(count: usize, word: u32) -> usize {
    ((u64::from(word) * count as u64) >> 32) as usize
}

/// The source columns inside a crop that begins at padded column `left`.
fn inside(left: usize, padding: usize, size: usize) -> Range<usize> {
    left.saturating_sub(padding)..(left + size - padding).min(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of 4×4 RGB, pixel values kept, with a padding of 2 and a cutout of 2.
    fn augment() -> Augment {
        let config =
            config::Data { crop_padding: 2, flip: true, cutout: 2, ..config::Data::default() };
        let mut augment = Augment::new(&config, 4, &[0.0; 3], &[1.0 / 255.0; 3]);
        for table in &mut augment.table {
            table.iter_mut().for_each(|value| *value = value.round());
        }
        augment
    }

    fn image() -> Vec<u8> {
        (1..=48).collect()
    }

    /// The crop that keeps the image where it is.
    fn centred(flip: bool) -> Draw {
        Draw { top: 2, left: 2, flip, centre: [0, 0], photo: None }
    }

    fn cropped(image: &[u8], draw: Draw) -> Vec<u8> {
        let mut out = vec![0.0; image.len()];
        augment().crop(image, draw, &mut out);
        out.into_iter().map(|value| value as u8).collect()
    }

    #[test]
    fn the_centred_crop_is_the_image() {
        assert_eq!(cropped(&image(), centred(false)), image());
    }

    #[test]
    fn a_flip_mirrors_every_row_and_undoes_itself() {
        let once = cropped(&image(), centred(true));
        assert_eq!(once[..12], [10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3]);
        assert_eq!(cropped(&once, centred(true)), image());
    }

    #[test]
    fn every_crop_is_a_window_of_the_padded_image_and_its_flip_the_mirror() {
        let pixel = |y: usize, x: usize| match (y.checked_sub(2), x.checked_sub(2)) {
            (Some(y @ 0..4), Some(x @ 0..4)) => image()[(y * 4 + x) * 3..][..3].to_vec(),
            _ => vec![0; 3],
        };
        for (top, left) in (0..5).flat_map(|top| (0..5).map(move |left| (top, left))) {
            for flip in [false, true] {
                let at = |x: usize| if flip { 3 - x } else { x };
                let expected: Vec<u8> = (0..16)
                    .flat_map(|place| pixel(top + place / 4, left + at(place % 4)))
                    .collect();
                let draw = Draw { top, left, flip, centre: [0, 0], photo: None };
                assert_eq!(cropped(&image(), draw), expected, "{draw:?}");
            }
        }
    }

    #[test]
    fn cutout_blanks_its_square_and_nothing_else() {
        for (row, column) in (0..4).flat_map(|row| (0..4).map(move |column| (row, column))) {
            let mut out = vec![1.0; 48];
            augment().cut_out([row, column], &mut out);
            for (place, pixel) in out.chunks(3).enumerate() {
                // Rows and columns centre − 1 and centre, as far as they exist.
                let inside = (place / 4 + 1 == row || place / 4 == row)
                    && (place % 4 + 1 == column || place % 4 == column);
                assert_eq!(pixel, [if inside { 0.0 } else { 1.0 }; 3], "{row} {column} {place}");
            }
        }
    }

    #[test]
    fn draws_cover_their_ranges_and_settings_do_not_shift_them() {
        let streams = Streams::new(1);
        let mut rng = streams.at(crate::rng::Stream::TrainAugment, 0);
        let draws: Vec<Draw> = (0..2000).map(|_| augment().draw(&mut rng)).collect();
        for offset in 0..5 {
            let share = draws.iter().filter(|draw| draw.top == offset).count();
            // 400 are expected; the deviation is 18.
            assert!((310..490).contains(&share), "{share} crops begin in row {offset}");
        }
        let flipped = draws.iter().filter(|draw| draw.flip).count();
        assert!((880..1120).contains(&flipped), "{flipped} of 2000 are flipped");

        let mut still = augment();
        (still.padding, still.flip) = (0, false);
        let mut rng = streams.at(crate::rng::Stream::TrainAugment, 0);
        let others: Vec<Draw> = (0..2000).map(|_| still.draw(&mut rng)).collect();
        assert!(draws.iter().zip(&others).all(|(one, other)| one.centre == other.centre));
    }
}
