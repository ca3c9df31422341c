//! Every kernel of the crate `shaders` computes what plain burn ops compute, value and gradients,
//! on the CPU and on wgpu, over random shapes; its gradients are those of finite differences; and
//! nothing depends on the number of threads.

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shaders::Kernels;

/// A function of flat tensors that a kernel is wrapped in.
type Op = dyn Fn(Kernels, Vec<Tensor<1>>) -> Tensor<4>;

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

/// One kernel call: shapes and options.
trait Case: Clone + std::fmt::Debug + 'static {
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
    let Some(gpu) = crate::devices::wgpu() else { return };
    assert!(shaders::has_kernels(&gpu), "this build does not compile WGSL");
    runner(10)
        .run(&C::strategy(), |case| {
            let (inputs, op) = (case.inputs(), case.op());
            let reference = evaluate(Kernels::Composed, &cpu, &inputs, &op);
            assert_same(&evaluate(Kernels::Fused, &gpu, &inputs, &op), &reference, "wgpu");
            Ok(())
        })
        .unwrap();
}

/// The derivative along a random direction is the gradient times that direction. `step` is in
/// units of the inputs, which lie in [−1, 1).
fn agrees_with_finite_differences<C: Case>(step: f32) {
    let cpu = Device::flex();
    let loss = |inputs: &[Vec<f32>], op: &Op| -> f64 {
        let tensors = inputs.iter().map(|values| vector(values, &cpu)).collect();
        let y = numbers(op(Kernels::Fused, tensors));
        let probe = noise(y.len(), 99);
        y.iter().zip(&probe).map(|(y, probe)| f64::from(*y) * f64::from(*probe)).sum()
    };
    runner(24)
        .run(&C::strategy(), |case| {
            let (inputs, op) = (case.inputs(), case.op());
            let gradients = evaluate(Kernels::Fused, &cpu, &inputs, &op).gradients;
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
            // The closures hold a `dyn Fn` that is not `Sync`; each pool gets kernels of its own.
            let alone = one.in_place_scope(|_| run());
            prop_assert_eq!(&alone, &two.in_place_scope(|_| run()));
            prop_assert_eq!(&alone, &two.in_place_scope(|_| run()));
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

/// An image batch from flat numbers, either as they lie or through a permuted view.
fn images(flat: Tensor<1>, [n, h, w, c]: [usize; 4], permuted: bool) -> Tensor<4> {
    match permuted {
        false => flat.reshape([n, h, w, c]),
        true => flat.reshape([n, c, h, w]).permute([0, 2, 3, 1]),
    }
}

#[derive(Clone, Debug)]
struct Depthwise {
    shape: [usize; 4],
    size: usize,
    stride: usize,
    dilation: usize,
    permuted: bool,
}

impl Case for Depthwise {
    fn strategy() -> BoxedStrategy<Self> {
        let size = prop::sample::select(vec![3, 5, 7]);
        (shapes(), size, 1..3_usize, 1..3_usize, any::<bool>())
            .prop_map(|(shape, size, stride, dilation, permuted)| Self {
                shape,
                size,
                stride,
                dilation,
                permuted,
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let weights = self.shape[3] * self.size * self.size;
        vec![noise(self.shape.iter().product(), 1), noise(weights, 2)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, size, stride, dilation, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x, weight] = inputs.try_into().unwrap();
            let weight: Tensor<1> = weight;
            let weight = weight.reshape([shape[3], 1, size, size]);
            shaders::depthwise(kernels, images(x, shape, permuted), weight, stride, dilation)
        })
    }
}

#[test]
fn depthwise_equals_plain_ops() {
    equals_plain_ops::<Depthwise>();
}

#[test]
fn depthwise_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Depthwise>(0.05);
}

#[test]
fn depthwise_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Depthwise>();
}
