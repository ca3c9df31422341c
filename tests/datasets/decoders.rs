//! What the decoders make of sound files.

use std::collections::BTreeSet;

use smoothdarts::data::{ALL, DataError, Dataset, find};

use super::files::{
    CIFAR10, Files, bytes, cifar100, decode, gzipped, mat, matrix, mnist, svhn, svhn_digits,
    svhn_images,
};

#[test]
fn idx_files_are_read_plain_and_gzipped() {
    let plain = mnist(3, 2);
    let data = decode("mnist", &plain).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (3, 2));
    assert_eq!(data.train.pixels, bytes(3 * 784, 256));
    let labels: Vec<u16> = bytes(3, 10).into_iter().map(u16::from).collect();
    assert_eq!(data.train.labels, labels);
    assert_eq!(decode("mnist", &gzipped(&plain)).unwrap(), data);
}

#[test]
fn cifar_planes_become_pixels() {
    let data = decode("cifar10", &CIFAR10).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (50_000, 10_000));
    let batch = &CIFAR10["cifar-10-batches-bin/test_batch.bin"];
    for (index, record) in batch.chunks(3073).enumerate().step_by(999) {
        assert_eq!(data.test.labels[index], u16::from(record[0]));
        for pixel in [0, 1, 32, 1023] {
            let planes = [0, 1024, 2048].map(|plane| record[1 + plane + pixel]);
            assert_eq!(data.test.image(index)[pixel * 3..][..3], planes);
        }
    }
}

#[test]
fn cifar_files_are_found_without_the_folder_of_the_archive() {
    let data = find("cifar10")
        .unwrap()
        .decode(&mut |file| Ok(CIFAR10.get(&format!("cifar-10-batches-bin/{file}")).cloned()));
    assert_eq!(data, decode("cifar10", &CIFAR10));
}

#[test]
fn of_the_two_labels_of_cifar100_the_fine_one_counts() {
    let files = cifar100();
    let data = decode("cifar100", &files).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (50_000, 10_000));
    assert_eq!(data.train.labels[0], 99);
    assert_eq!(data.train.labels[1], u16::from(files["cifar-100-binary/train.bin"][3074 + 1]));
    let red = files["cifar-100-binary/train.bin"][2];
    assert_eq!(data.train.pixels[0], red);
}

#[test]
fn svhn_is_read_column_by_column_and_10_means_the_digit_0() {
    for compressed in [false, true] {
        let data = decode("svhn", &svhn(compressed)).unwrap();
        assert_eq!((data.train.len(), data.test.len()), (4, 2));
        let numbers = bytes(4 * 3072, 256);
        let at = |row: usize, column: usize, channel: usize, image: usize| {
            numbers[row + 32 * (column + 32 * (channel + 3 * image))]
        };
        for (row, column, channel, image) in [(1, 0, 0, 0), (0, 1, 0, 1), (5, 7, 2, 3)] {
            let pixel = data.train.image(image)[(row * 32 + column) * 3 + channel];
            assert_eq!(pixel, at(row, column, channel, image));
        }
        let digits: Vec<u16> = bytes(4, 10).iter().map(|d| (u16::from(*d) + 1) % 10).collect();
        assert_eq!(data.train.labels, digits);
    }
}

#[test]
fn svhn_digits_are_read_in_every_type_that_numbers_are_stored_in() {
    // Type, and the digits 10, 1 and 9 in it.
    let stored: [(u32, Vec<u8>); 10] = [
        (1, [10i8, 1, 9].iter().flat_map(|d| d.to_le_bytes()).collect()),
        (2, vec![10, 1, 9]),
        (3, [10i16, 1, 9].iter().flat_map(|d| d.to_le_bytes()).collect()),
        (4, [10u16, 1, 9].iter().flat_map(|d| d.to_le_bytes()).collect()),
        (5, [10i32, 1, 9].iter().flat_map(|d| d.to_le_bytes()).collect()),
        (6, [10u32, 1, 9].iter().flat_map(|d| d.to_le_bytes()).collect()),
        (7, [10f32, 1.0, 9.0].iter().flat_map(|d| d.to_le_bytes()).collect()),
        (9, [10f64, 1.0, 9.0].iter().flat_map(|d| d.to_le_bytes()).collect()),
        (12, [10i64, 1, 9].iter().flat_map(|d| d.to_le_bytes()).collect()),
        (13, [10u64, 1, 9].iter().flat_map(|d| d.to_le_bytes()).collect()),
    ];
    for (kind, digits) in stored {
        let digits = matrix(6, "y", &[3, 1], (kind, &digits));
        let mut files = svhn(false);
        files.insert("train_32x32.mat".to_owned(), mat(&[digits, svhn_images(3)], true));
        assert_eq!(decode("svhn", &files).unwrap().train.labels, [0, 1, 9], "type {kind}");
    }
}

#[test]
fn other_arrays_of_a_mat_file_are_passed_over() {
    let text = matrix(4, "X", &[1, 3], (16, b"abc"));
    let other = matrix(6, "meta", &[1, 2], (2, &[1, 2]));
    let train = mat(&[text, svhn_digits(4), other, svhn_images(4)], false);
    let mut files = svhn(false);
    let expected = decode("svhn", &files).unwrap();
    files.insert("train_32x32.mat".to_owned(), train);
    assert_eq!(decode("svhn", &files).unwrap(), expected);
}

/// The sets whose files are built here, by the names under which `sdarts fetch` stores them.
fn built() -> [(&'static str, Files); 5] {
    [
        ("fashion-mnist", gzipped(&mnist(2, 1))),
        ("mnist", gzipped(&mnist(2, 1))),
        ("cifar10", CIFAR10.clone()),
        ("cifar100", cifar100()),
        ("svhn", svhn(true)),
    ]
}

#[test]
fn training_images_are_read_without_a_look_at_the_test_images() {
    for (name, files) in built() {
        let mut asked = BTreeSet::new();
        let data = find(name).unwrap().decode_training(&mut |file| {
            asked.insert(file.to_owned());
            Ok(files.get(file).cloned())
        });
        let (data, whole) = (data.unwrap(), decode(name, &files).unwrap());
        assert!(data.train == whole.train && data.mean == whole.mean, "{name}");
        assert_eq!(data.test.len(), 0, "{name}");
        let test = |file: &String| file.contains("test") || file.contains("t10k");
        assert!(!asked.is_empty() && !asked.iter().any(test), "{name}: {asked:?}");
    }
}

#[test]
fn the_catalogue_lists_exactly_the_files_that_are_read() {
    let built = built();
    let names: Vec<_> = ALL.iter().map(|source| source.name).collect();
    assert_eq!(built.each_ref().map(|(name, _)| *name).to_vec(), names);
    for (name, files) in built {
        let source = find(name).unwrap();
        let mut used = BTreeSet::new();
        let data = source.decode(&mut |file| {
            let found = files.get(file).cloned();
            used.extend(found.is_some().then(|| file.to_owned()));
            Ok(found)
        });
        let listed: BTreeSet<String> = source.files.iter().map(|f| f.path.to_owned()).collect();
        assert_eq!(used, listed, "{name}");
        let Dataset { class_names, mean, std, train, .. } = data.unwrap();
        assert_eq!(class_names.len(), source.classes.len());
        assert_eq!([mean.len(), std.len()], [train.channels; 2], "{name}");
    }
}

#[test]
fn every_download_has_an_address_a_size_and_a_checksum() {
    for file in ALL.iter().flat_map(|source| source.files) {
        assert!(file.url.starts_with("http"), "{}", file.url);
        assert!(file.bytes > 4_000, "{}", file.path);
        let hexadecimal = file.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        assert!(file.sha256.len() == 64 && hexadecimal, "{}", file.path);
        let archive = file.url.ends_with(".tar.gz");
        assert_eq!(file.member, archive.then_some(file.path), "{}", file.path);
    }
}

#[test]
fn class_names_are_distinct() {
    for source in ALL {
        let distinct: BTreeSet<_> = source.classes.iter().collect();
        assert_eq!(distinct.len(), source.classes.len(), "{}", source.name);
    }
    assert_eq!(find("cifar100").unwrap().classes.len(), 100);
    assert!(find("cifar100").unwrap().classes.is_sorted(), "fine labels are alphabetical");
}

#[test]
fn an_unknown_data_set_names_the_nearest_one() {
    for (wrong, nearest) in
        [("cifar-10", "cifar10"), ("MNIST", "mnist"), ("fashion", "fashion-mnist")]
    {
        match find(wrong) {
            Err(DataError::Unknown { name, nearest: found }) => {
                assert_eq!((name.as_str(), found), (wrong, nearest));
            }
            other => panic!("{wrong}: {:?}", other.map(|source| source.name)),
        }
    }
}
