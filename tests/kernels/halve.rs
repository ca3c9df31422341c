//! 2×2 max pooling between stages.

use super::*;

#[derive(Clone, Debug)]
struct Halving {
    shape: [usize; 4],
    padding: usize,
    permuted: bool,
}

impl Case for Halving {
    fn strategy() -> BoxedStrategy<Self> {
        (shapes(), 0..2_usize, any::<bool>())
            .prop_map(|([n, h, w, c], padding, permuted)| Self {
                shape: [n, h.max(2), w.max(2), c],
                padding,
                permuted,
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![noise(self.shape.iter().product(), 6)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, padding, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x] = inputs.try_into().unwrap();
            shaders::halve(kernels, images(x, shape, permuted), padding)
        })
    }
}

#[test]
fn halving_equals_plain_ops() {
    equals_plain_ops::<Halving>();
}

#[test]
fn halving_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Halving>();
}

/// All pixels equal: the gradient of a window goes to its first pixel, as in PyTorch.
#[test]
fn the_first_of_equal_pixels_takes_the_gradient() {
    for (padding, first) in [(0, vec![0, 2, 8, 10]), (1, vec![0, 1, 3, 4, 5, 7, 12, 13, 15])] {
        let x = Tensor::<4>::ones([1, 4, 4, 1], &Device::flex()).autodiff().require_grad();
        let y = shaders::halve(Kernels::Fused, x.clone(), padding);
        let gradient = numbers(x.grad(&y.sum().backward()).unwrap());
        let found = (0..16).filter(|&place| gradient[place] != 0.0);
        assert_eq!(found.collect::<Vec<_>>(), first, "padding {padding}");
    }
}

#[test]
fn halving_passes_not_a_number_on() {
    let mut values = noise(64, 8);
    values[12] = f32::NAN;
    let x = vector(&values, &Device::flex()).reshape([1, 4, 4, 4]);
    let y = numbers(shaders::halve(Kernels::Fused, x, 0));
    assert_eq!(y.iter().filter(|y| y.is_nan()).count(), 1);
}
