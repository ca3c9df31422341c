//! Units: depthwise and pointwise convolution in one.

use shaders::Unit;

use super::*;

#[derive(Clone, Debug)]
struct Convolutions {
    shape: [usize; 4],
    outputs: usize,
    size: usize,
    stride: usize,
    dilation: usize,
    relu: bool,
    by: By,
    permuted: bool,
}

impl Case for Convolutions {
    fn strategy() -> BoxedStrategy<Self> {
        let size = prop::sample::select(vec![3, 5, 7]);
        let outputs = prop::sample::select(vec![0, 0, 1, 5, 16]);
        let sizes = (shapes().prop_map(enough), outputs, size, 1..3_usize, 1..3_usize);
        (sizes, any::<bool>(), by(), any::<bool>())
            .prop_map(|((shape, outputs, size, stride, dilation), relu, by, permuted)| {
                // A unit of a cell has as many outputs as channels.
                let outputs = if outputs == 0 { shape[3] } else { outputs };
                Self { shape, outputs, size, stride, dilation, relu, by, permuted }
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let channels = self.shape[3];
        let depthwise = noise(channels * self.size * self.size, 2);
        let images = noise(self.shape.iter().product(), 1);
        vec![images, depthwise, noise(self.outputs * channels, 3)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, outputs, size, stride, dilation, relu, by, permuted } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x, depthwise, pointwise]: [Tensor<1>; 3] = inputs.try_into().unwrap();
            let depthwise = depthwise.reshape([shape[3], 1, size, size]);
            let pointwise = pointwise.reshape([outputs, shape[3]]);
            let input = normed(kernels, images(x, shape, permuted), by);
            let unit = Unit { relu, stride, dilation, moments: false };
            unit.forward(kernels, input, depthwise, pointwise).0
        })
    }
}

#[test]
fn a_unit_equals_plain_ops() {
    equals_plain_ops::<Convolutions>();
}

#[test]
fn a_unit_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Convolutions>();
}

#[test]
fn a_unit_tracks_each_input_alone() {
    tracks_each_input_alone::<Convolutions>();
}

/// Without the ReLU, at whose corner finite differences say nothing.
#[derive(Clone, Debug)]
struct Smooth(Convolutions);

impl Case for Smooth {
    fn strategy() -> BoxedStrategy<Self> {
        let smooth = |unit| Self(Convolutions { relu: false, ..unit });
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
fn a_unit_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Smooth>(0.01);
}

/// The moments that a unit takes on the way are those of its output.
#[test]
fn a_unit_knows_the_moments_of_its_output() {
    for (name, device) in crate::devices::all() {
        runner(8)
            .run(&Convolutions::strategy(), |case| {
                let inputs = case.inputs();
                let [x, depthwise, pointwise] = [0, 1, 2].map(|i| vector(&inputs[i], &device));
                let Convolutions { shape, outputs, size, stride, dilation, relu, .. } = case;
                let unit = Unit { relu, stride, dilation, moments: true };
                let (z, moments) = unit.forward(
                    Kernels::Fused,
                    normed(Kernels::Fused, x.reshape(shape), case.by),
                    depthwise.reshape([shape[3], 1, size, size]),
                    pointwise.reshape([outputs, shape[3]]),
                );
                let expected = numbers(shaders::moments(Kernels::Composed, z));
                let error = difference(&numbers(moments.unwrap()), &expected);
                prop_assert!(error < 1e-5, "{}: {:e}", name, error);
                Ok(())
            })
            .unwrap();
    }
}
