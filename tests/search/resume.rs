//! A search that is saved and restored anywhere equals one that was never interrupted, bit for
//! bit, with any number of threads.

use std::collections::HashMap;
use std::io::Read as _;

use pollster::block_on;
use safetensors::SafeTensors;
use serde_json::Value;
use smoothdarts::config::{AlphaBatches, Config, Order};
use smoothdarts::event::Event;
use smoothdarts::net::NetShape;
use smoothdarts::rng::{Stream, Streams, uniform};
use smoothdarts::run::RunError;
use smoothdarts::run::checkpoint::{Checkpoint, CheckpointError};
use smoothdarts::space;

use super::tiny;

fn configs() -> Vec<Config> {
    let mut second = tiny::config("s2", "darts");
    second.search.order = Order::Second;
    let mut bench = tiny::config("nasbench201", "sdarts-adv");
    bench.search.cells = 5;
    let mut pass = tiny::config("darts", "sdarts-rs");
    pass.quirks.alpha_batches = AlphaBatches::Pass;
    let mut sharp = tiny::config("s2", "darts-es");
    sharp.search.epochs = 4;
    sharp.hessian.every = 1;
    sharp.early_stop.window = 1;
    sharp.early_stop.delta = 1;
    sharp.early_stop.factor = 1e-6;
    sharp.early_stop.start_epoch = 1;
    let mut smooth = tiny::config("s4", "darts-hessian");
    smooth.search.drop_path = 0.3;
    smooth.hessian.every = 1;
    let mut blocks = tiny::config("oneshot-1", "sdarts-adv");
    blocks.search.cells = 3;
    blocks.hessian.every = 1;
    let mut partial = tiny::config("oneshot-2", "pc-darts");
    partial.search.cells = 3;
    partial.quirks.alpha_batches = AlphaBatches::Pass;
    let mut weighed = tiny::config("darts", "pc-darts-adv");
    weighed.search.cells = 3;
    weighed.search.edge_weights = true;
    weighed.search.architecture_from = 1;
    weighed.hessian.every = 1;
    weighed.hessian.edge_weights = true;
    weighed.perturbation.edge_weights = true;
    let mut few = tiny::config("nasbench201", "pc-darts-rs");
    (few.search.cells, few.search.partial_channels, few.search.edge_weights) = (5, 2, true);
    let mut rested = tiny::config("s2", "sdarts-adv");
    (rested.search.epochs, rested.search.architecture_from) = (3, 1);
    let staged = super::stages::config("p-darts-adv");
    let drawn = ["gdas", "nasp", "snas"].map(|method| {
        let mut config = tiny::config("oneshot-1", method);
        config.search.cells = 3;
        config.hessian.every = 1;
        config
    });
    let architectures = ["random-ws", "enas"].map(|method| {
        let mut config = tiny::config("oneshot-2", method);
        config.search.cells = 3;
        let sampling = &mut config.sampling;
        (sampling.architectures, sampling.finalists, sampling.rounds) = (4, 2, 3);
        sampling.every = 1;
        config
    });
    let mut cells = tiny::config("s3", "gdas-adv");
    cells.search.cells = 3;
    let (s5, s4) = (tiny::config("s5", "sdarts-adv"), tiny::config("s4", "sdarts-rs"));
    [
        vec![s5, s4, second, pass, bench, sharp, smooth, blocks, partial, cells, rested, staged],
        vec![weighed, few],
        drawn.to_vec(),
        architectures.to_vec(),
    ]
    .concat()
}

#[test]
fn a_search_restored_after_any_event_equals_an_uninterrupted_one_bit_for_bit() {
    for config in configs() {
        let (events, last) = tiny::whole(&config);
        let last = last.to_bytes().unwrap();
        let mut loader = tiny::loader(&config);
        let mut search = tiny::search(&config, &loader);
        for stop in 1..events.len() {
            let said = block_on(search.advance(&mut loader)).unwrap();
            let what = format!("{} stopped after event {stop}", config.search.method);
            assert_eq!(said.as_ref(), Some(&events[stop - 1]), "{what}");
            let saved = block_on(search.checkpoint()).unwrap().to_bytes().unwrap();
            let (said, found) = restored(&config, &saved, stop);
            assert_eq!(said, events[stop..], "{what}");
            assert!(found == last, "{what}");
        }
        let end = tiny::run(&mut search, &mut loader).unwrap();
        assert_eq!(end, events[events.len() - 1..], "{} saved all along", config.search.method);
    }
}

/// What a search says, and how it ends, that goes on from the checkpoint after so many events.
fn restored(config: &Config, saved: &[u8], events: usize) -> (Vec<Event>, Vec<u8>) {
    let saved = Checkpoint::from_bytes(saved).unwrap();
    assert_eq!(saved.events(), events as u64);
    let mut loader = tiny::loader(config);
    let mut search = tiny::search(config, &loader);
    search.restore(&saved).unwrap();
    let said = tiny::run(&mut search, &mut loader).unwrap();
    (said, block_on(search.checkpoint()).unwrap().to_bytes().unwrap())
}

/// A search that an earlier version began: format 1, one step before the end of its second epoch.
#[test]
fn a_checkpoint_of_the_first_format_goes_on_to_the_result_of_an_uninterrupted_search() {
    let packed = include_bytes!("../data/search-checkpoint-format-1.safetensors.gz");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    let saved = Checkpoint::from_bytes(&bytes).unwrap();
    assert_eq!((saved.epoch(), saved.step()), (1, 1));
    let config = saved.config().clone();
    let (_, mut expected) = tiny::whole(&config);
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    search.restore(&saved).unwrap();
    // What it remembers is what was saved, to the last bit.
    assert!(block_on(search.checkpoint()).unwrap().arrays == saved.arrays);
    let said = tiny::run(&mut search, &mut loader).unwrap();
    assert!(matches!(said.last(), Some(Event::Finished(_))));
    let mut found = block_on(search.checkpoint()).unwrap();
    // Sums in another order than that of the version that began it end in other last bits.
    for (name, array) in &mut found.arrays {
        let expected = &expected.arrays[name].values;
        let scale = expected.iter().fold(0.0_f32, |scale, value| scale.max(value.abs()));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 3e-6 * scale;
        assert!(array.values.iter().zip(expected).all(near), "{name}");
        array.values.clone_from(expected);
    }
    let [sum, expected_sum] = [&found, &expected].map(|it| it.progress.tally.loss_sum);
    assert!((sum - expected_sum).abs() < 1e-6 * expected_sum, "{sum} {expected_sum}");
    // Its clock ran.
    (found.progress.tally.seconds, expected.progress.tally.seconds) = (0.0, 0.0);
    found.progress.tally.loss_sum = expected_sum;
    for checkpoint in [&mut found, &mut expected] {
        checkpoint.observers.values_mut().for_each(round);
    }
    assert!(found == expected);
}

/// Leaves 5 decimals of every number.
fn round(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(fields) => fields.values_mut().for_each(round),
        Value::Number(number) if number.is_f64() => {
            *value = Value::from((number.as_f64().unwrap() * 1e5).round());
        }
        _ => {}
    }
}

/// Weights that kernels read together lie together in memory; a checkpoint has them in the order in which
/// the network was built, as it always had, so that those of other versions can be continued.
#[test]
fn a_checkpoint_has_the_weights_in_the_order_of_the_network() {
    let config = tiny::config("s5", "darts");
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    tiny::run(&mut search, &mut loader).unwrap();
    let named = block_on(search.job().weights()).unwrap();
    let named = safetensors::SafeTensors::deserialize(&named).unwrap();
    let shape =
        NetShape { image_channels: 1, classes: 10, cells: 2, channels: 4, stem_multiplier: 3 };
    let network = space::find("s5").unwrap().supernet(shape).unwrap();
    let expected: Vec<u8> = network
        .layout()
        .weights()
        .iter()
        .flat_map(|slot| named.tensor(&slot.name).unwrap().data().to_vec())
        .collect();
    let saved = block_on(search.checkpoint()).unwrap();
    let found = &saved.array("weights", &[expected.len() / 4]).unwrap().values;
    let found: Vec<u8> = found.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(found == expected);
}

/// While α rests the weights learn as ever. Then Adam takes its first step, which is as long as the learning
/// rate; one that counted the three steps before would be 7 % longer.
#[test]
fn alpha_rests_until_its_epoch_and_then_takes_its_first_step() {
    let mut config = tiny::config("s2", "sdarts-rs");
    config.search.architecture_from = 1;
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    let start = block_on(search.checkpoint()).unwrap();
    let moved = |saved: &Checkpoint, name: &str| {
        let (now, then) = (&saved.arrays[name].values, &start.arrays[name].values);
        let distance = now.iter().zip(then).map(|(now, then)| (now - then).abs());
        distance.fold(0.0, f32::max)
    };
    let mut steps = 0;
    while let Some(event) = block_on(search.advance(&mut loader)).unwrap() {
        let Event::Step(step) = event else { continue };
        let saved = block_on(search.checkpoint()).unwrap();
        assert_eq!(step.valid_loss.is_some(), step.epoch >= 1, "{step:?}");
        let alpha = moved(&saved, "alpha.normal");
        assert!(moved(&saved, "weights") > 0.0);
        match steps {
            0..3 => assert_eq!(alpha, 0.0),
            3 => assert!((2.9e-4..3.01e-4).contains(&alpha), "{alpha}"),
            _ => assert!(alpha > 3.01e-4, "{alpha}"),
        }
        steps += 1;
    }
    assert_eq!(steps, 6);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let config = tiny::config("s5", "sdarts-adv");
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| tiny::whole(&config).1.to_bytes().unwrap())
    };
    let one = with(1);
    assert!(one == with(2), "2 threads");
    assert!(one == with(3), "3 threads");
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_with_the_difference() {
    let config = tiny::config("s2", "sdarts-rs");
    let (_, checkpoint) = tiny::whole(&config);
    let mut other = config.clone();
    other.alpha.learning_rate = 0.5;
    other.run.threads = 7;
    let error = tiny::search(&other, &tiny::loader(&other)).restore(&checkpoint).unwrap_err();
    let RunError::OtherConfig { differences } = &error else { panic!("{error}") };
    assert_eq!(
        differences,
        &["  alpha.learning_rate: 0.0003 in the checkpoint, 0.5 now"],
        "settings of `run` do not count"
    );
}

#[test]
fn damaged_and_newer_checkpoints_are_refused() {
    let config = tiny::config("s2", "sdarts-rs");
    let bytes = tiny::whole(&config).1.to_bytes().unwrap();
    for length in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        let error = Checkpoint::from_bytes(&bytes[..length]).unwrap_err();
        assert!(matches!(error, CheckpointError::Malformed(_)), "{length} bytes: {error}");
    }
    let header = HashMap::from([("smoothdarts".to_owned(), r#"{"schema":9}"#.to_owned())]);
    let none: [(&str, safetensors::tensor::TensorView); 0] = [];
    let newer = safetensors::serialize(none, Some(header)).unwrap();
    let error = Checkpoint::from_bytes(&newer).unwrap_err();
    assert!(matches!(error, CheckpointError::Newer { found: 9 }), "{error}");
}

/// Formats 1 and 2 are held to by the checkpoints in `tests/data`, if there are any; here the fields
/// of format 3 are taken away.
#[test]
fn a_checkpoint_without_a_checksum_is_read_where_its_format_had_none() {
    let (_, checkpoint) = tiny::whole(&tiny::config("s2", "sdarts-rs"));
    let bytes = checkpoint.to_bytes().unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let header = header.metadata().as_ref().unwrap()["smoothdarts"].clone();
    let mut header: Value = serde_json::from_str(&header).unwrap();
    header.as_object_mut().unwrap().remove("checksum");
    let file = |header: &Value| {
        let metadata = HashMap::from([("smoothdarts".to_owned(), header.to_string())]);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap()
    };
    let error = Checkpoint::from_bytes(&file(&header)).unwrap_err();
    assert!(error.to_string().contains("its checksum is missing"), "{error}");
    header["schema"] = 2.into();
    assert_eq!(Checkpoint::from_bytes(&file(&header)).unwrap(), checkpoint);
}

#[test]
fn no_flipped_bit_of_a_checkpoint_is_read() {
    let bytes = tiny::whole(&tiny::config("s2", "sdarts-rs")).1.to_bytes().unwrap();
    let mut rng = Streams::new(3).at(Stream::Split, 0);
    let mut places: Vec<usize> = (0..8).collect();
    places.extend(uniform(&mut rng, 400, 0.0, bytes.len() as f32).iter().map(|&at| at as usize));
    let metadata = 8.0 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as f32;
    places.extend(uniform(&mut rng, 400, 8.0, metadata).iter().map(|&at| at as usize));
    let mut damaged = bytes.clone();
    for (index, at) in places.into_iter().enumerate() {
        damaged[at] ^= 1 << (index % 8);
        assert!(Checkpoint::from_bytes(&damaged).is_err(), "bit {} of byte {at}", index % 8);
        damaged[at] = bytes[at];
    }
    let middle = bytes.len() / 2;
    damaged[middle..middle + 512].fill(0);
    assert!(Checkpoint::from_bytes(&damaged).is_err(), "a block of zeros");
}

#[test]
fn a_search_that_diverges_says_where() {
    let config = tiny::diverging();
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    let error = tiny::run(&mut search, &mut loader).unwrap_err();
    let RunError::Diverged { epoch: 0, step: 1.., .. } = error else { panic!("{error}") };
}

#[test]
fn the_events_of_a_search_come_in_order_and_count_its_steps() {
    let config = tiny::config("s5", "sdarts-adv");
    let (events, checkpoint) = tiny::whole(&config);
    assert_eq!(checkpoint.events(), events.len() as u64);
    assert!(matches!(events.first(), Some(Event::Started(_))));
    let Some(Event::Finished(finished)) = events.last() else { panic!("no end") };
    assert_eq!(finished.genotype, checkpoint.genotype().unwrap());
    finished.genotype.validate().unwrap();
    let steps = events.iter().filter(|event| matches!(event, Event::Step(_))).count();
    assert_eq!(steps, 2 * 3, "20 training images in batches of 8");
    for event in &events {
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
