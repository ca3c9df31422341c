//! The arithmetic of a pass and of a step, against closed forms worked out by hand.

use burn::tensor::Device;
use smoothdarts::config::{Config, Order};
use smoothdarts::data::ImageShape;
use smoothdarts::net::NetShape;
use smoothdarts::nn::GradientTarget;
use smoothdarts::run::ImageSearch;
use smoothdarts::run::search::StepArithmetic;
use smoothdarts::space;

/// Space s2 (identity and separable 3×3 on all 14 edges), C = 4, stem 12, on 8×8 gray images; three
/// cells, of which the last two reduce. Multiply-adds of the forward pass:
///
/// | part | product |
/// |---|---|
/// | stem, 1 → 12, 3×3, 64 pixels | 12·9·64 = 6,912 |
/// | cell 0, C = 4: two inputs 12 → 4, 64 pixels | 2 · 48·64 = 6,144 |
/// | its 14 edges: two units of 4·9 + 4·4 | 14 · 2·52·64 = 93,184 |
/// | cell 1, C = 8: inputs 12 → 8 and 16 → 8, 64 pixels | 6,144 + 8,192 |
/// | its 8 edges with stride 2, 16 pixels: 8·8 and two units of 8·9 + 8·8 | 8 · (64 + 2·136)·16 = 43,008 |
/// | its 6 other edges: two units | 6 · 2·136·16 = 26,112 |
/// | cell 2, C = 16: inputs 16 → 16 (halved) and 32 → 16, 16 pixels | 4,096 + 8,192 |
/// | its 8 edges with stride 2, 4 pixels: 16·16 and two units of 16·9 + 16·16 | 8 · (256 + 2·400)·4 = 33,792 |
/// | its 6 other edges: two units | 6 · 2·400·4 = 19,200 |
/// | linear layer, 64 → 10 | 640 |
const FORWARD: u64 = 255_616;

/// The images have no gradient, so that the stem computes two products instead of three.
const WEIGHTS: u64 = 3 * FORWARD - 6_912;

/// No weight gradient, and no gradient for what does not depend on α: the stem, the inputs of cell
/// 0 and its 8 edges from them, the first input of cell 1 and its 4 edges from it.
const ARCHITECTURE: u64 =
    2 * FORWARD - (6_912 + 6_144 + 8 * 2 * 52 * 64 + 6_144 + 4 * (64 + 2 * 136) * 16);

#[test]
fn a_pass_has_the_arithmetic_of_its_closed_form() {
    let shape =
        NetShape { image_channels: 1, classes: 10, cells: 3, channels: 4, stem_multiplier: 3 };
    let network = space::find("s2").unwrap().supernet(shape).unwrap();
    assert_eq!(network.multiply_adds(8, GradientTarget::Nothing), FORWARD);
    assert_eq!(network.multiply_adds(8, GradientTarget::Weights), WEIGHTS);
    assert_eq!(network.multiply_adds(8, GradientTarget::Architecture), ARCHITECTURE);
}

fn step(config: &Config, images: ImageShape) -> StepArithmetic {
    ImageSearch::new(config, images, 1, &Device::flex()).unwrap().job().step_arithmetic()
}

#[test]
fn a_step_is_the_sum_of_the_passes_of_its_method() {
    let mut config = Config::default();
    config.search.space = "s2".to_owned();
    config.search.cells = 3;
    config.search.channels = 4;
    config.search.batch_size = 5;
    config.perturbation.steps = 7;
    let images = ImageShape { channels: 1, size: 8, classes: 10 };
    // Passes for the loss, for α and for w.
    for (method, order, [loss, alpha, weights]) in [
        ("darts", Order::First, [0, 1, 1]),
        ("sdarts-rs", Order::First, [0, 1, 1]),
        ("sdarts-adv", Order::First, [2, 8, 1]),
        ("darts", Order::Second, [0, 3, 3]),
    ] {
        config.search.method = method.to_owned();
        config.search.order = order;
        let found = step(&config, images);
        let needed = loss * FORWARD + alpha * ARCHITECTURE + weights * WEIGHTS;
        assert_eq!(found.needed, (2 * 5 * needed) as f64, "{method}");
        let all = (loss + 3 * (alpha + weights)) * FORWARD;
        assert_eq!(found.all_gradients, (2 * 5 * all) as f64, "{method}");
    }
}

/// The figure that speeds are quoted against: 28.8 GFLOP forward and backward at batch size 16.
#[test]
fn the_paper_s_network_has_58_gflop_in_a_darts_step() {
    let mut config = Config::default();
    config.search.method = "darts".to_owned();
    config.search.batch_size = 16;
    let found = step(&config, ImageShape { channels: 3, size: 32, classes: 10 });
    assert!((found.all_gradients / 1e9 - 57.65).abs() < 0.01, "{found:?}");
    assert!(found.needed < found.all_gradients, "{found:?}");
}
