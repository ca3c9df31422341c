//! Batch norm: what a layer is made with, and its running statistics after a pass.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::Tensor;
use shaders::{Kernels, PendingNorm};

use super::layout::{BlockId, Builder, Init, NormId, WeightId};
use super::pass::Pass;
use super::uploads::Uploads;
use super::{NORM_EPS, NORM_MOMENTUM};

/// What a batch norm is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormOptions {
    /// Whether it has γ and β.
    pub affine: bool,
    /// Added to the variance before its root.
    pub eps: f32,
    /// Share of the new batch in the running statistics, as in PyTorch: running ← (1 − momentum)·running
    /// + momentum·batch.
    pub momentum: f64,
    /// Whether γ and β are left to what reads the activation, as the rest of the batch norm is. Those of a
    /// supernet's stem are not: by plain operations its searches keep the bits that they had.
    pub pending: bool,
}

impl NormOptions {
    /// With the eps and the momentum that are PyTorch's defaults.
    pub const fn new(affine: bool) -> Self {
        Self { affine, eps: NORM_EPS, momentum: NORM_MOMENTUM, pending: false }
    }

    /// Affine, all of it left to the reader: those of a derived network.
    pub const fn pending() -> Self {
        Self { pending: true, ..Self::new(true) }
    }
}

/// A batch norm. It may be used several times in a pass; each use updates its running statistics.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// Its statistics.
    pub id: NormId,
    /// What it was made with.
    pub options: NormOptions,
    /// γ and β, where it has them, and both as a block.
    affine: Option<([WeightId; 2], BlockId)>,
}

impl BatchNorm {
    pub(super) fn new(builder: &mut Builder, channels: usize, options: NormOptions) -> Self {
        let affine = options.affine.then(|| {
            let gamma = builder.weight("weight", &[channels], Init::Constant(1.0));
            let beta = builder.weight("bias", &[channels], Init::Constant(0.0));
            ([gamma, beta], builder.join(&[gamma, beta]))
        });
        Self { id: builder.norm(channels, options), options, affine }
    }

    /// γ and β, where it has them.
    pub fn affine(&self) -> Option<(WeightId, WeightId)> {
        self.affine.map(|([gamma, beta], _)| (gamma, beta))
    }

    /// Whether it has γ and β.
    pub fn is_affine(&self) -> bool {
        self.affine.is_some()
    }

    /// `x`, whose moments may be known, with this batch norm to come.
    pub(super) fn pending(
        self,
        x: Tensor<4>,
        moments: Option<Tensor<2>>,
        pass: &mut Pass,
    ) -> PendingNorm {
        let channels = x.dims()[3];
        let mut norm = pass.norm(&[self.id], &x, moments);
        let Some(([gamma, beta], both)) = self.affine else {
            return PendingNorm::new(x, Some(norm));
        };
        if self.options.pending {
            norm.affine = Some(pass.block(both).reshape([2, channels]));
            return PendingNorm::new(x, Some(norm));
        }
        let x = pass.apply(PendingNorm::new(x, Some(norm)));
        let shape = [1, 1, 1, channels];
        (x * pass.weight(gamma, shape) + pass.weight(beta, shape)).into()
    }
}

/// Moments that one layer or several joined ones saw, and over how many numbers each was taken.
#[derive(Clone)]
pub(super) struct Observation {
    /// Of the layers, in the flat vectors.
    pub channels: Range<usize>,
    /// [2, channels].
    pub moments: Tensor<2>,
    pub count: usize,
}

/// What the batch norms of a pass saw. Round r holds the r-th use of each layer, by its first channel, so in
/// the order of the flat vectors. Where each layer is used once, there is one round.
#[derive(Default)]
pub(super) struct Observations(Vec<BTreeMap<usize, Observation>>);

impl Observations {
    /// Adds the next use of these channels.
    pub fn push(&mut self, observation: Observation) {
        let Range { start, end } = observation.channels;
        let uses = |round: &BTreeMap<usize, Observation>| {
            let before = round.range(..end).next_back();
            before.is_some_and(|(_, other)| other.channels.end > start)
        };
        let round = self.0.iter().rposition(uses).map_or(0, |last| last + 1);
        if round == self.0.len() {
            self.0.push(BTreeMap::new());
        }
        self.0[round].insert(start, observation);
    }

    /// The newest one that begins at this channel.
    pub fn latest(&self, start: usize) -> Option<&Observation> {
        self.0.iter().rev().find_map(|round| round.get(&start))
    }

    /// The running statistics after all uses in their order, as PyTorch updates them: with the unbiased
    /// variance. One formula over the flat tensor for each round.
    ///
    /// # Shapes
    /// - `running` and output: [2, channels of all layers]
    pub fn updated(
        self,
        kernels: Kernels,
        layers: &[(Range<usize>, NormOptions)],
        running: Tensor<2>,
        uploads: &Uploads,
    ) -> Tensor<2> {
        let first = layers.first().map_or(NORM_MOMENTUM, |(_, options)| options.momentum);
        let is_one = layers.iter().all(|(_, options)| options.momentum == first);
        self.0.into_iter().fold(running, |running, round| {
            let channels = running.dims()[1];
            let seen: usize = round.values().map(|seen| seen.channels.len()).sum();
            let shares = (!is_one || seen < channels).then(|| shares(layers, &round, channels));
            let moments = unbiased(kernels, round, &running, uploads);
            let Some(shares) = shares else {
                return running.mul_scalar(1.0 - first) + moments.mul_scalar(first);
            };
            let row =
                |numbers: Vec<f32>| uploads.row(numbers, &running.device()).reshape([1, channels]);
            let kept = row(shares.iter().map(|share| (1.0 - share) as f32).collect());
            running.clone() * kept + moments * row(shares.iter().map(|x| *x as f32).collect())
        })
    }
}

/// Share of the new moments for each channel, 0 where nothing was seen.
fn shares(
    layers: &[(Range<usize>, NormOptions)],
    round: &BTreeMap<usize, Observation>,
    channels: usize,
) -> Vec<f64> {
    let mut shares = vec![0.0; channels];
    for (place, options) in layers {
        let before = round.range(..place.end).next_back();
        if before.is_some_and(|(_, seen)| seen.channels.end > place.start) {
            shares[place.clone()].fill(options.momentum);
        }
    }
    shares
}

/// The moments of a round with the unbiased variance; zeros where a layer saw nothing.
fn unbiased(
    kernels: Kernels,
    round: BTreeMap<usize, Observation>,
    running: &Tensor<2>,
    uploads: &Uploads,
) -> Tensor<2> {
    let (channels, device) = (running.dims()[1], running.device());
    let mut scale = vec![1.0; 2 * channels];
    let mut pieces = Vec::new();
    let mut end = 0;
    for Observation { channels: place, moments, count } in round.into_values() {
        if end < place.start {
            pieces.push(Tensor::zeros([2, place.start - end], &device));
        }
        end = place.end;
        let factor = count as f32 / (count.max(2) - 1) as f32;
        scale[channels + place.start..channels + place.end].fill(factor);
        pieces.push(moments);
    }
    if end < channels {
        pieces.push(Tensor::zeros([2, channels - end], &device));
    }
    let scale = uploads.row(scale, &device).reshape([2, channels]);
    shaders::concat(kernels, pieces) * scale
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;
    use crate::nn::{GradientTarget, Layer, Layout, Statistics, UnitBank};
    use crate::rng::normal;

    const PIXELS: usize = 2 * 3 * 5;

    /// An activation of 2 images with 3×5 pixels.
    fn activation(channels: usize, seed: u64) -> Vec<f32> {
        normal(&mut Pcg64::seed_from_u64(seed), PIXELS * channels)
    }

    fn tensor(values: &[f32], channels: usize) -> Tensor<4> {
        let images = values.len() / channels / 15;
        let data = TensorData::new(values.to_vec(), [images, 3, 5, channels]);
        Tensor::from_data(data, &Device::flex())
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter::<f32>().collect()
    }

    fn close(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 2e-5, "{found} {expected}");
        }
    }

    /// What PyTorch's documentation says of BatchNorm2d, in double precision.
    struct Reference {
        options: NormOptions,
        mean: Vec<f64>,
        variance: Vec<f64>,
    }

    impl Reference {
        fn new(channels: usize, options: NormOptions) -> Self {
            Self { options, mean: vec![0.0; channels], variance: vec![1.0; channels] }
        }

        fn train(&mut self, x: &[f32], gamma: &[f32], beta: &[f32]) -> Vec<f64> {
            let channels = self.mean.len();
            let mut y = vec![0.0; x.len()];
            for channel in 0..channels {
                let values = || x.iter().skip(channel).step_by(channels).map(|x| f64::from(*x));
                let count = values().count() as f64;
                let mean = values().sum::<f64>() / count;
                let squares: f64 = values().map(|x| (x - mean).powi(2)).sum();
                let NormOptions { eps, momentum, .. } = self.options;
                let deviation = (squares / count + f64::from(eps)).sqrt();
                let (gamma, beta) = (f64::from(gamma[channel]), f64::from(beta[channel]));
                for (y, x) in y.iter_mut().skip(channel).step_by(channels).zip(values()) {
                    *y = gamma * (x - mean) / deviation + beta;
                }
                let update = |running: &mut f64, new: f64| {
                    *running = (1.0 - momentum) * *running + momentum * new;
                };
                update(&mut self.mean[channel], mean);
                update(&mut self.variance[channel], squares / (count - 1.0));
            }
            y
        }
    }

    fn pass(layout: &Layout, weights: &[f32]) -> Pass {
        let weights = TensorData::new(weights.to_vec(), [weights.len()]);
        let weights = Tensor::from_data(weights, &Device::flex());
        let rng = Pcg64::seed_from_u64(0);
        let (target, kernels) = (GradientTarget::Nothing, Kernels::Fused);
        Pass::new(layout, &weights, Statistics::Batch, target, kernels, rng.into())
    }

    fn initial(layout: &Layout) -> Tensor<2> {
        let statistics = TensorData::new(layout.initial_statistics(), [2 * layout.norm_channels()]);
        let flat = Tensor::<1>::from_data(statistics, &Device::flex());
        flat.reshape([2, layout.norm_channels()])
    }

    /// Means, then variances, of layers in this order.
    fn joined(references: &[&Reference]) -> Vec<f64> {
        let means = references.iter().flat_map(|it| it.mean.clone());
        means.chain(references.iter().flat_map(|it| it.variance.clone())).collect()
    }

    #[test]
    fn a_layer_used_twice_updates_its_statistics_twice_in_order() {
        for options in [
            NormOptions { eps: 1e-2, momentum: 0.3, ..NormOptions::pending() },
            NormOptions::new(true),
            NormOptions::pending(),
            NormOptions { eps: 1e-3, momentum: 0.997, ..NormOptions::new(false) },
        ] {
            let mut layout = Layout::default();
            let layer = Layer::norm(&mut Builder::new(&mut layout), 2, options);
            let (gamma, beta) = match options.affine {
                true => ([0.5, -2.0], [0.25, 3.0]),
                false => ([1.0; 2], [0.0; 2]),
            };
            let weights = if options.affine { [gamma, beta].concat() } else { vec![] };
            let mut pass = pass(&layout, &weights);
            let mut reference = Reference::new(2, options);
            for seed in [1, 2] {
                let x = activation(2, seed);
                let y = layer.forward(tensor(&x, 2).into(), &mut pass);
                close(&numbers(pass.apply(y)), &reference.train(&x, &gamma, &beta));
            }
            close(&numbers(pass.updated(initial(&layout))), &joined(&[&reference]));
        }
    }

    #[test]
    fn layers_of_other_momenta_and_other_numbers_of_uses_stand_in_one_network() {
        let momenta = [0.1, 0.997, 0.5, 0.1];
        let options = momenta.map(|momentum| NormOptions { momentum, ..NormOptions::new(false) });
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let layers = options.map(|options| BatchNorm::new(&mut builder, 3, options));
        let mut references = options.map(|options| Reference::new(3, options));
        let mut pass = pass(&layout, &[]);
        // The last layer is not used.
        for (index, seed) in [(2, 1), (0, 2), (2, 3), (1, 4), (2, 5), (1, 6)] {
            let x = activation(3, seed);
            layers[index].pending(tensor(&x, 3), None, &mut pass);
            references[index].train(&x, &[1.0; 3], &[0.0; 3]);
        }
        let found = numbers(pass.updated(initial(&layout)));
        close(&found, &joined(&references.each_ref()));
        let untouched = [&found[9..12], &found[21..]].concat();
        assert_eq!(untouched, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn joined_layers_keep_their_momenta_and_what_saw_the_same_is_updated_as_often() {
        let momenta = [0.1, 0.4, 0.7, 0.2];
        let options = momenta.map(|momentum| NormOptions { momentum, ..NormOptions::new(false) });
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let ids = options.map(|options| builder.norm(2, options));
        assert!(builder.join_norms(&ids[..2]));
        assert!(builder.join_norms(&ids[2..]));
        let mut references = options.map(|options| Reference::new(2, options));
        let mut pass = pass(&layout, &[]);
        for seed in [3, 5] {
            let stack = [activation(2, seed), activation(2, seed + 1)];
            pass.norm(&ids[..2], &tensor(&stack.concat(), 2), None);
            pass.observe_like(&ids[..2], &ids[2..]);
            for (index, reference) in references.iter_mut().enumerate() {
                reference.train(&stack[index % 2], &[1.0; 2], &[0.0; 2]);
            }
        }
        let found = numbers(pass.updated(initial(&layout)));
        close(&found, &joined(&references.each_ref()));
    }

    #[test]
    fn layers_that_differ_in_eps_are_not_joined() {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let mut unit = |path: &str, eps| {
            let paths = ["depthwise", "pointwise", "norm"].map(|it| format!("{path}.{it}"));
            let options = NormOptions { eps, ..NormOptions::new(false) };
            match Layer::unit(&mut builder, paths, 4, (3, 1, 1), options) {
                Layer::Unit(unit) => unit,
                other => unreachable!("{other:?}"),
            }
        };
        let units = [("a", 1e-5), ("b", 1e-3), ("c", 1e-5)].map(|(path, eps)| unit(path, eps));
        let before = layout.clone();
        let mut builder = Builder::new(&mut layout);
        assert!(UnitBank::new(&mut builder, &[(0, units[0]), (0, units[1])]).is_none());
        assert_eq!(layout, before, "nothing was placed anew");
        let mut builder = Builder::new(&mut layout);
        assert!(UnitBank::new(&mut builder, &[(0, units[0]), (0, units[2])]).is_some());
    }
}
