//! The images that come with the program.

use smoothdarts::config::Config;
use smoothdarts::data::{Loader, Part, embedded};

#[test]
fn they_are_the_first_ones_of_fashion_mnist() {
    let data = embedded().unwrap();
    assert_eq!(data.name, "fashion-mnist");
    assert_eq!((data.train.len(), data.test.len()), (4_000, 1_000));
    assert_eq!((data.train.height, data.train.width, data.train.channels), (28, 28, 1));
    assert_eq!(data.train.labels[..10], [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]);
    assert_eq!(data.train.labels[3_990..], [1, 0, 0, 6, 5, 1, 1, 9, 1, 1]);
    assert_eq!(data.test.labels[..10], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
    assert_eq!(data.test.labels[990..], [3, 2, 3, 5, 4, 9, 3, 4, 7, 7]);
    assert_eq!((data.class_names[9].as_str(), data.class_names.len()), ("Ankle boot", 10));
}

#[test]
fn their_pixels_are_those_of_the_official_files() {
    // Sums over the first images of the official files, and the mean of all 60,000.
    let data = embedded().unwrap();
    let sum = |pixels: &[u8]| pixels.iter().map(|&pixel| u64::from(pixel)).sum::<u64>();
    assert_eq!(sum(&data.train.pixels), 228_303_707);
    assert_eq!(sum(&data.test.pixels), 58_034_149);
    let (mean, std) = data.train.moments();
    assert!((mean[0] - data.mean[0]).abs() < 1e-3, "{mean:?}");
    assert!((std[0] - data.std[0]).abs() < 5e-3, "{std:?}");
}

#[test]
fn they_are_enough_for_the_default_config() {
    let loader = Loader::new(embedded().unwrap(), &Config::default()).unwrap();
    // 2,000 images in batches of 64: 31 full ones and one of 16.
    assert_eq!((loader.steps_per_epoch(), loader.evaluation_batches(Part::Valid)), (32, 32));
    assert_eq!(loader.step(0, 0).train.shape, [64, 28, 28, 1]);
    assert_eq!(loader.step(0, 31).train.shape, [16, 28, 28, 1]);
}
