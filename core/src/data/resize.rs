//! Other sizes of the same images.

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
