//! Tensors side by side in their last dimension, in their order or shuffled, and the opposite: the nodes of a cell, the moments of all
//! batch norms, the weights of a network and their gradients. No arithmetic and 8 bytes for each number; what
//! counts are launches: stock ops take one for each tensor, these one for seven.

mod autodiff;
mod cpu;
mod shuffle;
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

/// Tensors that one call takes: browsers bind eight buffers.
const PARTS: usize = 7;

/// The tensors one after another in the last dimension.
///
/// # Shapes
/// - `parts`, at least one: [.., columns of the part]
/// - output: [.., columns of all]
pub fn concat<const D: usize>(kernels: Kernels, mut parts: Vec<Tensor<D>>) -> Tensor<D> {
    if !is_fused(kernels, &parts) {
        return Tensor::cat(parts, D - 1);
    }
    while parts.len() > 1 {
        parts = parts.chunks(PARTS).map(|parts| joined(parts, 1)).collect();
    }
    parts.swap_remove(0)
}

/// The same, then shuffled: column i of every one of so many groups, then column i + 1 of every one. So 8
/// columns in 4 groups come in the order 0, 2, 4, 6, 1, 3, 5, 7.
///
/// # Shapes
/// - `parts`, at least one: [.., columns of the part]
/// - output: [.., columns of all], a multiple of `groups`
pub fn shuffle<const D: usize>(
    kernels: Kernels,
    parts: Vec<Tensor<D>>,
    groups: usize,
) -> Tensor<D> {
    if parts.len() <= PARTS && is_fused(kernels, &parts) {
        return joined(&parts, groups);
    }
    let whole = concat(kernels, parts);
    let shape = whole.dims();
    let each = shape[D - 1] / groups;
    let rows = shape[..D - 1].iter().product::<usize>();
    whole.reshape([rows, groups, each]).swap_dims(1, 2).reshape(shape)
}

fn is_fused<const D: usize>(kernels: Kernels, parts: &[Tensor<D>]) -> bool {
    parts.iter().all(|x| kernels.fused_for(x) && x.dims()[D - 1] > 0)
}

fn joined<const D: usize>(parts: &[Tensor<D>], groups: usize) -> Tensor<D> {
    if let ([part], 1) = (parts, groups) {
        return part.clone();
    }
    let widths: Vec<usize> = parts.iter().map(|part| part.dims()[D - 1]).collect();
    let columns = ColumnParts { groups, ..ColumnParts::new(parts[0].dims(), &widths) };
    let parts = Parts::new(|index| parts[index.min(parts.len() - 1)].clone().into_dispatch());
    Tensor::from_dispatch(Dispatch::concat(parts, columns))
}

/// The tensor in pieces of so many columns, which is all of its last dimension. The pieces are not tracked.
///
/// # Shapes
/// - `x`: [.., columns]
/// - outputs: [.., columns of the piece]
pub fn split_with_sizes<const D: usize>(
    kernels: Kernels,
    x: Tensor<D>,
    widths: &[usize],
) -> Vec<Tensor<D>> {
    let x = x.inner();
    let ends = widths.iter().scan(0, |end, width| {
        *end += width;
        Some(*end)
    });
    let ranges: Vec<Range<usize>> = ends.zip(widths).map(|(end, width)| end - width..end).collect();
    if !kernels.fused_for(&x) || widths.contains(&0) {
        return ranges.into_iter().map(|range| x.clone().slice_dim(D - 1, range)).collect();
    }
    let pieces = |ranges: &[Range<usize>]| {
        let widths: Vec<usize> = ranges.iter().map(Range::len).collect();
        let columns = ColumnParts { first: ranges[0].start, ..ColumnParts::new(x.dims(), &widths) };
        let parts = Dispatch::split_with_sizes(x.clone().into_dispatch(), columns).into_list();
        parts.into_iter().take(ranges.len()).map(Tensor::from_dispatch).collect::<Vec<_>>()
    };
    ranges.chunks(PARTS).flat_map(pieces).collect()
}

/// Which columns are moved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ColumnParts {
    /// Shape of the whole, of which the last dimension counts `all`.
    shape: Shape,
    /// Where the first part begins in the whole.
    first: usize,
    /// Of the parts.
    widths: Arc<[usize]>,
    /// Groups that the columns of the whole are shuffled in; 1: they are not.
    groups: usize,
}

impl ColumnParts {
    /// Parts like `shape` except for their widths.
    fn new<const D: usize>(shape: [usize; D], widths: &[usize]) -> Self {
        Self { shape: shape.into(), first: 0, widths: widths.into(), groups: 1 }
    }

    /// The same shape with so many columns.
    fn shape(&self, columns: usize) -> Shape {
        let mut shape = self.shape.clone();
        if let Some(last) = shape.iter_mut().last() {
            *last = columns;
        }
        shape
    }

    /// Of all parts.
    fn width(&self) -> usize {
        self.widths.iter().sum()
    }

    /// Where a column of the parts, counted through all, lies in the whole.
    fn place(&self, column: usize) -> usize {
        let each = self.width() / self.groups;
        match self.groups {
            1 => self.first + column,
            groups => column % each * groups + column / each,
        }
    }

    fn whole(&self) -> Shape {
        self.shape(self.width())
    }

    /// The part at this index; the last one stands in the places after it.
    fn part(&self, index: usize) -> Shape {
        self.shape(self.widths[index.min(self.widths.len() - 1)])
    }

    fn rows(&self) -> usize {
        self.shape(1).num_elements()
    }
}

/// Extension ops take no lists of tensors, hence the places; the last part fills those that are free.
#[derive(Clone, Debug, ExtensionType)]
#[extension_type(fusion: cfg(not(target_family = "wasm")))]
pub(crate) struct Parts<B: Backend> {
    pub(crate) a: FloatTensor<B>,
    pub(crate) b: FloatTensor<B>,
    pub(crate) c: FloatTensor<B>,
    pub(crate) d: FloatTensor<B>,
    pub(crate) e: FloatTensor<B>,
    pub(crate) f: FloatTensor<B>,
    pub(crate) g: FloatTensor<B>,
}

impl<B: Backend> Parts<B> {
    fn new(part: impl Fn(usize) -> FloatTensor<B>) -> Self {
        let [a, b, c, d, e, f, g] = std::array::from_fn(part);
        Self { a, b, c, d, e, f, g }
    }

    fn into_list(self) -> [FloatTensor<B>; PARTS] {
        let Self { a, b, c, d, e, f, g } = self;
        [a, b, c, d, e, f, g]
    }
}

/// Side by side.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait ConcatOps: Backend {
    /// The whole.
    #[fusion(meta = |parts, columns| TensorSpec::new(columns.whole(), parts.a.dtype))]
    fn concat(#[extension_type] parts: Parts<Self>, columns: ColumnParts) -> FloatTensor<Self>;
}

/// The way back.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait ConcatGradients: Backend {
    /// The parts.
    #[fusion(meta = |x, columns| {
        let part = |index| TensorSpec::new(columns.part(index), x.dtype);
        let [a, b, c, d, e, f, g] = std::array::from_fn(part);
        PartsMetadata { a, b, c, d, e, f, g }
    })]
    fn split_with_sizes(x: FloatTensor<Self>, columns: ColumnParts) -> Parts<Self>;
}
