//! The WGSL kernels. A kernel may bind eight buffers, so a sum is taken over as many candidates and
//! their moments as fit, and then over the next ones.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;

use super::{MixGradients, MixOps, Mixture, Slots};
use crate::norm::Standard;
use crate::norm::wgpu::{channel_chunks, gradient_products, with_standard};
use crate::wgpu::{ACCESS, Program, contiguous, empty};

/// Buffers that browsers bind.
const BUFFERS: usize = 8;

impl MixOps for CubeBackend {
    fn mix(
        base: CubeTensor,
        slots: Slots<Self>,
        weights: CubeTensor,
        mixture: Mixture,
    ) -> CubeTensor {
        let (y, weights) = (empty(&slots.x0, slots.x0.shape()), contiguous(weights));
        let base = mixture.base.then(|| contiguous(base));
        let (x, moments) = slots.into_lists();
        let (x, moments) = (x.map(contiguous), moments.map(contiguous));
        for group in groups(&mixture) {
            let first = group.start == 0;
            let mut buffers = vec![&weights, &y];
            buffers.extend(base.as_ref().filter(|_| first));
            for slot in group.clone() {
                buffers.push(&x[slot]);
                buffers.extend(mixture.norms[slot].map(|_| &moments[slot]));
            }
            sum(y.shape().num_elements(), &mixture, group).launch(&buffers);
        }
        y
    }
}

impl MixGradients for CubeBackend {
    fn mix_sums(slots: Slots<Self>, gradient: CubeTensor, mixture: Mixture) -> CubeTensor {
        let gradient = contiguous(gradient);
        let shape = gradient.shape();
        let chunks = channel_chunks(&shape);
        let sums = empty(&gradient, mixture.sums_shape());
        let (x, moments) = slots.into_lists();
        let used = x.into_iter().zip(moments).zip(mixture.norms).take(mixture.count);
        for (slot, ((x, moments), norm)) in used.enumerate() {
            let partial = empty(&gradient, [chunks, 2, mixture.channels]);
            let (x, moments) = (contiguous(x), contiguous(moments));
            let mut buffers = vec![&x];
            buffers.extend(norm.map(|_| &moments));
            buffers.extend([&gradient, &partial]);
            gradient_products(&shape, norm).launch(&buffers);
            merge(mixture.channels, chunks, slot).launch(&[&partial, &sums]);
        }
        sums
    }

    fn mix_x_gradient(
        x: CubeTensor,
        moments: CubeTensor,
        weights: CubeTensor,
        gradient: CubeTensor,
        sums: CubeTensor,
        index: usize,
        norm: Option<Standard>,
    ) -> CubeTensor {
        let (weights, gradient) = (contiguous(weights), contiguous(gradient));
        let (moments, out) = (contiguous(moments), empty(&gradient, gradient.shape()));
        let shape = gradient.shape();
        let Some(norm) = norm else {
            scale(&shape, index).launch(&[&gradient, &weights, &out]);
            return out;
        };
        if norm.of_batch {
            let (x, sums) = (contiguous(x), contiguous(sums));
            let buffers = [&x, &moments, &weights, &gradient, &sums, &out];
            pull(&shape, index, norm).launch(&buffers);
        } else {
            standard_scale(&shape, index, norm).launch(&[&gradient, &weights, &moments, &out]);
        }
        out
    }
}

/// The slots of every launch.
fn groups(mixture: &Mixture) -> Vec<std::ops::Range<usize>> {
    let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
    let mut free = 0;
    for slot in 0..mixture.count {
        let needed = if mixture.norms[slot].is_some() { 2 } else { 1 };
        match groups.last_mut().filter(|_| free >= needed) {
            Some(group) => group.end = slot + 1,
            None => {
                // Weights and output, and in the first launch the base.
                let taken = if slot == 0 && mixture.base { 3 } else { 2 };
                free = BUFFERS - taken;
                groups.push(slot..slot + 1);
            }
        }
        free -= needed;
    }
    groups
}

/// The sum over a group: bindings and terms are written out, since both differ.
fn sum(length: usize, mixture: &Mixture, group: std::ops::Range<usize>) -> Program {
    let mut bindings = String::new();
    let mut next = 2;
    let mut bind = |name: &str| {
        let binding =
            format!("@group(0) @binding({next}) var<storage, {ACCESS}> {name}: array<f32>;\n");
        bindings.push_str(&binding);
        next += 1;
    };
    let start = match (group.start, mixture.base) {
        (0, true) => "base[index]",
        (0, false) => "0.0",
        _ => "y[index]",
    };
    if start == "base[index]" {
        bind("base");
    }
    let mut terms = String::new();
    for slot in group {
        bind(&format!("x{slot}"));
        let term = match mixture.norms[slot] {
            None => format!("x{slot}[index]"),
            Some(Standard { eps, .. }) => {
                bind(&format!("m{slot}"));
                let root = format!("inverseSqrt(m{slot}[CHANNELS + channel] + {eps:e})");
                format!("(x{slot}[index] - m{slot}[channel]) * {root}")
            }
        };
        terms.push_str(&format!("    sum += weights[{slot}u] * {term};\n"));
    }
    Program::new("mix", include_str!("mix.wgsl"), length)
        .sizes([("channels", mixture.channels)])
        .constant("bindings", bindings)
        .constant("start", start)
        .constant("terms", terms)
}

fn merge(channels: usize, chunks: usize, slot: usize) -> Program {
    Program::new("mix_merge", include_str!("merge.wgsl"), 2 * channels).sizes([
        ("channels", channels),
        ("chunks", chunks),
        ("slot", slot),
    ])
}

fn scale(shape: &Shape, index: usize) -> Program {
    Program::new("mix_scale", include_str!("scale.wgsl"), shape.num_elements())
        .sizes([("index", index)])
}

fn standard_scale(shape: &Shape, index: usize, norm: Standard) -> Program {
    Program::new("mix_standard", include_str!("standard.wgsl"), shape.num_elements())
        .sizes([("index", index), ("channels", shape[3])])
        .constant("eps", format!("{:e}", norm.eps))
}

fn pull(shape: &Shape, index: usize, norm: Standard) -> Program {
    with_standard(
        "mix_x_gradient",
        include_str!("pull.wgsl"),
        shape,
        Some(norm),
        shape.num_elements(),
    )
    .sizes([("index", index), ("pixels", shape.num_elements() / shape[3])])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMS: [Option<Standard>; 2] = [None, Some(Standard { of_batch: true, eps: 1e-5 })];

    #[test]
    fn every_template_is_valid_wgsl() {
        let shape = Shape::from([2, 5, 3, 6]);
        let norm = Standard { of_batch: true, eps: 1e-5 };
        for program in [
            merge(6, 4, 3),
            scale(&shape, 3),
            standard_scale(&shape, 2, norm),
            pull(&shape, 1, norm),
            gradient_products(&shape, None),
            gradient_products(&shape, Some(norm)),
        ] {
            assert_eq!(program.validate(), Ok(()), "{program:?}");
        }
    }

    #[test]
    fn every_sum_is_valid_wgsl_and_takes_every_candidate_once() {
        for case in 0..64_usize {
            let norms = std::array::from_fn(|slot| NORMS[case >> (slot % 5) & 1]);
            let count = 1 + case % 8;
            let mixture = Mixture { count, norms, base: case >= 32, channels: 6 };
            let groups = groups(&mixture);
            let taken: Vec<usize> = groups.iter().cloned().flatten().collect();
            assert_eq!(taken, (0..count).collect::<Vec<_>>());
            for group in groups {
                let program = sum(1000, &mixture, group);
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
