//! A search small enough for many runs: two cells of four channels on 8×8 images.

use burn::tensor::Device;
use pollster::block_on;
use smoothdarts::config::Config;
use smoothdarts::data::{Loader, embedded};
use smoothdarts::event::Event;
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::run::{ImageSearch, RunError};

/// Two epochs of three steps each.
pub fn config(space: &str, method: &str) -> Config {
    let mut config = Config::default();
    config.search.space = space.to_owned();
    config.search.method = method.to_owned();
    config.search.epochs = 2;
    config.search.batch_size = 8;
    config.search.cells = 2;
    config.search.channels = 4;
    config.data.image_size = 8;
    config.data.train_images = 40;
    config.perturbation.steps = 3;
    config
}

/// One whose weights are no numbers after a few steps.
pub fn diverging() -> Config {
    let mut config = config("s2", "darts");
    (config.weights.learning_rate, config.weights.clip) = (1e30, 0.0);
    config
}

pub fn loader(config: &Config) -> Loader {
    Loader::new(embedded().unwrap(), config).unwrap()
}

pub fn search(config: &Config, loader: &Loader) -> ImageSearch {
    let steps = loader.steps_per_epoch();
    ImageSearch::new(config, loader.shape(), steps, &Device::flex()).unwrap()
}

/// All events of a search from where it stands.
pub fn run(search: &mut ImageSearch, loader: &mut Loader) -> Result<Vec<Event>, RunError> {
    let mut events = Vec::new();
    while let Some(event) = block_on(search.advance(loader))? {
        events.push(event);
    }
    Ok(events)
}

/// Events and final state of a whole search.
pub fn whole(config: &Config) -> (Vec<Event>, Checkpoint) {
    let mut loader = loader(config);
    let mut search = search(config, &loader);
    let events = run(&mut search, &mut loader).unwrap();
    (events, block_on(search.checkpoint()).unwrap())
}
