//! The part of a search that a dry run times.

use smoothdarts::config::Config;

use super::timed::StepTime;
use crate::datasets::Sizes;
use crate::device::Adapter;
use crate::estimate::Estimate;

/// Seconds that a timed step should take at most.
const STEP_SECONDS: f64 = 1.2;

/// Bytes of activations that two slow cores get through in a second, over all passes of a step, with
/// each step of the attack counted as one; measured, with a large margin.
const BYTES_PER_SECOND: f64 = 720e6;

/// Multiply-adds that two slow cores do in a second, with a margin.
const PRODUCTS_PER_SECOND: f64 = 10e9;

/// Cells that are timed at most. To lay out a network takes time with the square of its cells.
const MOST_CELLS: usize = 50;

/// Steps of the attack that are timed at most.
const ATTACK_STEPS: usize = 2;

/// The part of a search that is timed, and how much more the whole is.
#[derive(Clone)]
pub struct Part {
    /// Settings of the part: fewer cells, a smaller batch and fewer steps of the attack, where the
    /// whole would take long.
    pub config: Config,
    /// The cells, the batch and the steps of the attack of the whole.
    pub(super) whole: [usize; 3],
    pub(super) steps_per_epoch: usize,
    /// How long a step takes in each stage, where one of the first takes 1.
    pub(super) stages: Vec<f64>,
}

impl Part {
    /// What is timed of a search with these settings on so many images. On a GPU it is the whole.
    ///
    /// # Errors
    /// If there is no such space.
    pub fn of(
        config: &Config,
        sizes: &Sizes,
        estimate: &Estimate,
        adapter: Option<&Adapter>,
    ) -> anyhow::Result<Self> {
        let images = sizes.train;
        let (batch, attack) = (config.search.batch_size, config.perturbation.steps);
        let images = (config.data.class_share * images as f64) as usize;
        let half = ((config.data.train_portion * images as f64) as usize).min(images);
        let mut part = config.clone();
        // A step in which α rests is not what most of them take.
        part.search.architecture_from = 0;
        let cells = config.cells_in(0);
        if cells > MOST_CELLS && config.stage_count() == 1 {
            // As many more than a multiple of three, for NAS-Bench-201.
            part.search.cells = MOST_CELLS - (MOST_CELLS - cells % 3) % 3;
        }
        let cells_share = part.cells_in(0) as f64 / cells.max(1) as f64;
        let passes = 1.0 + attack.min(ATTACK_STEPS) as f64;
        let seconds = (estimate.cells * cells_share + estimate.stem) * passes / BYTES_PER_SECOND;
        let whole_seconds = seconds * (1.0 + attack as f64) / passes;
        let is_quick = adapter.is_some_and(Adapter::is_gpu) || whole_seconds <= STEP_SECONDS;
        // A batch that no half can fill is left to be refused.
        if !is_quick && batch <= half.min(images - half) {
            part.perturbation.steps = attack.min(ATTACK_STEPS);
            let share = (STEP_SECONDS / seconds).min(1.0);
            part.search.batch_size = ((batch as f64 * share) as usize).max(2).min(batch);
        }
        let (whole, steps_per_epoch) = ([cells, batch, attack], half.div_ceil(batch.max(1)));
        let stages = Estimate::steps(config, sizes)?;
        Ok(Self { config: part, whole, steps_per_epoch, stages })
    }

    /// Seconds of all steps, of which one of the first stage takes `step`.
    pub(super) fn seconds(&self, step: f64) -> f64 {
        let epochs = self.config.stage_epochs() as f64 * self.steps_per_epoch as f64;
        self.stages.iter().map(|share| share * step * epochs).sum()
    }

    /// What is timed of a search of text, whose epoch has so many steps.
    pub fn of_text(config: &Config, vocabulary: usize, steps_per_epoch: usize) -> Self {
        let (settings, attack) = (&config.recurrent, config.perturbation.steps);
        let (width, batch) = (settings.hidden as f64, config.search.batch_size);
        // Of a word: two inputs, 36 edges and the decoder.
        let products = width * (76.0 * width + vocabulary as f64);
        let column = settings.bptt as f64 * products / PRODUCTS_PER_SECOND;
        let seconds = batch as f64 * column * (5.0 + 2.0 * attack as f64);
        let mut part = config.clone();
        if seconds > STEP_SECONDS {
            part.perturbation.steps = attack.min(ATTACK_STEPS);
            let seconds = column * (5.0 + 2.0 * part.perturbation.steps as f64);
            part.search.batch_size = ((STEP_SECONDS / seconds) as usize).max(2).min(batch);
        }
        let whole = [config.search.cells, batch, attack];
        Self { config: part, whole, steps_per_epoch, stages: vec![1.0] }
    }

    pub(super) fn sizes(config: &Config) -> [usize; 3] {
        [config.cells_in(0), config.search.batch_size, config.perturbation.steps]
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole == Self::sizes(&self.config)
    }

    /// The part with half of its batch, where the memory of a larger one has to be told from two.
    pub(super) fn half(&self) -> Option<Self> {
        let [[_, whole, _], [_, batch, _]] = [self.whole, Self::sizes(&self.config)];
        let mut half = self.clone();
        half.config.search.batch_size = batch / 2;
        (batch < whole).then_some(half)
    }

    /// How many times the cells of the part the whole has.
    pub(super) fn cells(&self) -> f64 {
        self.whole[0] as f64 / self.config.cells_in(0) as f64
    }

    /// The time of a whole step, from that of one of the part.
    pub(super) fn extrapolate(&self, step: StepTime) -> f64 {
        let [_, batch, attack] = self.whole;
        let images = self.cells() * batch as f64 / self.config.search.batch_size as f64;
        let attack = attack as f64 / self.config.perturbation.steps as f64;
        images * (step.others.as_secs_f64() + attack * step.perturbation.as_secs_f64())
    }
}
