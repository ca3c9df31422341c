//! The memory that runs take together.

use std::collections::BTreeMap;

use smoothdarts::config::{self, Config};

use crate::commands::dry_run;
use crate::datasets::{Opened, Sizes, text};
use crate::device;
use crate::estimate::{self, Estimate};

/// The estimates of runs. Each data set is opened once.
#[derive(Default)]
pub struct Estimates {
    /// By the settings of the data; `None` where it cannot be opened.
    images: BTreeMap<String, Option<Sizes>>,
    /// Words of the vocabularies, in the same way.
    words: BTreeMap<String, Option<usize>>,
    /// Whether `auto` is a GPU.
    gpu: Option<bool>,
}

impl Estimates {
    /// Bytes of a process with these settings. A data set that cannot be opened counts nothing: its run
    /// will say so itself.
    pub fn bytes(&mut self, config: &Config) -> f64 {
        let gpu = self.on_gpu(config);
        let estimate = if text::is_text(&config.data.name) {
            self.words(config).map(|words| match config.trains() {
                true => Estimate::of_text_training(config, words, gpu),
                false => Ok(Estimate::of_text(config, words, gpu)),
            })
        } else {
            self.sizes(config).map(|images| match config.trains() {
                true => Estimate::of_training(config, &images, gpu),
                false => Estimate::of(config, &images, gpu),
            })
        };
        estimate.and_then(Result::ok).map_or(0.0, |estimate| estimate.bytes())
    }

    /// Words of the vocabulary of a text.
    fn words(&mut self, config: &Config) -> Option<usize> {
        let key = serde_json::to_string(&config.data).ok()?;
        let words = self.words.entry(key).or_insert_with(|| {
            let text = text::open(config).or_else(|error| text::stand_in(config, error));
            text.ok().map(|text| text.vocabulary.len())
        });
        *words
    }

    fn sizes(&mut self, config: &Config) -> Option<Sizes> {
        let key = serde_json::to_string(&(&config.data, config.reads_test_data())).ok()?;
        let sizes = self.images.entry(key).or_insert_with(|| {
            let opened = Opened::of(config);
            let opened =
                opened.or_else(|error| dry_run::stand_in(config, error).map(Opened::Memory));
            opened.ok().map(|opened| opened.sizes(config))
        });
        *sizes
    }

    fn on_gpu(&mut self, config: &Config) -> bool {
        match config.run.device {
            config::Device::Cpu => false,
            config::Device::Wgpu => true,
            config::Device::Auto => *self.gpu.get_or_insert_with(|| {
                device::choose(&device::adapters()).0 == config::Device::Wgpu
            }),
        }
    }
}

/// How much memory runs may take together.
pub fn limit(asked: Option<u64>) -> f64 {
    asked.or_else(estimate::memory).map_or(f64::INFINITY, |bytes| bytes as f64)
}
