//! Files that PyTorch wrote. Those in tests/data/pytorch are made by the program beside them.

use native::pytorch;
use smoothdarts::arrays::state_dict::{self, unwrapped};
use smoothdarts::arrays::{Array, Arrays};
use smoothdarts::cell::published;
use smoothdarts::net::{Evaluation, Stem, derived};
use smoothdarts::rng::Streams;

const ARCHIVE: &[u8] = include_bytes!("../data/pytorch/archive.pt");
const STREAM: &[u8] = include_bytes!("../data/pytorch/stream.pth.tar");

#[test]
fn both_formats_of_pytorch_are_read_with_strides_offsets_and_a_wrapped_network() {
    for bytes in [ARCHIVE, STREAM] {
        assert!(pytorch::is_file(bytes));
        let arrays = unwrapped(pytorch::state_dict(bytes).unwrap());
        let array = |shape: &[usize], values: &[f32]| Array {
            shape: shape.to_vec(),
            values: values.to_vec(),
        };
        let expected: Arrays = [
            ("a.weight", array(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
            ("a.transposed", array(&[2, 2], &[2.0, 5.0, 3.0, 6.0])),
            ("b.running_mean", array(&[2], &[0.5, -0.25])),
        ]
        .map(|(name, array)| (name.to_owned(), array))
        .into();
        assert_eq!(arrays, expected);
    }
}

#[test]
fn a_damaged_file_of_pytorch_is_an_error_and_never_a_panic() {
    for bytes in [ARCHIVE, STREAM] {
        for length in 0..bytes.len() {
            assert!(pytorch::state_dict(&bytes[..length]).is_err(), "cut at {length}");
        }
        for place in 0..bytes.len() {
            for value in [0, 0x7f, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[place] = value;
                let _ = pytorch::state_dict(&damaged);
            }
        }
    }
}

#[test]
fn a_changed_weight_in_an_archive_is_noticed_by_its_checksum() {
    let four = ARCHIVE.windows(4).position(|bytes| bytes == 4.0f32.to_le_bytes()).unwrap();
    let mut damaged = ARCHIVE.to_vec();
    damaged[four] ^= 1;
    let error = format!("{:#}", pytorch::state_dict(&damaged).unwrap_err());
    assert!(error.contains("archive/data/0 in it is damaged"), "{error}");
}

fn network_arrays(name: &str, classes: usize) -> (Box<dyn smoothdarts::net::Classifier>, Arrays) {
    let row = published::ALL.iter().find(|row| row.name == name).unwrap();
    let size = Evaluation { stem: Stem::Small, cells: 3, channels: 4, classes };
    let network = derived(&row.genotype(), size.shape(true)).unwrap();
    let layout = network.layout();
    let flat = layout.initial_weights(&Streams::new(3));
    let mut arrays = Arrays::new();
    for slot in layout.weights() {
        let values = flat[slot.range.clone()].to_vec();
        arrays.insert(slot.name.clone(), Array { shape: slot.shape.clone(), values });
    }
    for slot in layout.norms() {
        for (kind, value) in [("running_mean", 0.0), ("running_var", 1.0)] {
            let values = vec![value; slot.range.len()];
            let shape = vec![values.len()];
            arrays.insert(format!("{}.{kind}", slot.name), Array { shape, values });
        }
    }
    (network, arrays)
}

#[test]
fn weights_come_back_to_their_places_and_those_of_another_network_are_one_error() {
    let (network, mut arrays) = network_arrays("DARTS_V2", 10);
    let layout = network.as_ref().layout();
    let flat = state_dict::read(layout, &arrays).unwrap();
    assert_eq!(flat.weights, layout.initial_weights(&Streams::new(3)));
    assert_eq!(flat.statistics, layout.initial_statistics());

    let (other, _) = network_arrays("c10_s5_pgd", 10);
    let error = state_dict::read(other.as_ref().layout(), &arrays).unwrap_err().to_string();
    assert!(error.contains("another network") && error.contains("check the genotype"), "{error}");
    let (more_classes, _) = network_arrays("DARTS_V2", 100);
    let error = state_dict::read(more_classes.as_ref().layout(), &arrays).unwrap_err().to_string();
    assert!(error.contains("[10, 768] instead of [100, 768]"), "{error}");
    arrays.insert("stranger".to_owned(), Array { shape: vec![1], values: vec![0.0] });
    let error = state_dict::read(layout, &arrays).unwrap_err().to_string();
    assert!(error.contains("(first: stranger)"), "{error}");
}
