//! Every kernel of the crate `shaders` computes what plain burn ops compute, value and gradients,
//! on the CPU and on wgpu, over random shapes; its gradients are those of finite differences; and
//! nothing depends on the number of threads.

mod channels;
mod concat;
mod convolution;
mod halve;
mod mix;
mod mixed_bank;
mod node;
mod norm;
mod pgd_step;
mod pool;
mod rectified;
mod recurrent;
mod split_at;
mod stock;
mod sums;
mod unit;
mod variants;
mod word_loss;

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shaders::{Kernels, Norm, PendingNorm};

/// A function of flat tensors that a kernel is wrapped in.
type Op = dyn Fn(Kernels, Vec<Tensor<1>>) -> Tensor<4> + Send + Sync;

/// Its value and the gradients of Σ value · probe for all inputs, where the probe is fixed.
struct Outcome {
    value: Vec<f32>,
    gradients: Vec<Vec<f32>>,
}

fn evaluate(kernels: Kernels, device: &Device, inputs: &[Vec<f32>], op: &Op) -> Outcome {
    let leaf = |values: &Vec<f32>| vector(values, device).autodiff().require_grad();
    let leaves: Vec<_> = inputs.iter().map(leaf).collect();
    let y = op(kernels, leaves.clone());
    let count = y.shape().num_elements();
    let probe = vector(&noise(count, 99), device).reshape(y.dims()).autodiff();
    let mut gradients = (y.clone() * probe).sum().backward();
    let gradient = |leaf: &Tensor<1>| numbers(leaf.grad_remove(&mut gradients).unwrap());
    Outcome { gradients: leaves.iter().map(gradient).collect(), value: numbers(y.inner()) }
}

fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

/// Reproducible numbers in [−1, 1), all different, for a seed.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Largest difference in units of the largest number of the reference.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-3_f32, |scale, value| scale.max(value.abs()));
    let distance = |(a, b): (&f32, &f32)| if a == b { 0.0 } else { (a - b).abs() / scale };
    let worst = found.iter().zip(expected).map(distance);
    worst.fold(0.0, |worst, value| if value > worst || value.is_nan() { value } else { worst })
}

fn assert_same(kernels: &Outcome, reference: &Outcome, what: &str) {
    let error = difference(&kernels.value, &reference.value);
    assert!(error < 2e-5, "{what}: value differs by {error:e}");
    for (index, (a, b)) in kernels.gradients.iter().zip(&reference.gradients).enumerate() {
        let error = difference(a, b);
        assert!(error < 1e-4, "{what}: gradient {index} differs by {error:e}");
    }
}

/// How far moments are from those of the numbers of z, group after group, in units of the largest mean and of the
/// largest variance.
fn error_of_moments(found: Tensor<2>, z: Tensor<4>, groups: usize) -> f32 {
    let [_, _, _, channels] = z.dims();
    let z = numbers(z);
    let columns = (0..groups * channels).map(|column| {
        let group = &z[column / channels * (z.len() / groups)..][..z.len() / groups];
        let values =
            || group.iter().skip(column % channels).step_by(channels).map(|z| f64::from(*z));
        let count = values().count() as f64;
        let mean = values().sum::<f64>() / count;
        (mean as f32, (values().map(|z| (z - mean).powi(2)).sum::<f64>() / count) as f32)
    });
    let (means, variances): (Vec<f32>, Vec<f32>) = columns.unzip();
    let found = numbers(found);
    let (found_means, found_variances) = found.split_at(means.len());
    difference(found_means, &means).max(difference(found_variances, &variances))
}

/// One kernel call: shapes and options.
trait Case: Clone + std::fmt::Debug + 'static {
    /// Random cases on wgpu, each with kernels of its own, which a software adapter compiles for seconds.
    const ON_WGPU: u32 = 10;

    fn strategy() -> BoxedStrategy<Self>;
    fn inputs(&self) -> Vec<Vec<f32>>;
    fn op(&self) -> Box<Op>;
}

/// Kernels against plain ops on the CPU, and kernels on wgpu against plain ops on the CPU.
fn equals_plain_ops<C: Case>() {
    let cpu = Device::flex();
    runner(64)
        .run(&C::strategy(), |case| {
            let (inputs, op) = (case.inputs(), case.op());
            let reference = evaluate(Kernels::Composed, &cpu, &inputs, &op);
            assert_same(&evaluate(Kernels::Fused, &cpu, &inputs, &op), &reference, "cpu");
            Ok(())
        })
        .unwrap();
    let Some(gpu) = crate::devices::wgpu().filter(|_| C::ON_WGPU > 0) else { return };
    assert!(shaders::has_kernels(&gpu), "this build does not compile WGSL");
    runner(C::ON_WGPU)
        .run(&C::strategy(), |case| {
            let (inputs, op) = (case.inputs(), case.op());
            let reference = evaluate(Kernels::Composed, &cpu, &inputs, &op);
            assert_same(&evaluate(Kernels::Fused, &gpu, &inputs, &op), &reference, "wgpu");
            Ok(())
        })
        .unwrap();
}

/// One case, on every device.
fn equals_plain_ops_everywhere<C: Case>(case: &C) {
    let (inputs, op) = (case.inputs(), case.op());
    let reference = evaluate(Kernels::Composed, &Device::flex(), &inputs, &op);
    for (name, device) in crate::devices::all() {
        assert_same(&evaluate(Kernels::Fused, &device, &inputs, &op), &reference, name);
    }
}

/// The derivative along a random direction is the gradient times that direction, on the CPU and on
/// wgpu. `step` is in units of the inputs, which lie in [−1, 1).
fn agrees_with_finite_differences<C: Case>(step: f32) {
    agrees_with_finite_differences_on::<C>(&Device::flex(), 24, step);
    if let Some(gpu) = crate::devices::wgpu() {
        agrees_with_finite_differences_on::<C>(&gpu, C::ON_WGPU.min(4), step);
    }
}

fn agrees_with_finite_differences_on<C: Case>(device: &Device, cases: u32, step: f32) {
    let loss = |inputs: &[Vec<f32>], op: &Op| -> f64 {
        let tensors = inputs.iter().map(|values| vector(values, device)).collect();
        let y = numbers(op(Kernels::Fused, tensors));
        let probe = noise(y.len(), 99);
        y.iter().zip(&probe).map(|(y, probe)| f64::from(*y) * f64::from(*probe)).sum()
    };
    runner(cases)
        .run(&C::strategy(), |case| {
            let (inputs, op) = (case.inputs(), case.op());
            let gradients = evaluate(Kernels::Fused, device, &inputs, &op).gradients;
            for (index, gradient) in gradients.iter().enumerate() {
                let direction = noise(gradient.len(), 7);
                let shifted = |sign: f32| {
                    let mut inputs = inputs.clone();
                    for (x, d) in inputs[index].iter_mut().zip(&direction) {
                        *x += sign * step * d;
                    }
                    loss(&inputs, &op)
                };
                let measured = (shifted(1.0) - shifted(-1.0)) / (2.0 * f64::from(step));
                let products = gradient.iter().zip(&direction);
                let claimed: f64 =
                    products.clone().map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
                let scale: f64 = products.map(|(g, d)| f64::from((g * d).abs())).sum();
                let error = (measured - claimed).abs() / scale.max(1.0);
                prop_assert!(error < 3e-3, "input {}: {} against {}", index, claimed, measured);
            }
            Ok(())
        })
        .unwrap();
}

/// Bit for bit the same with one thread, with two, and again.
fn does_not_depend_on_threads<C: Case>() {
    let cpu = Device::flex();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (one, two) = (pool(1), pool(2));
    runner(24)
        .run(&C::strategy(), |case| {
            let (inputs, op) = (case.inputs(), case.op());
            let run = || {
                let Outcome { value, gradients } = evaluate(Kernels::Fused, &cpu, &inputs, &op);
                let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
                gradients.into_iter().chain([value]).map(bits).collect::<Vec<Vec<u32>>>()
            };
            let alone = one.install(run);
            prop_assert_eq!(&alone, &two.install(run));
            prop_assert_eq!(&alone, &two.install(run));
            Ok(())
        })
        .unwrap();
}

/// With one input tracked at a time, its gradient is what it is among the others.
fn tracks_each_input_alone<C: Case>() {
    let cpu = Device::flex();
    runner(24)
        .run(&C::strategy(), |case| {
            let (inputs, op) = (case.inputs(), case.op());
            let all = evaluate(Kernels::Fused, &cpu, &inputs, &op).gradients;
            for (tracked, expected) in all.into_iter().enumerate() {
                let mut leaves: Vec<_> =
                    inputs.iter().map(|values| vector(values, &cpu).autodiff()).collect();
                leaves[tracked] = leaves[tracked].clone().require_grad();
                let y = op(Kernels::Fused, leaves.clone());
                let probe = vector(&noise(y.shape().num_elements(), 99), &cpu).reshape(y.dims());
                let gradients = (y * probe).sum().backward();
                for (index, leaf) in leaves.iter().enumerate() {
                    let expected = (index == tracked).then(|| expected.clone());
                    prop_assert_eq!(leaf.grad(&gradients).map(numbers), expected);
                }
            }
            Ok(())
        })
        .unwrap();
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new_with_rng(
        Config { cases, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    )
}

/// Batch, height, width and channels, ragged and small; more of what a supernet has.
fn shapes() -> impl Strategy<Value = [usize; 4]> {
    let channels = prop::sample::select(vec![1, 2, 3, 4, 4, 6, 8, 12, 16, 16, 20, 24, 33, 64]);
    (1..4_usize, 1..11_usize, 1..11_usize, channels).prop_map(|(n, h, w, c)| [n, h, w, c])
}

/// More pixels than a workgroup of a WGSL kernel sums: two chunks and a part of one, and of channels in fours
/// five or more.
const MANY_PIXELS: [[usize; 4]; 4] =
    [[5, 33, 29, 6], [5, 33, 29, 16], [3, 33, 29, 20], [2, 33, 29, 64]];

/// Activations in a stack.
fn groups() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 1, 2, 3])
}

/// An image batch from flat numbers, either as they lie or through a permuted view.
fn images(flat: Tensor<1>, [n, h, w, c]: [usize; 4], permuted: bool) -> Tensor<4> {
    match permuted {
        false => flat.reshape([n, h, w, c]),
        true => flat.reshape([n, c, h, w]).permute([0, 2, 3, 1]),
    }
}

/// At least 18 pixels: over one or two the variance is anything, and its root amplifies rounding
/// without bound.
fn enough([n, h, w, c]: [usize; 4]) -> [usize; 4] {
    [n + 1, h.max(3), w.max(3), c]
}

/// What a batch norm that is left to a kernel normalises by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Nothing,
    Batch,
    Given,
}

fn by() -> impl Strategy<Value = By> {
    prop::sample::select(vec![By::Nothing, By::Batch, By::Given])
}

/// A stack of so many activations.
fn pending_norm(kernels: Kernels, x: Tensor<4>, by: By, groups: usize) -> PendingNorm {
    let columns = groups * x.dims()[3];
    let norm = |moments, of_batch| Some(Norm { moments, of_batch, eps: 1e-5, affine: None });
    let norm = match by {
        By::Nothing => None,
        By::Batch => norm(shaders::moments(kernels, x.clone(), groups), true),
        By::Given => {
            let mut moments = noise(columns, 20);
            moments.extend(noise(columns, 21).iter().map(|variance| variance.abs() + 0.5));
            norm(vector(&moments, &x.device().inner()).reshape([2, columns]), false)
        }
    };
    PendingNorm::new(x, norm)
}

/// γ in [0.5, 1.5) and −1 times that, and β, for so many columns: the input that [`with_affine`] takes.
fn affine(columns: usize, seed: u64) -> Vec<f32> {
    let mut both = noise(2 * columns, seed);
    for (index, gamma) in both[..columns].iter_mut().enumerate() {
        *gamma = (1.0 + *gamma / 2.0) * if index % 3 == 2 { -1.0 } else { 1.0 };
    }
    both
}

/// The same with γ and β, where there is a batch norm.
fn with_affine(mut pending: PendingNorm, affine: Tensor<1>) -> PendingNorm {
    if let Some(norm) = &mut pending.norm {
        norm.affine = Some(affine.reshape(norm.moments.dims()));
    }
    pending
}

/// The shape of a stack of so many activations.
fn stack([n, h, w, c]: [usize; 4], groups: usize) -> [usize; 4] {
    [groups * n, h, w, c]
}
