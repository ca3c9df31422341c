//! The WGSL kernel: one thread for each row.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;

use super::{PgdStep, PgdStepOps};
use crate::wgpu::{Program, built, contiguous, empty};

impl PgdStepOps for CubeBackend {
    fn pgd_step(
        p: CubeTensor,
        current: CubeTensor,
        gradient: CubeTensor,
        pgd_step: PgdStep,
    ) -> (CubeTensor, CubeTensor) {
        let (p, current, gradient) = (contiguous(p), contiguous(current), contiguous(gradient));
        let (displaced, clipped) = (empty(&p, p.shape()), empty(&p, p.shape()));
        let buffers = [&p, &current, &gradient, &displaced, &clipped];
        let PgdStep { length, epsilon } = pgd_step;
        built((p.shape(), [length, epsilon].map(f32::to_bits)), |(shape, bits)| {
            let [length, epsilon] = bits.map(f32::from_bits);
            program(shape, PgdStep { length, epsilon })
        })
        .launch(&buffers);
        (displaced, clipped)
    }
}

/// Compiled anew for every epoch, which has an ε of its own; as a buffer it would be an upload for every
/// step of an attack.
fn program(shape: &Shape, pgd_step: PgdStep) -> Program {
    Program::new("pgd_step", include_str!("pgd_step.wgsl"), shape[0])
        .sizes([("operations", shape[1])])
        .constant("length", format!("{:e}", pgd_step.length))
        .constant("epsilon", format!("{:e}", pgd_step.epsilon))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for (length, epsilon) in [(0.0857, 0.3), (0.0, 0.0), (1e-9, 2.0)] {
            let program = program(&Shape::from([14, 7]), PgdStep { length, epsilon });
            assert_eq!(program.validate(), Ok(()), "{program:?}");
        }
    }
}
