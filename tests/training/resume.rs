//! A training that is saved and restored anywhere equals one that was never interrupted, bit for bit.

use burn::tensor::Device;
use pollster::block_on;
use smoothdarts::cell::codec;
use smoothdarts::config::Config;
use smoothdarts::data::{Loader, embedded};
use smoothdarts::event::{EvaluatedOn, Event};
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::run::train::Kind;
use smoothdarts::run::{ImageTraining, RunError};

const NB201: &str =
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|";

/// Two epochs of three steps each; the last batch is smaller.
fn config(genotype: &str) -> Config {
    let mut config = Config::default();
    config.train.genotype = genotype.to_owned();
    config.train.cells = if genotype == NB201 { 5 } else { 3 };
    config.train.channels = 4;
    config.train.auxiliary = false;
    config.train.epochs = 2;
    config.train.batch_size = 16;
    config.data.image_size = 8;
    config.data.train_images = 40;
    config.data.cutout = 2;
    config
}

fn loader(config: &Config) -> Loader {
    let mut images = embedded().unwrap();
    images.test.labels.truncate(40);
    images.test.pixels.truncate(40 * 28 * 28);
    Loader::for_training(images, config).unwrap()
}

fn training(config: &Config, loader: &Loader) -> ImageTraining {
    let steps = loader.steps_per_epoch();
    ImageTraining::new(config, loader.shape(), steps, &Device::flex()).unwrap()
}

fn rest(training: &mut ImageTraining, loader: &mut Loader) -> Result<Vec<Event>, RunError> {
    let mut events = Vec::new();
    while let Some(event) = block_on(training.advance(loader))? {
        events.push(event);
    }
    Ok(events)
}

#[test]
fn a_training_restored_after_any_event_equals_an_uninterrupted_one_bit_for_bit() {
    let mut average = config("c10_s5_pgd");
    average.train.ema = 0.9;
    average.train.micro_batch = 6;
    let mut kept_back = config("c10_s4_pcdarts");
    kept_back.train.portion = 0.75;
    kept_back.train.batch_size = 10;
    for config in [average, kept_back, config(NB201)] {
        let mut images = loader(&config);
        let mut whole = training(&config, &images);
        let events = rest(&mut whole, &mut images).unwrap();
        let last = block_on(whole.checkpoint()).unwrap().to_bytes().unwrap();
        let weights =
            |run: &ImageTraining, kind| block_on(run.job().weights(kind)).unwrap().unwrap();
        for stop in 1..events.len() {
            let mut first = training(&config, &images);
            first.set_reads_late(stop % 2 == 1);
            let mut said = Vec::new();
            while said.len() < stop {
                said.extend(block_on(first.advance(&mut images)).unwrap());
            }
            let saved = block_on(first.checkpoint()).unwrap().to_bytes().unwrap();
            let saved = Checkpoint::from_bytes(&saved).unwrap();
            assert_eq!(saved.genotype().unwrap(), codec::read(&config.train.genotype).unwrap());
            let mut second = training(&config, &images);
            second.restore(&saved).unwrap();
            said.extend(rest(&mut second, &mut images).unwrap());
            assert_eq!(said, events, "stopped after event {stop}");
            assert!(block_on(second.checkpoint()).unwrap().to_bytes().unwrap() == last);
            for kind in [Kind::Final, Kind::Best] {
                assert!(weights(&second, kind) == weights(&whole, kind), "{kind:?}");
            }
        }
    }
}

#[test]
fn a_training_learns_the_whole_set_and_says_which_weights_are_the_best() {
    let mut config = config("c10_s5_pgd");
    (config.train.epochs, config.train.learning_rate, config.train.ema) = (4, 0.1, 0.5);
    let mut images = loader(&config);
    assert_eq!(images.steps_per_epoch(), 3);
    let mut run = training(&config, &images);
    let events = rest(&mut run, &mut images).unwrap();
    let epochs: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::TrainEpoch(epoch) = event { Some(epoch) } else { None })
        .collect();
    assert_eq!(epochs.len(), 4);
    assert!(epochs[3].train_loss < epochs[0].train_loss);
    let Some(Event::Trained(trained)) = events.last() else { panic!("no end") };
    let best = epochs.iter().map(|epoch| epoch.accuracy).fold(0.0, f64::max);
    assert_eq!(trained.best_accuracy, best);
    assert!(epochs[trained.best_epoch].best && epochs[trained.best_epoch].accuracy == best);
    assert_eq!(trained.accuracy, epochs[3].accuracy);
    assert_eq!(trained.ema_accuracy, epochs[3].ema.map(|it| it[1]));
    assert_eq!(trained.evaluated_on, EvaluatedOn::Test);
    let weights = |kind| block_on(run.job().weights(kind)).unwrap();
    assert!(weights(Kind::Final) != weights(Kind::Average));
}

#[test]
fn images_that_are_kept_back_take_the_place_of_the_test_images() {
    use smoothdarts::data::Part;
    let mut config = config("c10_s5_pgd");
    (config.train.portion, config.train.batch_size) = (0.75, 10);
    let images = loader(&config);
    assert_eq!((images.steps_per_epoch(), images.evaluation_batches(Part::Valid)), (3, 1));
    // What is kept back is never augmented.
    let kept = |epoch| images.evaluation(Part::Valid, epoch, 0);
    assert_eq!(kept(0), kept(1));
    config.train.batch_size = 29;
    let mut alone = embedded().unwrap();
    alone.test.labels.clear();
    alone.test.pixels.clear();
    assert!(Loader::for_training(alone.clone(), &config).is_err(), "a batch of one image");
    (config.train.batch_size, config.train.portion) = (16, 1.0);
    let error = Loader::for_training(alone, &config).err().unwrap().to_string();
    assert!(error.contains("train.portion"), "{error}");
}

#[test]
fn a_training_that_diverges_says_where() {
    let mut config = config("c10_s5_pgd");
    (config.train.learning_rate, config.train.clip) = (1e30, 0.0);
    let mut images = loader(&config);
    let error = rest(&mut training(&config, &images), &mut images).unwrap_err();
    let RunError::Diverged { epoch: 0, .. } = error else { panic!("{error}") };
    assert!(error.to_string().contains("train.learning_rate"), "{error}");
}
