//! How fast images are read: from their files to the batches of a training.

use std::time::Instant;

use indicatif::HumanBytes;
use serde::Serialize;
use smoothdarts::config::Config;
use smoothdarts::data::{Batches as _, Order};

use super::memory;
use crate::datasets::{self, Prefetch, Supply};

/// Batches of a pass at most: an epoch of ImageNet would take hours.
const BATCHES: usize = 100;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Always `loader`.
    pub kind: &'static str,
    /// The data set.
    pub data: String,
    /// Where the images are: memory or disk.
    pub from: &'static str,
    /// Images of a pass.
    pub images: usize,
    /// Images of a batch.
    pub batch: usize,
    /// Height and width in pixels.
    pub size: usize,
    /// Threads that read and decode.
    pub threads: usize,
    /// Passes that were timed, after one that was not.
    pub passes: u32,
    /// Median over the passes.
    pub images_per_second: f64,
    /// The fastest pass minus the slowest.
    pub spread: f64,
    /// Seconds to open the data set.
    pub seconds_to_open: f64,
    /// Most memory that the process held.
    pub memory_bytes: Option<u64>,
}

/// Reads the training images once, and then `passes` times with a clock beside.
///
/// # Errors
/// Everything that opening and reading the data set says.
pub fn measure(config: &Config, passes: u32) -> anyhow::Result<Row> {
    let began = Instant::now();
    let (batch, seed) = (config.search.batch_size, config.seed);
    let supply =
        datasets::supply_with(config, |images, test| Order::pass(images, test, batch, seed))?;
    let seconds_to_open = began.elapsed().as_secs_f64();
    let (from, threads) = match &supply {
        // One thread runs ahead.
        Supply::Memory(_) => ("memory", 1),
        Supply::Disk(streamed) => ("disk", streamed.threads()),
    };
    let size = supply.shape().size;
    let mut rates = Vec::new();
    let mut images = 0;
    for pass in 0..=passes as usize {
        let mut batches = Prefetch::new(supply.clone());
        images = 0;
        // Everything between the start of the threads and the last image.
        let began = Instant::now();
        for step in 0..supply.steps_per_epoch().min(BATCHES) {
            images += batches.step(pass, step)?.train.labels.len();
        }
        if pass > 0 {
            rates.push(images as f64 / began.elapsed().as_secs_f64());
        }
    }
    rates.sort_by(f64::total_cmp);
    let spread = rates.last().zip(rates.first()).map_or(0.0, |(most, least)| most - least);
    Ok(Row {
        kind: "loader",
        data: config.data.name.clone(),
        from,
        images,
        batch,
        size,
        threads,
        passes,
        images_per_second: rates.get(rates.len() / 2).copied().unwrap_or_default(),
        spread,
        seconds_to_open,
        memory_bytes: memory::peak(),
    })
}

/// The row for people.
pub fn text(row: &Row) -> String {
    let Row { data, from, images, batch, size, threads, passes, .. } = row;
    let memory = row.memory_bytes.map_or(String::new(), |bytes| {
        format!("\nmemory  {} of this process at its peak", HumanBytes(bytes))
    });
    format!(
        "{data} from {from}: {images} images at {size}×{size} in batches of {batch}, {threads} threads\n\
         open    {:.2} s\n\
         read    {:.0} images/s (median of {passes} passes, spread {:.0}){memory}",
        row.seconds_to_open, row.images_per_second, row.spread
    )
}
