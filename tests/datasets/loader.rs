//! The batches of a search: their order, their augmentation and their purity.

use std::collections::BTreeSet;

use smoothdarts::config::{AlphaBatches, Config, Split};
use smoothdarts::data::{Batch, Dataset, Images, Loader, Part, embedded};

/// 40 images of 8×8 pixels; every pixel of image i has the value i + 1.
fn numbered() -> Dataset {
    let images = |count: usize| Images {
        pixels: (0..count).flat_map(|i| vec![i as u8 + 1; 64]).collect(),
        labels: (0..count).map(|i| i as u16 % 4).collect(),
        height: 8,
        width: 8,
        channels: 1,
    };
    Dataset {
        name: "numbered".to_owned(),
        train: images(40),
        test: images(4),
        class_names: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
        mean: vec![0.0],
        std: vec![1.0],
    }
}

/// Batches of 6, without augmentation.
fn plain() -> Config {
    let mut config = Config::default();
    config.search.batch_size = 6;
    config.data.crop_padding = 0;
    config.data.flip = false;
    config
}

fn loader(config: &Config) -> Loader {
    Loader::new(numbered(), config).unwrap()
}

/// Which images a batch holds.
fn numbers(batch: &Batch) -> Vec<usize> {
    let pixels: usize = batch.shape[1..].iter().product();
    let numbers: Vec<usize> =
        batch.images.chunks(pixels).map(|image| (image[0] * 255.0).round() as usize - 1).collect();
    let labels: Vec<u16> = numbers.iter().map(|number| (number % 4) as u16).collect();
    assert_eq!(batch.labels, labels, "the labels are those of the images");
    numbers
}

fn sorted(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

fn train(loader: &Loader, epoch: usize) -> Vec<usize> {
    (0..loader.steps_per_epoch())
        .flat_map(|step| numbers(&loader.step(epoch, step).train))
        .collect()
}

fn evaluated(loader: &Loader) -> Vec<usize> {
    (0..loader.evaluation_batches(Part::Valid))
        .flat_map(|i| numbers(&loader.evaluation(Part::Valid, 0, i)))
        .collect()
}

#[test]
fn every_image_of_the_training_half_comes_exactly_once_in_an_epoch() {
    let loader = loader(&plain());
    assert_eq!(loader.steps_per_epoch(), 4);
    let epochs = [0, 1].map(|epoch| train(&loader, epoch));
    for epoch in &epochs {
        assert_eq!(sorted(epoch.iter().copied()), (0..20).collect::<Vec<_>>());
    }
    assert_ne!(epochs[0], epochs[1], "every epoch has an order of its own");
    assert_eq!(loader.step(0, 3).train.shape, [2, 8, 8, 1], "the last batch is smaller");
}

#[test]
fn fresh_validation_batches_are_full_distinct_and_from_the_validation_half() {
    let loader = loader(&plain());
    let mut counts = [0usize; 40];
    for (epoch, step) in (0..100).flat_map(|epoch| (0..4).map(move |step| (epoch, step))) {
        let batch = numbers(&loader.step(epoch, step).valid);
        assert_eq!(batch.iter().collect::<BTreeSet<_>>().len(), 6, "no image twice in a batch");
        batch.into_iter().for_each(|number| counts[number] += 1);
    }
    assert_eq!(counts[..20], [0; 20], "no training image validates");
    // 400 batches of 6 out of 20: 120 each, with a deviation of 9.
    assert!(counts[20..].iter().all(|count| (80..160).contains(count)), "{counts:?}");
}

#[test]
fn one_pass_validation_batches_finish_the_half_before_they_repeat_it() {
    let mut config = plain();
    config.quirks.alpha_batches = AlphaBatches::Pass;
    // 12 training and 28 validation images: 2 steps an epoch, 5 batches a pass.
    config.data.train_portion = 0.3;
    let loader = loader(&config);
    let step = |position: usize| loader.step(position / 2, position % 2).valid;
    let passes = [0, 5].map(|first| {
        let pass = (first..first + 5).flat_map(|position| numbers(&step(position)));
        pass.collect::<Vec<_>>()
    });
    for pass in &passes {
        assert_eq!(sorted(pass.iter().copied()), (12..40).collect::<Vec<_>>());
    }
    assert_ne!(passes[0], passes[1], "every pass has an order of its own");
    assert_eq!(step(4).shape[0], 4, "the last batch of a pass is smaller");
    assert_eq!(step(5).shape[0], 6);
}

#[test]
fn an_evaluation_takes_the_validation_half_in_the_order_of_the_files() {
    let loader = loader(&plain());
    assert_eq!(evaluated(&loader), (20..40).collect::<Vec<_>>());
    assert_eq!(
        loader.evaluation(Part::Valid, 0, 4).shape[0],
        0,
        "nothing comes after the last batch"
    );
}

#[test]
fn a_shuffled_split_mixes_the_halves_and_keeps_them_apart() {
    let mut config = plain();
    config.quirks.split = Split::Shuffled;
    let loader = loader(&config);
    let halves = [train(&loader, 0), evaluated(&loader)];
    assert!(halves[0].iter().any(|&number| number >= 20));
    assert_eq!(halves.map(|half| half.len()), [20, 20]);
    let both = train(&loader, 0).into_iter().chain(evaluated(&loader));
    assert_eq!(sorted(both), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_limit_keeps_the_first_images() {
    let mut config = plain();
    config.data.train_images = 25;
    let loader = loader(&config);
    // floor(0.5 · 25) = 12, as the authors' code rounds.
    assert_eq!(sorted(train(&loader, 0).into_iter()), (0..12).collect::<Vec<_>>());
    assert_eq!(evaluated(&loader), (12..25).collect::<Vec<_>>());
}

/// Everything that is drawn at random is on.
fn augmented() -> Config {
    let mut config = plain();
    config.data.crop_padding = 2;
    config.data.flip = true;
    config.data.cutout = 3;
    config
}

#[test]
fn a_batch_depends_on_its_position_and_the_seed_alone() {
    for alpha_batches in [AlphaBatches::Fresh, AlphaBatches::Pass] {
        let mut config = augmented();
        config.quirks.alpha_batches = alpha_batches;
        let one = loader(&config);
        let steps = [(0, 0), (0, 1), (1, 0), (1, 3), (7, 2)];
        let forwards: Vec<_> = steps.iter().map(|&(e, s)| one.step(e, s)).collect();
        let other = loader(&config);
        for (&(epoch, step), batches) in steps.iter().zip(&forwards).rev() {
            assert_eq!(&other.step(epoch, step), batches);
            assert_eq!(
                other.evaluation(Part::Valid, epoch, step),
                one.evaluation(Part::Valid, epoch, step)
            );
        }
        for (index, batches) in forwards.iter().enumerate() {
            for later in &forwards[index + 1..] {
                assert_ne!(batches.train.images, later.train.images);
                assert_ne!(batches.valid.images, later.valid.images);
            }
        }
        config.seed += 1;
        assert_ne!(loader(&config).step(0, 0), forwards[0]);
    }
}

#[test]
fn augmentation_does_not_change_which_images_come() {
    let (one, other) = (loader(&augmented()), loader(&plain()));
    for step in 0..4 {
        let batches = [one.step(3, step), other.step(3, step)];
        assert_eq!(batches[0].train.labels, batches[1].train.labels);
        assert_eq!(batches[0].valid.labels, batches[1].valid.labels);
    }
}

#[test]
fn the_evaluations_of_two_epochs_are_augmented_differently() {
    let loader = loader(&augmented());
    assert_ne!(
        loader.evaluation(Part::Valid, 0, 0).images,
        loader.evaluation(Part::Valid, 1, 0).images
    );
    assert_ne!(
        loader.evaluation(Part::Valid, 0, 3).images,
        loader.evaluation(Part::Valid, 1, 0).images
    );
}

#[test]
fn without_augmentation_a_batch_is_the_normalised_images() {
    let data = embedded().unwrap();
    let batch = Loader::new(data.clone(), &plain()).unwrap().evaluation(Part::Valid, 0, 2);
    let normalised = |pixel: &u8| (f32::from(*pixel) / 255.0 - data.mean[0]) / data.std[0];
    let expected: Vec<f32> =
        data.train.pixels[2012 * 784..2018 * 784].iter().map(normalised).collect();
    assert_eq!(batch.images, expected);
    assert_eq!(batch.labels, data.train.labels[2012..2018]);
}

#[test]
fn images_are_normalised_to_mean_0_and_deviation_1() {
    let mut config = plain();
    config.search.batch_size = 2_000;
    let batch = Loader::new(embedded().unwrap(), &config).unwrap().step(0, 0).train;
    let count = batch.images.len() as f64;
    let mean = batch.images.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let square = batch.images.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / count;
    // 2,000 of the 60,000 images that the constants are of.
    assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.02, "{mean} {square}");
}

/// One gray image of value 255 in a batch, with mean 0.5 and deviation 0.25: white becomes 2, the
/// black padding −2, and a cutout 0.
fn white(config: &Config) -> Vec<Vec<f32>> {
    let mut data = numbered();
    data.train.pixels.fill(255);
    (data.mean, data.std) = (vec![0.5], vec![0.25]);
    let loader = Loader::new(data, config).unwrap();
    let steps = (0..4).flat_map(|step| {
        let batch = loader.step(0, step).train;
        batch.images.chunks(64).map(<[f32]>::to_vec).collect::<Vec<_>>()
    });
    steps.collect()
}

#[test]
fn the_padding_of_a_crop_is_black_before_normalisation() {
    let mut config = plain();
    config.data.crop_padding = 2;
    let images = white(&config);
    assert!(images.iter().flatten().all(|&value| value == 2.0 || value == -2.0));
    assert!(images.iter().any(|image| image.contains(&-2.0)), "not all crops are centred");
    for image in images {
        let kept = |y: usize, x: usize| image[y * 8 + x] == 2.0;
        let rows = (0..8).filter(|&y| (0..8).any(|x| kept(y, x))).count();
        let columns = (0..8).filter(|&x| (0..8).any(|y| kept(y, x))).count();
        let area = image.iter().filter(|&&value| value == 2.0).count();
        assert!((6..=8).contains(&rows) && (6..=8).contains(&columns) && area == rows * columns);
    }
}

#[test]
fn a_cutout_fills_its_square_with_0_after_normalisation() {
    let mut config = plain();
    config.data.cutout = 4;
    let areas: BTreeSet<usize> = white(&config)
        .iter()
        .map(|image| {
            assert!(image.iter().all(|&value| value == 2.0 || value == 0.0));
            image.iter().filter(|&&value| value == 0.0).count()
        })
        .collect();
    // 4×4, truncated at one or two borders to 2 or 3 pixels.
    assert!(areas.iter().all(|area| [4, 6, 8, 9, 12, 16].contains(area)), "{areas:?}");
    assert!(areas.len() > 1, "not all centres are equal: {areas:?}");
}

#[test]
fn validation_images_are_augmented_only_under_the_quirk() {
    let mut config = plain();
    config.data.cutout = 4;
    let blank = |batch: &Batch| batch.images.contains(&0.0);
    let all = |config: &Config| {
        let (loader, batches) = (loader(config), loader(config).step(0, 0));
        [batches.train, batches.valid, loader.evaluation(Part::Valid, 0, 0)]
            .map(|batch| blank(&batch))
    };
    assert_eq!(all(&config), [true; 3]);
    config.quirks.augment_validation = false;
    assert_eq!(all(&config), [true, false, false]);
}

#[test]
fn images_take_the_size_of_the_config() {
    let mut config = plain();
    config.data.image_size = 14;
    let loader = Loader::new(embedded().unwrap(), &config).unwrap();
    let shape = loader.shape();
    assert_eq!((shape.channels, shape.size, shape.classes), (1, 14, 10));
    assert_eq!(loader.step(0, 0).train.shape, [6, 14, 14, 1]);
}

#[test]
fn a_config_that_does_not_fit_the_images_is_refused_with_the_setting_to_change() {
    type Case = (fn(&mut Config, &mut Dataset), &'static str);
    let cases: [Case; 6] = [
        (|config, _| config.search.batch_size = 21, "search.batch_size to 1 to 20"),
        (|config, _| config.data.train_images = 11, "halves of 5 and 6"),
        (|config, _| config.data.train_portion = 0.9, "halves of 36 and 4"),
        (|config, _| config.data.crop_padding = 8, "data.crop_padding = 8"),
        (|config, _| config.data.image_size = 5_000, "set data.image_size"),
        (
            |_, data| (data.train.height, data.train.width) = (4, 16),
            "a search needs square ones; set data.image_size",
        ),
    ];
    for (change, expected) in cases {
        let (mut config, mut data) = (plain(), numbered());
        change(&mut config, &mut data);
        let error = Loader::new(data, &config).err().map(|error| error.to_string());
        assert!(
            error.as_ref().is_some_and(|text| text.contains(expected)),
            "{expected}: {error:?}"
        );
    }
}

#[test]
fn a_data_set_whose_parts_do_not_fit_together_is_refused() {
    type Case = (fn(&mut Dataset), &'static str);
    let cases: [Case; 5] = [
        (|data| data.train.labels[3] = 4, "training image 3 has label 4"),
        (|data| data.test.pixels.truncate(100), "the test images have 4 labels and 100 bytes"),
        (|data| data.train.width = usize::MAX, "do not make images"),
        (|data| data.mean.clear(), "cannot be normalised"),
        (|data| data.std = vec![0.0], "cannot be normalised"),
    ];
    for (change, expected) in cases {
        let mut data = numbered();
        change(&mut data);
        let error = Loader::new(data, &plain()).err().map(|error| error.to_string());
        assert!(
            error.as_ref().is_some_and(|text| text.contains(expected)),
            "{expected}: {error:?}"
        );
    }
}

#[test]
fn a_folder_of_images_is_normalised_with_its_own_constants() {
    let Dataset { name, mut train, test, class_names, .. } = numbered();
    train
        .pixels
        .iter_mut()
        .enumerate()
        .for_each(|(i, pixel)| *pixel = if i % 2 == 0 { 0 } else { 255 });
    let data = Dataset::measured(name, train, test, class_names).unwrap();
    assert_eq!((data.mean, data.std), (vec![0.5], vec![0.5]));
}

#[test]
fn the_test_set_comes_whole_in_the_order_of_the_files_and_is_never_augmented() {
    let mut config = plain();
    config.search.batch_size = 3;
    config.data.train_images = 20;
    let loader = loader(&config);
    assert_eq!(loader.evaluation_batches(Part::Test), 2);
    let all: Vec<usize> =
        (0..3).flat_map(|index| numbers(&loader.evaluation(Part::Test, 0, index))).collect();
    assert_eq!(all, [0, 1, 2, 3]);
    config.data.crop_padding = 3;
    config.data.flip = true;
    let augmented = Loader::new(numbered(), &config).unwrap();
    assert_eq!(augmented.evaluation(Part::Test, 5, 0), loader.evaluation(Part::Test, 0, 0));
    config.data.image_size = 4;
    let smaller = Loader::new(numbered(), &config).unwrap();
    assert_eq!(smaller.evaluation(Part::Test, 0, 1).shape, [1, 4, 4, 1]);
}

#[test]
fn the_training_half_can_be_evaluated_in_the_order_of_the_files() {
    let loader = loader(&plain());
    let all: Vec<usize> = (0..loader.evaluation_batches(Part::Train))
        .flat_map(|index| numbers(&loader.evaluation(Part::Train, 0, index)))
        .collect();
    assert_eq!(all, (0..20).collect::<Vec<_>>());
}
