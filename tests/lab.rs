//! The kernel lab: every kernel of the crate `shaders` against plain burn operations, forward and
//! backward, on every device, in the shapes of the paper's supernet.
//!
//! ```sh
//! cargo bench -p tests --profile dev                        # all of it
//! cargo bench -p tests --profile dev -- unit_5x5            # one kernel
//! cargo bench -p tests --profile dev -- 'forward.*cpu'      # one direction, one device
//! ```
//!
//! A sample is one call, and ends when the device has computed it. `backward` is the way back
//! alone, to all inputs and weights. A new kernel is a row of `lab!`.

// The tests use more of it.
#[allow(dead_code)]
mod devices;

use std::fmt;
use std::time::Duration;

use burn::tensor::{Device, Distribution, Tensor};
use divan::{Bencher, Divan};
use shaders::{
    Bank, CellNorm, Convolution, Incoming, Kernels, Mix, Norm, PendingNorm, Pool, Sequence, Term,
    Unit,
};

/// [batch, height, width, channels] of the cells of a search on CIFAR-10 (C = 16), at batch 16.
const SHAPES: [[usize; 4]; 3] = [[16, 32, 32, 16], [16, 16, 16, 32], [16, 8, 8, 64]];

/// Candidates of an edge in space s5.
const CANDIDATES: usize = 7;

/// At most this long for each line of the table.
const LONGEST: Duration = Duration::from_millis(300);

fn main() {
    let lab = Divan::default().sample_size(1).sample_count(100).max_time(LONGEST);
    lab.config_with_args().main();
}

/// A function of images and flat weights.
struct Op {
    inputs: usize,
    /// Numbers of each weight, for so many channels.
    weights: fn(usize) -> Vec<usize>,
    run: fn(Kernels, &[Tensor<4>], &[Tensor<1>]) -> Tensor<4>,
}

/// A bench `forward` and a bench `backward` for every row.
macro_rules! lab {
    ($($name:ident: $op:expr,)+) => {
        $(mod $name {
            use super::*;

            const OP: Op = $op;

            #[divan::bench(args = cases())]
            fn forward(bencher: Bencher, case: &Case) {
                super::forward(bencher, case, &OP);
            }

            #[divan::bench(args = cases())]
            fn backward(bencher: Bencher, case: &Case) {
                super::backward(bencher, case, &OP);
            }
        })+
    };
}

lab! {
    unit_3x3: Op {
        inputs: 1,
        weights: |channels| vec![(9 + channels) * channels],
        run: |kernels, x, weights| bank(kernels, x, weights, 1, &[(3, 1)]),
    },
    unit_3x3_stride_2: Op {
        inputs: 1,
        weights: |channels| vec![(9 + channels) * channels],
        run: |kernels, x, weights| bank(kernels, x, weights, 2, &[(3, 1)]),
    },
    unit_5x5: Op {
        inputs: 1,
        weights: |channels| vec![(25 + channels) * channels],
        run: |kernels, x, weights| bank(kernels, x, weights, 1, &[(5, 1)]),
    },
    unit_5x5_dilated: Op {
        inputs: 1,
        weights: |channels| vec![(25 + channels) * channels],
        run: |kernels, x, weights| bank(kernels, x, weights, 1, &[(5, 2)]),
    },
    // The first units of the four edges that leave an input of a cell.
    bank_of_8: Op {
        inputs: 1,
        weights: |channels| vec![4 * (9 + 25 + 2 * channels) * channels],
        run: |kernels, x, weights| {
            let units = [[(3, 1); 4], [(5, 1); 4]].concat();
            bank(kernels, x, weights, 1, &units)
        },
    },
    // Two edges of a node, each with an affine batch norm.
    node: Op {
        inputs: 2,
        weights: |channels| vec![2 * channels; 2],
        run: |kernels, x, weights| {
            let edge = |(x, affine): (&Tensor<4>, &Tensor<1>)| {
                let mut value = pending_norm(kernels, x);
                let affine = affine.clone().reshape([2, x.dims()[3]]);
                value.norm = value.norm.map(|norm| Norm { affine: Some(affine), ..norm });
                Incoming::from(value)
            };
            let edges = x.iter().zip(weights).map(edge).collect();
            shaders::node(kernels, edges).expect("two edges")
        },
    },
    convolution_1x1: Op {
        inputs: 1,
        weights: |channels| vec![channels * channels],
        run: |kernels, x, weights| convolution(kernels, x, weights, [1, 1, 1]),
    },
    convolution_3x3: Op {
        inputs: 1,
        weights: |channels| vec![9 * channels * channels],
        run: |kernels, x, weights| convolution(kernels, x, weights, [3, 1, 1]),
    },
    factorized_reduce: Op {
        inputs: 1,
        weights: |channels| vec![channels * channels],
        run: |kernels, x, weights| convolution(kernels, x, weights, [1, 2, 2]),
    },
    split_at: Op {
        inputs: 1,
        weights: |_| vec![],
        run: |kernels, x, _| {
            let (first, others) = shaders::split_at(kernels, x[0].clone(), 4);
            Tensor::cat(vec![first, others], 0)
        },
    },
    batch_norm: Op {
        inputs: 1,
        weights: |_| vec![],
        run: |kernels, x, _| shaders::normalise(kernels, pending_norm(kernels, &x[0])),
    },
    mix_of_7: Op {
        inputs: CANDIDATES,
        weights: |_| vec![CANDIDATES],
        run: |kernels, x, weights| {
            let stacks = x.iter().map(|x| pending_norm(kernels, x)).collect();
            let term = |stack| Term { target: 0, stack, group: 0, weight: stack };
            let terms = (0..CANDIDATES).map(term).collect();
            let mix = Mix { batch: x[0].dims()[0], targets: 1, terms };
            mix.forward(kernels, None, stacks, weights[0].clone())
        },
    },
    max_and_average_pool: Op {
        inputs: 1,
        weights: |_| vec![],
        run: |kernels, x, _| shaders::pool(kernels, x[0].clone(), &[Pool::Max, Pool::Average], 1),
    },
    recurrent_cell: Op {
        inputs: 1,
        weights: |channels| vec![4 * channels * channels, NODES * 2 * channels * channels, 30],
        run: search_cell,
    },
    word_loss: Op {
        inputs: 1,
        weights: |channels| vec![WORDS * channels, WORDS],
        run: decoder,
    },
}

/// ReLU, depthwise and 1×1 convolutions of (size, dilation) side by side, with the moments that the
/// batch norms after them need.
fn bank(
    kernels: Kernels,
    x: &[Tensor<4>],
    weights: &[Tensor<1>],
    stride: usize,
    units: &[(usize, usize)],
) -> Tensor<4> {
    let unit =
        |(size, dilation): &(usize, usize)| Unit { source: 0, size: *size, dilation: *dilation };
    let units = units.iter().map(unit).collect();
    let bank = Bank { units, relu: true, stride, moments: true };
    bank.forward(kernels, x[0].clone().into(), weights[0].clone()).0.x
}

/// ReLU, a convolution of all channels, with the moments that the batch norm after it needs.
fn convolution(
    kernels: Kernels,
    x: &[Tensor<4>],
    weights: &[Tensor<1>],
    [size, stride, banks]: [usize; 3],
) -> Tensor<4> {
    let channels = x[0].dims()[3];
    let weight = weights[0].clone().reshape([channels, channels, size, size]);
    Convolution { relu: true, stride, moments: true }
        .forward(kernels, x[0].clone(), weight.chunk(banks, 0))
        .0
}

/// With a batch norm that waits for its reader.
/// Nodes of a recurrent cell.
const NODES: usize = 3;

/// Words of a vocabulary.
const WORDS: usize = 1000;

/// Images as steps, pixels as the columns of a batch.
fn search_cell(kernels: Kernels, x: &[Tensor<4>], weights: &[Tensor<1>]) -> Tensor<4> {
    let [time, height, width, hidden] = x[0].dims();
    let batch = height * width;
    let sequence = Sequence {
        x: x[0].clone().reshape([time, batch, hidden]),
        hidden: Tensor::zeros([batch, hidden], &x[0].device().inner()),
        mask: None,
        start: weights[0].clone().reshape([2 * hidden, 2 * hidden]),
        nodes: weights[1].clone().reshape([NODES, hidden, 2 * hidden]),
    };
    let p = weights[2].clone().reshape([6, 5]);
    shaders::mixed_cell(kernels, sequence, p, CellNorm { running: None, eps: 1e-5 })
        .outputs
        .unsqueeze()
}

/// Pixels as words.
fn decoder(kernels: Kernels, x: &[Tensor<4>], weights: &[Tensor<1>]) -> Tensor<4> {
    let [images, height, width, hidden] = x[0].dims();
    let words = images * height * width;
    let outputs = x[0].clone().reshape([words, hidden]);
    let targets = Tensor::zeros([words], &x[0].device().inner());
    let decoder = weights[0].clone().reshape([WORDS, hidden]);
    shaders::word_loss(kernels, outputs, decoder, weights[1].clone(), targets).loss.unsqueeze()
}

fn pending_norm(kernels: Kernels, x: &Tensor<4>) -> PendingNorm {
    let moments = shaders::moments(kernels, x.clone(), 1);
    let norm = Norm { moments, of_batch: true, eps: 1e-5, affine: None };
    PendingNorm::new(x.clone(), Some(norm))
}

/// A line of the table.
struct Case {
    device_name: &'static str,
    device: Device,
    kernels: Kernels,
    shape: [usize; 4],
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [batch, height, width, channels] = self.shape;
        let kernels = match self.kernels {
            Kernels::Composed => "composed",
            Kernels::Fused => "fused",
        };
        write!(out, "{batch}x{height}x{width}x{channels} {} {kernels}", self.device_name)
    }
}

/// The reference and the kernel stand below each other.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in SHAPES {
        for (device_name, device) in devices::all() {
            for kernels in [Kernels::Composed, Kernels::Fused] {
                cases.push(Case { device_name, device: device.clone(), kernels, shape });
            }
        }
    }
    cases
}

impl Case {
    fn inputs(&self, op: &Op) -> (Vec<Tensor<4>>, Vec<Tensor<1>>) {
        let normal = Distribution::Normal(0.0, 1.0);
        let images = (0..op.inputs).map(|_| Tensor::random(self.shape, normal, &self.device));
        let weights = (op.weights)(self.shape[3]).into_iter();
        let weights = weights.map(|count| Tensor::random([count], normal, &self.device));
        (images.collect(), weights.collect())
    }

    fn sync(&self) {
        self.device.sync().expect("the device computes");
    }
}

fn forward(bencher: Bencher, case: &Case, op: &Op) {
    let (images, weights) = case.inputs(op);
    let run = || {
        let y = (op.run)(case.kernels, &images, &weights);
        case.sync();
        y
    };
    run(); // compiles and tunes
    bencher.bench_local(run);
}

fn backward(bencher: Bencher, case: &Case, op: &Op) {
    let (images, weights) = case.inputs(op);
    let forward = || {
        let images: Vec<_> = images.iter().map(|x| x.clone().autodiff().require_grad()).collect();
        let weights: Vec<_> = weights.iter().map(|w| w.clone().autodiff().require_grad()).collect();
        let y = (op.run)(case.kernels, &images, &weights);
        case.sync();
        y
    };
    let back = |y: Tensor<4>| {
        let gradients = y.backward();
        case.sync();
        gradients
    };
    back(forward()); // compiles and tunes
    bencher.with_inputs(forward).bench_local_values(back);
}
