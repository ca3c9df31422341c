//! The channels of an activation in two: the first go through operations, the others past them (PC-DARTS, spec
//! §8.2), where the operations have stride 2 after a 2×2 max pooling, and are added to what went past before.
//! And both together again, shuffled: [`crate::shuffle`].
//!
//! Forward a slice, and what [`crate::pool`] does for windows that do not overlap. On the way back the gradients
//! of both parts wait for each other, and are put together in one pass over memory, in which that of another
//! reader of the activation is added. The maximum of a window is found again, in less time than it takes to keep
//! it. Bytes for each number: 8 forward and 8 for those that are added to, 8 back and 4 for another reader. FLOPs:
//! three comparisons for a window, forward and back.

mod autodiff;
mod cpu;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

use std::any::Any;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Shape, Tensor};

use crate::{Kernels, Shared};

/// The first channels, and the largest number of every `size` × `size` window of the others, added to `base`.
///
/// # Shapes
/// - `x`: [batch, height, width, channels]; height and width are multiples of `size`, 1 or 2
/// - outputs: [batch, height, width, first] and [batch, height / size, width / size, channels − first], as `base` is
pub fn split_channels(
    kernels: Kernels,
    x: &Shared,
    first: usize,
    size: usize,
    base: Option<Tensor<4>>,
) -> (Tensor<4>, Tensor<4>) {
    let (x, has_come_back) = x.for_reader();
    let shape @ [.., channels] = x.dims();
    if !kernels.fused_for(&x) {
        let others = largest(x.clone().slice_dim(3, first..channels), size);
        let others = base.into_iter().fold(others, |others, base| base + others);
        return (x.slice_dim(3, 0..first), others);
    }
    let division = Division { shape, first, size, has_come_back, waiting: Waiting::default() };
    let hub = Dispatch::divided(x.into_dispatch(), division.clone());
    let part = |base: Option<Tensor<4>>, is_first| {
        let part = Part { division: division.clone(), is_first, has_base: base.is_some() };
        // A kernel needs a tensor in every place; it does not look at this one.
        let base = base.map_or_else(|| hub.clone(), Tensor::into_dispatch);
        Tensor::from_dispatch(Dispatch::channels(hub.clone(), base, part))
    };
    (part(None, true), part(base, false))
}

/// The largest number of every window.
fn largest(x: Tensor<4>, size: usize) -> Tensor<4> {
    if size == 1 {
        return x;
    }
    let options = MaxPoolOptions::new([size; 2]).with_stride([size; 2]);
    max_pool2d(x.permute([0, 3, 1, 2]), options).permute([0, 2, 3, 1])
}

/// How an activation is divided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Division {
    /// Of the activation.
    shape: [usize; 4],
    /// How many channels are the first.
    first: usize,
    /// Height and width of a window of the others.
    size: usize,
    /// Whether the gradient of another reader of the activation has.
    has_come_back: Arc<AtomicBool>,
    waiting: Waiting,
}

/// The first channels of a division, or the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    division: Division,
    is_first: bool,
    /// Whether it is added to something.
    has_base: bool,
}

/// A tensor of the backend that computes.
type AnyTensor = Box<dyn Any + Send>;

/// The gradients of the two parts that have come back.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<[Option<AnyTensor>; 2]>>);

impl Waiting {
    /// Lets the gradient of a part wait. Whether it is the first.
    fn add<B: Backend>(&self, is_first_part: bool, gradient: FloatTensor<B>) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = waiting.iter().all(Option::is_none);
        waiting[usize::from(!is_first_part)] = Some(Box::new(gradient));
        is_first
    }

    /// Those of the first channels and of the others.
    fn take<B: Backend>(&self) -> [Option<FloatTensor<B>>; 2] {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.map(|one| Some(*one?.downcast().ok()?))
    }
}

impl Division {
    /// Whether the gradient of another reader is there, to which the own one is added.
    fn is_known(&self) -> bool {
        self.has_come_back.swap(true, Ordering::Relaxed)
    }

    /// Channels that go past.
    fn others(&self) -> Range<usize> {
        self.first..self.shape[3]
    }

    /// Numbers of a row of windows of the activation, of the first channels in it, and of the others.
    fn rows(&self) -> [usize; 3] {
        let [_, _, width, channels] = self.shape;
        let pixels = self.size * width;
        [pixels * channels, pixels * self.first, width / self.size * self.others().len()]
    }
}

impl Part {
    fn channels(&self) -> Range<usize> {
        if self.is_first { 0..self.division.first } else { self.division.others() }
    }

    /// Height and width of its windows.
    fn size(&self) -> usize {
        if self.is_first { 1 } else { self.division.size }
    }

    fn shape(&self) -> Shape {
        let [batch, height, width, _] = self.division.shape;
        [batch, height / self.size(), width / self.size(), self.channels().len()].into()
    }
}

/// Which gradients there are: what is known of that of the activation, and those of the two parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct There {
    known: bool,
    first: bool,
    others: bool,
}

/// The op.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait ChannelOps: Backend {
    /// The activation, where the gradients of its parts meet.
    #[fusion(dtype = x, shape = Shape::from(division.shape))]
    fn divided(x: FloatTensor<Self>, division: Division) -> FloatTensor<Self> {
        let _ = division;
        x
    }

    /// A part of it, added to `base`.
    #[fusion(dtype = x, shape = part.shape())]
    fn channels(x: FloatTensor<Self>, base: FloatTensor<Self>, part: Part) -> FloatTensor<Self>;
}

/// Its gradient.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait ChannelGradients: Backend {
    /// For the activation `x`. What is not there counts as zeros.
    #[fusion(dtype = x, shape = Shape::from(division.shape))]
    fn channels_gradient(
        x: FloatTensor<Self>,
        known: FloatTensor<Self>,
        first: FloatTensor<Self>,
        others: FloatTensor<Self>,
        there: There,
        division: Division,
    ) -> FloatTensor<Self>;
}
