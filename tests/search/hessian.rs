//! The Hessian, its ends by Lanczos, and the stop that watches it.

use burn::tensor::{Device, Tensor, TensorData};
use pollster::block_on;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use smoothdarts::cell::Genotype;
use smoothdarts::cell::codec::darts;
use smoothdarts::config::EarlyStop;
use smoothdarts::event::{Eigenvalues, Event, WarningCode};
use smoothdarts::measure::early_stop::{Look, Verdict, Watch};
use smoothdarts::measure::hessian::{Hessian, eigenvalues};
use smoothdarts::rng::normal;

use super::tiny;

/// Two tensors of α, 4 rows in all.
const SHAPES: [[usize; 2]; 2] = [[3, 4], [1, 5]];
const SIZE: usize = 17;

fn tensors(values: &[f32]) -> Vec<Tensor<2>> {
    let mut rest = values;
    let tensors = SHAPES.map(|[rows, columns]| {
        let (own, others) = rest.split_at(rows * columns);
        rest = others;
        Tensor::from_data(TensorData::new(own.to_vec(), [rows, columns]), &Device::flex())
    });
    tensors.to_vec()
}

fn flat(tensors: &[Tensor<2>]) -> Vec<f64> {
    let values =
        tensors.iter().flat_map(|tensor| tensor.clone().into_data().try_into_vec::<f32>().unwrap());
    values.map(f64::from).collect()
}

/// A vector minus the mean of every row.
fn centred(vector: &[f64]) -> Vec<f64> {
    let mut rest = vector;
    let mut out = Vec::new();
    for [rows, columns] in SHAPES {
        let (own, others) = rest.split_at(rows * columns);
        rest = others;
        for row in own.chunks(columns) {
            let mean = row.iter().sum::<f64>() / columns as f64;
            out.extend(row.iter().map(|value| value - mean));
        }
    }
    out
}

/// The gradient of ½·(Pα)ᵀA(Pα), where P takes the mean of every row away: the Hessian is PAP.
fn quadratic(matrix: &[Vec<f64>]) -> impl Fn(&[Tensor<2>]) -> Vec<Tensor<2>> {
    move |alpha| {
        let x = centred(&flat(alpha));
        let product: Vec<f64> =
            matrix.iter().map(|row| row.iter().zip(&x).map(|(a, x)| a * x).sum()).collect();
        tensors(&centred(&product).iter().map(|&value| value as f32).collect::<Vec<_>>())
    }
}

fn symmetric(seed: u64) -> Vec<Vec<f64>> {
    let values = normal(&mut Pcg64::seed_from_u64(seed), SIZE * SIZE);
    let entry = |row: usize, column: usize| f64::from(values[row * SIZE + column]);
    let row = |row| (0..SIZE).map(|column| entry(row, column) + entry(column, row)).collect();
    (0..SIZE).map(row).collect()
}

#[test]
fn the_matrix_of_a_quadratic_is_its_own_with_a_null_direction_for_every_row() {
    let matrix = symmetric(1);
    let alpha = tensors(&normal(&mut Pcg64::seed_from_u64(2), SIZE));
    let found = block_on(Hessian::new(&alpha, quadratic(&matrix)).matrix()).unwrap();
    for (index, row) in found.iter().enumerate() {
        let mut unit = vec![0.0; SIZE];
        unit[index] = 1.0;
        let column = centred(&unit);
        let product: Vec<f64> =
            matrix.iter().map(|row| row.iter().zip(&column).map(|(a, x)| a * x).sum()).collect();
        for (found, expected) in row.iter().zip(centred(&product)) {
            assert!((found - expected).abs() < 2e-3, "row {index}: {found}, not {expected}");
        }
        assert!(centred(row).iter().zip(row).all(|(a, b)| (a - b).abs() < 2e-3), "row {index}");
        for (column, entry) in row.iter().enumerate() {
            assert_eq!(*entry, found[column][index], "symmetric");
        }
    }
}

#[test]
fn lanczos_finds_both_ends_of_the_spectrum_of_a_quadratic() {
    for seed in 0..10 {
        let matrix = symmetric(seed);
        let alpha = tensors(&normal(&mut Pcg64::seed_from_u64(seed), SIZE));
        let hessian = Hessian::new(&alpha, quadratic(&matrix));
        let all = block_on(hessian.spectrum()).unwrap();
        assert_eq!((all.eigenvalues.len(), all.gradients), (SIZE, 2 * SIZE));
        let ends = block_on(hessian.extremes(&mut Pcg64::seed_from_u64(seed))).unwrap();
        assert!(ends.gradients <= 30, "{}", ends.gradients);
        for (found, expected) in
            [(ends.smallest(), all.smallest()), (ends.largest(), all.largest())]
        {
            assert!((found / expected - 1.0).abs() < 0.005, "{found}, not {expected}");
        }
    }
}

#[test]
fn a_spectrum_of_one_sign_ends_at_the_null_directions() {
    let mut matrix = vec![vec![0.0; SIZE]; SIZE];
    (0..SIZE).for_each(|index| matrix[index][index] = 3.0);
    let alpha = tensors(&[0.0; SIZE]);
    let hessian = Hessian::new(&alpha, quadratic(&matrix));
    let found = block_on(hessian.extremes(&mut Pcg64::seed_from_u64(0))).unwrap();
    assert_eq!(found.smallest(), 0.0);
    assert!((found.largest() - 3.0).abs() < 1e-3, "{}", found.largest());
    assert_eq!(found.gradients, 2, "one product says it all");
}

#[test]
fn a_gradient_that_is_no_number_is_an_error_and_not_a_loop() {
    let alpha = tensors(&[0.0; SIZE]);
    let hessian = Hessian::new(&alpha, |_| tensors(&[f32::NAN; SIZE]));
    assert!(block_on(hessian.spectrum()).is_err());
    assert!(block_on(hessian.extremes(&mut Pcg64::seed_from_u64(0))).is_err());
    assert!(eigenvalues(&[vec![f64::INFINITY]]).is_err());
}

#[test]
fn the_measures_of_the_paper_and_of_the_code_differ_by_sign_and_weight_decay() {
    let measured = Eigenvalues { epoch: 0, smallest: -0.5, largest: 0.2, gradients: 30 };
    assert_eq!(measured.spectral_norm(), 0.5);
    assert_eq!(measured.code_measure(), 0.201);
}

#[test]
fn the_matrix_of_a_supernet_and_lanczos_agree() {
    let mut config = tiny::config("s2", "darts");
    config.search.epochs = 1;
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    tiny::run(&mut search, &mut loader).unwrap();
    let all = block_on(search.hessian(&mut loader, true)).unwrap();
    let ends = block_on(search.hessian(&mut loader, false)).unwrap();
    assert_eq!(all.gradients, 2 * 56);
    assert!(ends.gradients <= 30, "{}", ends.gradients);
    let scale = all.smallest().abs().max(all.largest());
    assert!(scale > 0.0);
    for (found, expected) in [(ends.smallest(), all.smallest()), (ends.largest(), all.largest())] {
        assert!((found - expected).abs() < 0.02 * scale, "{found}, not {expected}");
    }
}

#[test]
fn a_search_measures_every_so_many_epochs_and_after_the_last() {
    let mut config = tiny::config("s2", "darts");
    config.search.epochs = 4;
    config.hessian.every = 2;
    let (events, _) = tiny::whole(&config);
    let epochs = |events: &[Event]| -> Vec<usize> {
        let measured = |event: &Event| match event {
            Event::Hessian(found) => Some(found.epoch),
            _ => None,
        };
        events.iter().filter_map(measured).collect()
    };
    assert_eq!(epochs(&events), [0, 2, 3]);
    config.hessian.every = 0;
    let (unmeasured, _) = tiny::whole(&config);
    let others: Vec<Event> =
        events.into_iter().filter(|event| !matches!(event, Event::Hessian(_))).collect();
    assert_eq!(unmeasured.len(), others.len());
    for (with, without) in others.iter().zip(&unmeasured).skip(1) {
        assert_eq!(with, without, "measuring changes nothing");
    }
}

/// Genotypes that tell epochs apart.
fn genotype(epoch: usize) -> Genotype {
    Genotype { cells: vec![darts::cell("normal", &[("skip_connect".to_owned(), epoch)], &[2])] }
}

/// When a series of measurements, one in every second epoch, stops a search.
fn stop(eigenvalue: impl Fn(usize) -> f64) -> Option<Verdict> {
    let mut watch = Watch::default();
    (0..50).step_by(2).find_map(|epoch| {
        let measured = Look { epoch, eigenvalue: eigenvalue(epoch), genotype: genotype(epoch) };
        watch.add(measured, &EarlyStop::default()).cloned()
    })
}

#[test]
fn a_flat_or_falling_landscape_never_stops_a_search() {
    assert_eq!(stop(|_| 0.3), None);
    assert_eq!(stop(|epoch| 1.0 / (1.0 + epoch as f64)), None);
    assert_eq!(stop(|_| 0.0), None);
}

/// The oracle of spec §14.15: the first decision falls at epoch 22 and returns to epoch 10.
#[test]
fn growth_after_epoch_10_stops_at_epoch_22_and_returns_twelve_epochs() {
    let verdict = stop(|epoch| if epoch > 10 { 2.0 } else { 1.0 }).unwrap();
    assert_eq!((verdict.stopped_after, verdict.epoch), (22, 10));
    assert_eq!(verdict.genotype, genotype(10));
    assert!((verdict.growth - 2.0 / 1.4).abs() < 1e-12, "{}", verdict.growth);
    let verdict = stop(|epoch| 2f64.powi(epoch.saturating_sub(10) as i32 / 2)).unwrap();
    assert_eq!((verdict.stopped_after, verdict.epoch), (22, 10));
    let verdict = stop(|epoch| if epoch > 30 { 2.0 } else { 1.0 }).unwrap();
    assert_eq!((verdict.stopped_after, verdict.epoch), (34, 22));
}

/// Settings under which any search stops early.
fn eager(simulate: bool) -> smoothdarts::config::Config {
    let mut config = tiny::config("s2", "darts-es");
    config.search.epochs = 6;
    config.hessian.every = 1;
    config.early_stop = EarlyStop { window: 1, delta: 1, factor: 1e-6, start_epoch: 1, simulate };
    config
}

#[test]
fn a_search_that_stops_early_returns_to_the_cell_of_an_earlier_epoch() {
    let (events, checkpoint) = tiny::whole(&eager(false));
    let Some(Event::Finished(finished)) = events.last() else { panic!("no end") };
    assert_eq!((finished.epochs, finished.reason.as_str()), (3, "early_stopped"));
    assert_eq!(finished.returned_to, Some(1));
    let cell = |epoch| {
        let epoch = events.iter().find_map(|event| match event {
            Event::EpochFinished(found) if found.epoch == epoch => Some(found),
            _ => None,
        });
        &epoch.unwrap().genotype
    };
    assert_eq!(&finished.genotype, cell(1));
    assert_eq!(checkpoint.genotype().unwrap(), finished.genotype);
    assert_eq!(warnings(&events), 1);
}

#[test]
fn a_simulated_stop_is_said_once_and_the_search_goes_on() {
    let (events, checkpoint) = tiny::whole(&eager(true));
    let Some(Event::Finished(finished)) = events.last() else { panic!("no end") };
    assert_eq!((finished.epochs, finished.reason.as_str()), (6, "completed"));
    assert_eq!(finished.returned_to, None);
    assert_eq!(checkpoint.genotype().unwrap(), finished.genotype);
    assert_eq!(warnings(&events), 1);
}

fn warnings(events: &[Event]) -> usize {
    let is_stop = |event: &&Event| matches!(event, Event::Warning(warning) if warning.code == WarningCode::EarlyStop);
    events.iter().filter(is_stop).count()
}
