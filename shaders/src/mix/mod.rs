//! The mixed operations of DARTS: node = base + Σ_k p_k·x̂_k over the candidates of an edge, where x̂_k is
//! the candidate after its batch norm, which is applied on the way; for all edges at once that leave a
//! state of a cell.
//!
//! The way back needs Σ g for every node and Σ g·x̂_k for every candidate of an edge and every channel.
//! ∂L/∂p_k is the sum of the latter over the channels: the architecture gradient comes for free. Then
//! ∂x is the sum over the edges that x is a candidate of, p_k·r·(g − mean(g) − x̂·mean(g·x̂)), or p_k·r·g by
//! given moments.
//!
//! Bytes for each number of a node and K candidates that come to it: 4·(K + 2) forward; back 4·(K + 1)
//! for the sums and 12·K for the candidates. Separate ops move 20·K forward and 36·K back. FLOPs: 3·K
//! forward; back 1 + 3·K for the sums and 5·K for the candidates. A candidate of several edges, such as
//! a pooled state, is read from memory once for all of them. On the CPU a bank of units computes the gradient for
//! its candidates itself, image by image, so that the 4·K bytes that are written and read again stay in the cache.

mod autodiff;
mod cpu;
#[cfg(not(target_feature = "atomics"))]
mod launches;
#[cfg(not(target_feature = "atomics"))]
mod text;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

use std::ops::Range;
use std::sync::Arc;

#[cfg(not(target_family = "wasm"))]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::{Shape, Tensor};

use crate::Kernels;
use crate::norm::deferred::Deferred;
use crate::norm::{PendingNorm, Standard, normalise};

/// Stacks that one call of the kernel takes: what leaves a state of a reduction cell. More are summed
/// in several calls.
const SLOTS: usize = 8;

/// A candidate of an edge: what it is, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// The node that it is added to.
    pub target: usize,
    /// The stack that it is in.
    pub stack: usize,
    /// The activation of the stack.
    pub group: usize,
    /// Its weight.
    pub weight: usize,
}

/// The mixed operations of all edges that leave a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mix {
    /// Images of an activation.
    pub batch: usize,
    /// Nodes.
    pub targets: usize,
    /// What is added to them.
    pub terms: Vec<Term>,
}

impl Mix {
    /// base\[target\] + Σ weights\[weight\] · stacks\[stack\]\[group\] over the terms of every target.
    /// A target without terms is its base, or zeros. Without stacks or terms the result is the base,
    /// or an empty tensor on the device of the weights. A stack without terms gets no gradient, a weight
    /// without one the gradient 0.
    ///
    /// # Shapes
    /// - `base` and output: [targets · batch, height, width, channels]
    /// - `stacks`: [activations · batch, height, width, channels]
    /// - `weights`: any number of them
    pub fn forward(
        &self,
        kernels: Kernels,
        base: Option<Tensor<4>>,
        stacks: Vec<PendingNorm>,
        weights: Tensor<1>,
    ) -> Tensor<4> {
        let device = weights.device();
        // Its kernels know no γ and no β.
        let ready = |stack: PendingNorm| match &stack.norm {
            Some(norm) if norm.affine.is_some() => normalise(kernels, stack).into(),
            _ => stack,
        };
        let stacks: Vec<PendingNorm> = stacks.into_iter().map(ready).collect();
        let sum = if kernels.fused_for(&weights) {
            let mut terms = self.terms.clone();
            terms.sort_by_key(|term| (term.stack, term.group));
            // By stack. One without terms stays out: a WGSL kernel must read all that it binds.
            let stacked: Vec<&[Term]> = terms.chunk_by(|a, b| a.stack == b.stack).collect();
            stacked
                .chunks(SLOTS)
                .fold(base, |sum, stacked| Some(self.fused(sum, &stacks, stacked, weights.clone())))
        } else {
            self.composed(kernels, base, stacks, &weights)
        };
        sum.unwrap_or_else(|| Tensor::zeros([0; 4], &device))
    }

    fn composed(
        &self,
        kernels: Kernels,
        base: Option<Tensor<4>>,
        stacks: Vec<PendingNorm>,
        weights: &Tensor<1>,
    ) -> Option<Tensor<4>> {
        let stacks: Vec<Tensor<4>> =
            stacks.into_iter().map(|stack| normalise(kernels, stack)).collect();
        let Some(first) = stacks.first().filter(|_| !self.terms.is_empty()) else { return base };
        let part = |stack: &Tensor<4>, index: usize| {
            stack.clone().slice([index * self.batch..(index + 1) * self.batch])
        };
        let zeros = part(first, 0).zeros_like();
        let target = |target: usize| {
            let terms = self.terms.iter().filter(|term| term.target == target).map(|term| {
                let weight = weights.clone().slice([term.weight..term.weight + 1]);
                part(&stacks[term.stack], term.group) * weight.reshape([1; 4])
            });
            let base = base.as_ref().map(|base| part(base, target));
            base.into_iter().chain(terms).reduce(Tensor::add).unwrap_or_else(|| zeros.clone())
        };
        Some(Tensor::cat((0..self.targets).map(target).collect(), 0))
    }

    /// The terms of at least one stack and at most [`SLOTS`], stack after stack; the last one fills the
    /// free slots. A kernel needs a tensor in every place: where there is no base or no norm it does not
    /// look at what is there.
    fn fused(
        &self,
        base: Option<Tensor<4>>,
        stacks: &[PendingNorm],
        terms: &[&[Term]],
        weights: Tensor<1>,
    ) -> Tensor<4> {
        let stacks: Vec<&PendingNorm> = terms
            .iter()
            .filter_map(|terms| terms.first())
            .map(|term| &stacks[term.stack])
            .collect();
        let count = stacks.len();
        let terms = terms
            .iter()
            .enumerate()
            .flat_map(|(slot, terms)| terms.iter().map(move |term| Term { stack: slot, ..*term }));
        let nothing = weights.clone().inner();
        let x = |slot: usize| stacks[slot.min(count - 1)].x.clone().into_dispatch();
        let moments = |slot: usize| match &stacks[slot.min(count - 1)].norm {
            Some(norm) => norm.moments.clone().into_dispatch(),
            None => nothing.clone().into_dispatch(),
        };
        let [_, height, width, channels] = stacks[0].x.dims();
        let groups =
            |slot: usize| stacks.get(slot).map_or(0, |stack| stack.x.dims()[0] / self.batch);
        let mixture = Mixture {
            targets: self.targets,
            shape: [self.batch, height, width, channels],
            terms: terms.collect(),
            count,
            norms: std::array::from_fn(|slot| stacks.get(slot).and_then(|stack| stack.standard())),
            groups: std::array::from_fn(groups),
            deferred: std::array::from_fn(|slot| {
                stacks.get(slot).and_then(|stack| stack.deferred.clone())
            }),
            base: base.is_some(),
            weights: weights.dims()[0],
        };
        let slots = Slots {
            x0: x(0),
            x1: x(1),
            x2: x(2),
            x3: x(3),
            x4: x(4),
            x5: x(5),
            x6: x(6),
            x7: x(7),
            m0: moments(0),
            m1: moments(1),
            m2: moments(2),
            m3: moments(3),
            m4: moments(4),
            m5: moments(5),
            m6: moments(6),
            m7: moments(7),
        };
        let base = base.unwrap_or_else(|| stacks[0].x.clone().inner()).into_dispatch();
        Tensor::from_dispatch(Dispatch::mix(base, slots, weights.into_dispatch(), mixture))
    }
}

/// What the kernels must know besides the tensors.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mixture {
    targets: usize,
    /// Batch, height, width and channels of an activation.
    shape: [usize; 4],
    /// In the order of the slots.
    terms: Arc<[Term]>,
    /// Slots that are used.
    count: usize,
    /// The norm of every slot.
    norms: [Option<Standard>; SLOTS],
    /// Activations of every slot.
    groups: [usize; SLOTS],
    /// Where the gradient of a slot is left for the bank that made it.
    deferred: [Option<Deferred>; SLOTS],
    /// Whether there is a base.
    base: bool,
    /// Number of weights.
    weights: usize,
}

impl Mixture {
    fn channels(&self) -> usize {
        self.shape[3]
    }

    /// Pixels of an activation.
    fn pixels(&self) -> usize {
        self.shape[..3].iter().product()
    }

    /// Floats of an activation.
    fn length(&self) -> usize {
        self.shape.iter().product()
    }

    fn stack_shape(&self, groups: usize) -> Shape {
        let [batch, height, width, channels] = self.shape;
        [groups * batch, height, width, channels].into()
    }

    fn output_shape(&self) -> Shape {
        self.stack_shape(self.targets)
    }

    /// Rows of sums: of the gradient of every target, then of its product with every term.
    fn sums_shape(&self) -> Shape {
        [self.targets + self.terms.len(), self.channels()].into()
    }

    /// The terms of a slot, by their places among all.
    fn of_slot(&self, slot: usize) -> Range<usize> {
        let before = |slot| self.terms.partition_point(|term| term.stack < slot);
        before(slot)..before(slot + 1)
    }

    /// The terms of an activation, by their places among all.
    fn of_group(&self, slot: usize, group: usize) -> Range<usize> {
        let before =
            |group| self.terms.partition_point(|term| (term.stack, term.group) < (slot, group));
        before(group)..before(group + 1)
    }
}

/// The stacks and their moments. Extension ops take no lists of tensors, hence the slots.
#[derive(Clone, Debug, ExtensionType)]
#[extension_type(fusion: cfg(not(target_family = "wasm")))]
pub(crate) struct Slots<B: Backend> {
    pub(crate) x0: FloatTensor<B>,
    pub(crate) x1: FloatTensor<B>,
    pub(crate) x2: FloatTensor<B>,
    pub(crate) x3: FloatTensor<B>,
    pub(crate) x4: FloatTensor<B>,
    pub(crate) x5: FloatTensor<B>,
    pub(crate) x6: FloatTensor<B>,
    pub(crate) x7: FloatTensor<B>,
    pub(crate) m0: FloatTensor<B>,
    pub(crate) m1: FloatTensor<B>,
    pub(crate) m2: FloatTensor<B>,
    pub(crate) m3: FloatTensor<B>,
    pub(crate) m4: FloatTensor<B>,
    pub(crate) m5: FloatTensor<B>,
    pub(crate) m6: FloatTensor<B>,
    pub(crate) m7: FloatTensor<B>,
}

impl<B: Backend> Slots<B> {
    /// The stacks, and their moments.
    fn into_lists(self) -> ([FloatTensor<B>; SLOTS], [FloatTensor<B>; SLOTS]) {
        let Self { x0, x1, x2, x3, x4, x5, x6, x7, m0, m1, m2, m3, m4, m5, m6, m7 } = self;
        ([x0, x1, x2, x3, x4, x5, x6, x7], [m0, m1, m2, m3, m4, m5, m6, m7])
    }

    /// The opposite.
    fn from_lists(x: [FloatTensor<B>; SLOTS], moments: [FloatTensor<B>; SLOTS]) -> Self {
        let [x0, x1, x2, x3, x4, x5, x6, x7] = x;
        let [m0, m1, m2, m3, m4, m5, m6, m7] = moments;
        Self { x0, x1, x2, x3, x4, x5, x6, x7, m0, m1, m2, m3, m4, m5, m6, m7 }
    }
}

/// A tensor for every slot.
#[derive(Clone, Debug, ExtensionType)]
#[extension_type(fusion: cfg(not(target_family = "wasm")))]
pub(crate) struct Stacks<B: Backend> {
    pub(crate) x0: FloatTensor<B>,
    pub(crate) x1: FloatTensor<B>,
    pub(crate) x2: FloatTensor<B>,
    pub(crate) x3: FloatTensor<B>,
    pub(crate) x4: FloatTensor<B>,
    pub(crate) x5: FloatTensor<B>,
    pub(crate) x6: FloatTensor<B>,
    pub(crate) x7: FloatTensor<B>,
}

impl<B: Backend> Stacks<B> {
    fn from_list([x0, x1, x2, x3, x4, x5, x6, x7]: [FloatTensor<B>; SLOTS]) -> Self {
        Self { x0, x1, x2, x3, x4, x5, x6, x7 }
    }

    fn into_list(self) -> [FloatTensor<B>; SLOTS] {
        let Self { x0, x1, x2, x3, x4, x5, x6, x7 } = self;
        [x0, x1, x2, x3, x4, x5, x6, x7]
    }
}

/// The op.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait MixOps: Backend {
    /// base + Σ weights · x̂.
    #[fusion(meta = |_, slots, _, mixture| {
        TensorSpec::new(mixture.output_shape(), slots.x0.dtype)
    })]
    fn mix(
        base: FloatTensor<Self>,
        #[extension_type] slots: Slots<Self>,
        weights: FloatTensor<Self>,
        mixture: Mixture,
    ) -> FloatTensor<Self>;
}

/// Its gradients, from the gradient of the output.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait MixGradients: Backend {
    /// Σ gradient over the pixels for every target, then Σ gradient · x̂ for every term: [targets +
    /// terms, channels].
    #[fusion(dtype = gradient, shape = mixture.sums_shape())]
    fn mix_sums(
        #[extension_type] slots: Slots<Self>,
        gradient: FloatTensor<Self>,
        mixture: Mixture,
    ) -> FloatTensor<Self>;

    /// For the weights, from the sums.
    #[fusion(dtype = sums, shape = Shape::from([mixture.weights]))]
    fn mix_weight_gradient(sums: FloatTensor<Self>, mixture: Mixture) -> FloatTensor<Self>;

    /// For the stacks that are wanted, from the sums. In the other places the stacks come back.
    #[fusion(meta = |slots, _, _, _, _, _| {
        let SlotsMetadata { x0, x1, x2, x3, x4, x5, x6, x7, .. } = slots.clone();
        StacksMetadata { x0, x1, x2, x3, x4, x5, x6, x7 }
    })]
    fn mix_x_gradients(
        #[extension_type] slots: Slots<Self>,
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        sums: FloatTensor<Self>,
        wanted: [bool; SLOTS],
        mixture: Mixture,
    ) -> Stacks<Self>;
}
