//! Pooling.

use shaders::Pool;

use super::*;

#[derive(Clone, Debug)]
struct Pooling {
    shape: [usize; 4],
    kinds: &'static [Pool],
    stride: usize,
    permuted: bool,
}

impl Case for Pooling {
    fn strategy() -> BoxedStrategy<Self> {
        const KINDS: [&[Pool]; 4] = [
            &[Pool::Max],
            &[Pool::Average],
            &[Pool::Max, Pool::Average],
            &[Pool::Average, Pool::Max],
        ];
        (shapes(), prop::sample::select(&KINDS), 1..3_usize, any::<bool>())
            .prop_map(|(shape, kinds, stride, permuted)| Self { shape, kinds, stride, permuted })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![noise(self.shape.iter().product(), 6)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, kinds, stride, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x] = inputs.try_into().unwrap();
            shaders::pool(kernels, images(x, shape, permuted), kinds, stride)
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
        let means = |pooling| Self(Pooling { kinds: &[Pool::Average], ..pooling });
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
        let y = shaders::pool(Kernels::Fused, x.clone(), &[Pool::Max], 2);
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
        let y = numbers(shaders::pool(Kernels::Fused, x, &[kind], 1));
        let not_numbers = y.iter().filter(|value| value.is_nan()).count();
        assert_eq!(not_numbers, 9, "{kind:?}");
    }
}
