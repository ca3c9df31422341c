//! An affine batch norm and the ReLU after it.

use super::*;

#[derive(Clone, Debug)]
struct Normed {
    shape: [usize; 4],
    by: By,
    is_affine: bool,
    permuted: bool,
}

impl Case for Normed {
    fn strategy() -> BoxedStrategy<Self> {
        (shapes().prop_map(enough), by(), any::<bool>(), any::<bool>())
            .prop_map(|(shape, by, is_affine, permuted)| Self {
                shape,
                by,
                is_affine: is_affine && by != By::Nothing,
                permuted,
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let images = noise(self.shape.iter().product(), 30);
        let affine = self.is_affine.then(|| affine(self.shape[3], 40));
        std::iter::once(images).chain(affine).collect()
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, by, is_affine, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let mut inputs = inputs.into_iter();
            let x = images(inputs.next().unwrap(), shape, permuted);
            let mut pending = pending_norm(kernels, x, by, 1);
            if is_affine {
                pending = with_affine(pending, inputs.next().unwrap());
            }
            shaders::rectified(kernels, pending)
        })
    }
}

#[test]
fn a_rectified_norm_equals_plain_ops() {
    equals_plain_ops::<Normed>();
}

#[test]
fn a_rectified_norm_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Normed>();
}

#[test]
fn a_rectified_norm_tracks_each_input_alone() {
    tracks_each_input_alone::<Normed>();
}

#[test]
fn a_rectified_norm_of_many_pixels_equals_plain_ops() {
    for shape in MANY_PIXELS {
        let case = Normed { shape, by: By::Batch, is_affine: true, permuted: false };
        equals_plain_ops_everywhere(&case);
    }
}

/// A search must notice that it has diverged.
#[test]
fn a_rectified_norm_passes_not_a_number_on() {
    let mut values = noise(5 * 5 * 16, 8);
    values[12] = f32::NAN;
    let device = Device::flex();
    let x = vector(&values, &device).reshape([1, 5, 5, 16]);
    let pending = with_affine(
        pending_norm(Kernels::Fused, x, By::Given, 1),
        vector(&affine(16, 40), &device),
    );
    let y = numbers(shaders::rectified(Kernels::Fused, pending));
    assert!(y[12].is_nan() && y[13].is_finite(), "{:?}", &y[12..14]);
}
