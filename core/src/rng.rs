//! Where all randomness comes from: named streams, addressed by position.
//!
//! A draw is a pure function of (seed, stream, position): the generator for step 7 of the
//! augmentation is the same whether steps 0 to 6 ran in this process or before a crash, and on
//! whichever thread. So the seed and the step counter are the whole random state of a search, and
//! a resumed run repeats an uninterrupted one without any generator being saved.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// The named streams. The discriminants are part of the checkpoint format: never reorder them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Initial weights; position = index of the weight tensor.
    Weights = 1,
    /// Initial architecture parameters; position = index of the tensor.
    Alpha = 2,
    /// Order of the training half; position = epoch.
    TrainOrder = 3,
    /// Order of the validation half; position = step (or epoch, for one-pass batches).
    ValidOrder = 4,
    /// Augmentation of training batches; position = step.
    TrainAugment = 5,
    /// Augmentation of validation batches; position = step.
    ValidAugment = 6,
    /// Augmentation while the validation half is evaluated; position = epoch and batch.
    EvaluateAugment = 7,
    /// Perturbations of the architecture; position = step.
    Perturbation = 8,
    /// The noise operation of space S4; position = forward pass.
    Noise = 9,
    /// The split of the training set where it is shuffled; position = 0.
    Split = 10,
    /// Start of the method of Lanczos; position = steps taken.
    Lanczos = 11,
    /// Direction of the curvature penalty; position = step.
    Penalty = 12,
    /// The random direction of a landscape; position = architecture tensor.
    Landscape = 13,
    /// Draws of a policy that samples; position = step.
    Policy = 14,
    /// Dropout after skip connections; position = forward pass.
    SkipDropout = 15,
    /// Lengths of the sequences of a text; position = epoch.
    Lengths = 20,
}

/// All streams of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of the run with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The streams of a stage of the run, for what every stage starts from anew; those of the first are those
    /// of the run.
    pub fn of_stage(&self, stage: usize) -> Self {
        let seed = if stage == 0 { self.seed } else { mix(self.seed ^ mix(stage as u64)) };
        Self { seed }
    }

    /// The generator at one position of a stream.
    pub fn at(&self, stream: Stream, position: u64) -> Pcg64 {
        let key = mix(mix(self.seed) ^ mix(stream as u64).rotate_left(32));
        let mut seed = [0u8; 32];
        for (index, word) in seed.chunks_exact_mut(8).enumerate() {
            let lane =
                mix(key ^ position.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(index as u64);
            word.copy_from_slice(&mix(lane).to_le_bytes());
        }
        Pcg64::from_seed(seed)
    }
}

/// The finaliser of SplitMix64: every input bit reaches every output bit.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `count` numbers from U[low, high).
pub fn uniform(rng: &mut Pcg64, count: usize, low: f32, high: f32) -> Vec<f32> {
    (0..count).map(|_| low + (high - low) * rng.random::<f32>()).collect()
}

/// What scales each of `count` numbers that is kept with a probability, so that the mean stays: 1 / probability
/// or 0.
pub fn kept(rng: &mut Pcg64, count: usize, probability: f64) -> Vec<f32> {
    // Half of a draw is enough for one number: masks are as large as activations.
    let (scale, limit) = ((1.0 / probability) as f32, (probability * f64::from(u32::MAX)) as u32);
    let of = |half: u32| if half < limit { scale } else { 0.0 };
    let mut scales = Vec::with_capacity(count + 1);
    while scales.len() < count {
        let draw: u64 = rng.random();
        scales.extend([of(draw as u32), of((draw >> 32) as u32)]);
    }
    scales.truncate(count);
    scales
}

/// `count` numbers from N(0, 1), by the Box–Muller transform.
pub fn normal(rng: &mut Pcg64, count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // 1 − u lies in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * rng.random::<f32>()).sin_cos();
        values.extend([radius * cos, radius * sin]);
    }
    values.truncate(count);
    values
}

/// A permutation of `0..count`, by Fisher–Yates.
pub fn permutation(rng: &mut Pcg64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, rng.random_range(0..=last));
    }
    order
}
