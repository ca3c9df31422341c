//! A step of the attack of SDARTS-ADV (spec §3.4): along the sign of the gradient, back into the L∞
//! ball around p, and every row a probability vector again.
//!
//! displaced = p + clamp(current + length·sign(∂) − p, ±ε), then [`row_clip`]: one launch for each
//! architecture tensor instead of 17 plain ops, some of which burn's fusion joins. Bytes for each
//! number: 12 read and 8 written, of a table of 14 rows: what counts is the launch. No gradient.

mod cpu;
#[cfg(not(target_feature = "atomics"))]
mod wgpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, Tensor};

use crate::Kernels;

/// How far a step of the attack goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PgdStep {
    /// Of every number, along the sign of its gradient.
    pub length: f32,
    /// Largest distance of a number from where the attack began.
    pub epsilon: f32,
}

impl PgdStep {
    /// From `current` to the next point: before its rows are probability vectors again, and after.
    ///
    /// # Shapes
    /// - `p` (where the attack began), `current`, `gradient` and both outputs: [edges, operations]
    pub fn forward(
        self,
        kernels: Kernels,
        p: Tensor<2>,
        current: Tensor<2>,
        gradient: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        if !kernels.fused_for(&p) {
            let moved = current + gradient.sign().mul_scalar(self.length);
            let displaced = p.clone() + (moved - p).clamp(-self.epsilon, self.epsilon);
            return (displaced.clone(), row_clip(displaced));
        }
        let [p, current, gradient] = [p, current, gradient].map(Tensor::into_dispatch);
        let (displaced, clipped) = Dispatch::pgd_step(p, current, gradient, self);
        (Tensor::from_dispatch(displaced), Tensor::from_dispatch(clipped))
    }
}

/// Clamps every row to [0, 1] and divides it by its sum; a row that the clamp emptied puts all
/// mass on its largest entry before the clamp (spec §0.2).
///
/// # Shapes
/// - [edges, operations] in and out
pub fn row_clip(p: Tensor<2>) -> Tensor<2> {
    let shape @ [_, operations] = p.dims();
    let clipped = p.clone().clamp(0.0, 1.0);
    let empty = clipped.clone().sum_dim(1).equal_scalar(0.0).float();
    // burn's one_hot reads its indices back from the device, which a browser cannot wait for.
    let columns = Tensor::<1, Int>::arange(0..operations as i64, &p.device());
    let columns = columns.reshape([1, operations]).expand(shape);
    let largest = columns.equal(p.argmax(1).expand(shape)).float();
    let filled = clipped + largest * empty;
    let sum = filled.clone().sum_dim(1);
    filled / sum
}

/// The op: before and after [`row_clip`].
#[backend_extension(Cube: cfg(not(target_feature = "atomics")), Flex, Fusion: cfg(not(target_family = "wasm")))]
pub(crate) trait PgdStepOps: Backend {
    #[fusion(meta = |p, _, _, _| (p.clone(), p.clone()))]
    fn pgd_step(
        p: FloatTensor<Self>,
        current: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        pgd_step: PgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}
