//! The CPU twin: a hundred numbers, for which no second thread is worth waking.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::{PgdStep, PgdStepOps};
use crate::cpu::{self, contiguous, values};
use crate::meter;

impl PgdStepOps for Flex {
    fn pgd_step(
        p: FlexTensor,
        current: FlexTensor,
        gradient: FlexTensor,
        pgd_step: PgdStep,
    ) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("pgd_step");
        let (p, current, gradient) = (contiguous(p), contiguous(current), contiguous(gradient));
        let shape = p.shape();
        let steps = values(&p).iter().zip(values(&current)).zip(values(&gradient));
        let displaced: Vec<f32> = steps
            .map(|((p, current), gradient)| pgd_step.displace(*p, *current, *gradient))
            .collect();
        let mut clipped = displaced.clone();
        clipped.chunks_exact_mut(shape[1].max(1)).for_each(clip);
        (cpu::tensor(displaced, shape.clone()), cpu::tensor(clipped, shape))
    }
}

impl PgdStep {
    fn displace(self, p: f32, current: f32, gradient: f32) -> f32 {
        // Not f32::signum, which gives 0 a sign.
        let sign = f32::from(i8::from(gradient > 0.0) - i8::from(gradient < 0.0));
        p + (current + self.length * sign - p).max(-self.epsilon).min(self.epsilon)
    }
}

/// [`super::row_clip`] of a row.
fn clip(row: &mut [f32]) {
    let first_largest = |best: usize, index: usize, row: &[f32]| match row[index] > row[best] {
        true => index,
        false => best,
    };
    let largest = (0..row.len()).fold(0, |best, index| first_largest(best, index, row));
    row.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
    if row.iter().all(|value| *value == 0.0)
        && let Some(value) = row.get_mut(largest)
    {
        *value = 1.0;
    }
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= sum);
}
