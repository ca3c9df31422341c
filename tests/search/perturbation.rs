//! Laws of the perturbations (spec §3, §14.7 to §14.9).

use burn::tensor::{Device, Tensor, TensorData};
use pollster::block_on;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::cell::Choice;
use smoothdarts::config::{Norm, Projection};
use smoothdarts::event::Event;
use smoothdarts::net::NetShape;
use smoothdarts::perturb::random::smooth;
use smoothdarts::perturb::{Ascent, Ball, Objective, attack, project, row_clip};
use smoothdarts::policy::softmax::relax;
use smoothdarts::rng::{normal, uniform};
use smoothdarts::space;
use smoothdarts::task::{Classify, ImageBatch, LossOfP, Model, Point};

use super::tiny;
use crate::devices::host;

fn matrix(values: Vec<f32>, columns: usize) -> Tensor<2> {
    let rows = values.len() / columns;
    Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let powers: Vec<f32> = logits.iter().map(|logit| logit.exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn is_distribution(row: &[f32]) -> bool {
    row.iter().all(|&p| p >= 0.0) && (row.iter().sum::<f32>() - 1.0).abs() < 1e-5
}

/// A small supernet on random images, as the objective of an attack.
struct Attackable {
    model: Model<Classify>,
    weights: Tensor<1>,
    statistics: Tensor<2>,
    alpha: Vec<Tensor<2>>,
    batch: ImageBatch,
    eval: bool,
}

impl Attackable {
    fn new(seed: u64) -> Self {
        Self::of("s2", 2, seed, &Device::flex())
    }

    fn of(space: &str, cells: usize, seed: u64, device: &Device) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let shape =
            NetShape { image_channels: 1, classes: 4, cells, channels: 4, stem_multiplier: 1 };
        let network = space::find(space).unwrap().supernet(shape).unwrap();
        let layout = network.layout();
        let weights = layout.initial_weights(&smoothdarts::rng::Streams::new(seed));
        let statistics = layout.initial_statistics();
        let images = normal(&mut rng, 6 * 8 * 8);
        let (count, channels) = (weights.len(), layout.norm_channels());
        let mut alpha = |choice: &Choice| {
            let shape = choice.shape();
            let values = normal(&mut rng, shape[0] * shape[1]);
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        Self {
            weights: Tensor::from_data(TensorData::new(weights, [count]), device),
            statistics: Tensor::from_data(TensorData::new(statistics, [2, channels]), device),
            alpha: network.architecture().iter().map(&mut alpha).collect(),
            batch: ImageBatch {
                images: Tensor::from_data(TensorData::new(images, [6, 8, 8, 1]), device),
                labels: Tensor::from_data([0, 1, 2, 3, 0, 1], device),
            },
            model: Model::new(Classify { image_size: 8 }, network, Kernels::Fused),
            eval: true,
        }
    }

    fn at(&self) -> Point<'_> {
        Point { weights: &self.weights, statistics: &self.statistics, eval: self.eval }
    }
}

impl Objective for &Attackable {
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1> {
        self.model.loss(self.at(), p, &self.batch, Pcg64::seed_from_u64(0)).loss
    }
    fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>> {
        self.model.probability_gradient(self.at(), p, &self.batch, Pcg64::seed_from_u64(0)).0
    }
}

fn ball(epsilon: f64) -> Ball {
    Ball { epsilon, norm: Norm::Linf, projection: Projection::RowClip }
}

fn ascent(steps: usize) -> Ascent {
    Ascent { steps, step_scale: 2.0, random_start: true, revert: true, kernels: Kernels::Fused }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn adv_never_lowers_the_loss_it_attacks(
        seed in 0u64..1000, epsilon in 0.0f64..0.5, steps in 1usize..5, l2: bool, exact: bool,
    ) {
        let problem = Attackable::new(seed);
        let p = relax(&problem.alpha);
        let norm = if l2 { Norm::L2 } else { Norm::Linf };
        let projection = if exact { Projection::Exact } else { Projection::RowClip };
        let ball = Ball { epsilon, norm, projection };
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut objective = &problem;
        let attacked = attack(&p, ball, ascent(steps), &mut objective, &mut rng);
        let attacked = block_on(attacked).unwrap();
        let before = host(objective.loss(&p))[0];
        let after = host(objective.loss(&attacked.p))[0];
        prop_assert!(after >= before, "{before} fell to {after}");
        for p in attacked.p {
            prop_assert!(host(p).chunks(2).all(is_distribution));
        }
    }

    #[test]
    fn the_attack_leaves_weights_and_statistics_unchanged(seed in 0u64..1000) {
        let problem = Attackable::new(seed);
        let before = (host(problem.weights.clone()), host(problem.statistics.clone()));
        let p = relax(&problem.alpha);
        let mut rng = Pcg64::seed_from_u64(seed);
        block_on(attack(&p, ball(0.3), ascent(3), &mut &problem, &mut rng)).unwrap();
        let noise = Pcg64::seed_from_u64(0);
        let (_, outcome) = problem.model.probability_gradient(problem.at(), &p, &problem.batch, noise);
        prop_assert_eq!(&before.1, &host(outcome.statistics), "an eval pass keeps the statistics");
        prop_assert_eq!(before, (host(problem.weights), host(problem.statistics)));
    }

    #[test]
    fn row_clip_gives_distributions(values in prop::collection::vec(-2.0f32..2.0, 14)) {
        let clipped = host(row_clip(matrix(values, 7)));
        prop_assert!(clipped.chunks(7).all(is_distribution), "{clipped:?}");
    }

    #[test]
    fn the_exact_projection_is_the_nearest_feasible_point(
        logits in prop::collection::vec(-3.0f32..3.0, 2..9),
        seed in 0u64..10_000, epsilon in 0.01f64..0.6, l2: bool,
    ) {
        let center = softmax(&logits);
        let mut rng = Pcg64::seed_from_u64(seed);
        let reach = 2.0 * epsilon as f32;
        let moved: Vec<f32> = center.iter().zip(uniform(&mut rng, center.len(), -reach, reach))
            .map(|(p, noise)| p + noise).collect();
        let norm = if l2 { Norm::L2 } else { Norm::Linf };
        let ball = Ball { epsilon, norm, projection: Projection::Exact };
        let found = project::row(&center, &moved, ball);
        prop_assert!(is_distribution(&found), "{found:?}");
        let gaps = || found.iter().zip(&center).map(|(a, b)| f64::from(a - b));
        let distance = if l2 { gaps().map(|gap| gap * gap).sum::<f64>().sqrt() }
            else { gaps().map(f64::abs).fold(0.0, f64::max) };
        prop_assert!(distance <= epsilon + 1e-6, "{distance} > {epsilon}");
        // A point is the nearest one of a convex set if no feasible direction leads closer.
        for _ in 0..20 {
            let other = project::row(&center, &softmax(&normal(&mut rng, center.len())), ball);
            let slope: f64 = moved.iter().zip(&found).zip(&other)
                .map(|((x, y), z)| f64::from(x - y) * f64::from(z - y)).sum();
            prop_assert!(slope <= 1e-5, "a feasible point is nearer: slope {slope}");
        }
    }
}

#[test]
fn alpha_is_restored_bit_exactly_after_the_w_step() {
    for method in ["darts", "sdarts-rs", "sdarts-adv"] {
        let mut config = tiny::config("s5", method);
        config.alpha.learning_rate = 0.0;
        let (events, _) = tiny::whole(&config);
        let alphas: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::EpochFinished(epoch) => Some(epoch.alpha.clone()),
                _ => None,
            })
            .collect();
        let streams = smoothdarts::rng::Streams::new(config.seed);
        let Some(Event::Started(started)) = events.first() else { panic!("no start") };
        let initial = smoothdarts::policy::softmax::initial(&started.choices, 1e-3, &streams);
        let bits = |rows: &Vec<Vec<Vec<f32>>>| -> Vec<u32> {
            rows.concat().concat().iter().map(|value| value.to_bits()).collect()
        };
        assert_eq!(alphas.len(), 2);
        for alpha in &alphas {
            assert_eq!(bits(alpha), bits(&initial), "{method}: only the α-step may change α");
        }
    }
}

#[test]
fn the_methods_differ_only_by_their_perturbation() {
    // With a radius of 0 the perturbed p is p again, up to the rounding of its row sum.
    let losses = |method: &str| -> Vec<f32> {
        let mut config = tiny::config("s2", method);
        config.perturbation.epsilon_min = 0.0;
        config.perturbation.epsilon_max = 0.0;
        let step = |event: &Event| match event {
            Event::Step(step) => Some(step.train_loss),
            _ => None,
        };
        tiny::whole(&config).0.iter().filter_map(step).collect()
    };
    let plain = losses("darts");
    for method in ["sdarts-rs", "sdarts-adv"] {
        for (plain, found) in plain.iter().zip(losses(method)) {
            assert!((plain - found).abs() < 1e-3 * plain, "{method}: {found}, DARTS {plain}");
        }
    }
    let mut config = tiny::config("s2", "sdarts-rs");
    config.perturbation.epsilon_min = 0.3;
    let (events, _) = tiny::whole(&config);
    let Some(Event::Step(step)) = events.get(2) else { panic!("no step") };
    assert_ne!(step.train_loss, plain[0], "a radius of 0.3 changes the loss");
}

/// Rows of a uniform p after RS, as (share with |Δ|∞ > ε, mean |Δ|∞, mean zeros in a row).
fn statistics(operations: usize, epsilon: f64) -> (f32, f32, f32) {
    let rows = 20_000;
    let even = 1.0 / operations as f32;
    let p = matrix(vec![even; rows * operations], operations);
    let mut rng = Pcg64::seed_from_u64(1);
    let found = host(block_on(smooth(&[p], ball(epsilon), &mut rng)).unwrap().p.remove(0));
    let (mut above, mut distance, mut zeros) = (0.0, 0.0, 0.0);
    for row in found.chunks(operations) {
        let gap = row.iter().map(|p| (p - even).abs()).fold(0.0, f32::max);
        above += f32::from(f64::from(gap) > epsilon + 1e-6);
        distance += gap;
        zeros += row.iter().filter(|&&p| p == 0.0).count() as f32;
    }
    let rows = rows as f32;
    (above / rows, distance / rows, zeros / rows)
}

/// The table of spec §3.4 was sampled itself; its digits bound the tolerance.
#[test]
fn random_smoothing_has_the_statistics_of_the_specification() {
    for (operations, epsilon, above, distance, zeros) in [
        (7, 0.03, 0.23, 0.026, 0.0),
        (7, 0.165, 0.25, 0.149, 0.47),
        (7, 0.3, 0.16, 0.217, 1.83),
        (2, 0.03, 0.0, 0.010, 0.0),
        (2, 0.165, 0.0, 0.056, 0.0),
        (2, 0.3, 0.0, 0.105, 0.0),
    ] {
        let found = statistics(operations, epsilon);
        let near = |found: f32, expected: f32, digit: f32| (found - expected).abs() <= digit;
        let case = format!("{operations} operations, ε = {epsilon}: {found:?}");
        assert!(near(found.0, above, 0.012), "{case}");
        assert!(near(found.1, distance, 0.003), "{case}");
        assert!(near(found.2, zeros, 0.03), "{case}");
    }
}

#[test]
fn uniform_noise_raises_a_quadratic_loss_by_a_sixth_of_epsilon_squared_times_the_trace() {
    // L(δ) = ½·Σ hᵢδᵢ², so E L = (ε²/6)·Σ hᵢ; 3σ of the mean over the draws.
    let (curvatures, epsilon, draws) = ([3.0f64, 1.0, 0.5, -0.25], 0.3f64, 40_000);
    let mut rng = Pcg64::seed_from_u64(9);
    let losses: Vec<f64> = (0..draws)
        .map(|_| {
            let delta = uniform(&mut rng, 4, -epsilon as f32, epsilon as f32);
            delta.iter().zip(curvatures).map(|(d, h)| 0.5 * h * f64::from(*d).powi(2)).sum()
        })
        .collect();
    let mean = losses.iter().sum::<f64>() / draws as f64;
    let variance = losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / draws as f64;
    let expected = epsilon.powi(2) / 6.0 * curvatures.iter().sum::<f64>();
    assert!((mean - expected).abs() < 3.0 * (variance / draws as f64).sqrt());
}

/// Losses and gradients at three p's, computed in every pass anew and with what they share.
fn sharing_and_not(problem: &Attackable) -> [Vec<f32>; 2] {
    let mut rng = Pcg64::seed_from_u64(5);
    let moved = |alpha: &Tensor<2>| {
        let noise = TensorData::new(normal(&mut rng, alpha.shape().num_elements()), alpha.dims());
        alpha.clone() + Tensor::from_data(noise, &alpha.device())
    };
    let alphas: Vec<_> =
        problem.alpha.iter().cycle().take(3 * problem.alpha.len()).map(moved).collect();
    let mut shared = LossOfP::new(&problem.model, problem.at(), &problem.batch);
    let (mut found, mut wanted) = (Vec::new(), Vec::new());
    for (index, alpha) in alphas.chunks(problem.alpha.len()).enumerate() {
        let (p, draws) = (relax(alpha), Pcg64::seed_from_u64(index as u64));
        let outcome = problem.model.loss(problem.at(), &p, &problem.batch, draws.clone());
        wanted.extend(host(outcome.loss));
        found.extend(host(shared.loss(&p, draws.clone())));
        let point = (problem.at(), &problem.batch);
        let (gradient, _) = problem.model.probability_gradient(point.0, &p, point.1, draws.clone());
        wanted.extend(gradient.into_iter().flat_map(host));
        found.extend(shared.gradient(&p, draws).into_iter().flat_map(host));
    }
    [found, wanted]
}

#[test]
fn what_the_passes_of_an_attack_share_changes_no_bit() {
    // S4 draws in its first cell.
    for (space, cells) in [("s5", 2), ("s4", 3), ("nasbench201", 5)] {
        for eval in [true, false] {
            let mut problem = Attackable::of(space, cells, 3, &Device::flex());
            problem.eval = eval;
            let [found, wanted] = sharing_and_not(&problem);
            assert!(
                wanted.iter().any(|value| value.abs() > 1e-4),
                "{space}: the numbers say something"
            );
            assert_eq!(found, wanted, "{space}, {cells} cells, eval {eval}");
        }
    }
}

#[test]
fn what_the_passes_of_an_attack_share_is_right_on_wgpu() {
    let Some(device) = crate::devices::wgpu() else { return };
    let [found, wanted] = sharing_and_not(&Attackable::of("s5", 2, 3, &device));
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!((found - wanted).abs() < 1e-5, "{found} instead of {wanted}");
    }
}
