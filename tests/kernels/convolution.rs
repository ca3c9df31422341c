//! Convolutions of all channels.

use shaders::Convolution;

use super::*;

/// Convolutions of all channels; with two banks the sizes are even, as a FactorizedReduce needs.
#[derive(Clone, Debug)]
struct Convolutions {
    shape: [usize; 4],
    outputs: usize,
    size: usize,
    banks: usize,
    convolution: Convolution,
    permuted: bool,
}

impl Case for Convolutions {
    fn strategy() -> BoxedStrategy<Self> {
        let size = prop::sample::select(vec![1, 1, 3, 3, 5]);
        let outputs = prop::sample::select(vec![1, 4, 5, 9, 16, 24]);
        let sizes = (shapes().prop_map(enough), outputs, size, 1..4_usize);
        (sizes, any::<[bool; 3]>())
            .prop_map(|((shape, outputs, size, stride), [relu, reduce, permuted])| {
                let convolution = Convolution { relu, stride, moments: false };
                if !reduce {
                    return Self { shape, outputs, size, banks: 1, convolution, permuted };
                }
                let [n, h, w, c] = shape;
                let convolution = Convolution { stride: 2, ..convolution };
                Self {
                    shape: [n, h / 2 * 2, w / 2 * 2, c],
                    outputs: 2 * outputs,
                    size: 1,
                    banks: 2,
                    convolution,
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
        let Self { shape, outputs, size, banks, convolution, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x, weight]: [Tensor<1>; 2] = inputs.try_into().unwrap();
            let weight = weight.reshape([outputs, shape[3], size, size]);
            convolution.forward(kernels, images(x, shape, permuted), weight.chunk(banks, 0)).0
        })
    }
}

impl Convolutions {
    /// How far the moments that the kernel takes on the way are from those of its output.
    fn error_of_moments(&self, x: Tensor<1>, weight: Tensor<1>) -> f32 {
        let Self { shape, outputs, size, banks, convolution, .. } = *self;
        let (z, moments) = Convolution { moments: true, ..convolution }.forward(
            Kernels::Fused,
            x.reshape(shape),
            weight.reshape([outputs, shape[3], size, size]).chunk(banks, 0),
        );
        error_of_moments(moments.unwrap(), z, 1)
    }
}

#[test]
fn a_convolution_equals_plain_ops() {
    equals_plain_ops::<Convolutions>();
}

#[test]
fn a_convolution_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Convolutions>();
}

#[test]
fn a_convolution_tracks_each_input_alone() {
    tracks_each_input_alone::<Convolutions>();
}

/// Without the ReLU, at whose corner finite differences say nothing.
#[derive(Clone, Debug)]
struct SmoothConvolution(Convolutions);

impl Case for SmoothConvolution {
    fn strategy() -> BoxedStrategy<Self> {
        let smooth = |case: Convolutions| {
            Self(Convolutions {
                convolution: Convolution { relu: false, ..case.convolution },
                ..case
            })
        };
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
fn a_convolution_agrees_with_finite_differences() {
    agrees_with_finite_differences::<SmoothConvolution>(0.01);
}

/// The moments that it takes on the way are those of its output.
#[test]
fn a_convolution_knows_the_moments_of_its_output() {
    for (name, device) in crate::devices::all() {
        runner(8)
            .run(&Convolutions::strategy(), |case| {
                let [x, weight] = [0, 1].map(|i| vector(&case.inputs()[i], &device));
                let error = case.error_of_moments(x, weight);
                prop_assert!(error < 1e-5, "{}: {:e}", name, error);
                Ok(())
            })
            .unwrap();
    }
}

/// Those of the widths of a network: in one block of a workgroup and in several, of which the last is not full, with
/// two banks and with more columns than a workgroup takes; and far from zero, where sums of squares would cancel.
#[test]
fn a_convolution_of_a_network_knows_the_moments_of_its_output() {
    for (name, device) in crate::devices::all() {
        for (shape, outputs, size, stride, banks) in [
            ([2, 5, 7, 16], 16, 1, 1, 1),
            ([3, 31, 29, 3], 48, 3, 1, 1),
            ([3, 32, 30, 16], 32, 1, 2, 2),
            ([2, 33, 17, 32], 72, 1, 1, 1),
            ([2, 256, 263, 16], 16, 1, 1, 1),
        ] {
            let convolution = Convolution { relu: banks == 2, stride, moments: false };
            let case = Convolutions { shape, outputs, size, banks, convolution, permuted: false };
            let [mut x, weight] = [0, 1].map(|i| case.inputs().swap_remove(i));
            let terms = (shape[3] * size * size) as f32;
            let weight: Vec<f32> = weight.iter().map(|w| (w.abs() + 0.1) / terms).collect();
            for shift in [0.0, 100.0] {
                x.iter_mut().for_each(|x| *x += shift);
                let [x, weight] = [&x, &weight].map(|values| vector(values, &device));
                let error = case.error_of_moments(x, weight);
                assert!(error < 5e-5, "{name}, {shape:?}, shifted by {shift}: {error:e}");
            }
        }
    }
}

/// The widths of a network that is searched, from its stem on, with pixels that do not fill a tile of a
/// workgroup, and so many pixels that a thread of a tile takes 4 and 8 of them.
#[test]
fn convolutions_of_a_network_equal_plain_ops() {
    let convolution = |stride| Convolution { relu: stride == 2, stride, moments: false };
    for (shape, outputs, size, stride, banks) in [
        ([2, 9, 7, 3], 48, 3, 1, 1),
        ([2, 9, 7, 48], 16, 1, 1, 1),
        ([3, 8, 6, 64], 32, 1, 2, 2),
        ([2, 7, 7, 256], 64, 1, 1, 1),
        ([2, 7, 5, 128], 72, 3, 2, 1),
        ([1, 256, 263, 16], 16, 1, 1, 1),
        ([2, 256, 263, 16], 16, 1, 1, 1),
    ] {
        let convolution = convolution(stride);
        let case = Convolutions { shape, outputs, size, banks, convolution, permuted: false };
        equals_plain_ops_everywhere(&case);
    }
}

/// Two pixels share a vector where a pixel fills half of it, and only where input, output and matrix
/// agree in that: every pair of widths around it.
#[test]
fn every_pair_of_narrow_widths_equals_plain_ops() {
    let cpu = Device::flex();
    for (inputs, outputs) in [2, 4, 8, 16].into_iter().flat_map(|i| [2, 4, 8, 16].map(|o| (i, o))) {
        for (size, stride, banks) in [(1, 1, 1), (1, 2, 1), (1, 2, 2), (3, 1, 1), (3, 2, 1)] {
            let convolution = Convolution { relu: true, stride, moments: false };
            let shape = [2, 6, 6, inputs];
            let case = Convolutions { shape, outputs, size, banks, convolution, permuted: false };
            let (inputs, op) = (case.inputs(), case.op());
            let reference = evaluate(Kernels::Composed, &cpu, &inputs, &op);
            let found = evaluate(Kernels::Fused, &cpu, &inputs, &op);
            assert_same(&found, &reference, &format!("{case:?}"));
        }
    }
}
