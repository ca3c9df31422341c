//! Every kernel of the crate `shaders` computes what plain burn ops compute, value and gradients,
//! on the CPU and on wgpu, over random shapes; its gradients are those of finite differences; and
//! nothing depends on the number of threads.

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shaders::{Climb, Dense, Kernels, Norm, Normed, Pool, Unit};

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

fn normed(kernels: Kernels, x: Tensor<4>, by: By) -> Normed {
    let [_, _, _, channels] = x.dims();
    let norm = |moments, of_batch| Some(Norm { moments, of_batch, eps: 1e-5 });
    let norm = match by {
        By::Nothing => None,
        By::Batch => norm(shaders::moments(kernels, x.clone()), true),
        By::Given => {
            let mut moments = noise(channels, 20);
            moments.extend(noise(channels, 21).iter().map(|variance| variance.abs() + 0.5));
            norm(vector(&moments, &x.device().inner()).reshape([2, channels]), false)
        }
    };
    Normed { x, norm }
}

#[derive(Clone, Debug)]
struct Convolutions {
    shape: [usize; 4],
    outputs: usize,
    size: usize,
    stride: usize,
    dilation: usize,
    relu: bool,
    by: By,
    permuted: bool,
}

impl Case for Convolutions {
    fn strategy() -> BoxedStrategy<Self> {
        let size = prop::sample::select(vec![3, 5, 7]);
        let outputs = prop::sample::select(vec![0, 0, 1, 5, 16]);
        let sizes = (shapes().prop_map(enough), outputs, size, 1..3_usize, 1..3_usize);
        (sizes, any::<bool>(), by(), any::<bool>())
            .prop_map(|((shape, outputs, size, stride, dilation), relu, by, permuted)| {
                // A unit of a cell has as many outputs as channels.
                let outputs = if outputs == 0 { shape[3] } else { outputs };
                Self { shape, outputs, size, stride, dilation, relu, by, permuted }
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let channels = self.shape[3];
        let depthwise = noise(channels * self.size * self.size, 2);
        let images = noise(self.shape.iter().product(), 1);
        vec![images, depthwise, noise(self.outputs * channels, 3)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, outputs, size, stride, dilation, relu, by, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x, depthwise, pointwise]: [Tensor<1>; 3] = inputs.try_into().unwrap();
            let depthwise = depthwise.reshape([shape[3], 1, size, size]);
            let pointwise = pointwise.reshape([outputs, shape[3]]);
            let input = normed(kernels, images(x, shape, permuted), by);
            let unit = Unit { relu, stride, dilation, moments: false };
            unit.forward(kernels, input, depthwise, pointwise).0
        })
    }
}

#[test]
fn a_unit_equals_plain_ops() {
    equals_plain_ops::<Convolutions>();
}

#[test]
fn a_unit_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Convolutions>();
}

#[test]
fn a_unit_tracks_each_input_alone() {
    tracks_each_input_alone::<Convolutions>();
}

/// Without the ReLU, at whose corner finite differences say nothing.
#[derive(Clone, Debug)]
struct Smooth(Convolutions);

impl Case for Smooth {
    fn strategy() -> BoxedStrategy<Self> {
        let smooth = |unit| Self(Convolutions { relu: false, ..unit });
        Convolutions::strategy().prop_map(smooth).boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        self.0.inputs()
    }

    fn op(&self) -> Box<Op> {
        self.0.op()
    }
}

#[test]
fn a_unit_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Smooth>(0.01);
}

/// The moments that a unit takes on the way are those of its output.
#[test]
fn a_unit_knows_the_moments_of_its_output() {
    for (name, device) in crate::devices::all() {
        runner(8)
            .run(&Convolutions::strategy(), |case| {
                let inputs = case.inputs();
                let [x, depthwise, pointwise] = [0, 1, 2].map(|i| vector(&inputs[i], &device));
                let Convolutions { shape, outputs, size, stride, dilation, relu, .. } = case;
                let unit = Unit { relu, stride, dilation, moments: true };
                let (z, moments) = unit.forward(
                    Kernels::Fused,
                    normed(Kernels::Fused, x.reshape(shape), case.by),
                    depthwise.reshape([shape[3], 1, size, size]),
                    pointwise.reshape([outputs, shape[3]]),
                );
                let expected = numbers(shaders::moments(Kernels::Composed, z));
                let error = difference(&numbers(moments.unwrap()), &expected);
                prop_assert!(error < 1e-5, "{}: {:e}", name, error);
                Ok(())
            })
            .unwrap();
    }
}

/// Convolutions of all channels; with two banks the sizes are even, as a FactorizedReduce needs.
#[derive(Clone, Debug)]
struct DenseConvolutions {
    shape: [usize; 4],
    outputs: usize,
    size: usize,
    banks: usize,
    dense: Dense,
    permuted: bool,
}

impl Case for DenseConvolutions {
    fn strategy() -> BoxedStrategy<Self> {
        let size = prop::sample::select(vec![1, 1, 3, 3, 5]);
        let outputs = prop::sample::select(vec![1, 4, 5, 9, 16, 24]);
        let sizes = (shapes().prop_map(enough), outputs, size, 1..4_usize);
        (sizes, any::<[bool; 3]>())
            .prop_map(|((shape, outputs, size, stride), [relu, reduce, permuted])| {
                let dense = Dense { relu, stride, moments: false };
                if !reduce {
                    return Self { shape, outputs, size, banks: 1, dense, permuted };
                }
                let [n, h, w, c] = shape;
                let dense = Dense { stride: 2, ..dense };
                Self {
                    shape: [n, h / 2 * 2, w / 2 * 2, c],
                    outputs: 2 * outputs,
                    size: 1,
                    banks: 2,
                    dense,
                    permuted,
                }
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let weights = self.outputs * self.shape[3] * self.size * self.size;
        vec![noise(self.shape.iter().product(), 1), noise(weights, 2)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, outputs, size, banks, dense, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x, weight]: [Tensor<1>; 2] = inputs.try_into().unwrap();
            let weight = weight.reshape([outputs, shape[3], size, size]);
            dense.forward(kernels, images(x, shape, permuted), weight.chunk(banks, 0)).0
        })
    }
}

#[test]
fn a_dense_convolution_equals_plain_ops() {
    equals_plain_ops::<DenseConvolutions>();
}

#[test]
fn a_dense_convolution_does_not_depend_on_threads() {
    does_not_depend_on_threads::<DenseConvolutions>();
}

#[test]
fn a_dense_convolution_tracks_each_input_alone() {
    tracks_each_input_alone::<DenseConvolutions>();
}

/// Without the ReLU, at whose corner finite differences say nothing.
#[derive(Clone, Debug)]
struct SmoothDense(DenseConvolutions);

impl Case for SmoothDense {
    fn strategy() -> BoxedStrategy<Self> {
        let smooth = |case: DenseConvolutions| {
            Self(DenseConvolutions { dense: Dense { relu: false, ..case.dense }, ..case })
        };
        DenseConvolutions::strategy().prop_map(smooth).boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        self.0.inputs()
    }

    fn op(&self) -> Box<Op> {
        self.0.op()
    }
}

#[test]
fn a_dense_convolution_agrees_with_finite_differences() {
    agrees_with_finite_differences::<SmoothDense>(0.01);
}

/// The moments that it takes on the way are those of its output.
#[test]
fn a_dense_convolution_knows_the_moments_of_its_output() {
    for (name, device) in crate::devices::all() {
        runner(8)
            .run(&DenseConvolutions::strategy(), |case| {
                let [x, weight] = [0, 1].map(|i| vector(&case.inputs()[i], &device));
                let DenseConvolutions { shape, outputs, size, banks, dense, .. } = case;
                let (z, moments) = Dense { moments: true, ..dense }.forward(
                    Kernels::Fused,
                    x.reshape(shape),
                    weight.reshape([outputs, shape[3], size, size]).chunk(banks, 0),
                );
                let expected = numbers(shaders::moments(Kernels::Composed, z));
                let error = difference(&numbers(moments.unwrap()), &expected);
                prop_assert!(error < 1e-5, "{}: {:e}", name, error);
                Ok(())
            })
            .unwrap();
    }
}

/// Batch norm by its own moments or by given ones.
#[derive(Clone, Debug)]
struct BatchNorm {
    shape: [usize; 4],
    by: By,
    permuted: bool,
}

impl Case for BatchNorm {
    fn strategy() -> BoxedStrategy<Self> {
        (shapes().prop_map(enough), by(), any::<bool>())
            .prop_map(|(shape, by, permuted)| Self { shape, by, permuted })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![noise(self.shape.iter().product(), 3)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, by, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x] = inputs.try_into().unwrap();
            shaders::normalise(kernels, normed(kernels, images(x, shape, permuted), by))
        })
    }
}

#[test]
fn batch_norm_equals_plain_ops() {
    equals_plain_ops::<BatchNorm>();
}

#[test]
fn batch_norm_agrees_with_finite_differences() {
    agrees_with_finite_differences::<BatchNorm>(0.01);
}

#[test]
fn batch_norm_does_not_depend_on_threads() {
    does_not_depend_on_threads::<BatchNorm>();
}

/// Where sums of squares would cancel: mean 100, variance 1/3.
#[test]
fn moments_are_exact_far_from_zero() {
    let shape = [3, 8, 7, 5];
    let values: Vec<f32> = noise(shape.iter().product(), 4).iter().map(|x| x + 100.0).collect();
    let channel = |c: usize| values.iter().skip(c).step_by(5).map(|x| f64::from(*x));
    let mean = |c: usize| channel(c).sum::<f64>() / 168.0;
    let variance = |c: usize| channel(c).map(|x| (x - mean(c)).powi(2)).sum::<f64>() / 168.0;
    for (name, device) in crate::devices::all() {
        let x = vector(&values, &device).reshape(shape);
        let found = numbers(shaders::moments(Kernels::Fused, x));
        for c in 0..5 {
            assert!((f64::from(found[c]) - mean(c)).abs() < 2e-5, "{name}: mean {}", found[c]);
            let error = (f64::from(found[5 + c]) - variance(c)).abs();
            assert!(error < 1e-5, "{name}: variance {}", found[5 + c]);
        }
    }
}

/// A single pixel has variance 0: zeros come out, and no gradient.
#[test]
fn batch_norm_of_one_pixel_is_zero() {
    let case = BatchNorm { shape: [1, 1, 1, 6], by: By::Batch, permuted: false };
    let Outcome { value, gradients } =
        evaluate(Kernels::Fused, &Device::flex(), &case.inputs(), &case.op());
    assert_eq!(value, [0.0; 6]);
    assert_eq!(gradients, [[0.0; 6]]);
}

/// Candidates of an edge, each with its norm, also one only and more than a kernel takes at once,
/// with and without a sum to add to.
#[derive(Clone, Debug)]
struct Mix {
    shape: [usize; 4],
    candidates: Vec<By>,
    base: bool,
    permuted: bool,
}

impl Case for Mix {
    fn strategy() -> BoxedStrategy<Self> {
        let candidates = prop::collection::vec(by(), 1..11_usize);
        (shapes().prop_map(enough), candidates, any::<bool>(), any::<bool>())
            .prop_map(|(shape, candidates, base, permuted)| Self {
                shape,
                candidates,
                base,
                permuted,
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let weights = noise(self.candidates.len(), 5);
        let images = self.candidates.len() + usize::from(self.base);
        let image = |index| noise(self.shape.iter().product(), 10 + index as u64);
        std::iter::once(weights).chain((0..images).map(image)).collect()
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, candidates, permuted, .. } = self.clone();
        Box::new(move |kernels, mut inputs| {
            let weights = inputs.remove(0);
            let mut images = inputs.into_iter().map(|flat| images(flat, shape, permuted));
            let candidate = |by: &By| normed(kernels, images.next().unwrap(), *by);
            let candidates = candidates.iter().map(candidate).collect();
            shaders::mix(kernels, images.next(), candidates, weights)
        })
    }
}

#[test]
fn mix_equals_plain_ops() {
    equals_plain_ops::<Mix>();
}

#[test]
fn mix_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Mix>(0.01);
}

#[test]
fn mix_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Mix>();
}

#[test]
fn mix_tracks_each_input_alone() {
    tracks_each_input_alone::<Mix>();
}

#[derive(Clone, Debug)]
struct Pooling {
    shape: [usize; 4],
    kind: Pool,
    stride: usize,
    permuted: bool,
}

impl Case for Pooling {
    fn strategy() -> BoxedStrategy<Self> {
        let kind = prop::sample::select(vec![Pool::Max, Pool::Average]);
        (shapes(), kind, 1..3_usize, any::<bool>())
            .prop_map(|(shape, kind, stride, permuted)| Self { shape, kind, stride, permuted })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![noise(self.shape.iter().product(), 6)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, kind, stride, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x] = inputs.try_into().unwrap();
            shaders::pool(kernels, images(x, shape, permuted), kind, stride)
        })
    }
}

#[test]
fn pooling_equals_plain_ops() {
    equals_plain_ops::<Pooling>();
}

#[test]
fn pooling_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Pooling>();
}

/// A mean is linear; a maximum has corners, where finite differences say nothing.
#[derive(Clone, Debug)]
struct Means(Pooling);

impl Case for Means {
    fn strategy() -> BoxedStrategy<Self> {
        let means = |pooling| Self(Pooling { kind: Pool::Average, ..pooling });
        Pooling::strategy().prop_map(means).boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        self.0.inputs()
    }

    fn op(&self) -> Box<Op> {
        self.0.op()
    }
}

#[test]
fn average_pooling_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Means>(0.05);
}

/// All pixels equal: the gradient of a window goes to its first pixel, as in PyTorch. With stride
/// 2 on 4×4 those are (0, 0), (0, 1), (1, 0) and (1, 1).
#[test]
fn the_first_of_equal_maxima_takes_the_gradient() {
    for (name, device) in crate::devices::all() {
        let x = Tensor::<4>::ones([1, 4, 4, 1], &device).autodiff().require_grad();
        let y = shaders::pool(Kernels::Fused, x.clone(), Pool::Max, 2);
        let probe = vector(&[1.0, 2.0, 3.0, 4.0], &device).reshape([1, 2, 2, 1]).autodiff();
        let gradient = numbers(x.grad(&(y * probe).sum().backward()).unwrap());
        let mut expected = vec![0.0; 16];
        expected[0] = 1.0;
        expected[1] = 2.0;
        expected[4] = 3.0;
        expected[5] = 4.0;
        assert_eq!(gradient, expected, "{name}");
    }
}

/// A search must notice that it has diverged.
#[test]
fn pooling_passes_not_a_number_on() {
    let mut values = noise(25, 8);
    values[12] = f32::NAN;
    for kind in [Pool::Max, Pool::Average] {
        let x = vector(&values, &Device::flex()).reshape([1, 5, 5, 1]);
        let y = numbers(shaders::pool(Kernels::Fused, x, kind, 1));
        let not_numbers = y.iter().filter(|value| value.is_nan()).count();
        assert_eq!(not_numbers, 9, "{kind:?}");
    }
}

/// A step of the attack from random tables, some of whose rows the clip empties.
#[test]
fn a_step_of_the_attack_equals_plain_ops() {
    let table = (1..20_usize, 1..9_usize, 0.0f32..0.4, 0.0f32..1.5, 0u64..1000);
    for (name, device) in crate::devices::all() {
        // Every length and radius is a kernel of its own on a GPU.
        let cases = if name == "cpu" { 256 } else { 16 };
        runner(cases)
            .run(&table, |(rows, columns, length, epsilon, seed)| {
                let [p, current, gradient] = [1, 2, 3].map(|part| {
                    let mut values = noise(rows * columns, 10 * seed + part);
                    // A gradient of zero has no sign.
                    values.iter_mut().step_by(5).for_each(|value| *value *= f32::from(part < 3));
                    vector(&values, &device).reshape([rows, columns])
                });
                let step = |kernels| {
                    let climb = Climb { length, epsilon };
                    climb.forward(kernels, p.clone(), current.clone(), gradient.clone())
                };
                let (displaced, clipped) = step(Kernels::Fused);
                let (wanted_displaced, wanted_clipped) = step(Kernels::Composed);
                let error = difference(&numbers(displaced), &numbers(wanted_displaced))
                    .max(difference(&numbers(clipped.clone()), &numbers(wanted_clipped)));
                prop_assert!(error < 1e-6, "{}: {:e}", name, error);
                let sums = numbers(clipped.sum_dim(1));
                prop_assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{:?}", sums);
                Ok(())
            })
            .unwrap();
    }
}
