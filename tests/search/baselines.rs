//! The curvature penalty and drop-path.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::event::Event;
use smoothdarts::method::architect::{Curvature, curvature};
use smoothdarts::net::NetShape;
use smoothdarts::nn::{Randomness, drop_path};
use smoothdarts::policy::softmax::relax;
use smoothdarts::rng::{Streams, normal};
use smoothdarts::space;
use smoothdarts::task::{Classify, ImageBatch, Model, Point};

use super::tiny;
use crate::devices::host;

fn matrix(values: &[f32], columns: usize) -> Tensor<2> {
    let shape = [values.len() / columns, columns];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

/// The curvature of a loss of one row of α, at `alpha` along `v`.
fn of(
    alpha: &[f32],
    v: &[f32],
    radius: f64,
    loss: impl Fn(&[f64]) -> (Vec<f64>, f64),
) -> Curvature {
    let evaluate = |alpha: &[Tensor<2>]| {
        let x: Vec<f64> = host(alpha[0].clone()).into_iter().map(f64::from).collect();
        let (gradient, loss) = loss(&x);
        let gradient: Vec<f32> = gradient.iter().map(|&value| value as f32).collect();
        let loss = TensorData::new(vec![loss as f32], [1]);
        (vec![matrix(&gradient, gradient.len())], Tensor::from_data(loss, &Device::flex()))
    };
    let alpha = [matrix(alpha, alpha.len())];
    let centre = evaluate(&alpha);
    curvature(&alpha, &[matrix(v, v.len())], radius, centre, evaluate)
}

#[test]
fn the_curvature_of_a_quadratic_is_exact_at_any_radius_and_has_no_gradient() {
    // L = ½ xᵀHx with H = [[2, 1], [1, −4]]
    let loss = |x: &[f64]| {
        let product = [2.0 * x[0] + x[1], x[0] - 4.0 * x[1]];
        let value = 0.5 * (x[0] * product[0] + x[1] * product[1]);
        (product.to_vec(), value)
    };
    for radius in [0.25, 1.0, 8.0] {
        let found = of(&[0.5, -0.25], &[0.6, 0.8], radius, loss);
        let expected = 2.0 * 0.36 + 2.0 * 0.48 - 4.0 * 0.64;
        assert!((host(found.value)[0] - expected).abs() < 1e-4, "radius {radius}");
        assert!(host(found.gradient[0].clone()).iter().all(|value| value.abs() < 1e-4));
    }
}

/// c itself is the definition; its gradient is compared with differences of it.
#[test]
fn the_gradient_of_the_curvature_is_that_of_its_definition() {
    let loss = |x: &[f64]| {
        let value = (x[0] * x[1]).sin() + x[0].powi(4);
        let slope = (x[0] * x[1]).cos();
        (vec![x[1] * slope + 4.0 * x[0].powi(3), x[0] * slope], value)
    };
    let (at, v, radius) = ([0.7f32, -0.4], [0.6f32, 0.8], 0.3f64);
    let exact = |x: [f64; 2]| {
        let moved =
            |step: f64| loss(&[x[0] + step * f64::from(v[0]), x[1] + step * f64::from(v[1])]).1;
        (moved(radius) + moved(-radius) - 2.0 * moved(0.0)) / (radius * radius)
    };
    let found = of(&at, &v, radius, loss);
    let (value, gradient) = (host(found.value)[0], host(found.gradient[0].clone()));
    let x = at.map(f64::from);
    assert!((f64::from(value) - exact(x)).abs() < 1e-4);
    for index in 0..2 {
        let (mut above, mut below) = (x, x);
        above[index] += 1e-5;
        below[index] -= 1e-5;
        let expected = (exact(above) - exact(below)) / 2e-5;
        let found = f64::from(gradient[index]);
        assert!((found - expected).abs() < 1e-3 * expected.abs(), "{found}, not {expected}");
    }
}

#[test]
fn only_positive_curvature_is_penalised() {
    let bowl =
        |sign: f64| move |x: &[f64]| (vec![sign * 4.0 * x[0].powi(3), 0.0], sign * x[0].powi(4));
    let penalty = |sign| {
        let found = of(&[1.0, 0.0], &[1.0, 0.0], 0.5, bowl(sign));
        host(found.penalty(3.0)[0].clone())
    };
    // c = 12·x² + 2·ε², so its gradient is 24.
    assert!((penalty(1.0)[0] - 72.0).abs() < 1e-2, "{:?}", penalty(1.0));
    assert_eq!(penalty(-1.0), [0.0, 0.0]);
}

#[test]
fn the_penalty_changes_alpha_and_without_strength_it_is_darts() {
    let alpha_of = |method: &str, strength: f64| {
        let mut config = tiny::config("s2", method);
        config.penalty.strength = strength;
        let (events, _) = tiny::whole(&config);
        let last = events.iter().rev().find_map(|event| match event {
            Event::EpochFinished(epoch) => Some(epoch.alpha.clone()),
            _ => None,
        });
        last.unwrap()
    };
    let darts = alpha_of("darts", 1.0);
    assert_eq!(alpha_of("darts-hessian", 0.0), darts);
    assert_ne!(alpha_of("darts-hessian", 100.0), darts);
}

#[test]
fn the_probability_of_drop_path_grows_linearly_to_its_largest_in_the_last_epoch() {
    let schedule: Vec<f64> = (0..5).map(|epoch| drop_path(0.2, epoch, 5)).collect();
    for (found, expected) in schedule.iter().zip([0.0, 0.05, 0.1, 0.15, 0.2]) {
        assert!((found - expected).abs() < 1e-12, "{schedule:?}");
    }
    assert_eq!(drop_path(0.2, 0, 1), 0.0, "a single epoch has none");
}

/// A network, its weights, α and a batch.
struct Net {
    model: Model<Classify>,
    weights: Tensor<1>,
    statistics: Tensor<2>,
    alpha: Vec<Tensor<2>>,
    batch: ImageBatch,
}

impl Net {
    fn new() -> Self {
        let shape =
            NetShape { image_channels: 1, classes: 4, cells: 2, channels: 4, stem_multiplier: 3 };
        let network = space::find("s2").unwrap().supernet(shape).unwrap();
        let device = Device::flex();
        let flat = |values: Vec<f32>| {
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), &device)
        };
        let layout = network.layout();
        let weights = flat(layout.initial_weights(&Streams::new(3)));
        let statistics = flat(layout.initial_statistics()).reshape([2, layout.norm_channels()]);
        let images = flat(normal(&mut Pcg64::seed_from_u64(1), 3 * 8 * 8)).reshape([3, 8, 8, 1]);
        let labels = Tensor::from_data(TensorData::new(vec![0, 1, 2], [3]), &device);
        Self {
            alpha: network.architecture().iter().map(|_| matrix(&[0.1; 28], 2)).collect(),
            model: Model::new(Classify { image_size: 8 }, network, Kernels::Fused),
            weights,
            statistics,
            batch: ImageBatch { images, labels },
        }
    }

    fn logits(&self, drop_path: f64, eval: bool, seed: u64) -> Vec<f32> {
        let at = Point { weights: &self.weights, statistics: &self.statistics, eval };
        let randomness = Randomness { drop_path, ..Pcg64::seed_from_u64(seed).into() };
        host(self.model.loss(at, &relax(&self.alpha), &self.batch, randomness).logits)
    }
}

#[test]
fn drop_path_acts_only_in_training() {
    let net = Net::new();
    assert_eq!(net.logits(0.5, true, 1), net.logits(0.0, true, 2), "eval mode");
    assert_ne!(net.logits(0.5, false, 1), net.logits(0.0, false, 1), "train mode");
    assert_eq!(net.logits(0.5, false, 1), net.logits(0.5, false, 1), "the same draws");
    assert_ne!(net.logits(0.5, false, 1), net.logits(0.5, false, 2), "other draws");
}

/// On the output of one edge: an image is dropped as a whole or scaled by 1/keep.
#[test]
fn drop_path_drops_whole_images_and_keeps_the_mean() {
    let net = Net::new();
    let mut pass = smoothdarts::nn::Pass::new(
        net.model.network.layout(),
        &net.weights,
        smoothdarts::nn::Statistics::Batch,
        smoothdarts::nn::GradientTarget::Nothing,
        Kernels::Fused,
        Randomness { drop_path: 0.25, ..Pcg64::seed_from_u64(0).into() },
    );
    let dropped = host(pass.drop_path(Tensor::<4>::ones([4000, 2, 1, 1], &Device::flex())));
    let images: Vec<&[f32]> = dropped.chunks(2).collect();
    assert!(images.iter().all(|image| image[0] == image[1]), "whole images");
    let kept = images.iter().filter(|image| image[0] > 0.0).count();
    assert!(images.iter().all(|image| image[0] == 0.0 || (image[0] - 4.0 / 3.0).abs() < 1e-6));
    // 3000 expected; the standard deviation is √(4000·0.25·0.75) = 27.
    assert!((2890..3110).contains(&kept), "{kept} of 4000 kept");
}
