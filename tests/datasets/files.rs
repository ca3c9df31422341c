//! Files in the official formats, built here.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{GzEncoder, ZlibEncoder};
use smoothdarts::data::{DataError, Dataset, find};

/// The files of a data set by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn decode(name: &str, files: &Files) -> Result<Dataset, DataError> {
    find(name)?.decode(&mut |file| Ok(files.get(file).cloned()))
}

/// As [`decode`], with other bytes for one of the files.
pub fn decode_with(
    name: &str,
    files: &Files,
    other: &str,
    bytes: &[u8],
) -> Result<Dataset, DataError> {
    find(name)?.decode(&mut |file| match files.get(file) {
        Some(_) if file == other => Ok(Some(bytes.to_vec())),
        found => Ok(found.cloned()),
    })
}

/// Numbers that look random and repeat: `count` bytes below `below`.
pub fn bytes(count: usize, below: u32) -> Vec<u8> {
    let mut state = 12_345u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) % below) as u8
    };
    (0..count).map(|_| next()).collect()
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn gunzip(content: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(content).read_to_end(&mut plain).unwrap();
    plain
}

pub fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn idx(dimensions: &[u32], content: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    file.extend(dimensions.iter().flat_map(|dimension| dimension.to_be_bytes()));
    file.extend(content);
    file
}

/// The four files of an MNIST of so many images.
pub fn mnist(train: u32, test: u32) -> Files {
    let mut files = Files::new();
    for (part, count) in [("train", train), ("t10k", test)] {
        let images = idx(&[count, 28, 28], &bytes(count as usize * 784, 256));
        files.insert(format!("{part}-images-idx3-ubyte"), images);
        let labels = idx(&[count], &bytes(count as usize, 10));
        files.insert(format!("{part}-labels-idx1-ubyte"), labels);
    }
    files
}

/// The same, as they are distributed.
pub fn gzipped(files: &Files) -> Files {
    files.iter().map(|(name, content)| (format!("{name}.gz"), gzip(content))).collect()
}

/// Records of `labels` label bytes and 3072 pixels, which begin at another place of the same noise.
pub fn cifar(count: usize, labels: usize, classes: u32) -> Vec<u8> {
    let pixels = bytes(4096, 256);
    let mut file = Vec::with_capacity(count * (labels + 3072));
    for (index, labels) in bytes(count * labels, classes).chunks(labels).enumerate() {
        file.extend_from_slice(labels);
        file.extend_from_slice(&pixels[index * 37 % 1024..][..3072]);
    }
    file
}

/// Six files of 10,000 records, as many as the official ones have.
pub static CIFAR10: LazyLock<Files> = LazyLock::new(|| {
    let names = (1..=5).map(|part| format!("data_batch_{part}.bin"));
    let names = names.chain(["test_batch.bin".to_owned()]);
    let content = cifar(10_000, 1, 10);
    names.map(|name| (format!("cifar-10-batches-bin/{name}"), content.clone())).collect()
});

/// 50,000 and 10,000 records with a coarse and a fine label.
pub fn cifar100() -> Files {
    let mut train = cifar(50_000, 2, 20);
    (train[0], train[1]) = (19, 99);
    [("train", train), ("test", cifar(10_000, 2, 20))]
        .map(|(part, content)| (format!("cifar-100-binary/{part}.bin"), content))
        .into()
}

/// An element of a MATLAB file of level 5, padded to 8 bytes.
pub fn element(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut element = [kind.to_le_bytes(), (content.len() as u32).to_le_bytes()].concat();
    element.extend(content);
    element.resize(element.len().next_multiple_of(8), 0);
    element
}

/// An array: its class, the name, the shape, and the numbers as they are stored.
pub fn matrix(class: u8, name: &str, dimensions: &[i32], numbers: (u32, &[u8])) -> Vec<u8> {
    let dimensions: Vec<u8> = dimensions.iter().flat_map(|d| d.to_le_bytes()).collect();
    let parts = [
        element(6, &[class, 0, 0, 0, 0, 0, 0, 0]),
        element(5, &dimensions),
        small_element(1, name.as_bytes()),
        element(numbers.0, numbers.1),
    ];
    element(14, &parts.concat())
}

/// Up to four bytes of content stand in the tag, as MATLAB writes short names.
fn small_element(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut element = [kind.to_le_bytes(), (content.len() as u16).to_le_bytes()].concat();
    element.extend(content);
    element.resize(8, 0);
    element
}

/// A file of these arrays, each as it is or as a zlib stream.
pub fn mat(arrays: &[Vec<u8>], compressed: bool) -> Vec<u8> {
    let mut file = b"MATLAB 5.0 MAT-file".to_vec();
    file.resize(124, b' ');
    file.extend([0x00, 0x01, b'I', b'M']);
    for array in arrays {
        if compressed {
            let stream = zlib(array);
            file.extend(15u32.to_le_bytes());
            file.extend((stream.len() as u32).to_le_bytes());
            file.extend(stream);
        } else {
            file.extend(array);
        }
    }
    file
}

/// `X` of so many images.
pub fn svhn_images(count: usize) -> Vec<u8> {
    let pixels = bytes(count * 3072, 256);
    matrix(9, "X", &[32, 32, 3, count as i32], (2, &pixels))
}

/// `y`: an array of doubles, which MATLAB stores as bytes where they fit.
pub fn svhn_digits(count: usize) -> Vec<u8> {
    let digits: Vec<u8> = bytes(count, 10).iter().map(|digit| digit + 1).collect();
    matrix(6, "y", &[count as i32, 1], (2, &digits))
}

/// The two files of an SVHN of 4 and 2 images.
pub fn svhn(compressed: bool) -> Files {
    [("train", 4), ("test", 2)]
        .map(|(part, count)| {
            let arrays = [svhn_images(count), svhn_digits(count)];
            (format!("{part}_32x32.mat"), mat(&arrays, compressed))
        })
        .into()
}
