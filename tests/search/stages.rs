//! Searches in stages: what stays and what falls, what every stage starts from, and dropout after skip
//! connections.

use burn::tensor::{Device, Tensor, TensorData};
use pollster::block_on;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::cell::Rows;
use smoothdarts::config::{Config, EpsilonSchedule, Stages};
use smoothdarts::event::{EpochFinished, Event, StageStarted, Started};
use smoothdarts::nn::{GradientTarget, Layout, Pass, Randomness, SkipDropout, Statistics};
use smoothdarts::run::{ImageSearch, Phase};
use smoothdarts::space::darts::progressive;

use super::tiny;

/// Three stages of two epochs with two steps each; α rests in the first of them.
pub fn config(method: &str) -> Config {
    let mut config = tiny::config("darts", method);
    config.search.epochs = 6;
    config.search.architecture_from = 1;
    config.data.train_images = 32;
    config.alpha.clip = 5.0;
    config.alpha.learning_rate = 0.05;
    config.stages = Stages {
        cells: vec![2, 3, 4],
        operations: vec![8, 5, 3],
        skip_dropout: vec![0.0, 0.4, 0.7],
        skip_limit: 2,
    };
    config
}

fn started(events: &[Event]) -> &Started {
    let Some(Event::Started(started)) = events.first() else { panic!("no start") };
    started
}

fn stages(events: &[Event]) -> Vec<&StageStarted> {
    let mut found = Vec::new();
    for event in events {
        if let Event::StageStarted(stage) = event {
            found.push(stage);
        }
    }
    found
}

fn epochs(events: &[Event]) -> Vec<&EpochFinished> {
    let mut found = Vec::new();
    for event in events {
        if let Event::EpochFinished(epoch) = event {
            found.push(epoch);
        }
    }
    found
}

#[test]
fn the_operations_of_lowest_p_fall_between_stages_edge_by_edge() {
    let (events, last) = tiny::whole(&config("p-darts"));
    let (stages, epochs) = (stages(&events), epochs(&events));
    assert_eq!(stages.iter().map(|it| (it.stage, it.epoch)).collect::<Vec<_>>(), [(1, 2), (2, 4)]);
    assert_eq!(stages.iter().map(|it| it.cells).collect::<Vec<_>>(), [3, 4]);
    let mut before = started(&events).choices.clone();
    for stage in stages {
        let p: &Vec<Rows> = &epochs[stage.epoch - 1].probabilities;
        for (index, choice) in stage.choices.iter().enumerate() {
            let rows = choice.rows.iter().zip(&before[index].rows).enumerate();
            for (number, (left, all)) in rows {
                let fallen = &stage.fallen[index][number];
                assert_eq!(left.options.len() + fallen.len(), all.options.len());
                let of = |option: &String| {
                    let column = all.options.iter().position(|it| it == option).unwrap();
                    p[index][number][column]
                };
                let strongest = fallen.iter().map(of).fold(0.0, f32::max);
                assert!(left.options.iter().all(|option| of(option) >= strongest));
            }
            assert_eq!(choice.shape(), [14, if stage.stage == 1 { 5 } else { 3 }]);
        }
        before.clone_from(&stage.choices);
        assert_eq!(epochs[stage.epoch].probabilities[0][0].len(), before[0].shape()[1]);
    }
    assert_eq!(last.architecture, before);
    let found = last.genotype().unwrap();
    assert!(progressive::skips(&found) <= 2);
    assert_eq!(found, epochs[5].genotype);
    let restrictions = last.restrictions().unwrap();
    assert_eq!(restrictions[8 - 2], (2, found));
}

#[test]
fn every_stage_starts_from_weights_and_an_alpha_of_its_own() {
    let config = config("p-darts-rs");
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    let mut starts = vec![block_on(search.checkpoint()).unwrap()];
    while let Some(event) = block_on(search.advance(&mut loader)).unwrap() {
        if matches!(event, Event::StageStarted(_)) {
            let start = block_on(search.checkpoint()).unwrap();
            assert_eq!(start.progress.phase, Phase::EpochStart);
            starts.push(start);
        }
    }
    assert_eq!(starts.len(), 3);
    let least = |values: &[f32]| values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    for start in &starts {
        assert_eq!(least(&start.arrays["momentum"].values), 0.0);
        assert_eq!(least(&start.arrays["adam.first.normal"].values), 0.0);
        let alpha = least(&start.arrays["alpha.normal"].values);
        assert!((1e-4..1e-2).contains(&alpha), "a fresh alpha is small: {alpha}");
    }
    // No stage has the first numbers of another.
    let first = |name: &str| -> Vec<f32> {
        starts.iter().map(|start| start.arrays[name].values[0]).collect()
    };
    for name in ["weights", "alpha.normal"] {
        let [one, two, three] = first(name)[..] else { panic!("three stages") };
        assert!(one != two && two != three && one != three, "{name}");
    }
}

#[test]
fn rates_and_epsilon_follow_the_stages() {
    let schedule = |schedule: EpsilonSchedule| {
        let mut config = config("p-darts-rs");
        config.perturbation.schedule = schedule;
        let (events, _) = tiny::whole(&config);
        let started = events.into_iter().filter_map(|event| match event {
            Event::EpochStarted(it) => {
                Some((it.learning_rate, it.epsilon, it.skip_dropout.unwrap()))
            }
            _ => None,
        });
        started.collect::<Vec<_>>()
    };
    let of_run = schedule(EpsilonSchedule::Run);
    let rates: Vec<f64> = of_run.iter().map(|it| it.0).collect();
    assert_eq!(rates[..2], rates[2..4]);
    assert_eq!(rates[..2], rates[4..]);
    assert!(of_run.windows(2).all(|it| it[0].1 < it[1].1), "{of_run:?}");
    let of_stage = schedule(EpsilonSchedule::Stage);
    let epsilons: Vec<f64> = of_stage.iter().map(|it| it.1).collect();
    assert_eq!(epsilons[..2], epsilons[2..4]);
    assert!((epsilons[1] - 0.165).abs() < 1e-12, "half of the way from 0.03 to 0.3: {epsilons:?}");
    // While α rests r·(E − e − 1)/E, then from r on.
    let drops: Vec<f64> = of_run.iter().map(|it| it.2).collect();
    assert_eq!(drops, [0.0, 0.0, 0.2, 0.4, 0.35, 0.7]);
}

#[test]
fn what_no_stage_can_be_made_of_is_refused_with_a_way_out() {
    let refused = |space: &str, method: &str, change: fn(&mut Config)| {
        let mut config = config(method);
        config.search.space = space.to_owned();
        change(&mut config);
        let loader = tiny::loader(&config);
        let steps = loader.steps_per_epoch();
        let search = ImageSearch::new(&config, loader.shape(), steps, &Device::flex());
        search.err().unwrap().to_string()
    };
    let keep: fn(&mut Config) = |_| {};
    assert!(refused("darts", "darts", keep).contains("method darts has no stages; p-darts has"));
    let none: fn(&mut Config) = |config| config.stages = Stages::default();
    assert!(refused("darts", "p-darts", none).contains("--preset p-darts"));
    assert!(refused("s5", "p-darts", keep).contains("in space s5 it is 7"));
    assert!(refused("nasbench201", "p-darts", keep).contains("its cells are others"));
}

/// Of 4 copies of ones, by kernels and by plain operations.
#[test]
fn dropout_keeps_the_mean_and_every_skip_connection_draws_by_itself() {
    let (layout, device) = (Layout::default(), Device::flex());
    let weights = Tensor::<1>::zeros([0], &device);
    let dropped = |kernels: Kernels, count: usize| -> Vec<f32> {
        let skips = Some(SkipDropout { rate: 0.4, rng: Pcg64::seed_from_u64(3) });
        let randomness = Randomness { skips, ..Pcg64::seed_from_u64(1).into() };
        let target = GradientTarget::Nothing;
        let mut pass = Pass::new(&layout, &weights, Statistics::Batch, target, kernels, randomness);
        assert!(pass.drops_skips());
        let ones = Tensor::from_data(TensorData::new(vec![1.0f32; 4096], [4, 8, 8, 16]), &device);
        pass.skips(&ones, count).into_data().try_into_vec().unwrap()
    };
    for kernels in [Kernels::Fused, Kernels::Composed] {
        let found = dropped(kernels, 4);
        let zeros = found.iter().filter(|value| **value == 0.0).count() as f64;
        let share = zeros / found.len() as f64;
        // Four deviations of 16,384 draws.
        assert!((share - 0.4).abs() < 0.016, "{share}");
        assert!(found.iter().all(|value| *value == 0.0 || (*value - 1.0 / 0.6).abs() < 1e-6));
        let copies: Vec<&[f32]> = found.chunks(4096).collect();
        assert!(copies[0] != copies[1] && copies[1] != copies[2]);
        assert_eq!(dropped(kernels, 1), copies[0], "in order");
    }
}
