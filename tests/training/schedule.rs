//! The schedules of a training against their closed forms (spec §9.1 and §9.2).

use std::f64::consts::PI;

use smoothdarts::config::layers::Resolver;
use smoothdarts::config::{Config, Schedule, Train};
use smoothdarts::optim::training_rate;

fn preset(name: &str) -> Config {
    let mut layers = Resolver::default();
    layers.preset(name).unwrap();
    layers.finish().unwrap().config
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-15, "{found} instead of {expected}");
}

#[test]
fn the_learning_rate_of_cifar_is_half_a_cosine() {
    let Config { train, data, .. } = preset("train-cifar10");
    let rate = |epoch| training_rate(&train, epoch);
    assert_eq!((train.cells, train.channels, train.batch_size, data.cutout), (20, 36, 96, 16));
    close(rate(0), 0.025);
    close(rate(300), 0.0125);
    for epoch in 0..600 {
        close(rate(epoch), 0.025 * (1.0 + (PI * epoch as f64 / 600.0).cos()) / 2.0);
    }
}

#[test]
fn that_of_imagenet_is_linear_with_a_warm_up_and_a_slow_end() {
    let Config { train, .. } = preset("train-imagenet");
    let rate = |epoch| training_rate(&train, epoch);
    for (epoch, expected) in [(0, 0.1), (1, 0.2), (2, 0.3), (3, 0.4), (4, 0.5)] {
        close(rate(epoch), expected);
    }
    for epoch in 5..245 {
        close(rate(epoch), 0.5 * (245 - epoch) as f64 / 245.0);
    }
    for epoch in 245..250 {
        close(rate(epoch), 0.5 * (250 - epoch) as f64 / (245.0 * 5.0));
    }
}

#[test]
fn a_linear_schedule_that_is_shorter_than_its_end_is_refused() {
    let train = Train { schedule: Schedule::Linear, epochs: 5, ..Train::default() };
    let mut config = Config { train, ..Config::default() };
    assert_eq!(config.validate().unwrap_err().setting, "train.schedule");
    config.train.epochs = 6;
    config.validate().unwrap();
}

#[test]
fn a_small_training_is_that_of_the_paper() {
    for (name, data) in [("train-cifar100", "cifar100"), ("train-svhn", "svhn")] {
        let config = preset(name);
        let found = (config.train.cells, config.train.channels, config.data.name.as_str());
        assert_eq!(found, (8, 16, data));
        assert_eq!((config.train.auxiliary, config.train.drop_path), (true, 0.2));
    }
}
