//! Tensors side by side.

use super::*;

/// One to sixteen tensors of one to nine columns.
#[derive(Clone, Debug)]
struct Concat {
    shape: [usize; 3],
    widths: Vec<usize>,
    permuted: bool,
}

impl Case for Concat {
    fn strategy() -> BoxedStrategy<Self> {
        let widths = prop::collection::vec(1..10_usize, 1..17_usize);
        ([1..4_usize, 1..6, 1..6], widths, any::<bool>())
            .prop_map(|(shape, widths, permuted)| Self { shape, widths, permuted })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let rows: usize = self.shape.iter().product();
        let part = |(index, width): (usize, &usize)| noise(rows * width, 30 + index as u64);
        self.widths.iter().enumerate().map(part).collect()
    }

    fn op(&self) -> Box<Op> {
        let Self { shape: [n, h, w], widths, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let part =
                |(flat, width): (Tensor<1>, &usize)| images(flat, [n, h, w, *width], permuted);
            shaders::concat(kernels, inputs.into_iter().zip(&widths).map(part).collect())
        })
    }
}

#[test]
fn concat_equals_plain_ops() {
    equals_plain_ops::<Concat>();
}

#[test]
fn concat_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Concat>(0.05);
}

#[test]
fn concat_tracks_each_input_alone() {
    tracks_each_input_alone::<Concat>();
}

/// Of vectors and of matrices.
#[test]
fn what_was_concatenated_is_split_again() {
    for (name, device) in crate::devices::all() {
        runner(8)
            .run(&Concat::strategy(), |case| {
                let rows = case.shape[0];
                let inputs = case.widths.iter().enumerate();
                let inputs: Vec<Vec<f32>> =
                    inputs.map(|(index, width)| noise(rows * width, index as u64)).collect();
                let part = |(values, width): (&Vec<f32>, &usize)| {
                    vector(values, &device).reshape([rows, *width])
                };
                let parts = inputs.iter().zip(&case.widths).map(part).collect();
                let whole = shaders::concat(Kernels::Fused, parts);
                let again = shaders::split_with_sizes(Kernels::Fused, whole, &case.widths);
                let again: Vec<Vec<f32>> = again.into_iter().map(numbers).collect();
                prop_assert_eq!(&again, &inputs, "{}", name);
                Ok(())
            })
            .unwrap();
    }
}
