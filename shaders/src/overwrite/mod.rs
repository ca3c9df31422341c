//! Numbers written into the memory of another tensor: what a recorded pass reads, before it is replayed, and
//! what it has computed, before it is replayed again. Stock ops never write into memory that somebody else
//! holds. 8 bytes for each number.

mod cpu;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

/// Writes `source` into the memory of `target`, on a GPU; all that share that memory see it. On the CPU
/// nothing is written.
///
/// The work is done as long as the output lives until it is.
///
/// # Shapes
/// - all the same
pub fn overwrite(target: Tensor<1>, source: Tensor<1>) -> Tensor<1> {
    debug_assert_eq!(target.dims(), source.dims());
    let (target, source) = (target.into_dispatch(), source.into_dispatch());
    Tensor::from_dispatch(Dispatch::overwrite(target, source))
}

/// The numbers in memory that nobody else holds.
///
/// # Shapes
/// - all the same
pub fn copied(source: Tensor<1>) -> Tensor<1> {
    overwrite(Tensor::empty(source.shape(), &source.device()), source)
}

/// The op.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait OverwriteOps: Backend {
    /// `source`, in the memory of `target`.
    #[fusion(dtype = target, shape = target)]
    fn overwrite(target: FloatTensor<Self>, source: FloatTensor<Self>) -> FloatTensor<Self>;
}
