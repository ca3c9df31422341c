//! Other sizes of the same images.
//!
//! (fast_image_resize 6 rounds between rows and columns: other pixels, and so other searches. `image` has
//! both ways, `thumbnail` and `interpolate_bilinear`, but brings moxcms, a library of colour profiles,
//! into the build of the page.)

use super::Images;

/// The images at `size`×`size` pixels. Where both sides shrink by a whole factor a pixel is the
/// average of the area that it covers; else it is interpolated from the four pixels around its
/// centre (bilinear, edges repeated, no smoothing before).
pub(super) fn resize(images: Images, size: usize) -> Images {
    if [images.height, images.width] == [size; 2] {
        return images;
    }
    let mut pixels = Vec::with_capacity(images.len() * size * size * images.channels);
    let whole = images.height.is_multiple_of(size) && images.width.is_multiple_of(size);
    for index in 0..images.len() {
        if whole {
            average(&images, index, size, &mut pixels);
        } else {
            interpolate(&images, index, size, &mut pixels);
        }
    }
    Images { pixels, height: size, width: size, ..images }
}

fn average(images: &Images, index: usize, size: usize, out: &mut Vec<u8>) {
    let (channels, image) = (images.channels, images.image(index));
    let (rows, columns) = (images.height / size, images.width / size);
    let area = rows * columns;
    for y in 0..size {
        for x in 0..size {
            for channel in 0..channels {
                let sum: usize = (y * rows..(y + 1) * rows)
                    .flat_map(|row| {
                        (x * columns..(x + 1) * columns).map(move |column| (row, column))
                    })
                    .map(|(row, column)| {
                        usize::from(image[(row * images.width + column) * channels + channel])
                    })
                    .sum();
                out.push(((sum + area / 2) / area) as u8);
            }
        }
    }
}

fn interpolate(images: &Images, index: usize, size: usize, out: &mut Vec<u8>) {
    let (channels, image) = (images.channels, images.image(index));
    for y in 0..size {
        let (top, bottom, down) = neighbours(y, size, images.height);
        for x in 0..size {
            let (left, right, across) = neighbours(x, size, images.width);
            for channel in 0..channels {
                let at = |row: usize, column: usize| {
                    f32::from(image[(row * images.width + column) * channels + channel])
                };
                let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
                let above = mix(at(top, left), at(top, right), across);
                let below = mix(at(bottom, left), at(bottom, right), across);
                out.push(mix(above, below, down).round() as u8);
            }
        }
    }
}

/// The two old pixels around the centre of new pixel `position`, and the share of the second.
fn neighbours(position: usize, new: usize, old: usize) -> (usize, usize, f32) {
    let centre = (position as f32 + 0.5) * old as f32 / new as f32 - 0.5;
    let centre = centre.clamp(0.0, (old - 1) as f32);
    let first = centre as usize;
    (first, (first + 1).min(old - 1), centre - first as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(side: usize, pixels: &[u8]) -> Images {
        let labels = vec![0; pixels.len() / (side * side)];
        Images { pixels: pixels.to_vec(), labels, height: side, width: side, channels: 1 }
    }

    #[test]
    fn a_whole_factor_averages_the_covered_area() {
        let images = gray(4, &[0, 4, 8, 8, 4, 8, 8, 8, 1, 1, 0, 0, 1, 2, 0, 1]);
        assert_eq!(resize(images, 2).pixels, [4, 8, 1, 0]);
    }

    #[test]
    fn other_sizes_interpolate_between_the_centres_of_pixels() {
        // Centres of the new pixels at −0.25, 0.25, 0.75 and 1.25 of the old ones.
        let images = gray(2, &[0, 100, 0, 100]);
        assert_eq!(resize(images, 4).pixels, [0, 25, 75, 100].repeat(4));
        let images = gray(3, &[7; 18]);
        assert_eq!(resize(images, 5).pixels, [7; 50]);
    }

    #[test]
    fn channels_do_not_mix() {
        let pixels = [1, 2, 3].repeat(16);
        let images = Images { channels: 3, ..gray(4, &[0; 16]) };
        for size in [2, 3, 8] {
            let resized = resize(Images { pixels: pixels.clone(), ..images.clone() }, size);
            assert_eq!(resized.pixels, [1, 2, 3].repeat(size * size));
            assert_eq!((resized.height, resized.width), (size, size));
        }
    }
}
