//! One forward pass: the weights it reads, the statistics it uses and those it observes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use burn::tensor::{Gradients, Tensor, TensorData};
use shaders::{Kernels, Norm, PendingNorm};

use super::blocks::{RunningStatistics, WeightBlocks};
use super::constants::Constants;
use super::layout::{BlockId, Layout, NormId, WeightId};
use super::norm::{NormOptions, Observation, Observations};
use super::pattern::PatternMode;
use super::randomness::{Randomness, SkipDropout};
use super::series::Series;
use super::uploads::Uploads;
use crate::rng::{kept, uniform};

/// Which gradients a pass is for. What is not wanted is not computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GradientTarget {
    /// None: the loss alone.
    Nothing,
    /// The gradient with respect to the architecture.
    Architecture,
    /// The gradient with respect to the weights.
    Weights,
}

/// Which statistics batch-norm layers normalise by.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each pass")]
pub enum Statistics {
    /// Those of the batch (train mode).
    Batch,
    /// Running ones (eval mode).
    Running(RunningStatistics),
}

/// What one forward pass reads and what it leaves behind.
pub struct Pass {
    /// Whether plain burn ops or our kernels compute.
    pub kernels: Kernels,
    /// What the noise operation and drop-path draw from.
    pub randomness: Randomness,
    /// Whether it may cross the kinks of the network.
    pub pattern: PatternMode,
    constants: Option<Constants>,
    tracks: bool,
    /// One for each block, in the order of the flat vector.
    leaves: BTreeMap<usize, Tensor<1>>,
    /// The block of each weight and the place in it.
    places: Vec<(BlockId, Range<usize>)>,
    /// The channels of each batch-norm layer in the flat vectors, and what it was made with.
    pub(super) norms: Vec<(Range<usize>, NormOptions)>,
    pub(super) running: Option<RunningStatistics>,
    observed: Observations,
    pub(super) series: Vec<Series>,
    uploads: Uploads,
    /// Masks to come, 1 for what stays.
    pub(super) given_masks: std::vec::IntoIter<f32>,
    /// The weights that were read so far, by their slots.
    used: RefCell<BTreeSet<usize>>,
    /// The choice whose edges are computed, where a network tells its cells apart by it.
    pub choice: usize,
}

impl Pass {
    /// A pass of the network with this layout over these weights.
    ///
    /// # Shapes
    /// - `weights`: [`Layout::weight_count`]
    pub fn new(
        layout: &Layout,
        weights: &Tensor<1>,
        statistics: Statistics,
        target: GradientTarget,
        kernels: Kernels,
        randomness: Randomness,
    ) -> Self {
        let blocks = WeightBlocks::new(layout, kernels, weights.clone());
        Self::over(layout, &blocks, statistics, target, kernels, randomness)
    }

    /// The same over weights that are cut already.
    pub fn over(
        layout: &Layout,
        weights: &WeightBlocks,
        statistics: Statistics,
        target: GradientTarget,
        kernels: Kernels,
        randomness: Randomness,
    ) -> Self {
        let leaf = |((block, _), piece): ((BlockId, Range<usize>), &Tensor<1>)| {
            let piece = piece.clone();
            let leaf = match target {
                GradientTarget::Nothing => piece,
                GradientTarget::Architecture => piece.autodiff(),
                GradientTarget::Weights => piece.autodiff().require_grad(),
            };
            (block.0, leaf)
        };
        let running = match statistics {
            Statistics::Batch => None,
            Statistics::Running(all) => Some(all),
        };
        Self {
            kernels,
            randomness,
            pattern: PatternMode::Free,
            constants: None,
            tracks: target != GradientTarget::Nothing,
            leaves: layout.blocks().zip(&*weights.blocks).map(leaf).collect(),
            places: layout.places(),
            norms: layout.norms().iter().map(|slot| (slot.range.clone(), slot.options)).collect(),
            running,
            observed: Observations::default(),
            series: Vec::new(),
            uploads: Uploads::default(),
            given_masks: Vec::new().into_iter(),
            used: RefCell::default(),
            choice: 0,
        }
    }

    /// The options of a row of p that it computes, of so many.
    pub fn columns(&self, choice: usize, row: usize, count: usize) -> Range<usize> {
        let picked = self.randomness.picked.as_ref();
        let picked = picked.and_then(|picked| picked.0.get(choice)?.as_ref()?.get(row).copied());
        picked.map_or(0..count, |column| column..column + 1)
    }

    /// Whether options of the choice are left out.
    pub fn picks(&self) -> bool {
        let picked = self.randomness.picked.as_ref();
        picked.is_some_and(|picked| matches!(picked.0.get(self.choice), Some(Some(_))))
    }

    /// The weights that it read, by their slots; of a pass that computes everything nothing is noted.
    pub fn used(&self) -> BTreeSet<usize> {
        self.used.borrow().clone()
    }

    /// The pass with the masks of drop-path given, 0 or 1 for every image, or those of dropout, in the order in
    /// which they are asked for; when they are used up it draws.
    pub fn with_masks(mut self, masks: Vec<f32>) -> Self {
        self.given_masks = masks.into_iter();
        self
    }

    /// The pass with what earlier ones shared, to which it adds. It observes no statistics.
    pub fn sharing(mut self, constants: Constants) -> Self {
        self.constants = Some(constants.rewound());
        self
    }

    /// The pass with constants that are on the device already.
    pub fn with_uploads(mut self, uploads: Uploads) -> Self {
        self.uploads = uploads;
        self
    }

    /// Whether it is for a gradient: its tensors are part of a graph then.
    pub fn is_tracked(&self) -> bool {
        self.tracks
    }

    /// What it shares with later passes.
    pub fn into_constants(self) -> Constants {
        self.constants.unwrap_or_default()
    }

    /// What `compute` gives: neither p nor a draw may have a part in it. Passes that share compute it
    /// once.
    pub fn constant(&mut self, compute: impl FnOnce(&mut Self) -> PendingNorm) -> PendingNorm {
        let known = self.constants.as_mut().and_then(Constants::next);
        if let Some(PendingNorm { x, mut norm, .. }) = known {
            if !self.tracks {
                return PendingNorm::new(x, norm);
            }
            if let Some(norm) = &mut norm {
                norm.affine = norm.affine.take().map(Tensor::autodiff);
            }
            return PendingNorm::new(x.autodiff(), norm);
        }
        let value = compute(self);
        if let Some(constants) = &mut self.constants {
            constants.keep(value.clone());
        }
        value
    }

    /// A weight in the shape that a layer needs.
    pub fn weight<const D: usize>(&self, id: WeightId, shape: [usize; D]) -> Tensor<D> {
        let (block, place) = self.places[id.0].clone();
        if self.randomness.picked.is_some() {
            self.used.borrow_mut().insert(id.0);
        }
        let leaf = self.leaves[&block.0].clone();
        let is_alone = leaf.dims() == [place.len()];
        let weight = if is_alone { leaf } else { leaf.slice([place]) };
        weight.reshape(shape)
    }

    /// The weights of a block, one after another as they were joined.
    ///
    /// # Shapes
    /// - output: [weights of the block]
    pub fn block(&self, id: BlockId) -> Tensor<1> {
        if self.randomness.picked.is_some() {
            let slots = self.places.iter().enumerate().filter(|(_, (block, _))| *block == id);
            self.used.borrow_mut().extend(slots.map(|(slot, _)| slot));
        }
        self.leaves[&id.0].clone()
    }

    /// Whether batch-norm layers normalise by the statistics of the batch.
    pub fn is_training(&self) -> bool {
        self.running.is_none()
    }

    /// What layers `ids` normalise a stack of their activations by, the first group of images by the
    /// first layer: the statistics of the batch, which are remembered, or the running ones. Several
    /// layers must have been joined in this order ([`Builder::join_norms`](super::Builder)).
    /// `moments` are those of `x`, if they are known already.
    ///
    /// # Shapes
    /// - `x`: [groups · batch, height, width, channels] with one group for each layer
    /// - moments, given or not: [2, groups · channels], group after group
    pub fn norm(&mut self, ids: &[NormId], x: &Tensor<4>, moments: Option<Tensor<2>>) -> Norm {
        let channels = self.channels_of(ids);
        let eps = ids.first().map_or(super::NORM_EPS, |id| self.norms[id.0].1.eps);
        if let Some(running) = &self.running {
            let moments = running.of(channels);
            return Norm { moments, of_batch: false, eps, affine: None };
        }
        let [images, height, width, _] = x.dims();
        let moments =
            moments.unwrap_or_else(|| shaders::moments(self.kernels, x.clone(), ids.len()));
        let count = images / ids.len() * height * width;
        self.observe(Observation { channels, moments: moments.clone(), count });
        Norm { moments, of_batch: true, eps, affine: None }
    }

    /// The channels of layers that lie side by side.
    fn channels_of(&self, ids: &[NormId]) -> Range<usize> {
        let of = |id: Option<&NormId>| id.map_or(0..0, |id| self.norms[id.0].0.clone());
        of(ids.first()).start..of(ids.last()).end
    }

    /// The activation after its pending batch norm.
    pub fn apply(&self, pending: PendingNorm) -> Tensor<4> {
        shaders::normalise(self.kernels, pending)
    }

    /// Whether drop-path is on.
    pub fn drops_paths(&self) -> bool {
        self.randomness.drop_path > 0.0
    }

    /// Drop-path: sets an image to zero with the probability of this pass, and scales the others so
    /// that the mean stays (spec §1.2).
    pub fn drop_path(&mut self, x: Tensor<4>) -> Tensor<4> {
        let masks = self.path_masks(x.dims()[0], &x);
        x * masks
    }

    /// The next masks of drop-path, for so many images: 0 for one that is dropped, else what scales it.
    /// They are tracked where `like` is, and on its device.
    ///
    /// # Shapes
    /// - output: [images, 1, 1, 1]
    pub fn path_masks(&mut self, images: usize, like: &Tensor<4>) -> Tensor<4> {
        let mask = self.image_masks(images, like).reshape([images, 1, 1, 1]);
        if like.is_autodiff() { mask.autodiff() } else { mask }
    }

    /// The same as a row that is never tracked.
    ///
    /// # Shapes
    /// - output: `[images]`
    pub fn image_masks(&mut self, images: usize, like: &Tensor<4>) -> Tensor<1> {
        let Randomness { rng, drop_path, .. } = &mut self.randomness;
        let keep = (1.0 - *drop_path) as f32;
        let mut mask: Vec<f32> =
            self.given_masks.by_ref().take(images).map(|stays| stays / keep).collect();
        let draws = uniform(rng, images - mask.len(), 0.0, 1.0).into_iter();
        mask.extend(draws.map(|draw| if draw < keep { 1.0 / keep } else { 0.0 }));
        Tensor::from_data(TensorData::new(mask, [images]), &like.device().inner())
    }

    /// Whether there is dropout after skip connections.
    pub fn drops_skips(&self) -> bool {
        self.randomness.skips.as_ref().is_some_and(|it| it.rate > 0.0)
    }

    /// What so many skip connections make of `x`, each by draws of its own, one after another along the batch.
    ///
    /// # Shapes
    /// - `x`: [batch, height, width, channels]
    /// - output: [count · batch, height, width, channels]
    pub fn skips(&mut self, x: &Tensor<4>, count: usize) -> Tensor<4> {
        let copies = if count == 1 { x.clone() } else { Tensor::cat(vec![x.clone(); count], 0) };
        let Some(SkipDropout { rate, rng }) = &mut self.randomness.skips else { return copies };
        let shape = copies.dims();
        let mask = kept(rng, shape.iter().product(), 1.0 - *rate);
        let mask = Tensor::from_data(TensorData::new(mask, shape), &x.device().inner());
        copies * if x.is_autodiff() { mask.autodiff() } else { mask }
    }

    /// Records that layers `others` saw the same input as layers `ids`, which just saw theirs; both are
    /// joined or single. Candidates without parameters are computed once for all edges that leave a state.
    pub fn observe_like(&mut self, ids: &[NormId], others: &[NormId]) {
        let channels = self.channels_of(others);
        if let Some(seen) = self.observed.latest(self.channels_of(ids).start).cloned() {
            self.observe(Observation { channels, ..seen });
        }
    }

    /// Whether passes share with it: such passes observe nothing.
    pub(super) fn shares(&self) -> bool {
        self.constants.is_some()
    }

    fn observe(&mut self, observation: Observation) {
        if self.shares() {
            return; // what it shares was seen in another pass
        }
        self.observed.push(observation);
    }

    /// Gradients of all weights as a flat vector; zero where a weight had no part in the loss.
    pub fn weight_gradient(&self, layout: &Layout, gradients: &mut Gradients) -> Tensor<1> {
        let flat = layout.blocks().map(|(block, range)| {
            let leaf = &self.leaves[&block.0];
            leaf.grad_remove(gradients)
                .unwrap_or_else(|| Tensor::zeros([range.len()], &leaf.device().inner()))
        });
        shaders::concat(self.kernels, flat.collect())
    }

    /// The running statistics after this pass, as PyTorch updates them: with the unbiased variance, once for
    /// each use of a layer and in the order of the uses. An eval pass leaves them as they are.
    ///
    /// # Shapes
    /// - `running` and output: [2, channels of all layers]
    pub fn updated(self, running: Tensor<2>) -> Tensor<2> {
        let running = self.observed.updated(self.kernels, &self.norms, running, &self.uploads);
        self.series.into_iter().fold(running, |running, it| it.updated(running, &self.uploads))
    }
}
