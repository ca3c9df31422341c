//! Units side by side: what candidates of several edges have in common is computed at once.

use burn::tensor::Tensor;
use shaders::{Bank, PendingNorm, Unit};

use super::layer::UnitLayer;
use super::layout::{BlockId, Builder, NormId};
use super::pass::Pass;

/// Units that read the same stack of activations, with the same number of channels and the same stride.
/// One kernel computes them all; their weights and their statistics lie side by side.
pub struct UnitBank {
    weights: BlockId,
    norms: Vec<NormId>,
    units: Vec<Unit>,
    stride: usize,
}

impl UnitBank {
    /// Of these units, each with the activation that it reads, in ascending order. None, and nothing is
    /// placed anew, for no unit, where a batch norm has an affine part and where two differ in eps.
    pub fn new(builder: &mut Builder, units: &[(usize, UnitLayer)]) -> Option<Self> {
        let (_, first) = units.first()?;
        if units.iter().any(|(_, unit)| unit.norm.is_affine()) {
            return None;
        }
        let norms: Vec<NormId> = units.iter().map(|(_, unit)| unit.norm.id).collect();
        if !builder.join_norms(&norms) {
            return None;
        }
        let weights: Vec<_> =
            units.iter().flat_map(|(_, unit)| [unit.depthwise, unit.pointwise]).collect();
        Some(Self {
            weights: builder.join(&weights),
            norms,
            units: units.iter().map(|(source, unit)| unit.unit(*source)).collect(),
            stride: first.stride,
        })
    }

    /// The outputs of all units.
    ///
    /// # Shapes
    /// - `x`: [sources · batch, height, width, channels]
    /// - output: [units · batch, ⌈height / stride⌉, ⌈width / stride⌉, channels]
    pub fn forward(&self, x: PendingNorm, pass: &mut Pass) -> PendingNorm {
        let weights = pass.block(self.weights);
        let (mut z, moments) = compute(self.units.clone(), self.stride, x, weights, pass);
        z.norm = Some(pass.norm(&self.norms, &z.x, moments));
        z
    }
}

impl UnitLayer {
    /// The unit by itself.
    pub(super) fn forward(&self, x: PendingNorm, pass: &mut Pass) -> PendingNorm {
        let Self { channels, kernel, .. } = *self;
        let depthwise = pass.weight(self.depthwise, [channels * kernel * kernel]);
        let pointwise = pass.weight(self.pointwise, [channels * channels]);
        let weights = Tensor::cat(vec![depthwise, pointwise], 0);
        let (z, moments) = compute(vec![self.unit(0)], self.stride, x, weights, pass);
        self.norm.pending(z.x, moments, pass)
    }

    fn unit(&self, source: usize) -> Unit {
        Unit { source, size: self.kernel, dilation: self.dilation }
    }
}

/// The outputs of units, and their moments in train mode.
fn compute(
    units: Vec<Unit>,
    stride: usize,
    x: PendingNorm,
    weights: Tensor<1>,
    pass: &mut Pass,
) -> (PendingNorm, Option<Tensor<2>>) {
    let relu = pass.pattern.is_free();
    let x = if relu { x } else { pass.pattern.rectify(pass.apply(x)).into() };
    Bank { units, relu, stride, moments: pass.is_training() }.forward(pass.kernels, x, weights)
}
