//! Times every kernel against plain burn ops on the CPU, forward and backward, for shapes of a
//! DARTS supernet: `cargo run -p shaders --example speed`. An example and not a bench target so that
//! it is compiled with the profile of everything else; burn is not compiled a second time.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};
use shaders::{Kernels, Pool};

/// [batch, height, width, channels]: cells of a search on CIFAR-10 (C = 16, batch 16) and of the
/// embedded demo (C = 4, batch 64).
const SHAPES: [[usize; 4]; 3] = [[16, 32, 32, 16], [16, 8, 8, 64], [64, 16, 16, 4]];

/// Candidates of an edge in space s5 without `none`.
const CANDIDATES: usize = 7;

type Op = Box<dyn Fn(Kernels, &[Tensor<4>], &Tensor<1>) -> Tensor<4>>;

struct Case {
    name: &'static str,
    /// Images that go in, and numbers of a weight vector.
    inputs: usize,
    weights: fn(usize) -> usize,
    /// Multiplications and additions of the forward pass for each number of the output.
    operations: f64,
    op: Op,
}

fn main() {
    let device = Device::flex();
    println!(
        "{:<28}{:>18}{:>10}{:>10}{:>8}{:>9}",
        "", "shape", "plain", "ours", "ratio", "GFLOP/s"
    );
    for case in cases() {
        for shape in SHAPES {
            let (forward, operations) = (forward(&case, shape, &device), case.operations);
            report(case.name, shape, forward, operations);
            let backward = backward(&case, shape, &device);
            report(&format!("{} and back", case.name), shape, backward, 3.0 * operations);
        }
    }
}

fn cases() -> Vec<Case> {
    let depthwise = |name, size: usize, stride, dilation| Case {
        name,
        inputs: 1,
        weights: match size {
            3 => |channels| 9 * channels,
            _ => |channels| 25 * channels,
        },
        operations: 2.0 * (size * size) as f64 / (stride * stride) as f64,
        op: Box::new(move |kernels, x, weight| {
            let channels = x[0].dims()[3];
            let weight = weight.clone().reshape([channels, 1, size, size]);
            shaders::depthwise(kernels, x[0].clone(), weight, stride, dilation)
        }),
    };
    let pool = |name, kind, operations| Case {
        name,
        inputs: 1,
        weights: |_| 1,
        operations,
        op: Box::new(move |kernels, x, _| shaders::pool(kernels, x[0].clone(), kind, 1)),
    };
    vec![
        depthwise("depthwise 3x3", 3, 1, 1),
        depthwise("depthwise 5x5", 5, 1, 1),
        depthwise("depthwise 5x5 dilated", 5, 1, 2),
        depthwise("depthwise 3x3 stride 2", 3, 2, 1),
        Case {
            name: "batch norm",
            inputs: 1,
            weights: |_| 1,
            operations: 6.0,
            op: Box::new(|kernels, x, _| {
                let moments = shaders::moments(kernels, x[0].clone());
                shaders::normalise(kernels, x[0].clone(), moments, 1e-5)
            }),
        },
        Case {
            name: "mix of 7",
            inputs: CANDIDATES,
            weights: |_| CANDIDATES,
            operations: 2.0 * CANDIDATES as f64,
            op: Box::new(|kernels, x, weights| shaders::mix(kernels, x.to_vec(), weights.clone())),
        },
        pool("max pool", Pool::Max, 9.0),
        pool("average pool", Pool::Average, 10.0),
    ]
}

fn inputs(case: &Case, shape: [usize; 4], device: &Device) -> (Vec<Tensor<4>>, Tensor<1>) {
    let normal = Distribution::Normal(0.0, 1.0);
    let images = (0..case.inputs).map(|_| Tensor::random(shape, normal, device)).collect();
    (images, Tensor::random([(case.weights)(shape[3])], normal, device))
}

/// Seconds of the forward pass with plain ops and with our kernels.
fn forward(case: &Case, shape: [usize; 4], device: &Device) -> [f64; 2] {
    let (images, weights) = inputs(case, shape, device);
    [Kernels::Composed, Kernels::Fused].map(|kernels| {
        seconds(&mut || {
            (case.op)(kernels, &images, &weights);
        })
    })
}

/// Seconds of forward and backward pass, all inputs tracked.
fn backward(case: &Case, shape: [usize; 4], device: &Device) -> [f64; 2] {
    let (images, weights) = inputs(case, shape, device);
    [Kernels::Composed, Kernels::Fused].map(|kernels| {
        seconds(&mut || {
            let leaf = |x: &Tensor<4>| x.clone().autodiff().require_grad();
            let images: Vec<_> = images.iter().map(leaf).collect();
            let weights = weights.clone().autodiff().require_grad();
            (case.op)(kernels, &images, &weights).backward();
        })
    })
}

/// The fastest of as many runs as fit into a fifth of a second, at least three.
fn seconds(work: &mut dyn FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    let mut runs = 0;
    while runs < 3 || begin.elapsed().as_secs_f64() < 0.2 {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    best
}

fn report(name: &str, shape: [usize; 4], [plain, ours]: [f64; 2], operations: f64) {
    let rate = operations * shape.iter().product::<usize>() as f64 / ours / 1e9;
    println!(
        "{name:<28}{:>18}{:>8.2}ms{:>8.2}ms{:>7.1}x{rate:>9.1}",
        format!("{shape:?}"),
        plain * 1e3,
        ours * 1e3,
        plain / ours,
    );
}
