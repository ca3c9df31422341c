//! The mixed operation.

use super::*;

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
