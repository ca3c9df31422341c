//! The WGSL kernels. A kernel may bind eight buffers, so the sum is taken six candidates at a time.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{MixGradients, MixOps, SLOTS};
use crate::wgpu::{Program, WORKGROUP, contiguous, empty, fold};

/// Candidates of one launch.
const GROUP: usize = 6;

impl MixOps for CubeBackend {
    fn mix(
        x0: CubeTensor,
        x1: CubeTensor,
        x2: CubeTensor,
        x3: CubeTensor,
        x4: CubeTensor,
        x5: CubeTensor,
        x6: CubeTensor,
        x7: CubeTensor,
        weights: CubeTensor,
        count: usize,
    ) -> CubeTensor {
        let (y, weights) = (empty(&x0, x0.shape()), contiguous(weights));
        let candidates = used([x0, x1, x2, x3, x4, x5, x6, x7], count);
        for (index, group) in candidates.chunks(GROUP).enumerate() {
            let slot = |slot: usize| &group[slot.min(group.len() - 1)];
            sum(y.shape().num_elements(), index * GROUP, group.len()).launch(&[
                slot(0),
                slot(1),
                slot(2),
                slot(3),
                slot(4),
                slot(5),
                &weights,
                &y,
            ]);
        }
        y
    }
}

impl MixGradients for CubeBackend {
    fn mix_x_gradient(gradient: CubeTensor, weights: CubeTensor, index: usize) -> CubeTensor {
        let (gradient, weights) = (contiguous(gradient), contiguous(weights));
        let out = empty(&gradient, gradient.shape());
        scale(out.shape().num_elements(), index).launch(&[&gradient, &weights, &out]);
        out
    }

    fn mix_weight_gradient(
        x0: CubeTensor,
        x1: CubeTensor,
        x2: CubeTensor,
        x3: CubeTensor,
        x4: CubeTensor,
        x5: CubeTensor,
        x6: CubeTensor,
        x7: CubeTensor,
        gradient: CubeTensor,
        count: usize,
    ) -> CubeTensor {
        let gradient = contiguous(gradient);
        let length = gradient.shape().num_elements();
        let partial = empty(&gradient, [groups(length), count]);
        for (index, x) in used([x0, x1, x2, x3, x4, x5, x6, x7], count).iter().enumerate() {
            dot(length, index, count).launch(&[x, &gradient, &partial]);
        }
        fold(&partial, groups(length), [count])
    }
}

/// The slots that are used, in row-major order.
fn used(slots: [CubeTensor; SLOTS], count: usize) -> Vec<CubeTensor> {
    slots.into_iter().take(count).map(contiguous).collect()
}

/// Workgroups that a dot product is cut into.
fn groups(length: usize) -> usize {
    length.div_ceil(16 * WORKGROUP).clamp(1, 64)
}

fn sum(length: usize, first: usize, live: usize) -> Program {
    Program::new("mix", include_str!("mix.wgsl"), length).sizes([("first", first), ("live", live)])
}

fn scale(length: usize, index: usize) -> Program {
    Program::new("mix_x_gradient", include_str!("scale.wgsl"), length).sizes([("index", index)])
}

fn dot(length: usize, index: usize, candidates: usize) -> Program {
    Program::new("mix_weight_gradient", include_str!("dot.wgsl"), groups(length) * WORKGROUP)
        .sizes([("length", length), ("index", index), ("candidates", candidates)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for length in [1, 1000, 1 << 22] {
            for program in
                [sum(length, 0, 1), sum(length, 6, 2), scale(length, 3), dot(length, 4, 7)]
            {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
