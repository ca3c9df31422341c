//! The mixed operations.

use shaders::{Mix, Term};

use super::*;

/// Stacks of one to three activations, each with its norm, also one only and more than a kernel takes
/// at once; one to four targets; with and without sums to add to.
#[derive(Clone, Debug)]
struct Mixtures {
    /// Of an activation.
    shape: [usize; 4],
    stacks: Vec<(By, usize)>,
    targets: usize,
    /// For every activation, where it goes: to the remainder by the number of targets, and where it
    /// goes as well.
    places: Vec<(usize, Option<usize>)>,
    base: bool,
    permuted: bool,
}

impl Case for Mixtures {
    fn strategy() -> BoxedStrategy<Self> {
        let stacks = prop::collection::vec((by(), groups()), 1..11_usize);
        let places = prop::collection::vec((0..4_usize, prop::option::of(0..4_usize)), 30);
        let options = (1..5_usize, any::<bool>(), any::<bool>());
        (shapes().prop_map(enough), stacks, places, options)
            .prop_map(|(shape, stacks, places, (targets, base, permuted))| Self {
                shape,
                stacks,
                targets,
                places,
                base,
                permuted,
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        // One weight more than there are terms: it has no part in anything.
        let weights = noise(self.terms().len() + 1, 5);
        let stacks = self.stacks.iter().map(|(_, groups)| *groups);
        let images = stacks.chain(self.base.then_some(self.targets));
        let image =
            |(index, groups)| noise(stack(self.shape, groups).iter().product(), 10 + index as u64);
        std::iter::once(weights).chain(images.enumerate().map(image)).collect()
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, mut inputs| {
            let weights = inputs.remove(0);
            let mut inputs = inputs.into_iter();
            let mut image = |groups| {
                let flat = inputs.next().unwrap();
                images(flat, stack(case.shape, groups), case.permuted)
            };
            let stacks = case.stacks.iter();
            let stacks = stacks
                .map(|(by, groups)| pending_norm(kernels, image(*groups), *by, *groups))
                .collect();
            let base = case.base.then(|| image(case.targets));
            let mix = Mix { batch: case.shape[0], targets: case.targets, terms: case.terms() };
            mix.forward(kernels, base, stacks, weights)
        })
    }
}

impl Mixtures {
    fn terms(&self) -> Vec<Term> {
        let stacks = self.stacks.iter().enumerate();
        let activations =
            stacks.flat_map(|(stack, (_, groups))| (0..*groups).map(move |group| (stack, group)));
        let goes =
            |((stack, group), (first, second)): ((usize, usize), &(usize, Option<usize>))| {
                let targets = std::iter::once(*first).chain(*second);
                targets.map(move |target| (target, stack, group)).collect::<Vec<_>>()
            };
        let terms = activations.zip(&self.places).flat_map(goes).enumerate();
        let term = |(weight, (target, stack, group))| Term {
            target: target % self.targets,
            stack,
            group,
            weight,
        };
        terms.map(term).collect()
    }
}

#[test]
fn mix_equals_plain_ops() {
    equals_plain_ops::<Mixtures>();
}

#[test]
fn mix_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Mixtures>(0.01);
}

#[test]
fn mix_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Mixtures>();
}

#[test]
fn mix_tracks_each_input_alone() {
    tracks_each_input_alone::<Mixtures>();
}

#[test]
fn mix_of_many_pixels_equals_plain_ops() {
    for shape in MANY_PIXELS {
        equals_plain_ops_everywhere(&Mixtures {
            shape,
            stacks: vec![(By::Batch, 2), (By::Nothing, 1), (By::Given, 1), (By::Batch, 1)],
            targets: 2,
            places: vec![(0, None), (1, None), (0, Some(1)), (1, None), (1, Some(0))],
            base: true,
            permuted: false,
        });
    }
}
