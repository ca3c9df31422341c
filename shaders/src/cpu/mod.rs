//! What the CPU twins share: vectors, threads, and the view of a Flex tensor as a slice.
//!
//! The build targets baseline x86-64, so the widest vectors of the machine are chosen at run time:
//! `macerator` (Flex uses it as well) compiles a [`Kernel`] once for each instruction set. Threads
//! get chunks whose size depends on the tensor alone, and sums over chunks are added in order, so
//! no result depends on the number of threads.

pub(crate) mod aligned;
pub(crate) mod block;
pub(crate) mod columns;
pub(crate) mod convolve;
pub(crate) mod correlate;
pub(crate) mod curves;
mod factor;
pub(crate) mod gemm;
pub(crate) mod loops;
pub(crate) mod matrix;
pub(crate) mod narrow;
pub(crate) mod outer;
pub(crate) mod peak;
pub(crate) mod planes;

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};
use macerator::{AutoArch, Scalar, Simd, Vector, WithSimd};

use aligned::Aligned;
use narrow::Dealt;

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
pub fn lanes() -> usize {
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

/// A vector of zeros. Not [`load`]: of a constant it becomes a call, and a vector that is stored in pieces
/// and waited for.
#[inline(always)]
pub(crate) fn zero<S: Simd>() -> Vector<S, f32> {
    0.0_f32.splat()
}

/// max(x, 0), and 0 of NaN. In a browser `f32::max` is a call for every number, which took a sixth of a step.
#[inline(always)]
pub(crate) fn rectified(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.0 }
}

/// `L` floats as a vector.
#[inline(always)]
pub(crate) fn load<S: Simd, const L: usize>(values: &[f32; L]) -> Vector<S, f32> {
    bytemuck::cast(*values)
}

/// A vector as `L` floats. Iterate over arrays of vectors by reference: by value they are copied to
/// memory of another alignment first, where each load waits for the stores before it. That made a
/// step of `sdarts bench --method darts --device cpu --threads 2` take 2.84 s instead of 1.63 s.
#[inline(always)]
pub(crate) fn store<S: Simd, const L: usize>(vector: Vector<S, f32>) -> [f32; L] {
    bytemuck::cast(vector)
}

/// The value where `pass`, else 0. Not a choice that the compiler sees: it would store under a mask,
/// which AMD processors do in microcode.
#[inline(always)]
pub(crate) fn gate(value: f32, pass: bool) -> f32 {
    f32::from_bits(value.to_bits() & u32::from(pass).wrapping_neg())
}

/// So many zeros. Memory that comes back from the allocator is cleared by the caller's thread alone,
/// and that took a tenth of a step; so all threads clear a large block.
pub(crate) fn zeros(count: usize) -> Vec<f32> {
    #[cfg(any(not(target_family = "wasm"), target_feature = "atomics"))]
    if count >= LARGE {
        use rayon::prelude::*;
        let lines: Vec<[f32; 16]> = rayon::iter::repeat_n([0.0; 16], count / 16).collect();
        let mut zeros = lines.into_flattened();
        zeros.resize(count, 0.0);
        return zeros;
    }
    vec![0.0; count]
}

/// Floats of a block that all threads clear.
#[cfg(any(not(target_family = "wasm"), target_feature = "atomics"))]
const LARGE: usize = 1 << 15;

/// Numbers read and written that are worth waking the other threads for. The searches of the preset `browser` took
/// 26 % less processor time with two threads than when every call woke them, and as long (`sdarts search --preset
/// browser --method darts --device cpu --threads 2 --epochs 4`, medians of five in turns); half as many numbers save
/// 11 %, twice as many 34 %, and with 16 channels nothing more.
#[cfg(any(not(target_family = "wasm"), target_feature = "atomics"))]
const WORTH_WAKING: usize = 1 << 16;

/// Multiply-adds that are counted as a number read.
pub(crate) const MULTIPLY_ADDS: usize = 8;

/// Calls `work` with the index and the content of every chunk of `out`, as [`for_each`].
pub(crate) fn for_chunks<T: Send>(
    out: &mut [T],
    size: usize,
    cost: usize,
    work: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    for_parts([(out, size)], cost, |index, [chunk]| work(index, chunk));
}

/// Calls `work` with a part of each of the slices, which are cut into parts of the sizes beside
/// them, as [`for_each`]. A slice of parts of size 0 gives empty parts.
pub(crate) fn for_parts<T: Send, const N: usize>(
    outs: [(&mut [T], usize); N],
    cost: usize,
    work: impl Fn(usize, [&mut [T]; N]) + Sync + Send,
) {
    let counts = outs.iter().map(|(out, size)| out.len().div_ceil((*size).max(1)));
    let count = counts.max().unwrap_or(0);
    let mut chunks = outs.map(|(out, size)| out.chunks_mut(size.max(1)));
    let next = |_| chunks.each_mut().map(|chunks| chunks.next().unwrap_or_default());
    let parts: Vec<[&mut [T]; N]> = (0..count).map(next).collect();
    for_each(parts, cost, work);
}

/// Calls `work` with the index of every part and the part, on all threads where that is worth waking them: `cost`
/// is what a part reads and writes, in numbers, and [`MULTIPLY_ADDS`] for one.
#[cfg(any(not(target_family = "wasm"), target_feature = "atomics"))]
pub(crate) fn for_each<P: Send>(parts: Vec<P>, cost: usize, work: impl Fn(usize, P) + Sync + Send) {
    use rayon::prelude::*;
    if parts.len() * cost < WORTH_WAKING {
        return parts.into_iter().enumerate().for_each(|(index, part)| work(index, part));
    }
    parts.into_par_iter().enumerate().for_each(|(index, part)| work(index, part));
}

/// Calls `work` with the index of every part and the part.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
pub(crate) fn for_each<P: Send>(
    parts: Vec<P>,
    _cost: usize,
    work: impl Fn(usize, P) + Sync + Send,
) {
    parts.into_iter().enumerate().for_each(|(index, part)| work(index, part));
}

/// The sum of the parts of all images, in their order; of many numbers on all threads.
pub(crate) fn fold(parts: &[f32], size: usize) -> Vec<f32> {
    let mut sum = vec![0.0; size];
    let chunk = if parts.len() < 1 << 16 { size } else { FOLDED };
    for_chunks(&mut sum, chunk, parts.len() / size.max(1) * chunk, |index, sum| {
        for part in parts.chunks_exact(size) {
            let part = &part[index * chunk..][..sum.len()];
            sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        }
    });
    sum
}

/// Sums that a thread takes at once: a half of the smallest first-level cache.
const FOLDED: usize = 4096;

/// Memory of a thread for the intermediate results of an image, kept from call to call: an image
/// and its planes stay in the second-level cache.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Planes of the input.
    pub(crate) x: Aligned,
    /// Planes of a gradient.
    pub(crate) gradient: Aligned,
    /// A row, or all rows, of an intermediate image.
    pub(crate) rows: Aligned,
    /// Pixels filled up to whole vectors.
    pub(crate) filled: Aligned,
    /// Pixels of few channels, dealt out.
    pub(crate) dealt: Dealt,
    /// The gradient of an output that came as a formula.
    pub(crate) computed: Aligned,
}

/// Calls `work` with the memory of this thread.
pub(crate) fn with_scratch<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    thread_local! {
        static SCRATCH: std::cell::Cell<Scratch> = const { std::cell::Cell::new(Scratch::EMPTY) };
    }
    let mut scratch = SCRATCH.take();
    let result = work(&mut scratch);
    SCRATCH.set(scratch);
    result
}

impl Scratch {
    const EMPTY: Self = Self {
        x: Aligned::EMPTY,
        gradient: Aligned::EMPTY,
        rows: Aligned::EMPTY,
        filled: Aligned::EMPTY,
        dealt: Dealt::EMPTY,
        computed: Aligned::EMPTY,
    };
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Barrier, Mutex, PoisonError};
    use std::thread::{self, ThreadId};

    use super::{WORTH_WAKING, for_each};

    /// The threads that take two parts of this cost, on a pool of two.
    fn threads(cost: usize, work: impl Fn() + Sync) -> HashSet<ThreadId> {
        let seen = Mutex::new(HashSet::new());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let call = || {
            for_each(vec![(); 2], cost, |_, ()| {
                work();
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(thread::current().id());
            });
        };
        if let Ok(pool) = pool {
            pool.install(call);
        }
        seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn what_is_large_goes_to_all_threads_and_what_is_small_wakes_none() {
        // Each part waits for the other.
        let both = Barrier::new(2);
        let meet = || {
            both.wait();
        };
        assert_eq!(threads(WORTH_WAKING, meet).len(), 2);
        for _ in 0..100 {
            assert_eq!(threads(WORTH_WAKING / 4, || ()).len(), 1);
        }
    }
}
