//! Layers of burn in the form that the browser computes them in.

use shaders::{product, rectangular};

use super::*;

/// Products of matrices: rows, inputs and outputs.
#[derive(Clone, Debug)]
struct Products([usize; 3]);

impl Case for Products {
    fn strategy() -> BoxedStrategy<Self> {
        [1..40_usize, 1..40, 1..24].prop_map(Self).boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let Self([rows, inputs, outputs]) = *self;
        vec![noise(rows * inputs, 1), noise(outputs * inputs, 2)]
    }

    fn op(&self) -> Box<Op> {
        let Self([rows, inputs, outputs]) = *self;
        Box::new(move |kernels, operands| {
            let [x, weight]: [Tensor<1>; 2] = operands.try_into().unwrap();
            // The moments of batch norms come transposed.
            let weight = weight.reshape([inputs, outputs]).transpose();
            product(kernels, x.reshape([rows, inputs]), weight).reshape([rows, 1, 1, outputs])
        })
    }
}

#[test]
fn a_product_for_the_browser_equals_that_of_burn() {
    equals_plain_ops::<Products>();
}

/// Convolutions whose windows and strides are no squares.
#[derive(Clone, Debug)]
struct Oblong {
    shape: [usize; 4],
    outputs: usize,
    window: [usize; 2],
    stride: [usize; 2],
}

impl Case for Oblong {
    fn strategy() -> BoxedStrategy<Self> {
        let odd = || prop::sample::select(vec![1, 3, 7]);
        (shapes(), 1..9_usize, [odd(), odd()], [1..3_usize, 1..3])
            .prop_map(|(shape, outputs, window, stride)| Self { shape, outputs, window, stride })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let weights = self.outputs * self.shape[3] * self.window.iter().product::<usize>();
        vec![noise(self.shape.iter().product(), 1), noise(weights, 2)]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, outputs, window: [rows, columns], stride } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x, weight]: [Tensor<1>; 2] = inputs.try_into().unwrap();
            let weight = weight.reshape([outputs, shape[3], rows, columns]);
            rectangular(kernels, x.reshape(shape), weight, stride)
        })
    }
}

#[test]
fn an_oblong_convolution_for_the_browser_equals_that_of_burn() {
    equals_plain_ops::<Oblong>();
}
