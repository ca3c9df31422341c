//! The network that is trained from a genotype, beyond what the golden files hold.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::cell::codec::{darts, nb201};
use smoothdarts::cell::{Genotype, published};
use smoothdarts::data::Batch;
use smoothdarts::net::{Classifier, DerivedError, DerivedShape, Stem, derived};
use smoothdarts::nn::{GradientTarget, Pass, Randomness, Statistics};
use smoothdarts::rng::{Streams, normal};
use smoothdarts::task::{ImageBatch, Model, Point, Training};

use crate::devices::host;

const CELL: &str =
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|";

const SMALL: DerivedShape = DerivedShape {
    image_channels: 3,
    classes: 5,
    cells: 3,
    channels: 4,
    stem: Stem::Small,
    auxiliary: true,
};

fn published(name: &str) -> Genotype {
    published::ALL.iter().find(|row| row.name == name).unwrap().genotype()
}

fn vector(values: Vec<f32>) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), &Device::flex())
}

fn weights(network: &dyn Classifier) -> Tensor<1> {
    vector(network.layout().initial_weights(&Streams::new(5)))
}

fn images(count: usize, size: usize) -> Tensor<4> {
    let values = normal(&mut Pcg64::seed_from_u64(2), count * size * size * 3);
    vector(values).reshape([count, size, size, 3])
}

fn pass(network: &dyn Classifier, weights: &Tensor<1>, drop_path: f64, kernels: Kernels) -> Pass {
    let randomness = Randomness { drop_path, ..Pcg64::seed_from_u64(0).into() };
    let target = GradientTarget::Nothing;
    Pass::new(network.layout(), weights, Statistics::Batch, target, kernels, randomness)
}

fn error(genotype: &Genotype, shape: DerivedShape) -> DerivedError {
    derived(genotype, shape).err().unwrap()
}

#[test]
fn what_makes_no_network_is_told_with_what_there_is() {
    let good = published("DARTS_V2");
    let mut unknown = good.clone();
    unknown.cells[1].nodes[2].edges[0].operation = Some("conv_99x99".to_owned());
    let mut missing = good.clone();
    missing.cells[0].nodes[0].edges[1].source = 4;
    let mut foreign = good.clone();
    foreign.cells.pop();
    let mut on_nodes = good.clone();
    on_nodes.cells[0].nodes[0].operation = Some("skip_connect".to_owned());
    let mut input = good.clone();
    input.cells[0] = darts::cell("normal", &[], &[0]);
    let bench = nb201::decode(CELL).unwrap();
    let five = DerivedShape { cells: 5, auxiliary: false, ..SMALL };
    for (genotype, shape, words) in [
        (&unknown, SMALL, "the reduce cell has the operation `conv_99x99`"),
        (&missing, SMALL, "node 2 reads state 4, but only states 0 to 1 exist"),
        (&foreign, SMALL, "no network is known for a normal cell with 2 inputs"),
        (&on_nodes, SMALL, "operations on nodes"),
        (&input, SMALL, "concatenates state 0, which is its input"),
        (&Genotype::default(), SMALL, "a genotype without cells"),
        (&good, DerivedShape { classes: 0, ..SMALL }, "0 classes"),
        (&good, DerivedShape { cells: 0, ..SMALL }, "0 cells"),
        (&good, DerivedShape { channels: 5, ..SMALL }, "5 channels"),
        (&bench, DerivedShape { cells: 6, ..five }, "3N + 2"),
        (&bench, DerivedShape { auxiliary: true, ..five }, "no auxiliary head"),
        (&bench, DerivedShape { stem: Stem::ImageNet, ..five }, "no stem for ImageNet"),
    ] {
        let told = error(genotype, shape).to_string();
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_cell_of_nasbench201_has_the_names_of_the_benchmark_and_both_kernels_agree() {
    let shape = DerivedShape { cells: 5, auxiliary: false, ..SMALL };
    let network = derived(&nb201::decode(CELL).unwrap(), shape).unwrap();
    let names: Vec<&str> =
        network.as_ref().layout().weights().iter().map(|slot| slot.name.as_str()).collect();
    for name in [
        "stem.0.weight",
        "stem.1.bias",
        "cells.0.layers.0.op.1.weight",
        "cells.0.layers.0.op.2.weight",
        "cells.0.layers.4.op.1.weight",
        "cells.1.conv_a.op.1.weight",
        "cells.1.downsample.1.weight",
        "cells.4.layers.0.op.2.bias",
        "lastact.0.weight",
        "classifier.bias",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    let weights = weights(network.as_ref());
    let [fused, composed] = [Kernels::Fused, Kernels::Composed].map(|kernels| {
        let mut pass = pass(network.as_ref(), &weights, 0.0, kernels);
        let found = network.forward(images(3, 8), &mut pass);
        assert!(found.auxiliary.is_none());
        host(found.logits)
    });
    assert_eq!(fused.len(), 15);
    for (fused, composed) in fused.iter().zip(composed) {
        assert!((fused - composed).abs() < 1e-4, "{fused} {composed}");
    }
}

/// Images of any size pass, also those of which the authors' head has nothing to pool.
#[test]
fn networks_read_images_of_other_sizes() {
    let network = derived(&published("c10_s5_pgd"), SMALL).unwrap();
    let weights = weights(network.as_ref());
    for size in [4, 8, 28, 32, 40] {
        let mut pass = pass(network.as_ref(), &weights, 0.3, Kernels::Fused);
        let found = network.forward(images(2, size), &mut pass);
        for logits in [found.logits, found.auxiliary.unwrap()] {
            assert_eq!(logits.dims(), [2, 5], "{size}");
            assert!(host(logits).iter().all(|logit| logit.is_finite()), "{size}");
        }
    }
}

/// Of the operations of a cell all but the identity draw a mask for every image, `none` too.
#[test]
fn drop_path_draws_for_every_operation_but_the_identity() {
    // Cells 1 and 2 of three reduce; there is no normal one but the first.
    for (name, expected) in [("c10_s5_pgd", 6 + 4 + 4), ("SNAS_aggressive", 3 + 8 + 8)] {
        let network = derived(&published(name), SMALL).unwrap();
        let weights = weights(network.as_ref());
        let with = |masks: usize| {
            let mut pass = pass(network.as_ref(), &weights, 0.5, Kernels::Fused)
                .with_masks(vec![1.0; masks * 2]);
            network.forward(images(2, 8), &mut pass);
            // The generator stands where it stood if nothing was drawn.
            pass.randomness.rng == Pcg64::seed_from_u64(0)
        };
        assert!(with(expected), "{name} asks for more");
        assert!(!with(expected - 1), "{name} asks for fewer");
    }
}

#[test]
fn a_training_loss_has_its_auxiliary_part_and_its_smoothing_only_in_train_mode() {
    let device = Device::flex();
    let batch = Batch { images: host(images(4, 8)), labels: vec![0, 1, 2, 4], shape: [4, 8, 8, 3] };
    let batch = ImageBatch::new(batch, &device);
    let loss = |label_smoothing, auxiliary_weight, eval| {
        let network = derived(&published("DARTS_V1"), SMALL).unwrap();
        let layout = network.as_ref().layout();
        let weights = weights(network.as_ref());
        let statistics = vector(layout.initial_statistics()).reshape([2, layout.norm_channels()]);
        let task = Training { image_size: 8, label_smoothing, auxiliary_weight };
        let model = Model::new(task, network, Kernels::Fused);
        let at = Point { weights: &weights, statistics: &statistics, eval };
        host(model.loss(at, &[], &batch, Pcg64::seed_from_u64(0)).loss)[0]
    };
    let (plain, half, whole) =
        (loss(0.0, 0.0, false), loss(0.0, 0.5, false), loss(0.0, 1.0, false));
    assert!(half > plain && (whole - 2.0 * half + plain).abs() < 1e-4, "{plain} {half} {whole}");
    assert_ne!(loss(0.1, 0.0, false), plain);
    assert_eq!(loss(0.1, 0.4, true), loss(0.0, 0.0, true));
}
