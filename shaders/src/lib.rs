//! The hot spots of a DARTS supernet and of a derived network, each in three forms: plain burn ops (the reference that the
//! others are tested against, value and gradient), a CPU twin for burn's Flex backend and WGSL
//! kernels for wgpu. [`Kernels`] chooses. One folder for each: `mod.rs` has the function, the plain
//! ops and the traits that burn dispatches by device, `autodiff.rs` the way back, `cpu.rs` and
//! `wgpu.rs` what runs. The lab (tests/lab.rs) times them, [`meter`] counts them in a search,
//! [`roofline`] says what a GPU can make of that.
//!
//! | function | computes | why stock ops are not enough |
//! |---|---|---|
//! | [`Bank::forward`] | \[batch norm\] → \[ReLU\] → depthwise → pointwise, and the moments of the output, of many units at once | a pass over memory for each, and Flex computes the depthwise weight gradient channel by channel |
//! | [`Convolution::forward`] | \[ReLU\] → k×k convolution of all channels, FactorizedReduce included, and the moments of the output | layout changes around each call, copies of transposed matrices on the way back |
//! | [`moments`], [`normalise`] | batch norm | about ten passes over memory instead of two |
//! | [`Mix::forward`] | Σ p·candidate of all edges that leave a state, batch norm included | four passes for each candidate, and twice as many backward |
//! | [`node`](fn@node) | the sum of the edges of a node with their batch norms, γ and β included, and drop-path; with one edge, affine batch norm | a pass over memory for γ, for β, for the mask and for the sum, and x̂ is kept |
//! | [`PgdStep::forward`] | a step of the attack: sign, ball, [`row_clip`] | 17 of them for a table of 14 rows |
//! | [`pool`] | 3×3 pooling, the maximum and the mean at once | layout changes around each call, indices kept for the way back |
//! | [`concat`](fn@concat), [`split_with_sizes`] | tensors one after another in their last dimension, and the opposite | a launch for each tensor |
//! | [`shuffle`], [`split_channels`] | the same with the columns shuffled; few channels for the operations, and the others past them, pooled | copies of permuted tensors; zeros for each part on the way back |
//! | [`mixed_cell`], [`derived_cell`] | a recurrent cell along a whole text: gates, activations, mixture, batch norm and the products between them | about 300 tensors of a step that autodiff keeps; on a GPU a kernel for each node instead of 25 |
//! | [`word_loss`] | decoder, softmax and loss of a vocabulary with their gradients | gigabytes of logits, kept several times |
//! | [`overwrite`], [`copied`] | numbers in the memory of another tensor, for passes that are replayed | stock ops write nowhere but into what they made |
//! | [`product`], [`rectangular`], [`Window`] | products of matrices and oblong convolutions, by [`Convolution`]; maxima of windows, by slices | in a browser, that burn's need not be loaded |
//! | [`split_at`], [`Shared`] | a stack in two, an activation for several readers | on the way back zeros for each part, and copies before a sum |
//!
//! A batch norm can be left to the kernel that reads the activation: [`PendingNorm`]. Activations can lie in a
//! stack, one after another along the batch, each with moments of its own: so a supernet computes in a
//! few calls what its edges have in common.
//!
//! All tensors have the logical shape [batch, height, width, channels]: depthwise convolutions
//! vectorise over channels, 1×1 convolutions are matrix products and batch-norm sums are column
//! sums. All functions work on autodiff tensors and on plain ones; a gradient is computed only for
//! an argument that is tracked.

#![forbid(unsafe_code)]
// WebAssembly with threads has no GPU (Cargo.toml), and so no use for what only WGSL kernels need.
#![cfg_attr(target_feature = "atomics", allow(dead_code, unused_variables))]

mod channels;
mod concat;
mod convolution;
mod cpu;
pub mod device;
mod gated_mix;
mod halve;
pub mod meter;
mod mix;
mod node;
mod norm;
mod overwrite;
mod pgd_step;
mod pool;
mod recurrent;
#[cfg(not(target_feature = "atomics"))]
pub mod throttle;
#[doc = include_str!("roofline.md")]
pub mod roofline {}
mod split_at;
mod stock;
mod unit;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;
mod word_loss;

pub use channels::split_channels;
pub use concat::{concat, shuffle, split_with_sizes};
pub use convolution::Convolution;
pub use cpu::lanes;
pub use cpu::loops::{UnitLoop, UnitLoops};
pub use cpu::peak::multiply_adds;
pub use halve::halve;
pub use mix::{Mix, Term};
pub use node::{Incoming, node, rectified};
pub use norm::{Norm, PendingNorm, moments, normalise};
pub use overwrite::{copied, overwrite};
pub use pgd_step::{PgdStep, row_clip};
pub use pool::{Pool, pool};
pub use recurrent::{
    Activation, CellNorm, MixedCell, RecurrentCell, Sequence, derived_cell, mixed_cell,
};
pub use split_at::{Shared, split_at};
pub use stock::{Window, product, rectangular};
pub use unit::{Bank, Unit};
pub use word_loss::{WordLoss, word_loss};

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// Plain burn ops, on any device.
    Composed,
    /// Our kernels on Flex and on wgpu's WGSL compiler; plain burn ops elsewhere.
    #[default]
    Fused,
}

impl Kernels {
    /// Whether our kernels can take this tensor. In a browser they always do: both of its devices have them, its
    /// numbers are all of 32 bits, and plain ops of convolutions, pooling and products would be a sixth of what
    /// every visitor loads ([`product`]).
    fn fused_for<const D: usize>(self, x: &Tensor<D>) -> bool {
        cfg!(target_family = "wasm")
            || self == Self::Fused && x.dtype() == DType::F32 && has_kernels(&x.device())
    }

    /// Whether those of them that only the CPU has can.
    fn fused_on_cpu<const D: usize>(self, x: &Tensor<D>) -> bool {
        let device = x.device().inner();
        self.fused_for(x) && matches!(device.as_dispatch(), DispatchDevice::Flex(_))
    }
}

/// Whether our kernels run on this device: the CPU, or a GPU whose compiler takes WGSL (a build
/// with burn's `vulkan` or `metal` compiles to SPIR-V or MSL instead and refuses it).
pub fn has_kernels(device: &Device) -> bool {
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Flex(_) => true,
        #[cfg(not(target_feature = "atomics"))]
        DispatchDevice::Cube(device) => device.client().name() == "wgpu<wgsl>",
        _ => false,
    }
}
