//! Partial channels and weights of edges in all spaces: what there is to choose, how large the networks are,
//! what is derived, and what of them a perturbation, a Hessian and a warm-up reach.

use burn::tensor::Device;
use native::datasets::Sizes;
use native::estimate::Estimate;
use pollster::block_on;
use smoothdarts::cell::{Choice, Rows};
use smoothdarts::config::{Config, Stem};
use smoothdarts::data::{Order, Part};
use smoothdarts::event::{EpochFinished, Event};
use smoothdarts::method;
use smoothdarts::net::{Build, NetShape};
use smoothdarts::run::ImageSearch;
use smoothdarts::space::{self, Modified};

use crate::search::tiny;

/// A space as pc-darts modifies it.
fn modified(name: &str, parts: usize, edge_weights: bool) -> Modified {
    let mut config = Config::default();
    config.search.partial_channels = parts;
    config.search.edge_weights = edge_weights;
    let method = method::find("pc-darts").unwrap();
    method.modify(space::find(name).unwrap(), &config).unwrap()
}

fn weights(modified: &Modified, cells: usize) -> usize {
    let shape =
        NetShape { image_channels: 3, classes: 10, cells, channels: 16, stem_multiplier: 3 };
    modified.supernet(shape).unwrap().layout().weight_count()
}

#[test]
fn networks_have_exactly_the_parameters_of_the_specification() {
    let counts = [
        ("darts", 299_578),
        ("s5", 299_578),
        ("s1", 130_946),
        ("s2", 149_946),
        ("s3", 149_946),
        ("s4", 147_386),
    ];
    for (name, expected) in counts {
        for edge_weights in [false, true] {
            assert_eq!(weights(&modified(name, 4, edge_weights), 8), expected, "{name}");
        }
        let whole = space::find(name).unwrap();
        let plain = Modified::new(whole, Build::default());
        assert_eq!(weights(&modified(name, 1, true), 8), weights(&plain, 8), "{name}");
    }
}

/// A convolution of C/K channels has a K²-th of the weights.
#[test]
fn cells_of_nasbench201_are_as_much_smaller() {
    let [whole, part] = [1, 4].map(|parts| weights(&modified("nasbench201", parts, true), 5));
    let convolutions = 6 * 10 * (16 * 16 + 32 * 32 + 64 * 64);
    assert_eq!(whole - part, convolutions - convolutions / 16);
}

#[test]
fn every_node_has_a_choice_of_the_weights_of_its_edges_behind_that_of_the_operations() {
    let names = |name: &str| -> Vec<String> {
        modified(name, 4, true).choices.into_iter().map(|choice| choice.name).collect()
    };
    let cell = |name: &str| {
        let of_node = |node| format!("{name}_beta_{node}");
        [name.to_owned()].into_iter().chain((2..6).map(of_node)).collect::<Vec<_>>()
    };
    for name in ["darts", "s1", "s5"] {
        assert_eq!(names(name), [cell("normal"), cell("reduce")].concat(), "{name}");
    }
    assert_eq!(names("nasbench201"), ["edges", "edges_beta_1", "edges_beta_2", "edges_beta_3"]);
    let last = &modified("s2", 4, true).choices[4];
    assert_eq!(last.rows[0].options, ["c_{k-2}", "c_{k-1}", "node 0", "node 1", "node 2"]);
    assert!(last.weighs_edges());
    let plain: Vec<Choice> = modified("s2", 4, false).choices;
    assert_eq!(plain, space::find("s2").unwrap().choices());
}

/// Of equal p the edges with the largest weights are kept, and those of equal weights with the largest p.
#[test]
fn a_genotype_is_derived_from_p_times_the_weights_of_the_edges() {
    let modified = modified("s2", 4, true);
    let p = |choice: &Choice| -> Rows {
        let row = |options: usize| match choice.weighs_edges() {
            // The last two of five: 1/15, 2/15, …
            true => (1..=options).map(|place| place as f32 / 15.0).collect(),
            false => vec![0.4, 0.6],
        };
        choice.rows.iter().map(|row_| row(row_.options.len())).collect()
    };
    let p: Vec<Rows> = modified.choices.iter().map(p).collect();
    let genotype = modified.derive(&p);
    for (index, node) in genotype.cells[0].nodes.iter().enumerate() {
        let sources: Vec<usize> = node.edges.iter().map(|edge| edge.source).collect();
        assert_eq!(sources, [index + 1, index]);
        assert!(node.edges.iter().all(|edge| edge.operation.as_deref() == Some("sep_conv_3x3")));
    }
    let of_p_alone = space::find("s2").unwrap().derive(&[p[0].clone(), p[5].clone()]);
    assert_ne!(genotype, of_p_alone);
}

/// A search of two epochs with weights of edges.
fn config(space: &str, method: &str) -> Config {
    let mut config = tiny::config(space, method);
    config.search.cells = if space == "nasbench201" { 5 } else { 3 };
    config.search.edge_weights = true;
    config
}

fn epochs(config: &Config) -> Vec<EpochFinished> {
    let finished = |event| match event {
        Event::EpochFinished(epoch) => Some(epoch),
        _ => None,
    };
    tiny::whole(config).0.into_iter().filter_map(finished).collect()
}

#[test]
fn all_spaces_of_cells_are_searched_with_partial_channels() {
    for space in ["s1", "s2", "s3", "s4", "s5", "darts", "nasbench201"] {
        for method in ["pc-darts", "pc-darts-rs", "pc-darts-adv"] {
            let epochs = epochs(&config(space, method));
            let [first, last] = [&epochs[0], &epochs[1]];
            assert_eq!(first.alpha.len(), if space == "nasbench201" { 4 } else { 10 });
            for (before, after) in first.alpha.iter().zip(&last.alpha) {
                // A node with one edge has nothing to weigh.
                assert!(before[0].len() == 1 || before != after, "{space} {method}");
            }
            assert!(last.train_loss.is_finite(), "{space} {method}");
        }
    }
}

#[test]
fn alpha_and_the_weights_of_edges_stay_while_they_are_frozen() {
    let mut config = config("s2", "pc-darts");
    config.search.epochs = 3;
    config.search.architecture_from = 2;
    let frozen = epochs(&config);
    assert_eq!(frozen[0].alpha, frozen[1].alpha);
    let moved = frozen[1].alpha.iter().zip(&frozen[2].alpha);
    for (before, after) in moved {
        // The first step of Adam is the learning rate, however small the gradient.
        let largest = before.iter().flatten().zip(after.iter().flatten());
        let largest = largest.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest > 0.5 * 3e-4 && largest < 3.0 * 1.1 * 3e-4, "{largest}");
    }
}

/// The first step of a search perturbs the same p of operations, whether the weights of edges are perturbed too
/// or not, so that the loss tells.
#[test]
fn the_weights_of_edges_are_perturbed_only_where_a_setting_says_so() {
    let first_loss = |edge_weights: bool, epsilon: f64| {
        let mut config = config("s2", "pc-darts-rs");
        config.perturbation.edge_weights = edge_weights;
        (config.perturbation.epsilon_min, config.perturbation.epsilon_max) = (epsilon, epsilon);
        let (events, _) = tiny::whole(&config);
        let step = events.into_iter().find_map(|event| match event {
            Event::Step(step) => Some(step.train_loss),
            _ => None,
        });
        step.unwrap()
    };
    // Rows are divided by their sum, which rounds.
    let distance = |epsilon| (first_loss(true, epsilon) - first_loss(false, epsilon)).abs();
    assert!(distance(0.0) < 1e-5 && distance(0.3) > 1e-3, "{} {}", distance(0.0), distance(0.3));
}

#[test]
fn the_hessian_is_that_of_alpha_or_of_alpha_and_the_weights_of_edges() {
    for (edge_weights, count) in [(false, 2 * 14 * 2), (true, 2 * (14 * 2 + 14))] {
        let mut config = config("s2", "pc-darts");
        config.hessian.edge_weights = edge_weights;
        let mut loader = tiny::loader(&config);
        let mut search = tiny::search(&config, &loader);
        tiny::run(&mut search, &mut loader).unwrap();
        let spectrum = block_on(search.hessian(&mut loader, true)).unwrap();
        assert_eq!(spectrum.eigenvalues.len(), count);
    }
}

/// 10 % and 2.5 % of each class, as PC-DARTS searches ImageNet.
#[test]
fn a_search_of_a_share_of_every_class_has_as_many_images_of_each() {
    let mut config = Config::default();
    (config.data.class_share, config.data.train_portion) = (0.125, 0.8);
    config.search.batch_size = 10;
    let labels: Vec<u16> = (0..1200_u16).map(|index| index / 400).collect();
    let order =
        Order::search(labels.len(), 0, &config).unwrap().of_classes(&labels, &config).unwrap();
    let images = |part| -> Vec<usize> {
        let batches = 0..order.evaluation_batches(part);
        batches.flat_map(|index| order.evaluation(part, 0, index).indices).collect()
    };
    let [train, valid] = [Part::Train, Part::Valid].map(images);
    for (half, expected) in [(&train, 40), (&valid, 10)] {
        let of_class = |class| half.iter().filter(|&&index| labels[index] == class).count();
        assert_eq!([0, 1, 2].map(of_class), [expected; 3]);
    }
    assert!(train.iter().all(|index| !valid.contains(index)));
    assert_ne!(train[..40], (0..40).collect::<Vec<_>>(), "drawn, not the first ones");
    config.search.batch_size = 31;
    let order = Order::search(labels.len(), 0, &config).unwrap();
    assert!(order.of_classes(&labels, &config).is_err());
}

/// Three convolutions of stride 2 stand before the first cell, whose first input is twice as large as its second.
#[test]
fn a_supernet_for_imagenet_has_its_stem_and_is_searched() {
    let mut config = config("s2", "pc-darts");
    config.search.stem = Stem::Imagenet;
    config.search.partial_channels = 2;
    config.data.image_size = 32;
    let loader = tiny::loader(&config);
    let search = tiny::search(&config, &loader);
    let layout = search.job().model().network.layout();
    let has = |name: &str| layout.weights().iter().any(|slot| slot.name == name);
    for name in
        ["stem0.0.weight", "stem0.3.weight", "stem1.1.weight", "cells.0.preprocess0.conv_1.weight"]
    {
        assert!(has(name), "{name}");
    }
    assert!(epochs(&config).iter().all(|epoch| epoch.train_loss.is_finite()));
    config.data.image_size = 16;
    let loader = tiny::loader(&config);
    let refused = ImageSearch::new(&config, loader.shape(), 1, &Device::flex()).err().unwrap();
    assert!(refused.to_string().contains("of 32"), "{refused}");
}

/// What a step of the paper's size takes, batch 64 (`sdarts bench`): 2,316 MB with all channels, 871 with a quarter.
#[test]
fn the_memory_of_partial_channels_is_estimated_near_what_a_step_takes() {
    let images =
        Sizes { train: 50_000, test: 0, side: 32, channels: 3, classes: 10, in_memory: false };
    for (method, measured) in [("darts", 2316e6), ("pc-darts", 871e6)] {
        let mut config = Config::default();
        config.search.method = method.to_owned();
        let estimate = Estimate::of(&config, &images, false).unwrap().bytes();
        let ratio = estimate / measured;
        assert!((1.0..1.6).contains(&ratio), "{method}: {estimate}");
    }
}
