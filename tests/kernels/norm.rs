//! Batch norm and its moments.

use super::*;

/// Batch norm by its own moments or by given ones.
#[derive(Clone, Debug)]
struct BatchNorm {
    /// Of the whole stack.
    shape: [usize; 4],
    groups: usize,
    by: By,
    permuted: bool,
}

impl Case for BatchNorm {
    fn strategy() -> BoxedStrategy<Self> {
        (shapes().prop_map(enough), groups(), by(), any::<bool>())
            .prop_map(|(shape, groups, by, permuted)| Self {
                shape: stack(shape, groups),
                groups,
                by,
                permuted,
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![noise(self.shape.iter().product(), 3)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, groups, by, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x] = inputs.try_into().unwrap();
            shaders::normalise(
                kernels,
                pending_norm(kernels, images(x, shape, permuted), by, groups),
            )
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

#[test]
fn batch_norm_of_many_pixels_equals_plain_ops() {
    for shape in MANY_PIXELS {
        let (shape, by) = (stack(shape, 2), By::Batch);
        equals_plain_ops_everywhere(&BatchNorm { shape, groups: 2, by, permuted: false });
    }
}

/// Where sums of squares would cancel: mean 100, variance 1/3.
#[test]
fn moments_are_exact_far_from_zero() {
    for channels in [5, 8] {
        let values = noise(168 * channels, 4);
        let values: Vec<f32> = values.iter().map(|x| x + 100.0).collect();
        let channel = |c: usize| values.iter().skip(c).step_by(channels).map(|x| f64::from(*x));
        let mean = |c: usize| channel(c).sum::<f64>() / 168.0;
        let variance = |c: usize| channel(c).map(|x| (x - mean(c)).powi(2)).sum::<f64>() / 168.0;
        for (name, device) in crate::devices::all() {
            let x = vector(&values, &device).reshape([3, 8, 7, channels]);
            let found = numbers(shaders::moments(Kernels::Fused, x, 1));
            for c in 0..channels {
                assert!((f64::from(found[c]) - mean(c)).abs() < 2e-5, "{name}: mean {}", found[c]);
                let error = (f64::from(found[channels + c]) - variance(c)).abs();
                assert!(error < 1e-5, "{name}: variance {}", found[channels + c]);
            }
        }
    }
}

/// The moments of a stack are those of its activations.
#[test]
fn every_activation_of_a_stack_has_its_own_moments() {
    let (shape, values) = ([2, 4, 5, 3], noise(3 * 2 * 4 * 5 * 3, 9));
    for (name, device) in crate::devices::all() {
        let moments = |values: &[f32], groups| {
            let x = vector(values, &device).reshape(stack(shape, groups));
            numbers(shaders::moments(Kernels::Fused, x, groups))
        };
        let (found, each) = (moments(&values, 3), values.chunks_exact(values.len() / 3));
        for (group, values) in each.enumerate() {
            let alone = moments(values, 1);
            let of_group = [&found[3 * group..][..3], &found[9 + 3 * group..][..3]].concat();
            assert!(difference(&of_group, &alone) < 1e-6, "{name}: group {group}");
        }
    }
}

/// A single pixel has variance 0: zeros come out, and no gradient.
#[test]
fn batch_norm_of_one_pixel_is_zero() {
    let case = BatchNorm { shape: [1, 1, 1, 6], groups: 1, by: By::Batch, permuted: false };
    let Outcome { value, gradients } =
        evaluate(Kernels::Fused, &Device::flex(), &case.inputs(), &case.op());
    assert_eq!(value, [0.0; 6]);
    assert_eq!(gradients, [[0.0; 6]]);
}
