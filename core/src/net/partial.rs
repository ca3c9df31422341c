//! Partial channels (PC-DARTS, spec §8.2): one channel in so many goes through the candidates of an edge, the
//! others past them. An edge gives both side by side, shuffled in as many groups, so that the next edge sends
//! others through.

use burn::tensor::Tensor;
use shaders::Kernels;

use crate::nn::Pass;
use crate::ops::State;

/// How the channels of a cell are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// One in so many goes through the candidates; 1: all do.
    pub parts: usize,
}

impl Partial {
    /// All channels go through the candidates.
    pub const NONE: Self = Self { parts: 1 };

    /// Whether none goes past the candidates.
    pub fn is_whole(self) -> bool {
        self.parts == 1
    }

    /// Of a state the channels that go through, and those that go past, by edges of this stride, added to what went
    /// past already.
    ///
    /// # Shapes
    /// - outputs: [batch, height, width, channels / parts] and the others, of ⌊height / stride⌋ × ⌊width / stride⌋,
    ///   as `base` is
    pub(super) fn divide(
        self,
        state: &State,
        stride: usize,
        base: Option<Tensor<4>>,
        pass: &mut Pass,
    ) -> (State, Tensor<4>) {
        let x = state.shared();
        let through = state.value.dims()[3] / self.parts;
        if stride == 1 || pass.pattern.is_free() {
            let (own, past) = shaders::split_channels(pass.kernels, &x, through, stride, base);
            return (state.with(own), past);
        }
        let (own, past) = shaders::split_channels(pass.kernels, &x, through, 1, None);
        let past = pass.pattern.halve(pass.kernels, past, 0);
        (state.with(own), base.into_iter().fold(past, |past, base| base + past))
    }

    /// What an edge or a node gives, from what went through and what went past.
    pub(super) fn join(self, kernels: Kernels, through: Tensor<4>, past: Tensor<4>) -> Tensor<4> {
        shaders::shuffle(kernels, vec![through, past], self.parts)
    }
}
