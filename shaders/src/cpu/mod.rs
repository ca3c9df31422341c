//! What the CPU twins share: vectors, threads, and the view of a Flex tensor as a slice.
//!
//! The build targets baseline x86-64, so the widest vectors of the machine are chosen at run time:
//! `macerator` (Flex uses it as well) compiles a [`Kernel`] once for each instruction set. Threads
//! get chunks whose size depends on the tensor alone, and sums over chunks are added in order, so
//! no result depends on the number of threads.

pub(crate) mod columns;
pub(crate) mod planes;

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};
use macerator::{AutoArch, Scalar, Simd, Vector, WithSimd};

/// A function that is compiled for every vector length.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;

    /// The function for vectors of `L` floats; must be `#[inline(always)]` down to its loops, or
    /// they are compiled for the baseline.
    fn run<S: Simd, const L: usize>(self) -> Self::Output;
}

/// Runs a kernel with the widest vectors that this machine has.
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    struct Dispatch<K>(K);
    impl<K: Kernel> WithSimd for Dispatch<K> {
        type Output = K::Output;

        #[inline(always)]
        fn with_simd<S: Simd>(self) -> K::Output {
            match f32::lanes::<S>() {
                16 => self.0.run::<S, 16>(),
                8 => self.0.run::<S, 8>(),
                4 => self.0.run::<S, 4>(),
                _ => self.0.run::<S, 2>(),
            }
        }
    }
    AutoArch::new().dispatch(Dispatch(kernel))
}

/// Floats in the widest vector of this machine.
pub(crate) fn lanes() -> usize {
    struct Lanes;
    impl Kernel for Lanes {
        type Output = usize;

        #[inline(always)]
        fn run<S: Simd, const L: usize>(self) -> usize {
            L
        }
    }
    dispatch(Lanes)
}

/// `L` floats as a vector.
#[inline(always)]
pub(crate) fn load<S: Simd, const L: usize>(values: &[f32; L]) -> Vector<S, f32> {
    bytemuck::cast(*values)
}

/// A vector as `L` floats.
#[inline(always)]
pub(crate) fn store<S: Simd, const L: usize>(vector: Vector<S, f32>) -> [f32; L] {
    bytemuck::cast(vector)
}

/// Calls `work` with the index and the content of every chunk of `out`, on all threads.
pub(crate) fn for_chunks<T: Send>(
    out: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    for_chunks_with(out, size, <()>::default, |(), index, chunk| work(index, chunk));
}

/// Calls `work` with a scratch value as well, one for each thread.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn for_chunks_with<T: Send, C>(
    out: &mut [T],
    size: usize,
    scratch: impl Fn() -> C + Sync + Send,
    work: impl Fn(&mut C, usize, &mut [T]) + Sync + Send,
) {
    use rayon::prelude::*;
    out.par_chunks_mut(size.max(1))
        .enumerate()
        .for_each_init(scratch, |scratch, (index, chunk)| work(scratch, index, chunk));
}

/// Calls `work` with a scratch value as well.
#[cfg(target_family = "wasm")]
pub(crate) fn for_chunks_with<T: Send, C>(
    out: &mut [T],
    size: usize,
    scratch: impl Fn() -> C + Sync + Send,
    work: impl Fn(&mut C, usize, &mut [T]) + Sync + Send,
) {
    let mut scratch = scratch();
    for (index, chunk) in out.chunks_mut(size.max(1)).enumerate() {
        work(&mut scratch, index, chunk);
    }
}

/// The tensor with its numbers in row-major order.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The numbers of a tensor that [`contiguous`] made.
pub(crate) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().unwrap_or_default()
}

/// A tensor of these numbers.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::F32)
}
