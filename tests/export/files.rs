//! What stands in the files.

use native::cli::Format;
use native::{export, pytorch, weights};
use serde_json::Value;
use smoothdarts::arrays;
use smoothdarts::net::DerivedShape;

use super::networks::{CLASSES, Images, Net, all, relative_error};
use super::onnx::{Attribute, Model, Node, Tensor, read};
use super::{interpreter, networks};

/// The worst of 24 cases is 2.7e-7.
const TOLERANCE: f32 = 1e-5;

fn interpreted(net: &Net, images: &Images, unit: bool) -> Vec<f32> {
    let (planes, shape) = images.planes();
    interpreter::run(&read(&net.file(Format::Onnx, unit)), &planes, shape)
}

#[test]
fn a_graph_of_onnx_computes_our_logits() {
    let mut worst = 0.0;
    for net in all() {
        for (batch, unit) in [(1, true), (5, true), (5, false)] {
            for size in &net.sizes {
                let images = net.images(batch, *size, unit);
                let found = interpreted(&net, &images, unit);
                let error = relative_error(&found, &net.logits(&images, unit));
                assert!(error < TOLERANCE, "{} {batch} {size:?} {unit}: {error:e}", net.name);
                worst = f32::max(worst, error);
            }
        }
    }
    println!("worst {worst:e}");
}

/// A comparison that a wrong graph passes would be worth nothing.
#[test]
fn a_graph_that_is_wrong_in_one_place_computes_other_logits() {
    let net = &all()[1];
    let images = net.images(2, net.sizes[0], true);
    let (planes, shape) = images.planes();
    let expected = net.logits(&images, true);
    let no_shift = |model: &mut Model| {
        model.initialisers.insert("pixels.1.1.starts".to_owned(), Tensor::Integers(vec![0, 0]));
        for node in model.nodes.iter_mut().filter(|node| node.inputs[0].ends_with(".pixels")) {
            node.attributes.insert("pads".to_owned(), Attribute::Ints(vec![0; 4]));
        }
    };
    let no_relu = |model: &mut Model| first(model, "Relu").kind = "Sum".to_owned();
    let no_maximum = |model: &mut Model| {
        let pool = first(model, "MaxPool");
        pool.kind = "AveragePool".to_owned();
        pool.attributes.insert("count_include_pad".to_owned(), Attribute::Int(0));
    };
    let no_edge = |model: &mut Model| {
        first(model, "Sum").inputs.pop();
    };
    type Spoil<'a> = &'a dyn Fn(&mut Model);
    let wrong: [(&str, Spoil); 4] =
        [("shift", &no_shift), ("ReLU", &no_relu), ("maximum", &no_maximum), ("edge", &no_edge)];
    for (what, spoil) in wrong {
        let mut model = read(&net.file(Format::Onnx, true));
        spoil(&mut model);
        let found = interpreter::run(&model, &planes, shape);
        let error = relative_error(&found, &expected);
        assert!(error > 100.0 * TOLERANCE, "without a {what}: {error:e}");
    }
}

fn first<'a>(model: &'a mut Model, kind: &str) -> &'a mut Node {
    model.nodes.iter_mut().find(|node| node.kind == kind).unwrap()
}

#[test]
fn the_initialisers_of_onnx_are_the_weights_to_the_bit_and_all_of_them() {
    for net in all() {
        let model = read(&net.file(Format::Onnx, true));
        let mut weights = 0;
        for (name, array) in &net.arrays {
            if name.starts_with("auxiliary_head.") {
                assert!(!model.initialisers.contains_key(name), "{name}");
                continue;
            }
            let Some(Tensor::Floats(sides, values)) = model.initialisers.get(name) else {
                panic!("{}: {name} is missing", net.name)
            };
            assert_eq!(*sides, array.shape, "{name}");
            assert!(values.iter().zip(&array.values).all(|(x, y)| x.to_bits() == y.to_bits()));
            weights += 1;
        }
        let others: Vec<&String> =
            model.initialisers.keys().filter(|name| !net.arrays.contains_key(*name)).collect();
        assert_eq!(weights + others.len(), model.initialisers.len());
        let places = ["pixels.", "channels.", "normalise."];
        let known = |name: &&&String| places.iter().any(|place| name.starts_with(place));
        assert_eq!(others.iter().filter(known).count(), others.len(), "{others:?}");
    }
}

#[test]
fn a_file_of_onnx_says_what_it_is_and_its_batch_is_free() {
    for net in all() {
        for (normalises, input) in [(true, "unit"), (false, "normalised")] {
            let model = read(&net.file(Format::Onnx, normalises));
            assert_eq!((model.ir, model.opset), (8, 17));
            assert_eq!(model.producer, "sdarts");
            assert_eq!(model.version, model.metadata["version"]);
            let classes: Vec<String> = serde_json::from_str(&model.metadata["classes"]).unwrap();
            assert_eq!(classes, CLASSES);
            let genotype = native::genotype::read(&model.metadata["genotype"]).unwrap();
            assert_eq!(genotype, net.genotype);
            assert_eq!(model.metadata["input"], input);
            let (name, sides) = &model.input;
            let channels = net.shape.image_channels.to_string();
            assert_eq!(
                (name.as_str(), &sides[..]),
                (
                    "images",
                    &["batch".to_owned(), channels, "height".to_owned(), "width".to_owned(),][..]
                )
            );
            let (name, sides) = &model.output;
            assert_eq!(
                (name.as_str(), sides[0].as_str(), sides[1].as_str()),
                ("logits", "batch", "5")
            );
            assert!(model.nodes.iter().all(|node| node.kind != "Softmax"));
            let named = |name: &str| model.nodes.iter().any(|node| node.name == name);
            assert_eq!(named("normalise.centred"), normalises);
            assert!(named("global_pooling"));
        }
    }
}

#[test]
fn nodes_have_the_names_of_the_modules_of_the_authors() {
    let nets = all();
    for (net, names) in [
        (0, &["stem.0", "stem.1", "cells.0.preprocess0.op.0", "cells.0._ops.0.op.1"][..]),
        (0, &["cells.0._ops.0.op.4", "cells.4", "cells.2.preprocess0.relu", "cells.0.states.2"]),
        (2, &["stem0.2", "stem0.3", "stem1.0", "stem1.2", "cells.0.preprocess0.conv_2"]),
        (3, &["cells.0.layers.0.op.0", "cells.1.conv_a.op.1", "cells.1.downsample.1", "lastact.0"]),
    ] {
        let model = read(&nets[net].file(Format::Onnx, true));
        for name in names {
            let found = model.nodes.iter().any(|node| node.name == *name);
            assert!(found, "{} has no {name}", nets[net].name);
        }
    }
}

/// The noise of space S4 is drawn anew in every call, in the shape that the edge has.
#[test]
fn noise_is_drawn_by_the_runtime() {
    let mut genotype = all().remove(0).genotype;
    for cell in &mut genotype.cells {
        cell.nodes[0].edges[0].operation = Some("noise".to_owned());
    }
    let shape = DerivedShape { auxiliary: false, cells: 3, ..all()[0].shape };
    let arrays = networks::arrays(&genotype, shape);
    let net = Net { name: "noise", genotype, shape, arrays, sizes: vec![] };
    let model = read(&net.file(Format::Onnx, true));
    let drawn: Vec<&Node> =
        model.nodes.iter().filter(|node| node.kind == "RandomNormalLike").collect();
    assert_eq!(drawn.len(), 3, "one in each cell");
    let strided = drawn.iter().filter(|node| node.inputs[0].ends_with(".pixels")).count();
    assert_eq!(strided, 2, "cells 1 and 2 of three reduce");
    assert_eq!(model.initialisers["pixels.0.2.steps"], Tensor::Integers(vec![2, 2]));
}

/// All tensors come back, the auxiliary head too.
#[test]
fn weights_come_back_from_safetensors_and_from_pytorch_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    for net in all() {
        for format in [Format::Safetensors, Format::Pytorch] {
            let bytes = net.file(format, false);
            assert_eq!(pytorch::is_file(&bytes), format == Format::Pytorch);
            let path = folder.path().join("weights");
            std::fs::write(&path, &bytes).unwrap();
            let found = weights::read(&path).unwrap();
            assert!(found.keys().eq(net.arrays.keys()), "{}", net.name);
            for (name, array) in &found {
                let expected = &net.arrays[name];
                assert_eq!(array.shape, expected.shape, "{name}");
                let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&array.values), bits(&expected.values), "{name}");
            }
            let back = Net { arrays: found, genotype: net.genotype.clone(), sizes: vec![], ..net };
            let images = net.images(2, net.sizes[0], false);
            assert_eq!(back.logits(&images, false), net.logits(&images, false), "{}", net.name);
        }
    }
    let net = &networks::all()[0];
    let bytes = net.file(Format::Safetensors, false);
    let facts = arrays::metadata(&bytes, export::METADATA).unwrap().unwrap();
    let facts: Value = serde_json::from_str(&facts).unwrap();
    let genotype = native::genotype::read(facts["genotype"].as_str().unwrap()).unwrap();
    assert_eq!(genotype, net.genotype);
}

/// What a reader of zip archives checks and ours does not: sums, and numbers at multiples of 64.
#[test]
fn the_archive_of_pytorch_is_sound() {
    let net = &all()[1];
    let bytes = net.file(Format::Pytorch, false);
    let number = |at: usize, size: usize| {
        let bytes = bytes[at..at + size].iter().rev();
        bytes.fold(0usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let end = bytes.len() - 22;
    assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
    let (members, mut entry) = (number(end + 10, 2), number(end + 16, 4));
    assert_eq!(members, net.arrays.len() + 3);
    assert_eq!(entry + number(end + 12, 4), end);
    let mut at = 0;
    for _ in 0..members {
        assert_eq!(
            (&bytes[entry..entry + 4], &bytes[at..at + 4]),
            (&b"PK\x01\x02"[..], &b"PK\x03\x04"[..])
        );
        assert_eq!(number(entry + 42, 4), at, "members lie one after another");
        assert_eq!(bytes[entry + 6..entry + 30], bytes[at + 4..at + 28]);
        let start = at + 30 + number(at + 26, 2) + number(at + 28, 2);
        assert_eq!(start % 64, 0);
        let mut sum = flate2::Crc::new();
        at = start + number(at + 18, 4);
        sum.update(&bytes[start..at]);
        assert_eq!(number(entry + 16, 4), sum.sum() as usize);
        entry += 46 + number(entry + 28, 2);
    }
    assert_eq!((at, entry), (number(end + 16, 4), end));
}
