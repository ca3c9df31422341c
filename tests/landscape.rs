//! The landscape: its centre, its directions and its grid, on a tiny search.

use burn::tensor::{Device, Tensor};
use pollster::block_on;
use proptest::prelude::*;
use smoothdarts::config::AlphaOptimiser;
use smoothdarts::data::Part;
use smoothdarts::event::Event;
use smoothdarts::measure::landscape::{
    Coordinates, Landscape, LandscapeError, Sample, Scan, Settings, validation,
};
use smoothdarts::policy::softmax::Softmax;
use smoothdarts::run::ImageSearch;
use smoothdarts::task::{ImageBatch, Point};

use crate::command::{Outcome, TINY, sdarts};
use crate::devices;
use crate::search::tiny;

const SPACES: [Coordinates; 2] = [Coordinates::Logits, Coordinates::Probabilities];

/// A search of two epochs, its validation images, and what it said of them in the end.
struct Searched {
    search: ImageSearch,
    examples: Vec<ImageBatch>,
    accuracy: f64,
    loss: f64,
}

fn searched(space: &str) -> Searched {
    let config = tiny::config(space, "sdarts-rs");
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    let events = tiny::run(&mut search, &mut loader).unwrap();
    let last = events.iter().rev().find_map(|event| match event {
        Event::EpochFinished(epoch) => Some(epoch),
        _ => None,
    });
    let (accuracy, loss) = last.map(|epoch| (epoch.valid_accuracy, epoch.valid_loss)).unwrap();
    let examples = validation(&mut loader, 1, 0, &Device::flex()).unwrap();
    Searched { search, examples, accuracy, loss }
}

impl Searched {
    fn scan(&self, settings: Settings) -> Result<Scan, LandscapeError> {
        let (search, examples) = (&self.search, self.examples.clone());
        let at = search.job().point(true);
        block_on(Scan::new(search.job().model(), at, search.job().policy(), examples, settings))
    }

    fn landscape(&self, settings: Settings) -> Landscape {
        let mut scan = self.scan(settings).unwrap();
        while block_on(scan.advance(self.search.job().model(), self.search.job().policy()))
            .unwrap()
            .is_some()
        {}
        scan.landscape()
    }
}

fn host(tensors: &[Tensor<2>]) -> Vec<f64> {
    let values = |tensor: &Tensor<2>| tensor.clone().into_data().try_into_vec::<f32>().unwrap();
    tensors.iter().flat_map(values).map(f64::from).collect()
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[test]
fn the_middle_is_the_accuracy_that_the_search_reports() {
    let searched = searched("s5");
    for space in SPACES {
        let found = searched.landscape(Settings { space, grid: 3, ..Settings::default() });
        assert_eq!(found.samples.len(), 9);
        let centre = found.samples[4];
        assert_eq!((centre.x, centre.y), (0.0, 0.0));
        assert_eq!(centre.accuracy, searched.accuracy, "{space:?}");
        assert!((centre.loss - searched.loss).abs() < 1e-6, "{space:?}: {}", centre.loss);
        assert_eq!(found.flatness().centre, searched.accuracy);
        let moved = found.samples.iter().any(|sample| (sample.loss - centre.loss).abs() > 1e-4);
        assert!(moved, "{space:?}: a landscape has heights");
    }
}

#[test]
fn the_directions_stand_at_a_right_angle_are_as_long_and_keep_the_sum_of_rows() {
    let searched = searched("s5");
    for space in SPACES {
        let scan = searched.scan(Settings { space, seed: 5, ..Settings::default() }).unwrap();
        let directions = scan.directions();
        let (g, o) = (host(&directions.gradient), host(&directions.orthogonal));
        // 28 rows.
        assert!((dot(&g, &g) - 28.0).abs() < 1e-4 && (dot(&o, &o) - 28.0).abs() < 1e-4);
        assert!((dot(&g, &o) / 28.0).abs() < 1e-5, "{}", dot(&g, &o));
        for row in g.chunks(7).chain(o.chunks(7)) {
            assert!(row.iter().sum::<f64>().abs() < 1e-5);
        }
    }
}

#[test]
fn the_loss_rises_along_the_gradient() {
    let searched = searched("s5");
    for space in SPACES {
        let settings = Settings { space, range: 0.01, grid: 3, ..Settings::default() };
        let samples = searched.landscape(settings).samples;
        assert!(
            samples[3].loss < samples[4].loss && samples[4].loss < samples[5].loss,
            "{space:?}"
        );
    }
}

#[test]
fn one_seed_gives_the_same_numbers_and_another_gives_others() {
    let searched = searched("s4"); // with the noise operation
    for space in SPACES {
        let at =
            |seed| searched.landscape(Settings { space, seed, grid: 3, ..Settings::default() });
        assert_eq!(at(1), at(1));
        assert_ne!(at(1), at(2));
    }
}

#[test]
fn a_number_added_to_all_of_a_row_changes_no_accuracy_in_logit_space() {
    let searched = searched("s5");
    let settings = Settings { grid: 3, ..Settings::default() };
    let plain = searched.landscape(settings);
    let alpha = searched.search.job().policy().leaves();
    let shifted = alpha.iter().map(|alpha| alpha.clone().add_scalar(0.75)).collect();
    let shifted = Softmax::at(Vec::new(), shifted, AlphaOptimiser::default());
    let model = searched.search.job().model();
    let (at, examples) = (searched.search.job().point(true), searched.examples.clone());
    let mut scan = block_on(Scan::new(model, at, &shifted, examples, settings)).unwrap();
    while block_on(scan.advance(model, &shifted)).unwrap().is_some() {}
    for (plain, shifted) in plain.samples.iter().zip(&scan.landscape().samples) {
        assert_eq!(plain.accuracy, shifted.accuracy);
        assert!((plain.loss - shifted.loss).abs() < 1e-4);
    }
}

#[test]
fn rows_are_probabilities_wherever_the_landscape_goes() {
    let searched = searched("s5");
    for space in SPACES {
        let scan = searched.scan(Settings { space, ..Settings::default() }).unwrap();
        for (x, y) in [(0.0, 0.0), (0.3, -0.2), (1.0, 1.0), (-40.0, 7.0), (0.0, 100.0)] {
            for row in host(&scan.probabilities(searched.search.job().policy(), x, y)).chunks(7) {
                assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{x} {y} {row:?}");
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{x} {y} {row:?}");
            }
        }
    }
}

#[test]
fn the_images_are_the_first_of_the_validation_half_and_no_more_than_asked_for() {
    let config = tiny::config("s5", "darts");
    let mut loader = tiny::loader(&config);
    let count = |images| -> usize {
        let examples = validation(&mut loader.clone(), 0, images, &Device::flex()).unwrap();
        examples.iter().map(|batch| batch.labels.dims()[0]).sum()
    };
    assert_eq!([count(0), count(1), count(8), count(11), count(1000)], [20, 1, 8, 11, 20]);
    let two = validation(&mut loader, 0, 2, &Device::flex()).unwrap();
    let first = loader.evaluation(Part::Valid, 0, 0);
    let length = two[0].images.shape().num_elements();
    let pixels: Vec<f32> = two[0].images.clone().into_data().try_into_vec().unwrap();
    assert_eq!(pixels, first.images[..length]);
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let searched = searched("s5");
    let refused = |settings| searched.scan(settings).err();
    for grid in [0, 1, 2, 20, 103] {
        let error = refused(Settings { grid, ..Settings::default() });
        assert!(matches!(error, Some(LandscapeError::Grid { .. })), "{grid}");
    }
    for range in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = refused(Settings { range, ..Settings::default() });
        assert!(matches!(error, Some(LandscapeError::Range { .. })), "{range}");
    }
}

#[test]
fn weights_that_are_not_numbers_have_no_direction() {
    let Searched { search, examples, .. } = searched("s5");
    let broken = search.job().point(true).weights.clone().mul_scalar(f32::NAN);
    let at = Point { weights: &broken, ..search.job().point(true) };
    let scan = block_on(Scan::new(
        search.job().model(),
        at,
        search.job().policy(),
        examples,
        Settings::default(),
    ));
    assert!(matches!(scan.err(), Some(LandscapeError::NoDirection { what: "not finite" })));
}

#[test]
fn every_device_sees_the_same_landscape() {
    let config = tiny::config("s5", "darts");
    let loader = tiny::loader(&config);
    let at = |device: &Device| {
        let steps = loader.steps_per_epoch();
        let search = ImageSearch::new(&config, loader.shape(), steps, device).unwrap();
        let examples = validation(&mut loader.clone(), 0, 8, device).unwrap();
        let (model, point) = (search.job().model(), search.job().point(true));
        let settings = Settings { grid: 3, ..Settings::default() };
        let mut scan =
            block_on(Scan::new(model, point, search.job().policy(), examples, settings)).unwrap();
        while block_on(scan.advance(model, search.job().policy())).unwrap().is_some() {}
        scan.landscape()
    };
    let cpu = at(&Device::flex());
    for (name, device) in devices::all() {
        for (found, expected) in at(&device).samples.iter().zip(&cpu.samples) {
            assert!((found.loss - expected.loss).abs() < 1e-3, "{name}: {found:?} {expected:?}");
        }
    }
}

/// A landscape of these accuracies on a grid of three.
fn of(accuracies: [f64; 9]) -> Landscape {
    let settings = Settings { grid: 3, range: 2.0, ..Settings::default() };
    let axis = settings.axis();
    let sample = |(index, &accuracy): (usize, &f64)| Sample {
        x: axis[index % 3],
        y: axis[index / 3],
        accuracy,
        loss: 1.0 - accuracy,
    };
    Landscape { settings, images: 1, samples: accuracies.iter().enumerate().map(sample).collect() }
}

#[test]
fn flatness_is_the_drop_on_the_disc_and_the_share_of_the_square() {
    // The corners lie outside of the disc.
    let found = of([0.0, 0.4, 0.0, 0.8, 0.8, 0.6, 0.0, 0.75, f64::NAN]).flatness();
    assert_eq!(found.centre, 0.8);
    assert!((found.mean_drop - (0.4 + 0.0 + 0.2 + 0.05) / 4.0).abs() < 1e-12);
    assert!((found.largest_drop - 0.4).abs() < 1e-12);
    assert!((found.flat_share - 3.0 / 9.0).abs() < 1e-12);
    let broken = of([0.8, f64::NAN, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]).flatness();
    assert!((broken.largest_drop - 0.8).abs() < 1e-12, "no number is no accuracy");
    let mut half = of([0.8; 9]);
    half.samples.truncate(4);
    assert!(!half.is_complete() && half.flatness().centre.is_nan(), "the middle is not known yet");
}

#[test]
fn the_command_measures_runs_on_one_scale_and_repeats_itself() {
    let folder = tempfile::tempdir().unwrap();
    for out in ["--out=first", "--out=second"] {
        let seed = if out == "--out=first" { "--seed=1" } else { "--seed=2" };
        Outcome::of(sdarts(folder.path(), &[TINY, &[out, seed]].concat())).done();
    }
    let measure = |more: &[&str]| {
        let arguments = ["landscape", "first", "second", "--images=12"];
        Outcome::of(sdarts(folder.path(), &[&arguments, more].concat()))
    };
    let found = measure(&["--grid=3", "--json"]).done();
    let runs: Vec<serde_json::Value> = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(runs.len(), 2);
    let file = |run: &str, name: &str| {
        std::fs::read_to_string(folder.path().join(run).join(name)).unwrap()
    };
    for (run, found) in ["first", "second"].into_iter().zip(&runs) {
        assert_eq!((&found["points"], &found["images"]), (&9.into(), &12.into()));
        let csv = file(run, "landscape.csv");
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!((lines.len(), lines[0]), (10, "x,y,accuracy,loss,space,images,seed"));
        let centre: f64 = lines[5].split(',').nth(2).unwrap().parse().unwrap();
        assert_eq!(found["flatness"]["centre"].as_f64(), Some(centre));
    }
    let scale = |run: &str| {
        let picture = file(run, "landscape-contour.svg");
        let labels = picture.lines().filter(|line| line.contains("x=\"492\""));
        labels.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(scale("first").len() > 1);
    assert_eq!(scale("first"), scale("second"), "one scale for all runs");
    let (csv, surface) = (file("first", "landscape.csv"), file("first", "landscape-surface.svg"));
    let human = measure(&["--grid=3"]).done();
    assert!(human.stdout.contains("mean drop within distance 1"), "{}", human.stdout);
    assert_eq!(
        (file("first", "landscape.csv"), file("first", "landscape-surface.svg")),
        (csv, surface)
    );
    let compared = Outcome::of(sdarts(folder.path(), &["compare", "first", "second"])).done();
    for run in ["first", "second"] {
        let told = compared.stdout.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.starts_with(&[run, "logits", "1", "3", "12"])
        });
        assert!(told, "{run}: {}", compared.stdout);
    }
    let refused = measure(&["--grid=4"]);
    assert!(refused.stderr.contains("odd number"), "{}", refused.stderr);
}

proptest! {
    #[test]
    fn axes_are_symmetric_and_reach_their_range(half in 1usize..50, range in 1e-6f64..1e6) {
        let settings = Settings { grid: 2 * half + 1, range, ..Settings::default() };
        let axis = settings.axis();
        prop_assert_eq!(axis.len(), 2 * half + 1);
        prop_assert_eq!(axis[half], 0.0);
        prop_assert_eq!(axis[2 * half], range);
        for index in 0..=half {
            prop_assert_eq!(axis[index], -axis[2 * half - index]);
        }
        prop_assert!(axis.is_sorted());
    }
}
