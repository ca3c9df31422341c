//! How much memory a run would take, before anything of it is made. The numbers come from
//! settings of any size, so they are floating-point numbers: nothing overflows.
//!
//! What a step holds was measured on the CPU (native/repro/memory): it is close
//! to one and a half planes of activations for every candidate of every edge, and to ten copies of
//! the weights (momentum, gradient, those of a checkpoint, …). A training holds two planes for every
//! batch norm. The estimate is within a factor of two: native/repro/memory has the table.

mod text;

use anyhow::{Context as _, anyhow};
use bytesize::ByteSize;
use indicatif::HumanBytes;
use smoothdarts::cell::{Choice, Genotype, codec};
use smoothdarts::config::{Config, Stem, Train};
use smoothdarts::method;
use smoothdarts::ops::{self, Operation};
use smoothdarts::space;

use crate::datasets::Sizes;
use crate::exit::Exit;

/// Planes of activations for each candidate.
const PLANES: f64 = 1.5;

/// Planes of activations for each batch norm of a network that is trained.
const TRAINED_PLANES: f64 = 2.0;

/// Planes of the stem: its convolution, batch norm, and their gradients.
const STEM_PLANES: f64 = 6.0;

/// What a block of a one-shot network keeps besides its candidates, in columns of those: ReLUs, weighed sums,
/// projections. At batch 96 with images of 32×32, oneshot-1 takes 2,598 MB (`sdarts bench`).
const BLOCK_COLUMNS: f64 = 9.5;

/// What a cell keeps of the channels that go past its candidates, in columns of those. At batch 64 with images of
/// 32×32, s5 takes 871 MB with a quarter of the channels and 2,316 MB with all (`sdarts bench`).
const PAST_COLUMNS: f64 = 8.0;

/// Channels of the stem of ImageNet, in C: C/2 at half of the side, C at a quarter, C at an eighth, in planes of
/// the last.
const LARGE_STEM: f64 = 13.0;

/// Copies of the weights.
const COPIES: f64 = 10.0;

/// What the program takes by itself.
const BASE: f64 = 60e6;

/// What no machine has, and no `--force` brings: the addresses of a process.
const ADDRESSES: f64 = (1u64 << 47) as f64;

/// Bytes of a number.
const F32: f64 = 4.0;

/// What to set smaller: of the images, the weights, the stem, the cells.
type Remedies = [&'static str; 4];

const OF_SEARCH: Remedies = [
    "data.image_size or data.train_images",
    "search.channels, search.cells or search.stem_multiplier",
    "search.stem_multiplier, search.channels or search.batch_size",
    "search.channels, search.cells, search.batch_size or data.image_size",
];

const OF_TRAINING: Remedies = [
    "data.image_size or data.train_images",
    "train.channels or train.cells",
    "train.micro_batch, train.channels or data.image_size",
    "train.micro_batch, train.channels, train.cells or data.image_size",
];

/// Bytes that a run would take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The images, resized.
    pub data: f64,
    /// Weights of the supernet and what learning keeps of them.
    pub weights: f64,
    /// What the stem holds in a step.
    pub stem: f64,
    /// What the cells hold in a step.
    pub cells: f64,
    /// Whether a GPU computes: then the step is in its memory, of which no system tells the size.
    gpu: bool,
    remedies: Remedies,
}

impl Estimate {
    /// The estimate for a search with these settings on these images.
    ///
    /// # Errors
    /// If there is no such space.
    pub fn of(config: &Config, images: &Sizes, gpu: bool) -> anyhow::Result<Self> {
        let (side, colours) = (images.side as f64, images.channels as f64);
        let kept = if images.in_memory { images.train + images.test } else { 0 };
        // No batch is larger than the training images; larger ones are refused for that.
        let batch = config.search.batch_size.min(images.train) as f64;
        let network = Network::largest(config, colours, images.classes as f64)?;
        let area = area(side, config.search.stem);
        let plane = |planes: f64| F32 * batch * area * planes;
        Ok(Self {
            data: kept as f64 * side * side * colours,
            weights: F32 * COPIES * network.weights,
            stem: plane(STEM_PLANES * network.stem),
            cells: plane(PLANES * network.planes),
            gpu,
            remedies: OF_SEARCH,
        })
    }

    /// How long a step takes in each stage, where one of the first takes 1: as much longer as there is more to
    /// compute.
    ///
    /// # Errors
    /// If there is no such space.
    pub fn steps(config: &Config, images: &Sizes) -> anyhow::Result<Vec<f64>> {
        let (colours, classes) = (images.channels as f64, images.classes as f64);
        let size = |stage| -> anyhow::Result<f64> {
            let network = Network::of(config, stage, colours, classes)?;
            Ok(PLANES * network.planes + STEM_PLANES * network.stem)
        };
        let sizes: Vec<f64> = (0..config.stage_count()).map(size).collect::<Result<_, _>>()?;
        let first = sizes.first().copied().unwrap_or(1.0);
        Ok(sizes.iter().map(|size| size / first).collect())
    }

    /// The estimate for a training with these settings on these images.
    ///
    /// # Errors
    /// If they have no genotype that can be read.
    pub fn of_training(config: &Config, images: &Sizes, gpu: bool) -> anyhow::Result<Self> {
        let (train, side) = (&config.train, images.side as f64);
        let kept = if images.in_memory { images.train + images.test } else { 0 };
        let largest = if train.micro_batch == 0 { usize::MAX } else { train.micro_batch };
        let batch = train.batch_size.min(largest).min(images.train) as f64;
        let genotype = codec::read(&train.genotype).context(Exit::Usage)?;
        let network = Network::of_genotype(&genotype, train, images);
        let area = area(side, train.stem);
        Ok(Self {
            data: kept as f64 * side * side * images.channels as f64,
            weights: F32 * COPIES * network.weights,
            stem: F32 * batch * area * STEM_PLANES * network.stem,
            cells: F32 * batch * area * TRAINED_PLANES * network.planes,
            gpu,
            remedies: OF_TRAINING,
        })
    }

    /// Bytes of the process in all.
    pub fn bytes(&self) -> f64 {
        let step = if self.gpu { 0.0 } else { self.stem + self.cells };
        BASE + self.data + self.weights + step
    }

    /// Refuses what takes more than `limit` bytes; without a limit, than this machine has.
    ///
    /// # Errors
    /// The estimate and the settings to change; exit code 2.
    pub fn check(&self, limit: Option<u64>, force: bool) -> anyhow::Result<()> {
        let bytes = self.bytes();
        let machine = limit.or_else(memory).map_or(f64::INFINITY, |limit| limit as f64);
        let allowed = if force { ADDRESSES } else { machine.min(ADDRESSES) };
        if bytes <= allowed {
            return Ok(());
        }
        let shown = |bytes: f64| HumanBytes(bytes as u64).to_string();
        let remedy = if bytes > ADDRESSES {
            String::new()
        } else {
            ", or give --memory-limit or --force if you know better".to_owned()
        };
        let fault = anyhow!(
            "this run would take about {}, and there are {}; set a smaller {}{remedy}",
            shown(bytes),
            shown(allowed),
            self.cause(),
        );
        Err(fault.context(Exit::Usage))
    }

    /// What to change: the settings behind the largest part.
    fn cause(&self) -> &'static str {
        let step = |bytes: f64| if self.gpu { 0.0 } else { bytes };
        let parts = [self.data, self.weights, step(self.stem), step(self.cells)];
        let parts = parts.into_iter().zip(self.remedies);
        let largest = parts.max_by(|one, other| one.0.total_cmp(&other.0));
        largest.map_or("", |(_, settings)| settings)
    }
}

/// Sizes of a network.
struct Network {
    weights: f64,
    /// Channels of the stem.
    stem: f64,
    /// Channels of all candidates, or of all batch norms of a network that is trained; those of smaller
    /// images counted for as much less.
    planes: f64,
}

/// Pixels of what the first cell reads. The stem of ImageNet halves an image three times before it.
fn area(side: f64, stem: Stem) -> f64 {
    match stem {
        Stem::Cifar => side * side,
        Stem::Imagenet => side * side / 64.0,
    }
}

impl Network {
    /// The largest weights and planes of the networks of all stages.
    fn largest(config: &Config, colours: f64, classes: f64) -> anyhow::Result<Self> {
        let mut largest = Self::of(config, 0, colours, classes)?;
        for stage in 1..config.stage_count() {
            let Self { weights, planes, .. } = Self::of(config, stage, colours, classes)?;
            largest.weights = largest.weights.max(weights);
            largest.planes = largest.planes.max(planes);
        }
        Ok(largest)
    }

    /// The network of a stage of the search: three stages of equally many cells, the last two after a reduction.
    fn of(config: &Config, stage: usize, colours: f64, classes: f64) -> anyhow::Result<Self> {
        let space = space::find(&config.search.space)?;
        let modified = method::of(config)?.modify(space, config)?;
        let parts = modified.build.partial_channels as f64;
        let choices: Vec<&Choice> =
            modified.choices.iter().filter(|choice| choice.is_of_cell()).collect();
        let (cells, channels) = (config.cells_in(stage) as f64, config.search.channels as f64);
        // Which operations are left in later stages no one knows before.
        let operations = &config.stages.operations;
        let left = operations.get(stage).zip(operations.first());
        let left = left.map_or(1.0, |(left, all)| *left as f64 / *all as f64);
        // The networks around a single kind of cell, those of the benchmarks, have no wider stem.
        let is_alone = choices.len() == 1;
        let multiplier = if is_alone { 1 } else { config.search.stem_multiplier };
        // In a one-shot network the images are pooled between cells, and a block reads a projection.
        let blocks = choices
            .first()
            .map_or(0, |choice| choice.rows.iter().filter(|row| row.is_of_node()).count())
            as f64;
        let stem = match config.search.stem {
            Stem::Cifar => channels * multiplier as f64,
            Stem::Imagenet => LARGE_STEM * channels,
        };
        let mut network = Self { weights: 9.0 * colours * stem, stem, planes: 0.0 };
        for stage in 0..3 {
            let (width, reduces) = (channels * 2f64.powi(stage), stage > 0 && blocks == 0.0);
            let reductions = if reduces { 1.0 } else { 0.0 };
            let normal = (cells / 3.0 - reductions).max(0.0);
            let kinds = [(choices.first(), 1, normal), (choices.get(1), 2, reductions)];
            for (choice, stride, count) in kinds {
                let Some(choice) = choice else { continue };
                let candidates = choice.rows.iter().flat_map(|row| {
                    let stride = if row.source < 2 { stride } else { 1 };
                    row.options.iter().filter_map(move |name| Some((ops::find(name)?, stride)))
                });
                let (mut weights, mut columns) = (0.0, 0.0);
                for (operation, stride) in candidates {
                    weights += left * parameters(operation, width / parts, stride);
                    columns += left / parts;
                }
                if parts > 1.0 && blocks == 0.0 {
                    columns += PAST_COLUMNS;
                }
                // What brings the outputs of two cells to these channels, or that of one to those of every
                // block and of the output.
                let preprocess = match blocks {
                    0.0 => 2.0 * (4.0 * width) * width,
                    _ => 2.0 * (blocks * width).powi(2),
                };
                columns += BLOCK_COLUMNS * blocks;
                network.weights += count * (weights + preprocess);
                network.planes += count * columns * width / 4f64.powi(stage);
            }
        }
        // The first two cells read the stem, three times in all.
        network.weights += 3.0 * stem * channels + 16.0 * channels * classes;
        Ok(network)
    }
}

impl Network {
    /// The network of a genotype: three stages as in a supernet, one operation on every edge.
    fn of_genotype(genotype: &Genotype, train: &Train, images: &Sizes) -> Self {
        let (cells, channels) = (train.cells as f64, train.channels as f64);
        let (colours, classes) = (images.channels as f64, images.classes as f64);
        // A single kind of cell is that of NAS-Bench-201, which reads one state and has a narrow stem.
        let (inputs, multiplier) = if genotype.cells.len() == 1 { (0.0, 1.0) } else { (2.0, 3.0) };
        let stem = match train.stem {
            Stem::Cifar => multiplier * channels,
            Stem::Imagenet => LARGE_STEM * channels,
        };
        let mut network = Self { weights: 9.0 * colours * stem, stem, planes: 0.0 };
        for stage in 0..3 {
            let width = channels * 2f64.powi(stage);
            let reductions = if stage > 0 { 1.0 } else { 0.0 };
            let normal = (cells / 3.0 - reductions).max(0.0);
            let kinds = [(genotype.cells.first(), normal), (genotype.cells.get(1), reductions)];
            for (cell, count) in kinds {
                let Some(cell) = cell else { continue };
                let of = |name: &str| ops::find(name).map_or(0.0, |it| parameters(it, width, 1));
                let weights: f64 = cell.operations().map(of).sum();
                network.weights += count * (weights + inputs * (4.0 * width) * width);
                let norms: f64 = cell.operations().map(norms).sum();
                network.planes += count * (norms + inputs) * width / 4f64.powi(stage);
            }
        }
        let auxiliary = 128.0 * 16.0 * channels + 4.0 * 128.0 * 768.0 + 768.0 * classes;
        network.weights += 16.0 * channels * classes;
        network.weights += if train.auxiliary { auxiliary } else { 0.0 };
        network
    }
}

/// Batch norms of an operation that is trained: a separable convolution is two, one after the other.
fn norms(operation: &str) -> f64 {
    if operation.starts_with("sep_conv") { 2.0 } else { 1.0 }
}

/// Weights of an operation, for channels of any number. They are a·C² + b·C.
fn parameters(operation: &Operation, channels: f64, stride: usize) -> f64 {
    let [two, four] = [2, 4].map(|channels| (operation.parameters)(channels, stride) as f64);
    let square = (four - 2.0 * two) / 8.0;
    let linear = (two - 4.0 * square) / 2.0;
    (square * channels + linear) * channels
}

/// Memory of this machine or of the group of processes that it is divided by, in bytes; where the
/// system tells (Linux). (sysinfo 0.39 asks other systems too, but changes features of memchr, so that
/// burn is built anew.)
pub(crate) fn memory() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = machine.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024;
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = groups
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// Reads a number of bytes like `8GB`, `7.5GiB` or `8589934592`.
///
/// # Errors
/// What it should look like.
pub fn bytes(text: &str) -> Result<u64, String> {
    let read = text.trim().parse().ok().filter(|size: &ByteSize| size.as_u64() > 0);
    let bytes = read.as_ref().map(ByteSize::as_u64);
    bytes.ok_or_else(|| "write bytes, e.g. 8GB, 7.5GiB or 8589934592".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_powers_of_ten_and_of_two_as_the_messages_show_them() {
        let shown = HumanBytes(3 << 29).to_string();
        let known = [
            ("8589934592", 8 << 30),
            ("8GB", 8_000_000_000),
            ("500mb", 500_000_000),
            ("7.5 GiB", 15 << 29),
            (shown.as_str(), 3 << 29),
        ];
        for (text, expected) in known {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "-1GB", "GB", "nan", "inf", "1e9", "8 parsecs"] {
            let refused = bytes(text).err().unwrap_or_default();
            assert!(refused.contains("8589934592"), "{text}: {refused}");
        }
    }
}
