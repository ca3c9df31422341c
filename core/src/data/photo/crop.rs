//! Which part of a photograph is taken.

use rand::RngExt;
use rand_pcg::Pcg64;

use super::Photo;

/// Smallest and largest share of the area (torchvision's default, which the authors use).
pub const SCALE: [f64; 2] = [0.08, 1.0];

/// Smallest and largest width / height.
pub const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];

/// Attempts before the middle is taken.
const ATTEMPTS: usize = 10;

/// A part of a photograph, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// The rule of torchvision's `RandomResizedCrop`: a share of the area uniform in [`SCALE`], a ratio
/// of the sides whose logarithm is uniform in that of [`RATIO`], a place uniform among those where
/// such a part fits. After ten that do not fit: the largest part in the middle with a ratio inside
/// the range.
pub fn random(rng: &mut Pcg64, width: usize, height: usize) -> Rect {
    let area = (width * height) as f64;
    let [low, high] = RATIO.map(f64::ln);
    for _ in 0..ATTEMPTS {
        let target = area * uniform(rng, SCALE[0], SCALE[1]);
        let ratio = uniform(rng, low, high).exp();
        let wide = (target * ratio).sqrt().round_ties_even() as usize;
        let tall = (target / ratio).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&wide) && (1..=height).contains(&tall) {
            let top = rng.random_range(0..=height - tall);
            let left = rng.random_range(0..=width - wide);
            return Rect { left, top, width: wide, height: tall };
        }
    }
    fallback(width, height)
}

/// The largest part in the middle whose ratio lies in [`RATIO`].
fn fallback(width: usize, height: usize) -> Rect {
    let ratio = width as f64 / height as f64;
    let (wide, tall) = if ratio < RATIO[0] {
        (width, (width as f64 / RATIO[0]).round_ties_even() as usize)
    } else if ratio > RATIO[1] {
        ((height as f64 * RATIO[1]).round_ties_even() as usize, height)
    } else {
        (width, height)
    };
    Rect { left: (width - wide) / 2, top: (height - tall) / 2, width: wide, height: tall }
}

/// The largest square in the middle.
pub fn middle(photo: &Photo) -> Rect {
    let side = photo.width.min(photo.height);
    Rect {
        left: (photo.width - side) / 2,
        top: (photo.height - side) / 2,
        width: side,
        height: side,
    }
}

/// A number from U[low, high).
pub(super) fn uniform(rng: &mut Pcg64, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Stream, Streams};

    fn many(width: usize, height: usize, count: u64) -> Vec<Rect> {
        let streams = Streams::new(3);
        (0..count)
            .map(|at| random(&mut streams.at(Stream::TrainAugment, at), width, height))
            .collect()
    }

    #[test]
    fn parts_lie_inside_with_areas_and_ratios_of_the_rule() {
        for (width, height) in [(500, 375), (375, 500), (64, 64), (1000, 200)] {
            for part in many(width, height, 2000) {
                assert!(part.left + part.width <= width && part.top + part.height <= height);
                // Sides are rounded to whole pixels: half a pixel of each side at most.
                let (w, h) = (part.width as f64, part.height as f64);
                let area = (width * height) as f64;
                assert!((w + 0.5) * (h + 0.5) >= SCALE[0] * area, "{part:?}");
                assert!((w + 0.5) / (h - 0.5) >= RATIO[0], "{part:?}");
                assert!((w - 0.5) / (h + 0.5) <= RATIO[1], "{part:?}");
            }
        }
    }

    /// On a square nearly all attempts fit, and the area of those that do not is near the whole.
    #[test]
    fn small_areas_are_uniform_and_ratios_as_often_below_1_as_above() {
        let parts = many(1000, 1000, 20_000);
        let share = |part: &Rect| (part.width * part.height) as f64 / 1e6;
        let count = |low: f64, high: f64| {
            parts.iter().filter(|part| (low..high).contains(&share(part))).count() as f64
        };
        // Four bins of one width each; 4,300 or so in each, with a deviation of 60.
        let bins: Vec<f64> = (0..4).map(|bin| 0.1 + 0.1 * f64::from(bin)).collect();
        let counts: Vec<f64> = bins.iter().map(|low| count(*low, low + 0.1)).collect();
        let mean = counts.iter().sum::<f64>() / 4.0;
        assert!(counts.iter().all(|count| (count / mean - 1.0).abs() < 0.1), "{counts:?}");
        let wide = parts.iter().filter(|part| part.width > part.height).count();
        assert!((9_600..10_400).contains(&wide), "{wide}");
    }

    #[test]
    fn what_cannot_hold_a_part_gives_its_middle() {
        // Closed forms: the shorter side whole, the other within the ratio.
        assert_eq!(many(10_000, 1, 20)[0].height, 1);
        let [tall, wide] = [fallback(3, 1000), fallback(1000, 30)];
        assert_eq!(tall, Rect { left: 0, top: 498, width: 3, height: 4 });
        assert_eq!(wide, Rect { left: 480, top: 0, width: 40, height: 30 });
        assert_eq!(many(1, 1, 1)[0], Rect { left: 0, top: 0, width: 1, height: 1 });
    }

    #[test]
    fn the_same_position_gives_the_same_part() {
        assert_eq!(many(640, 480, 50), many(640, 480, 50));
        assert_ne!(many(640, 480, 2)[0], many(640, 480, 2)[1]);
    }
}
