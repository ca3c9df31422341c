//! A stack in two.

use super::*;

/// What is done with the two parts.
#[derive(Clone, Copy, Debug)]
enum Use {
    Both,
    First,
    Others,
    /// Both, and the stack itself.
    Again,
}

#[derive(Clone, Debug)]
struct Splits {
    shape: [usize; 4],
    first: usize,
    used: Use,
    permuted: bool,
}

impl Case for Splits {
    fn strategy() -> BoxedStrategy<Self> {
        let used = prop::sample::select(vec![Use::Both, Use::First, Use::Others, Use::Again]);
        (shapes(), 1..4_usize, used, any::<bool>())
            .prop_map(|([n, h, w, c], first, used, permuted)| Self {
                shape: [n + first, h, w, c],
                first,
                used,
                permuted,
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        vec![noise(self.shape.iter().product(), 1)]
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, mut inputs| {
            let x = images(inputs.remove(0), case.shape, case.permuted);
            let (first, others) = shaders::split_at(kernels, x.clone(), case.first);
            let both =
                |first: Tensor<4>, others| Tensor::cat(vec![first.clone() * first, others], 0);
            match case.used {
                Use::Both => both(first, others),
                Use::First => first * 2.0,
                Use::Others => others * 3.0,
                Use::Again => both(first, others) + x,
            }
        })
    }
}

#[test]
fn split_at_equals_plain_ops() {
    equals_plain_ops::<Splits>();
}

#[test]
fn split_at_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Splits>(0.01);
}

#[test]
fn split_at_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Splits>();
}

/// The gradient of a leaf is kept, not handed on.
#[test]
fn a_leaf_that_is_split_at_an_image_has_the_gradient_of_both_parts() {
    for (name, device) in crate::devices::all() {
        let x = vector(&noise(3 * 8, 1), &device).reshape([3, 2, 2, 2]).autodiff().require_grad();
        let (first, others) = shaders::split_at(Kernels::Fused, x.clone(), 1);
        let gradients = (first.sum() * 2.0 + others.sum() * 3.0).backward();
        let expected = [vec![2.0; 8], vec![3.0; 16]].concat();
        assert_eq!(numbers(x.grad(&gradients).unwrap()), expected, "{name}");
    }
}
