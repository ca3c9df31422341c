//! Files of data sets, and of weights.

use std::sync::LazyLock;

use smoothdarts::data::cifar::{CIFAR10, CIFAR100, Layout};

use super::{Reader, found, said};
use crate::datasets::files::{Files, cifar, decode_with, gzip, gzipped, mnist, svhn};

/// Sound files beside the one that is changed.
static MNIST: LazyLock<Files> = LazyLock::new(|| mnist(2, 1));
static SVHN: LazyLock<Files> = LazyLock::new(|| svhn(true));

pub static IDX: Reader = Reader {
    name: "idx",
    seeds: || {
        let (plain, packed) = (mnist(2, 1), gzipped(&mnist(2, 1)));
        let labels = [&plain, &packed].map(|files| files.values().next_back().unwrap().clone());
        [&labels[..], &[plain["train-images-idx3-ubyte"].clone()]].concat()
    },
    found: found!("idx"),
    // As labels or as images, by what it says that it is.
    read: |bytes| {
        let files = &*MNIST;
        let images = bytes.get(2..4) == Some(&[8, 3]);
        let name = if images { "train-images-idx3-ubyte" } else { "train-labels-idx1-ubyte" };
        let read = decode_with("mnist", files, name, bytes).map_err(said)?;
        Ok(format!("{} images", read.train.labels.len()))
    },
};

/// Records of a file: so few that reading takes microseconds.
const RECORDS: usize = 2;

pub static CIFAR: Reader = Reader {
    name: "cifar",
    seeds: || {
        let (ten, hundred) = (cifar(RECORDS, 1, 10), cifar(RECORDS, 2, 20));
        vec![gzip(&ten), ten, hundred]
    },
    found: found!("cifar"),
    read: |bytes| {
        let read = |layout: &Layout, classes| {
            let read = layout.images("test.bin", bytes, RECORDS, classes).map_err(said)?;
            assert_eq!(read.pixels.len(), RECORDS * read.image_len());
            assert!(read.labels.iter().all(|label| usize::from(*label) < classes));
            Ok(format!("{} images of {classes} classes", read.len()))
        };
        read(&CIFAR10, 10).or_else(|ten: String| {
            read(&CIFAR100, 100).map_err(|hundred: String| format!("{ten}; {hundred}"))
        })
    },
};

pub static MATLAB: Reader = Reader {
    name: "matlab",
    seeds: || [true, false].map(|packed| svhn(packed).values().next().unwrap().clone()).to_vec(),
    found: found!("matlab"),
    read: |bytes| {
        let files = &*SVHN;
        let name = files.keys().next().unwrap();
        let read = decode_with("svhn", files, name, bytes).map_err(said)?;
        Ok(format!("{} images", read.test.labels.len()))
    },
};

pub static PYTORCH: Reader = Reader {
    name: "pytorch",
    seeds: || {
        let files: [&[u8]; 2] = [
            include_bytes!("../../data/pytorch/archive.pt"),
            include_bytes!("../../data/pytorch/stream.pth.tar"),
        ];
        files.map(<[u8]>::to_vec).to_vec()
    },
    found: found!("pytorch"),
    read: |bytes| {
        let arrays = native::pytorch::state_dict(bytes).map_err(said)?;
        Ok(format!("{} tensors", arrays.len()))
    },
};
