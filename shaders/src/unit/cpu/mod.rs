//! The CPU twin: one image at a time, from the padded planes of the input to the finished rows of
//! the output, so that nothing between them leaves the second-level cache. A task is an image with
//! all units that read it: those with the same padding share its planes, and their gradients meet
//! in one place.

// `with_simd` needs a type parameter to compile a function once for each instruction set; plain
// loops, which the compiler vectorises, do not name it.
#![allow(clippy::extra_unused_type_parameters)]

mod back;
mod output_gradient;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, with_simd};

use super::{BankGradients, BankOps, Operands, Prologue, Sizes};
use crate::cpu::aligned::Aligned;
use crate::cpu::block::Block;
use crate::cpu::columns::Columns;
use crate::cpu::convolve::Plan;
use crate::cpu::matrix::{Product, rows_at_once};
use crate::cpu::planes::{Planes, Rows};
use crate::cpu::{
    self, MULTIPLY_ADDS, Scratch, contiguous, for_each, lanes, rectified, values, with_scratch,
};
use crate::meter;
use crate::norm::cpu::{Affine, Scale, image_moments, merge};

impl BankOps for Flex {
    fn bank(operands: Operands<Self>, sizes: Sizes) -> FlexTensor {
        let _span = meter::span("bank");
        let inputs = Inputs::new(operands, sizes);
        inputs.forward(false).0.into_tensor(inputs.sizes.output_shape())
    }

    fn bank_and_moments(operands: Operands<Self>, sizes: Sizes) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("bank_and_moments");
        let inputs = Inputs::new(operands, sizes);
        let (z, moments) = inputs.forward(true);
        let sizes = inputs.sizes;
        (z.into_tensor(sizes.output_shape()), cpu::tensor(moments, sizes.moments_shape()))
    }
}

impl BankGradients for Flex {
    fn bank_x_gradient(operands: Operands<Self>, gradient: FlexTensor, sizes: Sizes) -> FlexTensor {
        let _span = meter::span("bank_x_gradient");
        let inputs = Inputs::new(operands, sizes);
        let (x, _, _) = inputs.backward(gradient, back::Wanted { x: true, weights: false });
        x.into_tensor(inputs.sizes.input_shape())
    }

    fn bank_weight_gradient(
        operands: Operands<Self>,
        gradient: FlexTensor,
        sizes: Sizes,
    ) -> FlexTensor {
        let _span = meter::span("bank_weight_gradient");
        let inputs = Inputs::new(operands, sizes);
        let (_, weights, _) = inputs.backward(gradient, back::Wanted { x: false, weights: true });
        cpu::tensor(weights, [inputs.sizes.weight_count()])
    }

    fn bank_gradients(
        operands: Operands<Self>,
        gradient: FlexTensor,
        sizes: Sizes,
    ) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("bank_gradients");
        let inputs = Inputs::new(operands, sizes);
        let (x, weights, _) = inputs.backward(gradient, back::Wanted { x: true, weights: true });
        let sizes = inputs.sizes;
        (x.into_tensor(sizes.input_shape()), cpu::tensor(weights, [sizes.weight_count()]))
    }

    fn bank_all_gradients(
        operands: Operands<Self>,
        gradient: FlexTensor,
        sizes: Sizes,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let _span = meter::span("bank_all_gradients");
        let inputs = Inputs::new(operands, sizes);
        let (x, weights, affine) =
            inputs.backward(gradient, back::Wanted { x: true, weights: true });
        let sizes = inputs.sizes;
        let shape = [2, sizes.sources() * sizes.channels()];
        let (x, weights) =
            (x.into_tensor(sizes.input_shape()), cpu::tensor(weights, [sizes.weight_count()]));
        (x, weights, cpu::tensor(affine, shape))
    }
}

/// The inputs of the op in row-major order, and the prologue as numbers.
struct Inputs {
    x: FlexTensor,
    /// Of every source.
    scales: Vec<Scale>,
    /// γ and β of every source, where there are such.
    affine: Vec<Affine>,
    weights: FlexTensor,
    sizes: Sizes,
}

/// A unit of the forward pass.
struct Ready {
    plan: Plan,
    matrix: Product,
}

impl Inputs {
    fn new(operands: Operands<Flex>, sizes: Sizes) -> Self {
        let Operands { x, norm, affine, weights } = operands;
        let scales = match sizes.prologue.norm {
            Some(standard) => Scale::list(values(&contiguous(norm)), standard),
            None => (0..sizes.sources()).map(|_| Scale::identity(sizes.channels())).collect(),
        };
        let affine = match sizes.prologue.is_affine() {
            true => Affine::list(values(&contiguous(affine)), &scales),
            false => Vec::new(),
        };
        Self { x: contiguous(x), scales, affine, weights: contiguous(weights), sizes }
    }

    /// Floats of an image of the input.
    fn input(&self) -> usize {
        self.sizes.image.iter().product()
    }

    /// Floats of an image of the output.
    fn output(&self) -> usize {
        let [height, width] = self.sizes.out();
        height * width * self.sizes.outputs
    }

    /// What an image of a source costs, the units that read it together.
    fn cost(&self) -> usize {
        let Sizes { units, outputs, .. } = &self.sizes;
        let taps: usize = units.iter().map(|unit| unit.size * unit.size).sum();
        let middle = self.output() / outputs * self.sizes.channels();
        let products = middle * (taps + units.len() * outputs) / MULTIPLY_ADDS;
        self.input() + (products + units.len() * (middle + self.output())) / self.sizes.sources()
    }

    /// An image of the stack.
    fn image(&self, index: usize) -> &[f32] {
        &values(&self.x)[index * self.input()..][..self.input()]
    }

    /// The depthwise and the pointwise weights of a unit.
    fn weights_of(&self, unit: usize) -> (&[f32], &[f32]) {
        let (depthwise, pointwise) = self.sizes.places(unit);
        let weights = values(&self.weights);
        (&weights[depthwise], &weights[pointwise])
    }

    fn ready(&self, unit: usize) -> Ready {
        let (depthwise, pointwise) = self.weights_of(unit);
        let (channels, outputs) = (self.sizes.channels(), self.sizes.outputs);
        let at = |input: usize, output: usize| pointwise[output * channels + input];
        Ready {
            plan: Plan::forward(&self.sizes.windows(unit), depthwise, lanes()),
            matrix: Product::new([channels, outputs], lanes(), at),
        }
    }

    /// The output, and its moments if they are wanted.
    fn forward(&self, moments: bool) -> (Block, Vec<f32>) {
        let Sizes { batch, outputs, .. } = self.sizes;
        let units = self.sizes.units.len();
        let ready: Vec<Ready> = (0..units).map(|unit| self.ready(unit)).collect();
        let mut z = Block::new(units * batch * self.output());
        let size = if moments { 2 * outputs } else { 0 };
        let mut partial = vec![0.0; units * batch * size];
        let tasks = self.deal(&mut z, &mut partial, size);
        for_each(tasks, self.cost(), |index, outs| {
            let source = index / batch;
            let units = &ready[self.sizes.of_source(source)];
            with_scratch(|scratch| {
                let activation = Activation { inputs: self, source, image: self.image(index) };
                forward(activation, units, scratch, outs);
            });
        });
        let pixels = self.output() / outputs;
        let moments = if moments { merge(&partial, units, outputs, pixels) } else { Vec::new() };
        (z, moments)
    }

    /// What the units of every source write for every image: [source, image], and in it for each unit
    /// its output and the moments of that.
    fn deal<'a>(
        &self,
        z: &'a mut [f32],
        partial: &'a mut [f32],
        size: usize,
    ) -> Vec<Vec<[&'a mut [f32]; 2]>> {
        let batch = self.sizes.batch;
        let mut tasks: Vec<Vec<_>> =
            (0..self.sizes.sources() * batch).map(|_| Vec::new()).collect();
        let mut partial = partial.chunks_mut(size.max(1));
        for (index, z) in z.chunks_mut(self.output()).enumerate() {
            let source = self.sizes.units[index / batch].source;
            let partial = partial.next().unwrap_or_default();
            tasks[source * batch + index % batch].push([z, partial]);
        }
        tasks
    }
}

impl Prologue {
    /// Whether the batch norm has γ and β.
    fn is_affine(&self) -> bool {
        self.norm.is_some_and(|norm| norm.affine)
    }

    /// Batch norm and ReLU of pixels.
    #[inline(always)]
    fn apply(&self, scales: (&Scale, Option<&Affine>), x: &[f32], out: &mut [f32]) {
        match self.relu {
            true => self.normalise(scales, x, out, rectified),
            false => self.normalise(scales, x, out, |x| x),
        }
    }

    #[inline(always)]
    fn normalise(
        &self,
        (scale, affine): (&Scale, Option<&Affine>),
        x: &[f32],
        out: &mut [f32],
        activation: impl Fn(f32) -> f32,
    ) {
        let strip = scale.mean.len();
        for (x, out) in x.chunks(strip).zip(out.chunks_mut(strip)) {
            let pixels = x.iter().zip(out);
            let means = pixels.zip(scale.mean.iter().zip(&scale.factor));
            match affine {
                Some(Affine { factor, shift }) => {
                    for (((x, out), (mean, _)), (factor, shift)) in
                        means.zip(factor.iter().zip(shift))
                    {
                        *out = activation((x - mean) * factor + shift);
                    }
                }
                None if self.norm.is_some() => {
                    for ((x, out), (mean, factor)) in means {
                        *out = activation((x - mean) * factor);
                    }
                }
                None => means.for_each(|((x, out), _)| *out = activation(*x)),
            }
        }
    }
}

/// An image after the prologue.
#[derive(Clone, Copy)]
struct Activation<'a> {
    inputs: &'a Inputs,
    source: usize,
    image: &'a [f32],
}

impl Activation<'_> {
    #[inline(always)]
    fn scale(&self) -> (&Scale, Option<&Affine>) {
        (&self.inputs.scales[self.source], self.inputs.affine.get(self.source))
    }

    /// Fills the planes of a unit, unless those of the unit before, `filled`, are the same.
    fn fill(self, planes: Planes, filled: &mut Option<Planes>, scratch: &mut Aligned) {
        if *filled != Some(planes) {
            fill(planes, self, scratch);
            *filled = Some(planes);
        }
    }
}

#[with_simd]
fn fill<'a, S: Simd>(planes: Planes, activation: Activation<'a>, scratch: &mut Aligned) {
    planes.fill(0.0, scratch, activation);
}

impl Rows for Activation<'_> {
    #[inline(always)]
    fn write(&self, y: usize, row: &mut [f32]) {
        let x = &self.image[y * row.len()..][..row.len()];
        self.inputs.sizes.prologue.apply(self.scale(), x, row);
    }
}

/// The units that read an image. Of every unit the output, and its moments where they are wanted.
fn forward(
    activation: Activation,
    units: &[Ready],
    scratch: &mut Scratch,
    outs: Vec<[&mut [f32]; 2]>,
) {
    let sizes = &activation.inputs.sizes;
    let ([height, width], mut filled) = (sizes.out(), None);
    for (Ready { plan, matrix }, [z, moments]) in units.iter().zip(outs) {
        activation.fill(plan.planes, &mut filled, &mut scratch.x);
        let Scratch { x, rows: u, dealt, .. } = &mut *scratch;
        let rows = rows_at_once(width * plan.planes.pixel);
        for (block, z) in z.chunks_mut(rows * width * sizes.outputs).enumerate() {
            let first = block * rows;
            plan.rows(x, first..(first + rows).min(height), 0, u);
            matrix.multiply(u, z, [plan.planes.pixel, sizes.outputs], dealt);
        }
        if !moments.is_empty() {
            image_moments(z, Columns::new(sizes.outputs), moments);
        }
    }
}
