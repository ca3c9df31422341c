//! The network that is trained from a cell of NAS-Bench-101.

use std::path::Path;

use smoothdarts::cell::codec::nb101;
use smoothdarts::net::{DerivedShape, Stem, derived};

use crate::command::run;

/// The benchmark's size.
const WHOLE: DerivedShape = DerivedShape {
    image_channels: 3,
    classes: 10,
    cells: 9,
    channels: 128,
    stem: Stem::Small,
    auxiliary: false,
};

/// One to four vertices at the output, with and without an edge from the input to it, channels that do not
/// divide, and what NAS-Bench-101 says of their weights.
const CELLS: [(&str, usize); 8] = [
    ("0110001000010000 input,maxpool3x3,maxpool3x3,output", 1_756_298),
    (
        "0100110001000000010010000010000001000000010000000 input,conv3x3-bn-relu,maxpool3x3,\
         conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,output",
        8_555_530,
    ),
    (
        "0111100111000100000100000 input,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,output",
        6_843_402,
    ),
    (
        "010110001001000100000011000001000000 input,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,\
         conv3x3-bn-relu,output",
        3_984_576,
    ),
    (
        "0101100111000110000100000 input,conv1x1-bn-relu,maxpool3x3,conv3x3-bn-relu,output",
        2_606_755,
    ),
    (
        "0100101001000100010000000001000001000000010000000 input,conv1x1-bn-relu,maxpool3x3,maxpool3x3,\
         maxpool3x3,conv1x1-bn-relu,output",
        1_697_419,
    ),
    (
        "0101100001000100000010000001000001000000010000000 input,conv1x1-bn-relu,conv1x1-bn-relu,\
         conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output",
        1_959_754,
    ),
    (
        "010001001001000111000001000001000000 input,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,\
         maxpool3x3,output",
        2_330_762,
    ),
];

#[test]
fn networks_have_as_many_weights_as_the_benchmark_says() {
    for (cell, weights) in CELLS {
        let network = derived(&nb101::decode(cell).unwrap(), WHOLE).unwrap();
        assert_eq!(network.layout().weight_count(), weights, "{cell}");
    }
}

#[test]
fn what_makes_no_network_of_nasbench101_is_told() {
    let cell = nb101::decode(CELLS[7].0).unwrap();
    // The output reads a vertex that reads nothing.
    let unconnected = nb101::decode("000001000 input,conv3x3-bn-relu,output").unwrap();
    for (genotype, shape, words) in [
        (
            &cell,
            DerivedShape { cells: 8, ..WHOLE },
            "cannot have 8 cells: it has N in each of three",
        ),
        (&cell, DerivedShape { auxiliary: true, ..WHOLE }, "NAS-Bench-101 has no auxiliary head"),
        (&cell, DerivedShape { stem: Stem::ImageNet, ..WHOLE }, "has no stem for ImageNet"),
        (&cell, DerivedShape { channels: 2, ..WHOLE }, "concatenates 4 vertices, and 2 channels"),
        (&unconnected, WHOLE, "no way leads from the input to the output"),
    ] {
        let found = derived(genotype, shape).err().unwrap().to_string();
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn a_cell_of_nasbench101_is_trained_and_tested_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (out, here) = (folder.path().join("run"), Path::new("."));
    let out = out.to_str().unwrap();
    let small =
        ["--device=cpu", "--epochs=2", "--set=data.train_images=160", "--set=train.channels=4"];
    let trained =
        run(here, &[&["train", CELLS[4].0, "--quiet", "--out", out][..], &small].concat());
    assert_eq!(trained.code, Some(0), "{}", trained.stderr);
    assert!(trained.stdout.contains("test error"), "{}", trained.stdout);
    let tested = run(here, &["test", out, "--device=cpu"]);
    assert_eq!(tested.code, Some(0), "{}", tested.stderr);
}
