//! The gradient of the outputs: numbers, formulas that mixtures left, or both.

use burn::backend::flex::FlexTensor;

use super::Sizes;
use crate::cpu::aligned::Aligned;
use crate::cpu::{contiguous, values};
use crate::norm::deferred::Images;

pub(super) struct OutputGradient {
    /// None where all readers left formulas.
    numbers: Option<FlexTensor>,
    formulas: Vec<Box<dyn Images>>,
}

impl OutputGradient {
    pub(super) fn new(tensor: FlexTensor, sizes: &Sizes) -> Self {
        // Who leaves a formula gives a zero, which burn has added to what others gave.
        let is_whole = tensor.layout().shape() == &sizes.output_shape();
        let formulas = sizes.deferred.take();
        Self { numbers: is_whole.then(|| contiguous(tensor)), formulas }
    }

    /// Of an image of so many numbers. `computed` is memory for one.
    pub(super) fn image<'a>(
        &'a self,
        index: usize,
        count: usize,
        computed: &'a mut Aligned,
    ) -> &'a [f32] {
        let numbers =
            self.numbers.as_ref().map(|numbers| &values(numbers)[index * count..][..count]);
        let Some((first, others)) = self.formulas.split_first() else {
            return numbers.unwrap_or_default();
        };
        computed.resize(count);
        first.write(index, computed);
        let written = others.iter().map(|formula| {
            let mut other = vec![0.0; count];
            formula.write(index, &mut other);
            other
        });
        for other in written.chain(numbers.map(<[f32]>::to_vec)) {
            computed.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
        }
        computed
    }
}
