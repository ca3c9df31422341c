//! The kinks of a network: where a ReLU or a maximum changes sides.
//!
//! Between its kinks a network is smooth, and its Hessian is that of the piece on which it stands:
//! that is what automatic differentiation takes. A finite difference across a kink measures the
//! jump of the gradient instead, which can be a hundred times as large. So a pass can record which
//! side of every kink it is on, and later passes can be held to that side.

use std::sync::Arc;

use burn::tensor::{Bool, Int, Tensor, activation};
use shaders::{Kernels, Pool, Window, pool};

/// The sides that a pass took, in the order in which it came to the kinks.
#[derive(Clone, Debug, Default)]
pub struct ActivationPattern {
    /// Where the input of a ReLU is not above 0, [batch, height, width, channels].
    dead: Vec<Tensor<4, Bool>>,
    /// Pixel of every maximum of a pooling, [batch, channels, pixels of the output].
    maxima: Vec<Tensor<3, Int>>,
}

/// What a pass does at kinks.
#[derive(Clone, Debug)]
pub enum PatternMode {
    /// Takes the side of its input.
    Free,
    /// The same, and records it.
    Recorded(ActivationPattern),
    /// Takes the recorded sides; the numbers count the ReLUs and maxima so far.
    Held(Arc<ActivationPattern>, usize, usize),
}

impl PatternMode {
    /// Whether kernels that hide a kink may be used.
    pub fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }

    /// The recorded pattern; an empty one if nothing was recorded.
    pub fn into_pattern(self) -> ActivationPattern {
        match self {
            Self::Recorded(pattern) => pattern,
            Self::Free | Self::Held(..) => ActivationPattern::default(),
        }
    }

    /// max(x, 0).
    pub fn rectify(&mut self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Free => activation::relu(x),
            Self::Recorded(pattern) => {
                pattern.dead.push(x.clone().lower_equal_elem(0.0));
                activation::relu(x)
            }
            Self::Held(pattern, next, _) => {
                let dead = pattern.dead.get(*next).cloned();
                *next += 1;
                match dead {
                    Some(dead) if x.is_autodiff() => x.mask_fill(dead.autodiff(), 0.0),
                    Some(dead) => x.mask_fill(dead, 0.0),
                    None => activation::relu(x),
                }
            }
        }
    }

    /// 3×3 pooling with padding 1, as [`pool`].
    pub fn pool(
        &mut self,
        kernels: Kernels,
        x: Tensor<4>,
        kinds: &[Pool],
        stride: usize,
    ) -> Tensor<4> {
        if self.is_free() {
            return pool(kernels, x, kinds, stride);
        }
        let each = kinds.iter().map(|kind| match kind {
            Pool::Max => self.largest(kernels, x.clone(), stride),
            Pool::Average => pool(kernels, x.clone(), &[Pool::Average], stride),
        });
        Tensor::cat(each.collect(), 0)
    }

    /// 2×2 max pooling with stride 2: a side becomes ⌊side / 2⌋ + padding. Padding 0 or 1.
    pub fn halve(&mut self, kernels: Kernels, x: Tensor<4>, padding: usize) -> Tensor<4> {
        let window = Window { side: 2, stride: 2, padding };
        let size = [x.dims()[1], x.dims()[2]].map(|side| side / 2 + padding);
        self.maxima_of(x, window, size, |x| shaders::halve(kernels, x, padding))
    }

    fn largest(&mut self, kernels: Kernels, x: Tensor<4>, stride: usize) -> Tensor<4> {
        let window = Window { side: 3, stride, padding: 1 };
        let size = [x.dims()[1], x.dims()[2]].map(|side| side.div_ceil(stride));
        self.maxima_of(x, window, size, |x| pool(kernels, x, &[Pool::Max], stride))
    }

    /// The maxima that `compute` finds, recorded or held to; `size` is that of the output.
    fn maxima_of(
        &mut self,
        x: Tensor<4>,
        window: Window,
        size: [usize; 2],
        compute: impl FnOnce(Tensor<4>) -> Tensor<4>,
    ) -> Tensor<4> {
        match self {
            Self::Free => {}
            Self::Recorded(pattern) => {
                pattern.maxima.push(window.places(Kernels::Composed, x.clone()));
            }
            Self::Held(pattern, _, next) => {
                let places = pattern.maxima.get(*next).cloned();
                *next += 1;
                if let Some(places) = places {
                    return picked(x, places, size);
                }
            }
        }
        compute(x)
    }
}

/// The pixels of `x` at `places`, an image of this height and width.
fn picked(x: Tensor<4>, places: Tensor<3, Int>, size: [usize; 2]) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let places = if x.is_autodiff() { places.autodiff() } else { places };
    let planes = x.permute([0, 3, 1, 2]).reshape([batch, channels, height * width]);
    planes.gather(2, places).reshape([batch, channels, size[0], size[1]]).permute([0, 2, 3, 1])
}
