//! How much arithmetic a pass is, counted from the layers and not from a clock.
//!
//! Counted are the multiply-adds of convolutions and of the linear layer, as usual in the field
//! (FLOP = 2 × multiply-adds). Batch norm, pooling, ReLU and mixing are a few operations for each
//! number that they read: their cost is memory traffic, which a rate in FLOP/s says nothing about.

use super::layer::{Layer, Sequence, UnitLayer};
use super::pass::GradientTarget;

/// What counting has to know of the activations between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivationInfo {
    /// Which gradients the pass is for.
    pub target: GradientTarget,
    /// Height and width.
    pub size: [usize; 2],
    /// Whether a gradient comes back to here: something before depends on what is wanted.
    pub tracked: bool,
}

impl ActivationInfo {
    /// Images of this height and width: nothing before them has a gradient.
    pub fn images(size: usize, target: GradientTarget) -> Self {
        Self { target, size: [size; 2], tracked: false }
    }

    /// After a stride.
    fn strided(&self, stride: [usize; 2]) -> [usize; 2] {
        [self.size[0].div_ceil(stride[0]), self.size[1].div_ceil(stride[1])]
    }

    /// How often the product of a layer with weights is computed: forward, backward for its input
    /// and backward for its weights take as many multiply-adds each.
    pub fn products(&self) -> u64 {
        1 + u64::from(self.tracked) + u64::from(self.target == GradientTarget::Weights)
    }
}

impl Layer {
    /// Multiply-adds for one image, with those of the gradients that are wanted; `info` goes from
    /// the input to the output.
    pub fn multiply_adds(&self, info: &mut ActivationInfo) -> u64 {
        let stride = match *self {
            Self::RectangularConvolution { stride, .. } => stride,
            Self::Unit(UnitLayer { stride, .. })
            | Self::Convolution { stride, .. }
            | Self::Pool { stride, .. }
            | Self::Noise { stride } => [stride; 2],
            Self::Relu | Self::Norm(_) => [1; 2],
        };
        let size = info.strided(stride);
        let total = self.products_of_a_pixel() * (size[0] * size[1]) as u64 * info.products();
        let source = matches!(self, Self::Noise { .. });
        let weighted = total > 0 && info.target == GradientTarget::Weights;
        *info = ActivationInfo { size, tracked: (info.tracked && !source) || weighted, ..*info };
        total
    }

    /// Multiply-adds of the forward pass for each pixel of the output.
    fn products_of_a_pixel(&self) -> u64 {
        let products = match *self {
            Self::RectangularConvolution { shape, .. } => shape.iter().product(),
            Self::Unit(UnitLayer { channels, kernel, .. }) => {
                channels * (kernel * kernel + channels)
            }
            Self::Convolution { shape, shifted, .. } => {
                shape.iter().product::<usize>() * (1 + usize::from(shifted.is_some()))
            }
            Self::Relu | Self::Norm(_) | Self::Pool { .. } | Self::Noise { .. } => 0,
        };
        products as u64
    }
}

impl Sequence {
    /// Multiply-adds for one image; see [`Layer::multiply_adds`].
    pub fn multiply_adds(&self, info: &mut ActivationInfo) -> u64 {
        self.0.iter().map(|layer| layer.multiply_adds(info)).sum()
    }
}
