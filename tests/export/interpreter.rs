//! The operators of ONNX, as its documentation says, on plain burn operations.

use std::collections::BTreeMap;

use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::onnx::{Attribute, Model, Node, Tensor as Constant};
use crate::devices::host;

/// The logits of images of this shape, [batch, channels, height, width].
pub fn run(model: &Model, images: &[f32], shape: [usize; 4]) -> Vec<f32> {
    let images = Tensor::from_data(TensorData::new(images.to_vec(), shape), &Device::flex());
    let mut values = BTreeMap::from([(model.input.0.clone(), images)]);
    for node in &model.nodes {
        let output = Call { model, values: &values, node }.compute();
        values.insert(node.output.clone(), output);
    }
    host(values.remove(&model.output.0).unwrap())
}

struct Call<'a> {
    model: &'a Model,
    values: &'a BTreeMap<String, Tensor<4>>,
    node: &'a Node,
}

impl Call<'_> {
    /// Every value has four sides here; those of the logits are [batch, classes, 1, 1].
    fn compute(&self) -> Tensor<4> {
        let inputs = || (0..self.node.inputs.len()).map(|index| self.input(index));
        match self.node.kind.as_str() {
            "Relu" => activation::relu(self.input(0)),
            "Sub" => self.input(0) - self.input(1),
            "Div" => self.input(0) / self.input(1),
            "Sum" => inputs().reduce(|sum, x| sum + x).unwrap(),
            "Concat" => {
                assert_eq!(self.int("axis"), 1);
                Tensor::cat(inputs().collect(), 1)
            }
            "Conv" => self.convolution(),
            "BatchNormalization" => self.norm(),
            "MaxPool" | "AveragePool" => self.pool(),
            "GlobalAveragePool" => self.input(0).mean_dim(3).mean_dim(2),
            // Of what has one pixel, and of what is only asked for its shape.
            "Flatten" | "Shape" => self.input(0),
            "ConstantOfShape" => self.input(0).zeros_like(),
            "Gemm" => {
                assert_eq!(self.int("transB"), 1);
                let [batch, features, ..] = self.input(0).dims();
                let x = self.input(0).reshape([batch, features]);
                let (sides, weight) = self.constant(1);
                let weight = tensor(weight, [sides[0], sides[1]]);
                let (classes, bias) = self.constant(2);
                let y = x.matmul(weight.transpose()) + tensor(bias, [1, classes[0]]);
                y.reshape([batch, sides[0], 1, 1])
            }
            "Slice" => self.slice(),
            other => panic!("{other}"),
        }
    }

    /// An activation, or a constant of four sides.
    fn input(&self, index: usize) -> Tensor<4> {
        let name = &self.node.inputs[index];
        self.values.get(name).cloned().unwrap_or_else(|| {
            let (sides, values) = self.constant(index);
            tensor(values, sides.try_into().unwrap())
        })
    }

    fn constant(&self, index: usize) -> (Vec<usize>, Vec<f32>) {
        match &self.model.initialisers[&self.node.inputs[index]] {
            Constant::Floats(sides, values) => (sides.clone(), values.clone()),
            Constant::Integers(_) => panic!("floats were expected"),
        }
    }

    fn int(&self, name: &str) -> i64 {
        match self.node.attributes.get(name) {
            Some(Attribute::Int(value)) => *value,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn ints(&self, name: &str) -> Vec<usize> {
        match self.node.attributes.get(name) {
            Some(Attribute::Ints(values)) => values.iter().map(|value| *value as usize).collect(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn pair(&self, name: &str) -> [usize; 2] {
        self.ints(name).try_into().unwrap()
    }

    fn convolution(&self) -> Tensor<4> {
        let (sides, weight) = self.constant(1);
        assert_eq!(self.ints("kernel_shape"), sides[2..]);
        let weight = tensor(weight, sides.try_into().unwrap());
        let (stride, dilation) = (self.pair("strides"), self.pair("dilations"));
        let options = ConvOptions::new(stride, [0; 2], dilation, self.int("group") as usize);
        conv2d(padded(self.input(0), &self.ints("pads")), weight, None, options)
    }

    fn norm(&self) -> Tensor<4> {
        let row = |index| {
            let (sides, values) = self.constant(index);
            tensor(values, [1, sides[0], 1, 1])
        };
        let [gamma, beta, mean, variance] = [1, 2, 3, 4].map(row);
        let Some(Attribute::Float(epsilon)) = self.node.attributes.get("epsilon") else {
            panic!("epsilon")
        };
        (self.input(0) - mean) / (variance + *epsilon).sqrt() * gamma + beta
    }

    fn pool(&self) -> Tensor<4> {
        let (size, stride) = (self.pair("kernel_shape"), self.pair("strides"));
        let padding = self.node.attributes.get("pads").map_or(0, |_| {
            let pads = self.ints("pads");
            assert_eq!(pads, [pads[0]; 4]);
            pads[0]
        });
        if self.node.kind == "MaxPool" {
            let options = MaxPoolOptions::new(size).with_stride(stride).with_padding([padding; 2]);
            return max_pool2d(self.input(0), options);
        }
        let options = AvgPoolOptions::new(size).with_stride(stride).with_padding([padding; 2]);
        if padding > 0 {
            assert_eq!(self.int("count_include_pad"), 0);
        }
        avg_pool2d(self.input(0), options.with_count_include_pad(false))
    }

    fn slice(&self) -> Tensor<4> {
        let integers = |index: usize| match &self.model.initialisers[&self.node.inputs[index]] {
            Constant::Integers(values) => values.clone(),
            Constant::Floats(..) => panic!("integers were expected"),
        };
        let (starts, ends, axes, steps) = (integers(1), integers(2), integers(3), integers(4));
        if let (&[1], &[0], &[end], &[1]) = (&axes[..], &starts[..], &ends[..], &steps[..]) {
            // The first channels.
            return self.input(0).narrow(1, 0, end as usize);
        }
        assert_eq!((&axes[..], &ends[..]), (&[2, 3][..], &[i64::MAX; 2][..]));
        axes.iter().zip(starts).zip(steps).fold(self.input(0), |x, ((axis, start), step)| {
            let side = x.dims()[*axis as usize];
            let places = (start as usize..side).step_by(step as usize);
            let parts = places.map(|place| x.clone().narrow(*axis as usize, place, 1));
            Tensor::cat(parts.collect(), *axis as usize)
        })
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// Zeros around an image: above, left, below and right.
fn padded(x: Tensor<4>, pads: &[usize]) -> Tensor<4> {
    let [above, left, below, right] = pads else { panic!("{pads:?}") };
    let with = |x: Tensor<4>, axis: usize, before: usize, after: usize| {
        let zeros = |count| {
            let mut shape = x.dims();
            shape[axis] = count;
            Tensor::zeros(shape, &x.device())
        };
        let mut parts = vec![x.clone()];
        if before > 0 {
            parts.insert(0, zeros(before));
        }
        if after > 0 {
            parts.push(zeros(after));
        }
        Tensor::cat(parts, axis)
    };
    with(with(x, 2, *above, *below), 3, *left, *right)
}
