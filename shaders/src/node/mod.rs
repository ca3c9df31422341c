//! A node of a derived network: the sum of what its edges give, with their batch norms, and with drop-path,
//! which takes images out of what an edge gives.
//!
//! y\[n\] = base\[n\] + Σ over the edges of mask\[n\]·(γ·x̂\[n\] + β). One edge without a mask is an affine
//! batch norm. With s = mask·∂y, the way back is ∂β = Σ s, ∂γ = Σ s·x̂ and ∂x = γ·r·(s − mean(s) −
//! x̂·mean(s·x̂)), without the means where the moments are given. Nothing but x is kept, and the masks, a number
//! for each image.
//!
//! For each number of an edge: 4 bytes read and 5 FLOPs forward, beside 4 that are written for the sum; back
//! 20 bytes and 12 FLOPs. Stock ops take γ, β, the mask and the sum apart: 8 or 12 bytes each, and x̂ is kept.

mod autodiff;
mod cpu;
mod rectified;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

#[cfg(not(target_family = "wasm"))]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
#[cfg(not(target_family = "wasm"))]
use burn::tensor::Shape;
use burn::tensor::Tensor;

use crate::Kernels;
use crate::norm::{PendingNorm, Standard, normalise};
pub use rectified::rectified;

/// Edges that one call takes, as places of [`Edges`].
const PLACES: usize = 2;

/// What an edge gives to its node.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// One activation.
    pub value: PendingNorm,
    /// What every image of it is multiplied by, `[batch]`; nothing for 1. Never tracked.
    pub masks: Option<Tensor<1>>,
}

impl From<PendingNorm> for Incoming {
    fn from(value: PendingNorm) -> Self {
        Self { value, masks: None }
    }
}

impl Incoming {
    /// Whether it is added as it is.
    fn is_plain(&self) -> bool {
        self.value.norm.is_none() && self.masks.is_none()
    }

    fn composed(self, kernels: Kernels) -> Tensor<4> {
        let x = normalise(kernels, self.value);
        let Some(masks) = self.masks else { return x };
        let masks = masks.inner().reshape([x.dims()[0], 1, 1, 1]);
        let masks = if x.is_autodiff() { masks.autodiff() } else { masks };
        x * masks
    }
}

/// The sum over the edges; nothing where there is none.
///
/// # Shapes
/// - of every edge, and output: [batch, height, width, channels]
pub fn node(kernels: Kernels, edges: Vec<Incoming>) -> Option<Tensor<4>> {
    if !edges.iter().all(|edge| kernels.fused_for(&edge.value.x)) {
        return edges.into_iter().map(|edge| edge.composed(kernels)).reduce(Tensor::add);
    }
    let (mut plain, mut others): (Vec<_>, Vec<_>) = edges.into_iter().partition(Incoming::is_plain);
    // One of those that need nothing done is what the others are added to.
    let base = (!plain.is_empty()).then(|| plain.remove(0).value.x);
    others.append(&mut plain);
    others.chunks(PLACES).fold(base, |base, edges| Some(added(base, edges)))
}

/// At least one edge, and at most [`PLACES`], added to a base. A kernel needs a tensor in every place: it does
/// not look at those that stand for nothing.
fn added(base: Option<Tensor<4>>, edges: &[Incoming]) -> Tensor<4> {
    let of = |place: usize| &edges[place.min(edges.len() - 1)];
    let nothing = || of(0).value.x.clone().inner().into_dispatch();
    let x = |place: usize| of(place).value.x.clone().into_dispatch();
    let norm = |place: usize| of(place).value.norm.as_ref();
    let moments = |place: usize| {
        norm(place).map_or_else(nothing, |norm| norm.moments.clone().into_dispatch())
    };
    let affine = |place: usize| {
        let affine = norm(place).and_then(|norm| norm.affine.clone());
        affine.map_or_else(nothing, Tensor::into_dispatch)
    };
    let masks = |place: usize| {
        let masks = of(place).masks.clone();
        masks.map_or_else(nothing, |masks| masks.inner().into_dispatch())
    };
    let sum = Sum {
        shape: of(0).value.x.dims(),
        base: base.is_some(),
        edges: edges.iter().map(Edge::new).collect(),
    };
    let edges = Edges {
        base: base.map_or_else(nothing, Tensor::into_dispatch),
        x0: x(0),
        x1: x(1),
        moments0: moments(0),
        moments1: moments(1),
        affine0: affine(0),
        affine1: affine(1),
        masks0: masks(0),
        masks1: masks(1),
    };
    Tensor::from_dispatch(Dispatch::node(edges, sum))
}

/// What is added up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sum {
    /// Batch, height, width and channels.
    shape: [usize; 4],
    /// Whether there is a base.
    base: bool,
    /// By place, at most [`PLACES`].
    edges: Vec<Edge>,
}

/// What a kernel must know of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edge {
    shape: [usize; 4],
    norm: Option<Standard>,
    /// Whether it has masks.
    masked: bool,
}

impl Edge {
    fn new(edge: &Incoming) -> Self {
        let PendingNorm { x, .. } = &edge.value;
        Self { shape: x.dims(), norm: edge.value.standard(), masked: edge.masks.is_some() }
    }

    fn channels(&self) -> usize {
        self.shape[3]
    }

    /// Numbers of an image.
    fn image(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// Whether γ and β are there.
    fn is_affine(&self) -> bool {
        self.norm.is_some_and(|norm| norm.affine)
    }

    /// Whether the gradient goes through the moments, for which it needs sums over all pixels.
    fn of_batch(&self) -> bool {
        self.norm.is_some_and(|norm| norm.of_batch)
    }
}

/// Tensors by place. Extension ops take no lists of tensors.
#[derive(Clone, Debug, ExtensionType)]
#[extension_type(fusion: cfg(not(target_family = "wasm")))]
pub(crate) struct Edges<B: Backend> {
    pub(crate) base: FloatTensor<B>,
    pub(crate) x0: FloatTensor<B>,
    pub(crate) x1: FloatTensor<B>,
    pub(crate) moments0: FloatTensor<B>,
    pub(crate) moments1: FloatTensor<B>,
    pub(crate) affine0: FloatTensor<B>,
    pub(crate) affine1: FloatTensor<B>,
    pub(crate) masks0: FloatTensor<B>,
    pub(crate) masks1: FloatTensor<B>,
}

/// The tensors of an edge.
#[derive(Clone, Debug, ExtensionType)]
#[extension_type(fusion: cfg(not(target_family = "wasm")))]
pub(crate) struct OfEdge<B: Backend> {
    pub(crate) x: FloatTensor<B>,
    /// [2, channels], or anything.
    pub(crate) moments: FloatTensor<B>,
    /// γ, then β, [2, channels], or anything.
    pub(crate) affine: FloatTensor<B>,
    /// [batch], or anything.
    pub(crate) masks: FloatTensor<B>,
}

impl<B: Backend> Edges<B> {
    /// The base, and the tensors by place.
    fn into_parts(self) -> (FloatTensor<B>, [OfEdge<B>; PLACES]) {
        let Self { base, x0, x1, moments0, moments1, affine0, affine1, masks0, masks1 } = self;
        let first = OfEdge { x: x0, moments: moments0, affine: affine0, masks: masks0 };
        (base, [first, OfEdge { x: x1, moments: moments1, affine: affine1, masks: masks1 }])
    }
}

/// The op.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait NodeOps: Backend {
    /// The sum.
    #[fusion(meta = |edges, sum| TensorSpec::new(Shape::from(sum.shape), edges.x0.dtype))]
    fn node(#[extension_type] edges: Edges<Self>, sum: Sum) -> FloatTensor<Self>;
}

/// Its gradients, edge by edge, from the gradient of the output.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait NodeGradients: Backend {
    /// Σ s·x̂ and Σ s over all pixels, [2, channels]: the gradients for γ and β.
    #[fusion(meta = |it, _, edge| {
        TensorSpec::new(Shape::from([2, edge.channels()]), it.x.dtype)
    })]
    fn edge_sums(
        #[extension_type] it: OfEdge<Self>,
        gradient: FloatTensor<Self>,
        edge: Edge,
    ) -> FloatTensor<Self>;

    /// For x; the sums are looked at where [`Edge::of_batch`] says so.
    #[fusion(meta = |it, _, _, _| it.x.clone())]
    fn edge_gradient(
        #[extension_type] it: OfEdge<Self>,
        gradient: FloatTensor<Self>,
        sums: FloatTensor<Self>,
        edge: Edge,
    ) -> FloatTensor<Self>;
}
