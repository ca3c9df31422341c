//! The CPU twin: one image at a time, from the padded planes of the input to the finished rows of
//! the output, so that nothing between them leaves the second-level cache.

use std::marker::PhantomData;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::Simd;

use super::{Operands, Prologue, Sizes, UnitGradients, UnitOps};
use crate::cpu::block::Block;
use crate::cpu::columns::Columns;
use crate::cpu::convolve::{Correlation, Plan};
use crate::cpu::matrix::{Layout, Packed, Pixels, outer, whole_vectors};
use crate::cpu::planes::Rows;
use crate::cpu::{
    self, Kernel, Scratch, contiguous, dispatch, fold, for_parts, gate, lanes, values,
    with_scratch, zeros,
};
use crate::meter;
use crate::norm::cpu::{Pull, Scale, image_moments, merge};

impl UnitOps for Flex {
    fn unit(operands: Operands<Self>, sizes: Sizes) -> FlexTensor {
        let _span = meter::span("unit");
        let inputs = Inputs::new(operands, sizes);
        inputs.forward(false).0.into_tensor(sizes.output_shape())
    }

    fn unit_and_moments(operands: Operands<Self>, sizes: Sizes) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("unit_and_moments");
        let inputs = Inputs::new(operands, sizes);
        let (z, moments) = inputs.forward(true);
        (z.into_tensor(sizes.output_shape()), cpu::tensor(moments, [2, sizes.outputs]))
    }
}

impl UnitGradients for Flex {
    fn unit_x_gradient(operands: Operands<Self>, gradient: FlexTensor, sizes: Sizes) -> FlexTensor {
        let _span = meter::span("unit_x_gradient");
        let inputs = Inputs::new(operands, sizes);
        let [x, _, _] = inputs.backward(gradient, Wanted { x: true, weights: false });
        cpu::tensor(x, sizes.input_shape())
    }

    fn unit_weight_gradients(
        operands: Operands<Self>,
        gradient: FlexTensor,
        sizes: Sizes,
    ) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("unit_weight_gradients");
        let inputs = Inputs::new(operands, sizes);
        let [_, depthwise, pointwise] =
            inputs.backward(gradient, Wanted { x: false, weights: true });
        (
            cpu::tensor(depthwise, sizes.depthwise_shape()),
            cpu::tensor(pointwise, sizes.pointwise_shape()),
        )
    }

    fn unit_gradients(
        operands: Operands<Self>,
        gradient: FlexTensor,
        sizes: Sizes,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let _span = meter::span("unit_gradients");
        let inputs = Inputs::new(operands, sizes);
        let [x, depthwise, pointwise] =
            inputs.backward(gradient, Wanted { x: true, weights: true });
        (
            cpu::tensor(x, sizes.input_shape()),
            cpu::tensor(depthwise, sizes.depthwise_shape()),
            cpu::tensor(pointwise, sizes.pointwise_shape()),
        )
    }
}

/// Which gradients.
#[derive(Clone, Copy)]
struct Wanted {
    x: bool,
    weights: bool,
}

/// The inputs of the op in row-major order, and the prologue as numbers.
struct Inputs {
    x: FlexTensor,
    moments: Option<FlexTensor>,
    scale: Scale,
    depthwise: FlexTensor,
    pointwise: FlexTensor,
    sizes: Sizes,
}

impl Inputs {
    fn new(operands: Operands<Flex>, sizes: Sizes) -> Self {
        let Operands { x, norm, depthwise, pointwise } = operands;
        let moments = sizes.prologue.norm.map(|_| contiguous(norm));
        let scale = match (&moments, sizes.prologue.norm) {
            (Some(moments), Some(standard)) => Scale::new(values(moments), standard.eps),
            _ => Scale::identity(sizes.channels()),
        };
        let (depthwise, pointwise) = (contiguous(depthwise), contiguous(pointwise));
        Self { x: contiguous(x), moments, scale, depthwise, pointwise, sizes }
    }

    fn image(&self, index: usize) -> &[f32] {
        let size: usize = self.sizes.windows.image.iter().product();
        &values(&self.x)[index * size..][..size]
    }

    /// Floats of an image of the output.
    fn output(&self) -> usize {
        let [height, width, _] = self.sizes.windows.output();
        height * width * self.sizes.outputs
    }

    fn forward_plan(&self) -> Plan {
        Plan::forward(&self.sizes.windows, values(&self.depthwise), lanes())
    }

    /// The output, and its moments if they are wanted.
    fn forward(&self, moments: bool) -> (Block, Vec<f32>) {
        let Sizes { batch, outputs, .. } = self.sizes;
        let (plan, pixels) = (self.forward_plan(), self.output() / outputs);
        let weight = values(&self.pointwise);
        let matrix = Packed::new([1, self.sizes.channels(), outputs], lanes(), |input, output| {
            weight[output * self.sizes.channels() + input]
        });
        let mut z = Block::new(batch * self.output());
        let size = if moments { 2 * outputs } else { 0 };
        let mut partial = vec![0.0; batch * size];
        let parts = [(&mut *z, self.output()), (&mut *partial, size)];
        for_parts(parts, |index, [z, partial]| {
            with_scratch(|scratch| {
                let x = self.image(index);
                dispatch(Forward { inputs: self, plan: &plan, matrix: &matrix, x, scratch, z });
            });
            if moments {
                image_moments(z, Columns::new(outputs), partial);
            }
        });
        let moments = if moments { merge(&partial, outputs, pixels) } else { Vec::new() };
        (z, moments)
    }

    /// The gradients for x, the depthwise and the pointwise weights; empty where not wanted.
    fn backward(&self, gradient: FlexTensor, wanted: Wanted) -> [Vec<f32>; 3] {
        let gradient = contiguous(gradient);
        let Sizes { batch, windows, outputs, prologue } = self.sizes;
        let channels = self.sizes.channels();
        let weight = values(&self.pointwise);
        let matrix = Packed::new([1, outputs, channels], lanes(), |output, input| {
            weight[output * channels + input]
        });
        let image: usize = windows.image.iter().product();
        let of_batch = prologue.norm.is_some_and(|norm| norm.of_batch);
        let sizes = [
            if wanted.x { image } else { 0 },
            if wanted.weights { channels * windows.taps() } else { 0 },
            if wanted.weights { outputs * channels } else { 0 },
            if wanted.x && of_batch { 2 * channels } else { 0 },
        ];
        let mut outs = sizes.map(|size| zeros(batch * size));
        // Only the weights need a and u again.
        let forward = wanted.weights.then(|| self.forward_plan());
        let back = Plan::transposed(&windows, values(&self.depthwise), lanes());
        let [x, depthwise, pointwise, sums] = outs.each_mut();
        let parts = [
            (&mut **x, sizes[0]),
            (&mut **depthwise, sizes[1]),
            (&mut **pointwise, sizes[2]),
            (&mut **sums, sizes[3]),
        ];
        for_parts(parts, |index, outs| {
            let gradient = &values(&gradient)[index * self.output()..][..self.output()];
            let (x, plans) = (self.image(index), (forward.as_ref(), &back));
            with_scratch(|scratch| {
                dispatch(Back { inputs: self, plans, matrix: &matrix, x, gradient, scratch, outs });
            });
        });
        let [mut x, depthwise, pointwise, sums] = outs;
        if let (true, Some(norm), Some(moments)) = (of_batch, prologue.norm, &self.moments) {
            let pull = Pull::new(values(moments), &sums, batch * image / channels, norm.eps);
            for_parts([(&mut x, image)], |index, [out]| {
                dispatch(PullBack { x: self.image(index), scale: &self.scale, pull: &pull, out });
            });
        }
        [x, fold(&depthwise, sizes[1]), fold(&pointwise, sizes[2])]
    }
}

impl Prologue {
    /// Applies batch norm and ReLU to pixels.
    #[inline(always)]
    fn apply(&self, scale: &Scale, pixels: &mut [f32]) {
        if self.norm.is_some() {
            for pixels in pixels.chunks_mut(scale.mean.len()) {
                for ((x, mean), factor) in pixels.iter_mut().zip(&scale.mean).zip(&scale.factor) {
                    *x = (*x - mean) * factor;
                }
            }
        }
        if self.relu {
            pixels.iter_mut().for_each(|x| *x = x.max(0.0));
        }
    }
}

/// Σ g and Σ g·x̂ of an image, repeated to strips.
struct Products {
    sums: Vec<f32>,
    products: Vec<f32>,
}

impl Products {
    fn new(strip: usize) -> Self {
        Self { sums: vec![0.0; strip], products: vec![0.0; strip] }
    }
}

impl Prologue {
    /// From the gradient of the activations to that of the pixels, as far as one image goes.
    #[inline(always)]
    fn back(&self, scale: &Scale, x: &[f32], gradient: &mut [f32], products: &mut Products) {
        let Some(norm) = self.norm else {
            if self.relu {
                gradient.iter_mut().zip(x).for_each(|(g, x)| *g = gate(*g, *x > 0.0));
            }
            return;
        };
        let strip = scale.mean.len();
        for (gradient, x) in gradient.chunks_mut(strip).zip(x.chunks(strip)) {
            let scale = scale.mean.iter().zip(&scale.factor);
            if self.relu {
                for ((g, x), (mean, factor)) in gradient.iter_mut().zip(x).zip(scale.clone()) {
                    *g = gate(*g, (x - mean) * factor > 0.0);
                }
            }
            if !norm.of_batch {
                gradient.iter_mut().zip(scale).for_each(|(g, (_, factor))| *g *= factor);
                continue;
            }
            let sums = products.sums.iter_mut().zip(&mut products.products);
            for (((g, x), (mean, factor)), (sum, product)) in
                gradient.iter().zip(x).zip(scale).zip(sums)
            {
                *sum += g;
                *product += g * ((x - mean) * factor);
            }
        }
    }
}

struct Forward<'a> {
    inputs: &'a Inputs,
    plan: &'a Plan,
    matrix: &'a Packed,
    x: &'a [f32],
    scratch: &'a mut Scratch,
    z: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { inputs, plan, matrix, x, scratch, z } = self;
        let Sizes { windows, outputs, .. } = inputs.sizes;
        inputs.fill(plan, x, &mut scratch.x);
        let row = &mut scratch.rows;
        row.resize(plan.scratch_row(), 0.0);
        for (y, z) in z.chunks_exact_mut(windows.output()[1] * outputs).enumerate() {
            plan.phase::<S, L>(&scratch.x, y, 0, row);
            let u = Pixels { values: row, pixel: plan.planes.pixel, row: 0 };
            matrix.multiply::<S, L>(u, z, outputs);
        }
    }
}

impl Inputs {
    /// The planes of an image, after the prologue.
    #[inline(always)]
    fn fill(&self, plan: &Plan, image: &[f32], planes: &mut Vec<f32>) {
        plan.planes.fill(0.0, planes, Activation { inputs: self, image });
    }
}

/// An image after the prologue.
struct Activation<'a> {
    inputs: &'a Inputs,
    image: &'a [f32],
}

impl Rows for Activation<'_> {
    #[inline(always)]
    fn write(&self, y: usize, row: &mut [f32]) {
        row.copy_from_slice(&self.image[y * row.len()..][..row.len()]);
        self.inputs.sizes.prologue.apply(&self.inputs.scale, row);
    }
}

/// ∂u of an image, for vectors of `L` floats.
struct Middle<'a, S, const L: usize> {
    matrix: &'a Packed,
    /// ∂z, and the floats of its rows.
    gradient: (&'a [f32], usize),
    outputs: usize,
    channels: usize,
    vectors: PhantomData<S>,
}

impl<S: Simd, const L: usize> Rows for Middle<'_, S, L> {
    #[inline(always)]
    fn write(&self, y: usize, row: &mut [f32]) {
        let (gradient, length) = self.gradient;
        let values = &gradient[y * length..][..length];
        let gradient = Pixels { values, pixel: self.outputs, row: 0 };
        self.matrix.multiply::<S, L>(gradient, row, self.channels);
    }
}

struct Back<'a> {
    inputs: &'a Inputs,
    /// The convolution, where the weights are wanted, and its way back.
    plans: (Option<&'a Plan>, &'a Plan),
    matrix: &'a Packed,
    x: &'a [f32],
    gradient: &'a [f32],
    scratch: &'a mut Scratch,
    /// For x, the depthwise weights, the pointwise weights, and the sums that the batch norm needs.
    outs: [&'a mut [f32]; 4],
}

impl Kernel for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { inputs, plans: (forward, back), matrix, x, gradient, scratch, outs } = self;
        let [x_gradient, depthwise, pointwise, sums] = outs;
        let Sizes { windows, outputs, .. } = inputs.sizes;
        let rows = (gradient, windows.output()[1] * outputs);
        let channels = windows.image[2];
        let middle =
            Middle::<S, L> { matrix, gradient: rows, outputs, channels, vectors: PhantomData };
        back.planes.fill(0.0, &mut scratch.gradient, middle);
        if !x_gradient.is_empty() {
            inputs.x_gradient::<S, L>(back, x, scratch, x_gradient, sums);
        }
        if let Some(forward) = forward {
            inputs.fill(forward, x, &mut scratch.x);
            inputs.pointwise_gradient::<S, L>(forward, gradient, scratch, pointwise);
            let (x, gradient) = (&*scratch.x, &*scratch.gradient);
            let correlation = Correlation {
                windows: &windows,
                x: (&forward.planes, x),
                gradient: (&back.planes, gradient),
            };
            correlation.add::<S, L>(depthwise);
        }
    }
}

impl Inputs {
    /// From ∂u in its planes to the gradient before the prologue, up to the part of the batch norm
    /// that needs all images; for that, Σ g and Σ g·x̂.
    #[inline(always)]
    fn x_gradient<S: Simd, const L: usize>(
        &self,
        back: &Plan,
        x: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
        sums: &mut [f32],
    ) {
        let [_, width, channels] = self.sizes.windows.image;
        let columns = Columns::new(channels);
        let mut products = Products::new(columns.strip());
        scratch.rows.resize(back.scratch_row(), 0.0);
        let rows = out.chunks_exact_mut(width * channels).zip(x.chunks_exact(width * channels));
        for (y, (out, x)) in rows.enumerate() {
            back.row::<S, L>(&scratch.gradient, y, &mut scratch.rows, out);
            self.sizes.prologue.back(&self.scale, x, out, &mut products);
        }
        if let Some((first, second)) = sums.split_at_mut_checked(channels)
            && !second.is_empty()
        {
            first.copy_from_slice(&columns.fold(&products.sums));
            second.copy_from_slice(&columns.fold(&products.products));
        }
    }

    /// ∂P = ∂zᵀ·u, with u computed again.
    #[inline(always)]
    fn pointwise_gradient<S: Simd, const L: usize>(
        &self,
        forward: &Plan,
        gradient: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let [height, width, channels] = self.sizes.windows.output();
        let (outputs, pixel) = (self.sizes.outputs, forward.planes.pixel);
        let (row, flat) = (width * pixel, forward.scratch_row());
        // A row may be written past its end; the next one writes over that.
        scratch.rows.resize(height * row + flat, 0.0);
        for y in 0..height {
            let u = &mut scratch.rows[y * row..][..flat];
            forward.phase::<S, L>(&scratch.x, y, 0, u);
        }
        let u = Pixels { values: &scratch.rows[..height * row], pixel, row };
        let gradient = whole_vectors::<L>(gradient, [outputs; 2], width, &mut scratch.filled);
        let layout = Layout { inputs: channels, outputs, input: 1, output: channels };
        outer::<S, L>([height, width], u, gradient, out, layout);
    }
}

/// The rest of the way back through the batch norm of the prologue, in place.
struct PullBack<'a> {
    x: &'a [f32],
    scale: &'a Scale,
    pull: &'a Pull,
    out: &'a mut [f32],
}

impl Kernel for PullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { x, scale, pull, out } = self;
        let strip = scale.mean.len();
        for (x, out) in x.chunks(strip).zip(out.chunks_mut(strip)) {
            let scale = scale.mean.iter().zip(&scale.factor);
            let pull = pull.shift.iter().zip(&pull.slope);
            for (((x, out), (mean, factor)), (shift, slope)) in
                x.iter().zip(out).zip(scale).zip(pull)
            {
                *out = *out * factor - shift - (x - mean) * factor * slope;
            }
        }
    }
}
