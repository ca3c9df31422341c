//! Damaged and foreign files: each ends in an error that says which file, what was expected, what
//! was found and what to do; no bytes at all make a decoder panic.

use proptest::prelude::*;
use smoothdarts::data::{DataError, find};

use super::files::{
    CIFAR10, Files, decode, decode_with, element, gzip, gzipped, idx, mat, matrix, mnist, svhn,
    svhn_digits, svhn_images, zlib,
};

/// Checks that these bytes in place of one file are refused, with all that an error has to say.
#[track_caller]
fn refused(set: &str, files: &Files, file: &str, bytes: &[u8], expected: &str, found: &str) {
    match decode_with(set, files, file, bytes) {
        Err(error @ DataError::Malformed { .. }) => {
            let text = error.to_string();
            for part in [file, expected, found, "delete it and run `sdarts fetch`"] {
                assert!(text.contains(part), "{part:?} is missing in {text:?}");
            }
        }
        other => panic!("{file}: {:?}", other.map(|data| data.name)),
    }
}

fn changed(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] = value;
    bytes
}

fn shorter(bytes: &[u8], by: usize) -> &[u8] {
    &bytes[..bytes.len() - by]
}

fn longer(bytes: &[u8]) -> Vec<u8> {
    [bytes, &[0]].concat()
}

#[test]
fn a_missing_file_is_named_with_the_command_that_gets_it() {
    for (set, files) in [("mnist", mnist(2, 1)), ("cifar10", CIFAR10.clone()), ("svhn", svhn(true))]
    {
        for file in files.keys() {
            let error = find(set)
                .unwrap()
                .decode(&mut |asked| Ok(files.get(asked).filter(|_| asked != file).cloned()));
            let text = error.unwrap_err().to_string();
            assert!(
                text.contains(file) && text.contains(&format!("`sdarts fetch {set}`")),
                "{text}"
            );
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let error = find("svhn").unwrap().decode(&mut |_| Err("permission denied".to_owned()));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("train_32x32.mat") && text.contains("permission denied"), "{text}");
}

#[test]
fn damaged_idx_images_are_refused() {
    let (files, file) = (mnist(3, 2), "train-images-idx3-ubyte");
    let (images, labels) = (&files[file], &files["train-labels-idx1-ubyte"]);
    let check =
        |bytes: &[u8], expected, found| refused("mnist", &files, file, bytes, expected, found);
    check(&[], "4 bytes of the magic number", "after 0");
    check(&images[..10], "4 bytes of the number of rows", "after 2");
    check(labels, "0x00000803", "0x00000801");
    check(shorter(images, 1), "2352 bytes of pixels", "after 2351");
    check(&longer(images), "the end of the file", "further bytes");
    check(&idx(&[0, 28, 28], &[]), "at least one image", "0 images");
    check(&idx(&[3, 28, 0], &[]), "sides of 1 to 1024", "28×0");
    // Headers that claim more than any memory holds.
    check(&idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), "sides of 1 to 1024", "4294967295");
    check(&idx(&[u32::MAX, 1024, 1024], &[]), "at most 2000000000 bytes", "4503599626321920");
    check(&idx(&[1_900_000_000, 1, 1], &[]), "1900000000 bytes of pixels", "after 0");
}

#[test]
fn damaged_idx_labels_are_refused() {
    let (files, file) = (mnist(3, 2), "t10k-labels-idx1-ubyte");
    let labels = &files[file];
    let check =
        |bytes: &[u8], expected, found| refused("mnist", &files, file, bytes, expected, found);
    check(&idx(&[3], &[0, 1, 2]), "2 labels", "claims 3");
    check(shorter(labels, 1), "2 bytes of labels", "after 1");
    check(&longer(labels), "the end of the file", "further bytes");
    check(&changed(labels, 9, 10), "labels from 0 to 9", "label 10 at image 1");
}

#[test]
fn damaged_gzip_files_are_refused() {
    let (files, file) = (gzipped(&mnist(3, 2)), "train-images-idx3-ubyte.gz");
    let content = &files[file];
    let check =
        |bytes: &[u8], expected, found| refused("mnist", &files, file, bytes, expected, found);
    check(shorter(content, 1), "intact compressed data", "a fault");
    check(&content[..content.len() / 2], "intact compressed data", "a fault");
    // The checksum of the content stands 8 bytes before the end.
    let sum = content.len() - 8;
    check(&changed(content, sum, !content[sum]), "intact compressed data", "checksum");
    check(&gzip(b"<html>404 Not Found</html>"), "0x00000803", "0x3c68746d");
}

#[test]
fn an_error_page_saved_in_place_of_a_file_is_refused() {
    let page = b"<html>404 Not Found</html>".as_slice();
    refused("mnist", &mnist(2, 1), "train-images-idx3-ubyte", page, "magic number", "0x3c68746d");
    let file = "cifar-10-batches-bin/test_batch.bin";
    refused("cifar10", &CIFAR10, file, page, "10000 records of 3073 bytes", "after 26");
    refused("svhn", &svhn(true), "test_32x32.mat", page, "a MATLAB file of level 5", "26 bytes");
}

#[test]
fn damaged_cifar_files_are_refused() {
    let file = "cifar-10-batches-bin/data_batch_3.bin";
    let batch = &CIFAR10[file];
    let check =
        |bytes: &[u8], expected, found| refused("cifar10", &CIFAR10, file, bytes, expected, found);
    check(shorter(batch, 1), "30730000 bytes", "after 30729999");
    // Nothing but its size shows that a file ends between two records.
    check(shorter(batch, 3073), "10000 records", "after 30726927");
    check(&longer(batch), "the end of the file", "further bytes");
    check(&changed(batch, 3073 * 7, 10), "labels from 0 to 9", "label 10 in record 7");
}

#[test]
fn foreign_and_damaged_mat_files_are_refused() {
    let (files, file) = (svhn(true), "train_32x32.mat");
    let content = &files[file];
    let check =
        |bytes: &[u8], expected, found| refused("svhn", &files, file, bytes, expected, found);
    check(&changed(content, 125, 2), "level 5", "HDF5");
    check(&[&content[..124], b"\x01\x00MI"].concat(), "level 5", "big-endian");
    check(&changed(content, 126, b'X'), "level 5", "where version and byte order should be");
    check(&content[..200], "an element of", "only 64 bytes");
    check(&content[..128], "an array y", "no numeric array of that name");
    check(&mat(&[svhn_digits(4)], true), "an array X", "no numeric array of that name");
    check(&mat(&[svhn_digits(3), svhn_images(4)], true), "shape [32, 32, 3, 3]", "[32, 32, 3, 4]");
    // The last bytes of the file are the checksum of the digits.
    let last = content.len() - 1;
    check(&changed(content, last, !content[last]), "intact compressed data", "a fault");
}

#[test]
fn arrays_of_another_kind_than_those_of_svhn_are_refused() {
    let (files, file) = (svhn(true), "train_32x32.mat");
    let check = |arrays: &[Vec<u8>], expected, found| {
        for compressed in [false, true] {
            refused("svhn", &files, file, &mat(arrays, compressed), expected, found);
        }
    };
    let digits = |digits: &[u8]| matrix(6, "y", &[digits.len() as i32, 1], (2, digits));
    check(&[digits(&[1, 0])], "digits from 1 to 10", "0 at image 1");
    check(&[digits(&[11])], "digits from 1 to 10", "11 at image 0");
    check(&[digits(&[])], "at least one digit", "none");
    let half = matrix(6, "y", &[1, 1], (9, &1.5f64.to_le_bytes()));
    check(&[half], "digits from 1 to 10", "1.5 at image 0");
    let nothing = matrix(6, "y", &[1, 1], (9, &f64::NAN.to_le_bytes()));
    check(&[nothing], "digits from 1 to 10", "NaN at image 0");
    check(&[matrix(6, "y", &[1, 1], (16, b"a"))], "numbers in y", "type 16");

    let images = |class, dimensions: &[i32], numbers| {
        [digits(&[1, 2]), matrix(class, "X", dimensions, numbers)]
    };
    let pixels = [0; 2 * 3072];
    check(&images(9, &[32, 32, 1, 6], (2, &pixels)), "[32, 32, 3, 2]", "[32, 32, 1, 6]");
    check(&images(9, &[32, 32, 3, 3], (2, &pixels)), "[32, 32, 3, 3]", "6144 bytes");
    check(&images(8, &[32, 32, 3, 2], (1, &pixels)), "unsigned bytes", "type 1");
    check(&images(9, &[i32::MAX; 4], (2, &pixels)), "2147483647", "6144 bytes");
    check(&images(9, &[-1, 32, 3, 2], (2, &pixels)), "X of shape", "6144 bytes");
    check(&images(9, &[1; 9], (2, &[0])), "dimensions: type 5, at most 32 bytes", "36 bytes");
}

#[test]
fn complex_digits_are_refused() {
    let parts = [
        element(6, &[6, 0x08, 0, 0, 0, 0, 0, 0]),
        element(5, &[1, 0, 0, 0, 1, 0, 0, 0]),
        element(1, b"y"),
        element(2, &[1]),
        element(2, &[1]),
    ];
    let file = mat(&[element(14, &parts.concat())], true);
    refused("svhn", &svhn(true), "train_32x32.mat", &file, "real numbers in y", "complex ones");
}

#[test]
fn streams_inside_of_streams_are_not_followed() {
    let mut nested = svhn_digits(4);
    for _ in 0..1_000 {
        nested = element(15, &zlib(&nested));
    }
    let file = mat(&[nested], true);
    refused("svhn", &svhn(true), "train_32x32.mat", &file, "an array y", "no numeric array");
}

#[test]
fn a_small_stream_that_inflates_without_end_stops_at_the_size_of_its_array() {
    // 100 MB of zeros behind two digits, in a file of 0.1 MB.
    let mut array = svhn_digits(2);
    array.resize(100_000_000, 0);
    let file = mat(&[array], true);
    assert!(file.len() < 1_000_000);
    let set = svhn(true);
    refused("svhn", &set, "train_32x32.mat", &file, "the end of the file", "further bytes");
}

/// What a decoder may do with any bytes: give a sound data set, or an error with a file's name.
fn settles(set: &str, files: &Files) -> Result<(), TestCaseError> {
    match decode(set, files) {
        Ok(data) => prop_assert_eq!(data.check(), Ok(())),
        Err(error) => {
            let text = error.to_string();
            prop_assert!(files.keys().any(|file| text.contains(file.as_str())), "{}", text);
        }
    }
    Ok(())
}

/// Small sets in every format and packing.
fn sets() -> impl Strategy<Value = (&'static str, Files)> {
    prop_oneof![
        Just(("mnist", mnist(2, 1))),
        Just(("mnist", gzipped(&mnist(2, 1)))),
        Just(("svhn", svhn(false))),
        Just(("svhn", svhn(true))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_change_of_sound_files_gives_a_data_set_or_an_error(
        (set, mut files) in sets(),
        file in any::<prop::sample::Index>(),
        // Half of the changes hit the first 256 bytes, where the headers are.
        changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 1..8),
        kept in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let file = file.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
        let content = files.entry(file).or_default();
        for (header, place, value) in changes {
            let reach = if header { content.len().min(256) } else { content.len() };
            content[place.index(reach)] = value;
        }
        if let Some(kept) = kept {
            content.truncate(kept.index(content.len()));
        }
        settles(set, &files)?;
    }

    #[test]
    fn any_bytes_give_an_error(content in prop::collection::vec(any::<u8>(), 0..4096)) {
        for (set, files) in [("mnist", mnist(1, 1)), ("svhn", svhn(false))] {
            let files = files.into_keys().map(|file| (file, content.clone())).collect();
            prop_assert!(decode(set, &files).is_err());
        }
        let files = CIFAR10.keys().map(|file| (file.clone(), content.clone())).collect();
        prop_assert!(decode("cifar10", &files).is_err());
    }

    #[test]
    fn any_elements_behind_a_sound_header_give_an_error(
        // Words as they stand in tags: types, sizes, and anything.
        words in prop::collection::vec(prop_oneof![0u32..20, 0u32..4096, any::<u32>()], 0..64),
        kind in prop::sample::select(vec![14u32, 15]),
        compressed: bool,
    ) {
        let words: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        let file = mat(&[element(kind, &words)], compressed);
        let files = svhn(true).into_keys().map(|name| (name, file.clone())).collect();
        prop_assert!(decode("svhn", &files).is_err());
    }
}
