//! A search that is saved and restored anywhere equals one that was never interrupted, bit for
//! bit, with any number of threads.

use std::io::Read as _;

use pollster::block_on;
use smoothdarts::config::{AlphaBatches, Config, Order};
use smoothdarts::event::Event;
use smoothdarts::net::NetShape;
use smoothdarts::run::RunError;
use smoothdarts::run::checkpoint::{Checkpoint, CheckpointError, SCHEMA};
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
    let (s5, s4) = (tiny::config("s5", "sdarts-adv"), tiny::config("s4", "sdarts-rs"));
    vec![s5, s4, second, pass, bench, sharp, smooth]
}

#[test]
fn a_search_restored_after_any_event_equals_an_uninterrupted_one_bit_for_bit() {
    for config in configs() {
        let (events, last) = tiny::whole(&config);
        let last = last.to_bytes().unwrap();
        for stop in 1..events.len() {
            let mut loader = tiny::loader(&config);
            let mut search = tiny::search(&config, &loader);
            let mut said = Vec::new();
            while said.len() < stop {
                said.extend(block_on(search.advance(&mut loader)).unwrap());
            }
            let saved = block_on(search.checkpoint()).unwrap().to_bytes().unwrap();
            drop(search);

            let saved = Checkpoint::from_bytes(&saved).unwrap();
            assert_eq!(saved.events(), stop as u64);
            let mut search = tiny::search(&config, &loader);
            search.restore(&saved).unwrap();
            said.extend(tiny::run(&mut search, &mut loader).unwrap());
            assert_eq!(said, events, "{} stopped after event {stop}", config.search.method);
            let found = block_on(search.checkpoint()).unwrap().to_bytes().unwrap();
            assert!(found == last, "{} stopped after event {stop}", config.search.method);
        }
    }
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
    let said = tiny::run(&mut search, &mut loader).unwrap();
    assert!(matches!(said.last(), Some(Event::Finished(_))));
    let mut found = block_on(search.checkpoint()).unwrap();
    // Its clock ran.
    (found.progress.tally.seconds, expected.progress.tally.seconds) = (0.0, 0.0);
    assert!(found == expected);
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
    let old = format!(r#"{{\"schema\":{SCHEMA},"#).into_bytes();
    let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
    let mut newer = bytes.clone();
    newer[at + old.len() - 2] = b'9';
    let error = Checkpoint::from_bytes(&newer).unwrap_err();
    assert!(matches!(error, CheckpointError::Newer { found: 9 }), "{error}");
}

#[test]
fn a_search_that_diverges_says_where() {
    let mut config = tiny::config("s2", "darts");
    config.weights.learning_rate = 1e30;
    config.weights.clip = 0.0;
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
