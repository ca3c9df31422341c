//! Layers of burn in the form that the browser computes them in.

use shaders::{Window, product, rectangular};

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

/// Maxima of windows, in numbers of which many are equal.
#[derive(Clone, Debug)]
struct Maxima {
    shape: [usize; 4],
    window: Window,
}

impl Case for Maxima {
    fn strategy() -> BoxedStrategy<Self> {
        (shapes(), 2..4_usize, 1..3_usize, 0..2_usize)
            .prop_map(|([n, h, w, c], side, stride, padding)| Self {
                shape: [n, h.max(side), w.max(side), c],
                window: Window { side, stride, padding },
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let coarse = |value: f32| (4.0 * value).round();
        vec![noise(self.shape.iter().product(), 8).into_iter().map(coarse).collect()]
    }

    fn op(&self) -> Box<Op> {
        let Self { shape, window } = self.clone();
        Box::new(move |kernels, inputs| {
            let [x] = inputs.try_into().unwrap();
            window.largest(kernels, x.reshape(shape))
        })
    }
}

#[test]
fn maxima_for_the_browser_equal_those_of_burn() {
    equals_plain_ops::<Maxima>();
}

#[test]
fn the_browser_finds_the_first_of_equal_maxima_where_burn_finds_it() {
    for (name, device) in crate::devices::all() {
        runner(24)
            .run(&Maxima::strategy(), |case| {
                let Maxima { shape, window } = case;
                let find = |kernels, device: &Device| {
                    let x = vector(&case.inputs()[0], device).reshape(shape);
                    let places = window.places(kernels, x).into_data();
                    places.iter::<i64>().collect::<Vec<_>>()
                };
                let expected = find(Kernels::Composed, &Device::flex());
                prop_assert_eq!(find(Kernels::Fused, &device), expected, "{}", name);
                Ok(())
            })
            .unwrap();
    }
}
