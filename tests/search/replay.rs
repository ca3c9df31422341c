//! Passes that a GPU has recorded give what passes give that are computed.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::config::{Config, Order};
use smoothdarts::event::Event;
use smoothdarts::net::NetShape;
use smoothdarts::policy::softmax::relax;
use smoothdarts::rng::{Streams, normal};
use smoothdarts::run::ImageSearch;
use smoothdarts::space;
use smoothdarts::task::{Classify, ImageBatch, LossOfP, Model, Point, Recorded};

use super::tiny;
use crate::devices::{self, host};

/// Events of a search with this many recorded passes at its end.
fn searched(config: &Config, device: &Device, replay: bool) -> (Vec<Event>, usize) {
    let mut loader = tiny::loader(config);
    let (shape, steps) = (loader.shape(), loader.steps_per_epoch());
    let mut search = ImageSearch::new(config, shape, steps, device).unwrap();
    search.set_replay(replay);
    let events = tiny::run(&mut search, &mut loader).unwrap();
    (events, search.job().recorded_passes())
}

/// Losses of steps and of attacks, and what stands after an epoch, in the order of the events.
fn numbers(events: &[Event]) -> Vec<f32> {
    let of = |event: &Event| match event {
        Event::Step(step) => {
            let attack = step.attack.iter().flat_map(|it| [it.loss_before, it.loss_after]);
            [step.train_loss, step.valid_loss.unwrap(), step.train_accuracy]
                .into_iter()
                .chain(attack)
                .collect()
        }
        Event::EpochFinished(epoch) => {
            let losses = [epoch.train_loss, epoch.valid_loss, epoch.valid_accuracy];
            let alpha = epoch.alpha.iter().flatten().flatten().copied();
            losses.into_iter().map(|it| it as f32).chain(alpha).collect()
        }
        _ => Vec::new(),
    };
    events.iter().flat_map(of).collect::<Vec<f32>>()
}

fn replays_what_it_computes(config: &Config, recorded: usize) {
    let Some(device) = devices::wgpu() else { return };
    let (wanted, none) = searched(config, &device, false);
    let (found, passes) = searched(config, &device, true);
    assert_eq!((none, passes), (0, recorded));
    let (found, wanted) = (numbers(&found), numbers(&wanted));
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!((found - wanted).abs() < 1e-4 * wanted.abs().max(1.0), "{found} {wanted}");
    }
}

#[test]
fn a_search_with_an_attack_replays_six_passes() {
    replays_what_it_computes(&tiny::config("s5", "sdarts-adv"), 6);
}

/// Both gradients, whose five passes differ in what they read alone, and the evaluation.
#[test]
fn a_search_of_second_order_replays_three_passes() {
    let mut config = tiny::config("s5", "darts");
    config.search.order = Order::Second;
    replays_what_it_computes(&config, 3);
}

#[test]
fn passes_that_draw_are_computed() {
    replays_what_it_computes(&tiny::config("s4", "sdarts-rs"), 0);
}

/// Everything that the passes of a step read.
struct Problem {
    model: Model<Classify>,
    weights: Tensor<1>,
    statistics: Tensor<2>,
    p: Vec<Tensor<2>>,
    batch: ImageBatch,
}

impl Problem {
    fn new(model: &Model<Classify>, seed: u64, device: &Device) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let layout = model.network.layout();
        let (weights, statistics) =
            (layout.initial_weights(&Streams::new(seed)), layout.initial_statistics());
        let vector = |numbers: Vec<f32>| {
            let count = numbers.len();
            Tensor::<1>::from_data(TensorData::new(numbers, [count]), device)
        };
        let alpha = |choice: &smoothdarts::cell::Choice| {
            let [rows, options] = choice.shape();
            vector(normal(&mut rng, rows * options)).reshape([rows, options])
        };
        let alpha: Vec<_> = model.network.architecture().iter().map(alpha).collect();
        let images = normal(&mut rng, 6 * 8 * 8);
        let labels: Vec<i32> = (0..6).map(|image| (image + seed as i32) % 4).collect();
        Self {
            weights: vector(weights),
            statistics: vector(statistics).reshape([2, layout.norm_channels()]),
            p: relax(&alpha),
            batch: ImageBatch {
                images: vector(images).reshape([6, 8, 8, 1]),
                labels: Tensor::from_data(TensorData::new(labels, [6]), device),
            },
            model: model.clone(),
        }
    }

    fn at(&self, eval: bool) -> Point<'_> {
        Point { weights: &self.weights, statistics: &self.statistics, eval }
    }

    /// What the passes of a step compute.
    fn computed(&self) -> Vec<Vec<f32>> {
        let draws = || Pcg64::seed_from_u64(0);
        let Self { model, p, batch, .. } = self;
        let (of_weights, learned) = model.weight_gradient(self.at(false), p, batch, draws());
        let (of_p, valid) = model.probability_gradient(self.at(false), p, batch, draws());
        let mut attack = LossOfP::new(model, self.at(true), batch);
        let (before, climb) = (attack.loss(p, draws()), attack.gradient(p, draws()));
        let rows = [of_weights, learned.loss, learned.correct, valid.loss, before];
        let matrices = [vec![learned.statistics, valid.statistics], of_p, climb].concat();
        rows.into_iter().map(host).chain(matrices.into_iter().map(host)).collect()
    }

    /// The same, replayed.
    fn replayed(&self, recorded: &mut Recorded<Classify>) -> Option<Vec<Vec<f32>>> {
        let Self { p, batch, .. } = self;
        let (of_weights, learned) = recorded.weight_gradient(self.at(false), p, batch)?;
        let (of_p, valid) = recorded.probability_gradient(self.at(false), p, batch)?;
        let before = recorded.begin_attack(self.at(true), p, batch)?;
        let (climb, after) = (recorded.gradient(p)?, recorded.loss(p)?);
        assert_eq!(host(before.clone()), host(after), "the same p");
        let rows = [of_weights, learned.loss, learned.correct, valid.loss, before];
        let matrices = [vec![learned.statistics, valid.statistics], of_p, climb].concat();
        Some(rows.into_iter().map(host).chain(matrices.into_iter().map(host)).collect())
    }
}

#[test]
fn a_replayed_pass_gives_what_is_computed_on_other_numbers_every_time() {
    let Some(device) = devices::wgpu() else { return };
    let shape =
        NetShape { image_channels: 1, classes: 4, cells: 3, channels: 4, stem_multiplier: 1 };
    let network = space::find("s5").unwrap().supernet(shape).unwrap();
    let model = Model::new(Classify { image_size: 8 }, network, Kernels::Fused);
    let mut recorded = Recorded::new(&model);
    let mut kept = Vec::new();
    for seed in 0..20 {
        let problem = Problem::new(&model, seed, &device);
        let replayed = problem.replayed(&mut recorded).expect("the device records");
        for (found, wanted) in replayed.iter().zip(problem.computed()) {
            let largest = wanted.iter().fold(1e-3_f32, |most, x| most.max(x.abs()));
            let error = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error <= 1e-5 * largest, "seed {seed}: {error} of {largest}");
        }
        // What is held, and what was given back, moves what is allocated next.
        if seed % 3 == 0 {
            kept.push(problem);
        }
    }
}
