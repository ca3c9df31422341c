//! Real CIFAR-10, where it is at hand.

use std::io::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::files::{Files, decode};

/// The folder `cifar10` of `SDARTS_DATA` holds the images as sheets of 25 × 40 tiles, and the
/// labels as bytes.
#[test]
fn cifar10_has_the_published_checksums_and_constants() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var_os("SDARTS_DATA").unwrap_or_else(|| beside.into());
    let folder = Path::new(&folder).join("cifar10");
    if !folder.is_dir() {
        // Past the capture of the test harness: nobody should take this for a test that ran.
        let left_out = format!("left out: there is no CIFAR-10 in {}", folder.display());
        writeln!(std::io::stderr(), "{left_out}").unwrap();
        return;
    }
    let train = official_bytes(&folder, "train");
    let test = official_bytes(&folder, "test");
    assert_eq!(hash(&train), "a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b");
    assert_eq!(hash(&test), "18cf04461dc65479d720ca1d4daf900d8c51f12f6d825013b71b6f578008cffb");

    let batches = train.chunks(10_000 * 3073).enumerate();
    let mut files: Files = batches
        .map(|(index, batch)| (format!("data_batch_{}.bin", index + 1), batch.to_vec()))
        .collect();
    files.insert("test_batch.bin".to_owned(), test);
    let data = decode("cifar10", &files).unwrap();
    for (images, each) in [(&data.train, 5_000), (&data.test, 1_000)] {
        for class in 0..10 {
            let count = images.labels.iter().filter(|&&label| label == class).count();
            assert_eq!(count, each, "class {class}");
        }
    }
    let (mean, std) = data.train.moments();
    for channel in 0..3 {
        // The published constants differ from the exact ones in the seventh digit.
        assert!((mean[channel] - data.mean[channel]).abs() < 1e-6, "{mean:?}");
        assert!((std[channel] - data.std[channel]).abs() < 1e-6, "{std:?}");
    }
}

fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Label and planes of every image, in the layout of the official files.
fn official_bytes(folder: &Path, part: &str) -> Vec<u8> {
    let labels = std::fs::read(folder.join(format!("{part}_labels.u8"))).unwrap();
    let mut content = Vec::with_capacity(labels.len() * 3073);
    for (number, labels) in labels.chunks(25 * 40).enumerate() {
        let path = folder.join(format!("{part}_{number:02}.webp"));
        let sheet = image::open(path).unwrap().into_rgb8();
        for (index, &label) in (0u32..).zip(labels) {
            let (top, left) = (index / 40 * 32, index % 40 * 32);
            content.push(label);
            for channel in 0..3 {
                let pixel = |at: u32| sheet.get_pixel(left + at % 32, top + at / 32)[channel];
                content.extend((0..1024).map(pixel));
            }
        }
    }
    content
}
