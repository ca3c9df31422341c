//! Colours, changed at random: torchvision's `ColorJitter` on images of Pillow, to the bit given the
//! same factors and order.

use rand::RngExt;
use rand_pcg::Pcg64;

use super::Photo;
use super::crop::uniform;

/// How far each of the four goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strengths {
    /// The factor is uniform in [1 − s, 1 + s], at least 0.
    pub brightness: f64,
    /// As `brightness`.
    pub contrast: f64,
    /// As `brightness`.
    pub saturation: f64,
    /// The shift is uniform in [−s, s] of the circle; at most 0.5.
    pub hue: f64,
}

impl Strengths {
    /// Whether nothing changes.
    pub fn are_zero(&self) -> bool {
        [self.brightness, self.contrast, self.saturation, self.hue].iter().all(|&it| it == 0.0)
    }
}

/// One change of all pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Mixes with black; 1 changes nothing.
    Brightness(f64),
    /// Mixes with the mean of the luminance; 1 changes nothing.
    Contrast(f64),
    /// Mixes with the luminance of each pixel; 1 changes nothing.
    Saturation(f64),
    /// Turns the circle of hues; 0 changes nothing but what the way through u8 HSV rounds.
    Hue(f64),
}

/// The changes that chance decides, in a random order. One of strength 0 is left out.
pub fn draw(strengths: &Strengths, rng: &mut Pcg64) -> Vec<Change> {
    let mut factor = |strength: f64| {
        let factor = uniform(rng, (1.0 - strength).max(0.0), 1.0 + strength);
        (strength > 0.0).then_some(factor)
    };
    let [brightness, contrast, saturation] =
        [strengths.brightness, strengths.contrast, strengths.saturation].map(&mut factor);
    let shift = uniform(rng, -strengths.hue, strengths.hue);
    let mut order = [
        brightness.map(Change::Brightness),
        contrast.map(Change::Contrast),
        saturation.map(Change::Saturation),
        (strengths.hue > 0.0).then_some(Change::Hue(shift)),
    ];
    for last in (1..order.len()).rev() {
        order.swap(last, rng.random_range(0..=last));
    }
    order.into_iter().flatten().collect()
}

/// Changes the colours at random.
pub(super) fn apply(photo: &mut Photo, strengths: &Strengths, rng: &mut Pcg64) {
    if !strengths.are_zero() {
        draw(strengths, rng).into_iter().for_each(|change| change.apply(photo));
    }
}

impl Change {
    /// Changes all pixels. An image without colours has neither saturation nor hue.
    pub fn apply(self, photo: &mut Photo) {
        let colour = photo.channels == 3;
        match self {
            Self::Brightness(factor) => mix_all(photo, 0, factor),
            Self::Contrast(factor) => mix_all(photo, mean_luminance(photo), factor),
            Self::Saturation(factor) if colour => each(photo, |pixel| {
                let gray = luminance(pixel);
                pixel.map(|value| mix(gray, value, factor as f32))
            }),
            Self::Hue(shift) if colour => {
                // To whole steps of the circle of 256, towards 0, and around it.
                let steps = (shift * 255.0) as i32 as u8;
                let back = ToRgb::new();
                each(photo, |pixel| {
                    let [hue, saturation, value] = to_hsv(pixel);
                    back.of([hue.wrapping_add(steps), saturation, value])
                });
            }
            Self::Saturation(_) | Self::Hue(_) => {}
        }
    }
}

fn each(photo: &mut Photo, change: impl Fn([u8; 3]) -> [u8; 3]) {
    let (pixels, _) = photo.pixels.as_chunks_mut::<3>();
    pixels.iter_mut().for_each(|pixel| *pixel = change(*pixel));
}

/// from + factor · (to − from), cut to 0..=255 and towards 0 to a whole number.
fn mix(from: u8, to: u8, factor: f32) -> u8 {
    let (from, to) = (f32::from(from), f32::from(to));
    // The cast saturates.
    (from + factor * (to - from)) as u8
}

/// The same mixture for every value.
fn mix_all(photo: &mut Photo, from: u8, factor: f64) {
    let table: [u8; 256] = std::array::from_fn(|to| mix(from, to as u8, factor as f32));
    photo.pixels.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
}

/// The luminance of ITU-R 601 in fixed point.
fn luminance([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

/// Rounded to a whole number.
fn mean_luminance(photo: &Photo) -> u8 {
    let (pixels, _) = photo.pixels.as_chunks::<3>();
    let (sum, count) = if photo.channels == 3 {
        (pixels.iter().map(|pixel| u64::from(luminance(*pixel))).sum::<u64>(), pixels.len())
    } else {
        (photo.pixels.iter().map(|value| u64::from(*value)).sum(), photo.pixels.len())
    };
    (sum as f64 / count.max(1) as f64 + 0.5) as u8
}

/// Hue, saturation and value, the circle of hues in 256 steps.
fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let saturation = range / f32::from(most);
    let [rc, gc, bc] = [r, g, b].map(|value| f32::from(most - value) / range);
    let sector = if r == most {
        bc - gc
    } else if g == most {
        (2.0 + f64::from(rc) - f64::from(bc)) as f32
    } else {
        (4.0 + f64::from(gc) - f64::from(rc)) as f32
    };
    // In [5/6, 11/6]: what is above 1 goes around once. The remainder of a division takes ten times as long.
    let around = f64::from(sector) / 6.0 + 1.0;
    let hue = (if around >= 1.0 { around - 1.0 } else { around }) as f32;
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, most]
}

/// The way back from HSV: what depends on a hue alone and on a saturation alone, once.
struct ToRgb {
    /// Sector of six, and how far in it.
    hues: [(u8, f64); 256],
    saturations: [f64; 256],
}

impl ToRgb {
    fn new() -> Self {
        let hue = |hue: usize| {
            let turn = hue as f64 * 6.0 / 255.0;
            let sector = turn as u8;
            (sector % 6, f64::from((turn - f64::from(sector)) as f32))
        };
        let saturation = |saturation: usize| f64::from((saturation as f64 / 255.0) as f32);
        Self { hues: std::array::from_fn(hue), saturations: std::array::from_fn(saturation) }
    }

    fn of(&self, [hue, saturation, value]: [u8; 3]) -> [u8; 3] {
        if saturation == 0 {
            return [value; 3];
        }
        let (sector, rest) = self.hues[usize::from(hue)];
        let (share, full) = (self.saturations[usize::from(saturation)], f64::from(value));
        // Rounds, as no number here is negative; `round` is a call where the machine has no such
        // instruction.
        let part = |share: f64| (full * (1.0 - share) + 0.5) as u8;
        let (p, q, t) = (part(share), part(share * rest), part(share * (1.0 - rest)));
        match sector {
            0 => [value, t, p],
            1 => [q, value, p],
            2 => [p, value, t],
            3 => [p, q, value],
            4 => [t, p, value],
            _ => [value, p, q],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Stream, Streams};

    const ALL: Strengths = Strengths { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.2 };

    fn photo() -> Photo {
        let pixels = (0..192u32).map(|value| (value * 37 % 256) as u8).collect();
        Photo { pixels, width: 8, height: 8, channels: 3 }
    }

    fn changed(change: Change) -> Photo {
        let mut image = photo();
        change.apply(&mut image);
        image
    }

    #[test]
    fn a_factor_of_1_and_a_strength_of_0_change_nothing() {
        for change in [Change::Brightness(1.0), Change::Contrast(1.0), Change::Saturation(1.0)] {
            assert_eq!(changed(change), photo(), "{change:?}");
        }
        let none = Strengths { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0 };
        let mut rng = Streams::new(1).at(Stream::TrainAugment, 0);
        assert_eq!(draw(&none, &mut rng), []);
    }

    #[test]
    fn a_factor_of_0_leaves_black_the_mean_or_the_luminance() {
        assert!(changed(Change::Brightness(0.0)).pixels.iter().all(|&value| value == 0));
        let mean = mean_luminance(&photo());
        assert!(changed(Change::Contrast(0.0)).pixels.iter().all(|&value| value == mean));
        let gray = changed(Change::Saturation(0.0));
        for (gray, pixel) in gray.pixels.as_chunks::<3>().0.iter().zip(photo().pixels.as_chunks().0)
        {
            assert_eq!(*gray, [luminance(*pixel); 3]);
        }
    }

    #[test]
    fn brightness_multiplies_and_saturates() {
        for (before, after) in photo().pixels.iter().zip(changed(Change::Brightness(1.4)).pixels) {
            assert_eq!(after, (f32::from(*before) * 1.4).min(255.0) as u8);
        }
    }

    #[test]
    fn hues_turn_and_pure_colours_come_around() {
        // A third of the circle is 85 of 255 steps.
        for (from, to) in [([255, 0, 0], [0, 255, 0]), ([0, 255, 0], [0, 0, 255])] {
            let mut image = Photo { pixels: from.to_vec(), width: 1, height: 1, channels: 3 };
            Change::Hue(1.0 / 3.0 + 1e-9).apply(&mut image);
            assert_eq!(image.pixels, to);
        }
        // Gray has no hue.
        let mut gray = Photo { pixels: vec![70; 3], width: 1, height: 1, channels: 3 };
        Change::Hue(0.3).apply(&mut gray);
        assert_eq!(gray.pixels, [70; 3]);
    }

    #[test]
    fn draws_stay_in_their_ranges_and_take_every_order() {
        let streams = Streams::new(5);
        let mut orders = std::collections::BTreeSet::new();
        for at in 0..600 {
            let changes = draw(&ALL, &mut streams.at(Stream::TrainAugment, at));
            assert_eq!(changes, draw(&ALL, &mut streams.at(Stream::TrainAugment, at)));
            let order: Vec<u8> = changes
                .iter()
                .map(|change| match change {
                    Change::Brightness(factor) => (0, (0.6..1.4).contains(factor)),
                    Change::Contrast(factor) => (1, (0.6..1.4).contains(factor)),
                    Change::Saturation(factor) => (2, (0.6..1.4).contains(factor)),
                    Change::Hue(shift) => (3, (-0.2..0.2).contains(shift)),
                })
                .map(|(name, inside)| if inside { name } else { 9 })
                .collect();
            assert!(!order.contains(&9), "{changes:?}");
            orders.insert(order);
        }
        assert_eq!(orders.len(), 24);
    }

    #[test]
    fn an_image_without_colour_keeps_none() {
        let mut image = Photo { pixels: vec![10, 200], width: 2, height: 1, channels: 1 };
        Change::Saturation(0.2).apply(&mut image);
        Change::Hue(0.2).apply(&mut image);
        assert_eq!(image.pixels, [10, 200]);
        Change::Contrast(0.5).apply(&mut image);
        assert_eq!(image.pixels, [57, 152]);
    }
}
