//! A stack of activations in two: the node of a cell that is finished, and the sums of those to come. And an
//! activation that several read, which is a stack of which each has all: [`Shared`].
//!
//! Forward these are slices. On the way back the gradient of the stack is that of its two parts. Slices of
//! burn fill a stack with zeros for each part, write the part into it and add the two; here the first part to
//! come back brings the zeros, and the second is added to it while it is copied. Bytes for each number of the
//! stack: 16, of which the parts are 4, against 28. No arithmetic but the sum.

mod autodiff;
mod cpu;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
#[cfg(not(target_family = "wasm"))]
use burn::tensor::Shape;
use burn::tensor::{Slice, Tensor};

use crate::Kernels;

/// The first images of a stack, and the others.
///
/// # Shapes
/// - `x`: [images, height, width, channels]
/// - outputs: [first, height, width, channels] and [images − first, height, width, channels]
pub fn split_at(kernels: Kernels, x: Tensor<4>, first: usize) -> (Tensor<4>, Tensor<4>) {
    let shape @ [images, ..] = x.dims();
    if !kernels.fused_for(&x) {
        return (x.clone().slice([0..first]), x.slice([first..images]));
    }
    let has_come_back = Arc::new(AtomicBool::new(false));
    let part = |images: Range<usize>| {
        let part = Part { shape, images, has_come_back: has_come_back.clone() };
        Tensor::from_dispatch(Dispatch::part(x.clone().into_dispatch(), part))
    };
    (part(0..first), part(first..images))
}

/// An activation that several read. On the CPU the gradients of its readers meet here, in one pass over memory for
/// each but the first, on all threads: burn copies what it adds to, on one (native/repro/peer says how much longer
/// a step took). On a GPU burn's fusion adds them in fewer launches: 2,605 of a step of DARTS instead of 2,822,
/// counted as in [`crate::roofline`].
#[derive(Clone, Debug)]
pub struct Shared {
    x: Tensor<4>,
    has_come_back: Arc<AtomicBool>,
}

impl Shared {
    /// Nobody has read it.
    pub fn new(x: Tensor<4>) -> Self {
        Self { x, has_come_back: Arc::default() }
    }

    /// The activation for a reader that adds its gradient to those before, where there is one: then the flag is set,
    /// and the reader sets it else.
    pub(crate) fn for_reader(&self) -> (Tensor<4>, Arc<AtomicBool>) {
        (self.x.clone(), self.has_come_back.clone())
    }

    /// The activation for one more reader.
    pub fn read(&self, kernels: Kernels) -> Tensor<4> {
        let (x, shape) = (self.x.clone(), self.x.dims());
        if !kernels.fused_on_cpu(&x) || !x.is_autodiff() {
            return x;
        }
        let part = Part { shape, images: 0..shape[0], has_come_back: self.has_come_back.clone() };
        Tensor::from_dispatch(Dispatch::part(x.into_dispatch(), part))
    }
}

/// Some images of a stack, or all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// Of the stack.
    shape: [usize; 4],
    images: Range<usize>,
    /// Whether the gradient of another part has.
    has_come_back: Arc<AtomicBool>,
}

impl Part {
    /// What the fused op has to say of its output.
    #[cfg(not(target_family = "wasm"))]
    fn shape(&self) -> Shape {
        let [_, height, width, channels] = self.shape;
        [self.images.len(), height, width, channels].into()
    }

    fn is_all(&self) -> bool {
        self.images == (0..self.shape[0])
    }

    /// Numbers of an image.
    fn image(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// Where the numbers of the part lie in the stack.
    fn place(&self) -> Range<usize> {
        self.images.start * self.image()..self.images.end * self.image()
    }
}

/// The op.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")), Autodiff)]
pub(crate) trait PartOps: Backend {
    /// The images of the part.
    #[fusion(dtype = x, shape = part.shape())]
    fn part(x: FloatTensor<Self>, part: Part) -> FloatTensor<Self> {
        if part.is_all() {
            return x;
        }
        let images = Slice::new(part.images.start as isize, Some(part.images.end as isize), 1);
        Self::float_slice(x, &[images])
    }
}

/// Its gradient.
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait PartGradients: Backend {
    /// For the stack: what is known of it, or zeros, and in its place the gradient of the part.
    #[fusion(dtype = gradient, shape = Shape::from(part.shape))]
    fn part_gradient(
        known: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        is_known: bool,
        part: Part,
    ) -> FloatTensor<Self>;
}
