//! Few channels and the others, and both together again.

use shaders::Shared;

use super::*;

#[derive(Clone, Debug)]
struct Divided {
    shape: [usize; 4],
    parts: usize,
    size: usize,
    /// Whether only one of the two parts is used: the first, or the others.
    alone: Option<bool>,
    /// Whether the others are added to something.
    has_base: bool,
    /// Whether there is another reader of the activation.
    is_shared: bool,
    permuted: bool,
}

impl Case for Divided {
    fn strategy() -> BoxedStrategy<Self> {
        let alone = prop::sample::select(vec![None, None, Some(true), Some(false)]);
        // Channels of the first part that are moved several at once, and that are not.
        let widths = prop::sample::select(vec![1, 3, 4, 8]);
        (shapes(), widths, 2..5_usize, 1..3_usize, alone, any::<[bool; 3]>())
            .prop_map(|([n, h, w, _], c, parts, size, alone, flags)| {
                let [has_base, is_shared, permuted] = flags;
                // Only the others read what they are added to.
                let has_base = has_base && alone != Some(true);
                let shape = [n, h * size, w * size, c * parts];
                Self { shape, parts, size, alone, has_base, is_shared, permuted }
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let base = self.base().iter().product();
        let inputs = [noise(self.shape.iter().product(), 1), noise(base, 2)];
        inputs.into_iter().take(1 + usize::from(self.has_base)).collect()
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, mut inputs| {
            let x = images(inputs.remove(0), case.shape, case.permuted);
            // The gradient of a leaf is not added to.
            let shared = Shared::new(if case.is_shared { x * 1.5 } else { x });
            let first = case.shape[3] / case.parts;
            let base = case.has_base.then(|| images(inputs.remove(0), case.base(), case.permuted));
            let (mut own, past) = shaders::split_channels(kernels, &shared, first, case.size, base);
            if case.is_shared {
                own = own + shared.read(kernels).slice_dim(3, 0..first) * 0.5;
            }
            match case.alone {
                Some(true) => return own * 2.0,
                Some(false) => return past * 3.0,
                None => {}
            }
            let [height, width] = [past.dims()[1], past.dims()[2]];
            let own = own.slice([0..case.shape[0], 0..height, 0..width]);
            shaders::shuffle(kernels, vec![own.clone() * own, past], case.parts)
        })
    }
}

impl Divided {
    /// Shape of what the others are added to.
    fn base(&self) -> [usize; 4] {
        let [batch, height, width, channels] = self.shape;
        [batch, height / self.size, width / self.size, channels - channels / self.parts]
    }
}

#[test]
fn divided_and_shuffled_channels_equal_plain_ops() {
    equals_plain_ops::<Divided>();
}

/// A maximum has corners, where finite differences say nothing.
#[derive(Clone, Debug)]
struct Smooth(Divided);

impl Case for Smooth {
    fn strategy() -> BoxedStrategy<Self> {
        Divided::strategy().prop_map(|divided| Self(Divided { size: 1, ..divided })).boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        self.0.inputs()
    }

    fn op(&self) -> Box<Op> {
        self.0.op()
    }
}

#[test]
fn divided_and_shuffled_channels_agree_with_finite_differences() {
    agrees_with_finite_differences::<Smooth>(0.05);
}

#[test]
fn divided_and_shuffled_channels_do_not_depend_on_threads() {
    does_not_depend_on_threads::<Divided>();
}

/// Spec §14.19.
#[test]
fn eight_channels_in_four_groups_are_shuffled_as_the_specification_says() {
    for (name, device) in crate::devices::all() {
        for kernels in [Kernels::Composed, Kernels::Fused] {
            let x = vector(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], &device).reshape([1, 8]);
            let parts = vec![x.clone().slice([0..1, 0..2]), x.slice([0..1, 2..8])];
            let found = numbers(shaders::shuffle(kernels, parts, 4));
            assert_eq!(found, [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0], "{name} {kernels:?}");
        }
    }
}

/// The gradient of a leaf is kept, not handed on.
#[test]
fn a_leaf_whose_channels_are_divided_has_the_gradient_of_both_parts() {
    for (name, device) in crate::devices::all() {
        let x = vector(&noise(2 * 8, 1), &device).reshape([1, 2, 2, 4]).autodiff().require_grad();
        let shared = Shared::new(x.clone());
        let (own, past) = shaders::split_channels(Kernels::Fused, &shared, 1, 1, None);
        let gradients = (own.sum() * 2.0 + past.sum() * 3.0).backward();
        let expected = [2.0, 3.0, 3.0, 3.0].repeat(4);
        assert_eq!(numbers(x.grad(&gradients).unwrap()), expected, "{name}");
    }
}
