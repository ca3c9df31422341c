//! Data sets: decoders of the official files, and the batches that a search gets.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use smoothdarts::config::{AlphaBatches, Config, Split};
use smoothdarts::data::{Batch, DataError, Dataset, Images, Loader, embedded, find};

type Files = BTreeMap<String, Vec<u8>>;

fn decode(name: &str, files: &Files) -> Result<Dataset, DataError> {
    find(name).unwrap().decode(&mut |file| Ok(files.get(file).cloned()))
}

/// Numbers that look random and repeat: `count` bytes below `below`.
fn bytes(count: usize, below: u32) -> Vec<u8> {
    let mut state = 12_345u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) % below) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn idx(dimensions: &[u32], content: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    file.extend(dimensions.iter().flat_map(|dimension| dimension.to_be_bytes()));
    file.extend(content);
    file
}

fn mnist(train: u32, test: u32) -> Files {
    let mut files = Files::new();
    for (part, count) in [("train", train), ("t10k", test)] {
        let images = idx(&[count, 28, 28], &bytes(count as usize * 784, 256));
        files.insert(format!("{part}-images-idx3-ubyte"), images);
        let labels = idx(&[count], &bytes(count as usize, 10));
        files.insert(format!("{part}-labels-idx1-ubyte"), labels);
    }
    files
}

/// Records of `labels` label bytes below `classes` and 3072 pixels.
fn cifar(count: usize, labels: usize, classes: u32) -> Vec<u8> {
    let (label, pixels) = (bytes(count * labels, classes), bytes(3072, 256));
    label.chunks(labels).flat_map(|label| [label, &pixels].concat()).collect()
}

/// The official files: 10,000 records each.
fn cifar10() -> Files {
    let names = (1..=5).map(|part| format!("data_batch_{part}.bin"));
    let names = names.chain(["test_batch.bin".to_owned()]);
    let content = cifar(10_000, 1, 10);
    names.map(|name| (format!("cifar-10-batches-bin/{name}"), content.clone())).collect()
}

/// An element of a MATLAB file of level 5.
fn element(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut element = [kind.to_le_bytes(), (content.len() as u32).to_le_bytes()].concat();
    element.extend(content);
    element.resize(element.len().next_multiple_of(8), 0);
    element
}

fn matrix(name: &str, dimensions: &[i32], content: &[u8]) -> Vec<u8> {
    let dimensions: Vec<u8> = dimensions.iter().flat_map(|d| d.to_le_bytes()).collect();
    let parts = [
        element(6, &[9, 0, 0, 0, 0, 0, 0, 0]),
        element(5, &dimensions),
        element(1, name.as_bytes()),
        element(2, content),
    ];
    element(14, &parts.concat())
}

fn svhn_file(count: usize, compressed: bool) -> Vec<u8> {
    let images = matrix("X", &[32, 32, 3, count as i32], &bytes(count * 3072, 256));
    let digits: Vec<u8> = bytes(count, 10).iter().map(|digit| digit + 1).collect();
    let labels = matrix("y", &[count as i32, 1], &digits);
    let mut file = vec![b' '; 124];
    file.extend([0x00, 0x01, b'I', b'M']);
    for array in [images, labels] {
        if compressed {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&array).unwrap();
            let stream = encoder.finish().unwrap();
            file.extend(15u32.to_le_bytes());
            file.extend((stream.len() as u32).to_le_bytes());
            file.extend(stream);
        } else {
            file.extend(array);
        }
    }
    file
}

fn svhn(compressed: bool) -> Files {
    let files = [("train_32x32.mat", 4), ("test_32x32.mat", 2)];
    files.map(|(name, count)| (name.to_owned(), svhn_file(count, compressed))).into()
}

#[test]
fn the_embedded_images_are_the_first_ones_of_fashion_mnist() {
    let data = embedded().unwrap();
    assert_eq!((data.train.len(), data.test.len()), (4_000, 1_000));
    assert_eq!((data.train.height, data.train.width, data.train.channels), (28, 28, 1));
    // Ankle boot, T-shirt, T-shirt, dress, T-shirt: the published beginning of the training set.
    assert_eq!(data.train.labels[..5], [9, 0, 0, 3, 0]);
    assert_eq!(data.test.labels[..5], [9, 2, 1, 1, 6]);
    assert_eq!(data.class_names.len(), 10);
    let mean = data.train.pixels.iter().map(|&p| f64::from(p)).sum::<f64>()
        / data.train.pixels.len() as f64
        / 255.0;
    assert!((mean - f64::from(data.mean[0])).abs() < 0.01, "{mean}");
}

#[test]
fn idx_files_are_read_plain_and_gzipped() {
    let plain = mnist(3, 2);
    let data = decode("mnist", &plain).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (3, 2));
    assert_eq!(data.train.pixels, bytes(3 * 784, 256));
    let gzipped: Files = plain
        .iter()
        .map(|(name, content)| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(content).unwrap();
            (format!("{name}.gz"), encoder.finish().unwrap())
        })
        .collect();
    assert_eq!(decode("mnist", &gzipped).unwrap().train, data.train);
}

#[test]
fn cifar_planes_become_pixels_and_the_fine_label_counts() {
    let data = decode("cifar10", &cifar10()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (50_000, 10_000));
    let record = cifar(1, 1, 10);
    assert_eq!(data.train.labels[0], u16::from(record[0]));
    // Pixel (0, 1) of the first image: byte 1 of each plane.
    let planes = [record[1 + 1], record[1 + 1024 + 1], record[1 + 2048 + 1]];
    assert_eq!(data.train.image(0)[3..6], planes);

    let mut files = Files::new();
    let mut train = cifar(50_000, 2, 20);
    train[1] = 99;
    files.insert("cifar-100-binary/train.bin".to_owned(), train);
    files.insert("cifar-100-binary/test.bin".to_owned(), cifar(10_000, 2, 20));
    assert_eq!(decode("cifar100", &files).unwrap().train.labels[0], 99);
}

#[test]
fn svhn_is_read_column_by_column_and_10_means_the_digit_0() {
    for compressed in [false, true] {
        let data = decode("svhn", &svhn(compressed)).unwrap();
        assert_eq!((data.train.len(), data.test.len()), (4, 2));
        let content = bytes(4 * 3072, 256);
        // Row 1, column 0, channel 0 of image 0 is the second number of a column-major array.
        assert_eq!(data.train.image(0)[32 * 3], content[1]);
        let digits: Vec<u16> = bytes(4, 10).iter().map(|d| (u16::from(*d) + 1) % 10).collect();
        assert_eq!(data.train.labels, digits);
    }
}

#[test]
fn a_damaged_file_is_refused_with_its_name() {
    let sets = [("mnist", mnist(3, 2)), ("cifar10", cifar10()), ("svhn", svhn(true))];
    for (name, files) in sets {
        for (file, content) in &files {
            let mut damaged = files.clone();
            damaged.insert(file.clone(), content[..content.len() - 1].to_vec());
            let error = decode(name, &damaged).unwrap_err().to_string();
            assert!(error.contains(file.as_str()), "{name}: {error}");
            damaged.remove(file);
            let error = decode(name, &damaged).unwrap_err().to_string();
            assert!(error.contains(file.as_str()), "{name} without {file}: {error}");
        }
    }
}

#[test]
fn labels_beyond_the_classes_are_refused() {
    let mut files = cifar10();
    files.get_mut("cifar-10-batches-bin/test_batch.bin").unwrap()[3073] = 10;
    let error = decode("cifar10", &files).unwrap_err().to_string();
    assert!(error.contains("test_batch.bin") && error.contains("label"), "{error}");
}

#[test]
fn an_unknown_data_set_names_the_nearest_one() {
    let error = find("cifar-10").err().unwrap().to_string();
    assert!(error.contains("cifar10"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_decoder_panic(
        set in 0usize..3, file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), value: u8, cut in any::<prop::sample::Index>(), truncate: bool,
    ) {
        let (name, mut files) =
            [("mnist", mnist(2, 1)), ("svhn", svhn(false)), ("svhn", svhn(true))][set].clone();
        let key = files.keys().nth(file.index(files.len())).unwrap().clone();
        let content = files.get_mut(&key).unwrap();
        // Headers are where damage does most, so half of the hits go into the first 256 bytes.
        let reach = if value < 128 { content.len().min(256) } else { content.len() };
        let place = at.index(reach);
        content[place] = value;
        if truncate {
            let length = cut.index(content.len());
            content.truncate(length);
        }
        let _ = decode(name, &files);
    }

    #[test]
    fn random_bytes_are_no_data_set(content in prop::collection::vec(any::<u8>(), 0..4096)) {
        for (name, files) in [("mnist", mnist(1, 1)), ("svhn", svhn(false))] {
            let damaged: Files =
                files.keys().map(|file| (file.clone(), content.clone())).collect();
            prop_assert!(decode(name, &damaged).is_err());
        }
    }
}

#[test]
fn real_cifar10_has_the_published_checksums_and_constants() {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var_os("SDARTS_DATA").unwrap_or_else(|| default.into());
    let folder = std::path::Path::new(&folder).join("cifar10");
    if !folder.is_dir() {
        println!("no CIFAR-10 in {}: this test was left out", folder.display());
        return;
    }
    let train = official_stream(&folder, "train", 40);
    let test = official_stream(&folder, "test", 10);
    assert_eq!(hash(&train), "a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b");
    assert_eq!(hash(&test), "18cf04461dc65479d720ca1d4daf900d8c51f12f6d825013b71b6f578008cffb");
    let mut files = Files::new();
    for (index, part) in train.chunks(10_000 * 3073).enumerate() {
        files.insert(format!("data_batch_{}.bin", index + 1), part.to_vec());
    }
    files.insert("test_batch.bin".to_owned(), test);
    let data = decode("cifar10", &files).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (50_000, 10_000));
    let (mean, std) = data.train.moments();
    for channel in 0..3 {
        assert!((mean[channel] - data.mean[channel]).abs() < 1e-5, "{mean:?}");
        assert!((std[channel] - data.std[channel]).abs() < 1e-5, "{std:?}");
    }
}

fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Label byte and planar pixels of every image, in the layout of the official files, from sheets
/// of 25 × 40 images.
fn official_stream(folder: &std::path::Path, part: &str, sheets: usize) -> Vec<u8> {
    let labels = std::fs::read(folder.join(format!("{part}_labels.u8"))).unwrap();
    let mut stream = Vec::with_capacity(labels.len() * 3073);
    for (number, labels) in labels.chunks(1000).enumerate().take(sheets.max(50)) {
        let path = folder.join(format!("{part}_{number:02}.webp"));
        let sheet = image::open(path).unwrap().into_rgb8();
        for (index, &label) in labels.iter().enumerate() {
            let (top, left) = (index as u32 / 40 * 32, index as u32 % 40 * 32);
            stream.push(label);
            for channel in 0..3 {
                let pixel = |at: u32| sheet.get_pixel(left + at % 32, top + at / 32)[channel];
                stream.extend((0..1024).map(pixel));
            }
        }
    }
    stream
}

/// 40 images of 8×8 pixels; every pixel of image i has the value i + 1.
fn numbered() -> Dataset {
    let images = |count: usize| Images {
        pixels: (0..count).flat_map(|i| vec![i as u8 + 1; 64]).collect(),
        labels: (0..count).map(|i| i as u16 % 4).collect(),
        height: 8,
        width: 8,
        channels: 1,
    };
    Dataset {
        name: "numbered".to_owned(),
        train: images(40),
        test: images(4),
        class_names: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
        mean: vec![0.0],
        std: vec![1.0],
    }
}

/// Batches of 6, without augmentation.
fn plain() -> Config {
    let mut config = Config::default();
    config.search.batch_size = 6;
    config.data.crop_padding = 0;
    config.data.flip = false;
    config
}

fn loader(config: &Config) -> Loader {
    Loader::new(numbered(), config).unwrap()
}

/// Which images a batch holds.
fn numbers(batch: &Batch) -> Vec<usize> {
    let pixels: usize = batch.shape[1..].iter().product();
    batch.images.chunks(pixels).map(|image| (image[0] * 255.0).round() as usize - 1).collect()
}

#[test]
fn every_training_image_comes_once_in_an_epoch_and_no_validation_image_does() {
    let loader = loader(&plain());
    assert_eq!(loader.steps_per_epoch(), 4);
    let epoch = |epoch| -> Vec<usize> {
        (0..4).flat_map(|step| numbers(&loader.step(epoch, step).train)).collect()
    };
    let sorted = |mut numbers: Vec<usize>| {
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(sorted(epoch(0)), (0..20).collect::<Vec<_>>(), "the first half, contiguous");
    assert_eq!(sorted(epoch(1)), (0..20).collect::<Vec<_>>());
    assert_ne!(epoch(0), epoch(1), "a new order every epoch");
    assert_eq!(loader.step(0, 3).train.shape[0], 2, "the last batch is smaller");
}

#[test]
fn fresh_validation_batches_are_full_distinct_and_from_the_validation_half() {
    let loader = loader(&plain());
    let mut seen = std::collections::BTreeSet::new();
    for step in 0..4 {
        let batch = numbers(&loader.step(0, step).valid);
        let distinct: std::collections::BTreeSet<_> = batch.iter().copied().collect();
        assert_eq!(distinct.len(), 6, "without replacement inside a batch");
        assert!(batch.iter().all(|number| (20..40).contains(number)), "{batch:?}");
        seen.extend(distinct);
    }
    assert!(seen.len() < 24, "with replacement across steps");
}

#[test]
fn one_pass_validation_batches_go_through_the_half_before_they_repeat() {
    let mut config = plain();
    config.quirks.alpha_batches = AlphaBatches::Pass;
    let loader = loader(&config);
    let mut pass: Vec<usize> =
        (0..4).flat_map(|step| numbers(&loader.step(0, step).valid)).collect();
    pass.sort_unstable();
    assert_eq!(pass, (20..40).collect::<Vec<_>>());
}

#[test]
fn a_shuffled_split_mixes_the_halves() {
    let mut config = plain();
    config.quirks.split = Split::Shuffled;
    let loader = loader(&config);
    let train: Vec<usize> = (0..4).flat_map(|step| numbers(&loader.step(0, step).train)).collect();
    assert!(train.iter().any(|&number| number >= 20));
    let valid: Vec<usize> =
        (0..4).flat_map(|index| numbers(&loader.evaluation(0, index))).collect();
    assert!(valid.iter().all(|number| !train.contains(number)), "the halves are disjoint");
    assert_eq!(valid.len() + train.len(), 40);
}

#[test]
fn a_batch_depends_on_its_position_alone() {
    let mut config = plain();
    config.data.crop_padding = 2;
    config.data.flip = true;
    config.data.cutout = 3;
    let (one, other) = (loader(&config), loader(&config));
    let later = one.step(1, 2);
    other.step(0, 0);
    let again = other.step(1, 2);
    assert_eq!(later.train.images, again.train.images);
    assert_eq!(later.valid.images, again.valid.images);
    assert_ne!(later.train.images, one.step(1, 1).train.images);
}

#[test]
fn cutout_blanks_at_most_its_square_and_crops_are_shifts() {
    let mut config = plain();
    config.data.cutout = 4;
    let batch = loader(&config).step(0, 0).train;
    for image in batch.images.chunks(64) {
        let blank = image.iter().filter(|&&value| value == 0.0).count();
        assert!((4..=16).contains(&blank), "{blank} of 64 pixels");
        let kept = image.iter().copied().fold(0.0, f32::max);
        assert!(image.iter().all(|&value| value == 0.0 || value == kept));
    }
    let mut config = plain();
    config.data.crop_padding = 2;
    let batch = loader(&config).step(0, 0).train;
    for image in batch.images.chunks(64) {
        let rows = image.chunks(8).filter(|row| row.iter().any(|&value| value != 0.0)).count();
        let kept = image.iter().filter(|&&value| value != 0.0).count();
        assert!((6..=8).contains(&rows), "a crop of padding 2 loses at most 2 rows");
        assert_eq!(kept % rows, 0, "what is left is a rectangle");
    }
}

#[test]
fn validation_images_are_augmented_only_under_the_quirk() {
    let mut config = plain();
    config.data.cutout = 4;
    let blank = |batch: &Batch| batch.images.contains(&0.0);
    assert!(blank(&loader(&config).evaluation(0, 0)) && blank(&loader(&config).step(0, 0).valid));
    config.quirks.augment_validation = false;
    assert!(!blank(&loader(&config).evaluation(0, 0)) && !blank(&loader(&config).step(0, 0).valid));
    assert!(blank(&loader(&config).step(0, 0).train), "training images always are");
}

#[test]
fn images_are_normalised_to_mean_0_and_deviation_1() {
    let mut config = plain();
    config.search.batch_size = 2_000;
    let batch = Loader::new(embedded().unwrap(), &config).unwrap().step(0, 0).train;
    let count = batch.images.len() as f32;
    let mean = batch.images.iter().sum::<f32>() / count;
    let variance = batch.images.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count;
    assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
}

#[test]
fn a_half_smaller_than_a_batch_is_refused() {
    let mut config = plain();
    config.search.batch_size = 21;
    let error = Loader::new(numbered(), &config).err().unwrap().to_string();
    assert!(error.contains("21"), "{error}");
}
