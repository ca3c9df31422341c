//! The way back of a bank.

use std::marker::PhantomData;

use burn::backend::flex::FlexTensor;
use macerator::Simd;

use super::{Activation, Inputs, Prologue, Sizes};
use crate::cpu::block::Block;
use crate::cpu::columns::Columns;
use crate::cpu::convolve::{Correlation, Plan, Windows};
use crate::cpu::matrix::{Layout, Packed, Pixels, outer, whole_vectors};
use crate::cpu::planes::Rows;
use crate::cpu::{
    Kernel, Scratch, contiguous, dispatch, fold, for_each, for_parts, gate, lanes, values,
    with_scratch, zeros,
};
use crate::norm::cpu::{Pull, Scale};

/// Which gradients.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) x: bool,
    pub(super) weights: bool,
}

/// A unit of the way back.
struct Ready {
    windows: Windows,
    /// The convolution, where the weights are wanted: only they need a and u again.
    forward: Option<Plan>,
    back: Plan,
    matrix: Packed,
}

/// What a task writes: for x, for the weights of its units, and the sums that the batch norm needs.
type Outs<'a> = [&'a mut [f32]; 3];

impl Inputs {
    /// The gradients for x and the weights; empty where not wanted.
    pub(super) fn backward(&self, gradient: FlexTensor, wanted: Wanted) -> (Block, Vec<f32>) {
        let gradient = contiguous(gradient);
        let sizes = &self.sizes;
        let units: Vec<Ready> =
            (0..sizes.units.len()).map(|unit| self.ready_back(unit, wanted)).collect();
        let images = sizes.sources() * sizes.batch;
        let of_batch = wanted.x && sizes.prologue.norm.is_some_and(|norm| norm.of_batch);
        let mut x = Block::new(if wanted.x { images * self.input() } else { 0 });
        let mut sums = vec![0.0; if of_batch { images * 2 * sizes.channels() } else { 0 }];
        // [source, image, weights of the units of the source].
        let mut weights =
            zeros(if wanted.weights { sizes.batch * sizes.weight_count() } else { 0 });
        let tasks = self.deal_back(&mut x, &mut weights, &mut sums);
        for_each(tasks, |index, outs| {
            let (source, image) = (index / sizes.batch, index % sizes.batch);
            let activation = Activation { inputs: self, source, image: self.image(index) };
            let range = sizes.of_source(source);
            let gradients = range.clone().map(|unit| {
                &values(&gradient)[(unit * sizes.batch + image) * self.output()..][..self.output()]
            });
            let units: Vec<(&Ready, &[f32])> = units[range.clone()].iter().zip(gradients).collect();
            with_scratch(|scratch| dispatch(Back { activation, units: &units, scratch, outs }));
        });
        if of_batch {
            self.pull(&sums, &mut x);
        }
        (x, self.folded(&weights))
    }

    fn ready_back(&self, unit: usize, wanted: Wanted) -> Ready {
        let (depthwise, pointwise) = self.weights_of(unit);
        let (windows, channels) = (self.sizes.windows(unit), self.sizes.channels());
        let at = |output: usize, input: usize| pointwise[output * channels + input];
        Ready {
            forward: wanted.weights.then(|| Plan::forward(&windows, depthwise, lanes())),
            back: Plan::transposed(&windows, depthwise, lanes()),
            matrix: Packed::new([1, self.sizes.outputs, channels], lanes(), at),
            windows,
        }
    }

    /// The parts of every source and image.
    fn deal_back<'a>(
        &self,
        x: &'a mut [f32],
        weights: &'a mut [f32],
        sums: &'a mut [f32],
    ) -> Vec<Outs<'a>> {
        let (sizes, mut rest) = (&self.sizes, weights);
        let mut x = x.chunks_mut(self.input());
        let mut sums = sums.chunks_mut(2 * sizes.channels());
        let mut tasks = Vec::with_capacity(sizes.sources() * sizes.batch);
        for source in 0..sizes.sources() {
            let size = match rest.is_empty() {
                true => 0,
                false => sizes.weights_of(sizes.of_source(source)).len(),
            };
            let (of_source, others) = rest.split_at_mut(sizes.batch * size);
            rest = others;
            let mut weights = of_source.chunks_mut(size.max(1));
            for _ in 0..sizes.batch {
                let weights = weights.next().unwrap_or_default();
                let (x, sums) = (x.next().unwrap_or_default(), sums.next().unwrap_or_default());
                tasks.push([x, weights, sums]);
            }
        }
        tasks
    }

    /// The sums over the images of [source, image, weights of the units of the source].
    fn folded(&self, partial: &[f32]) -> Vec<f32> {
        let (sizes, mut rest) = (&self.sizes, partial);
        let mut sums = Vec::with_capacity(partial.len() / sizes.batch.max(1));
        for source in 0..sizes.sources() {
            let size = sizes.weights_of(sizes.of_source(source)).len();
            let Some((of_source, others)) = rest.split_at_checked(sizes.batch * size) else {
                break;
            };
            rest = others;
            sums.append(&mut fold(of_source, size));
        }
        sums
    }

    /// The rest of the way back through the batch norm of the prologue, in place.
    fn pull(&self, sums: &[f32], x: &mut [f32]) {
        let Sizes { batch, .. } = self.sizes;
        let channels = self.sizes.channels();
        let sums = sums.chunks_exact(batch * 2 * channels);
        let pixels = batch * self.input() / channels;
        let pull = |(scale, sums)| Pull::new(scale, Columns::new(channels), sums, pixels);
        let pulls: Vec<Pull> = self.scales.iter().zip(sums).map(pull).collect();
        for_parts([(x, self.input())], |index, [out]| {
            let source = index / batch;
            let (scale, pull) = (&self.scales[source], &pulls[source]);
            dispatch(PullBack { x: self.image(index), scale, pull, out });
        });
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
    activation: Activation<'a>,
    /// The units that read the image, and the gradients of their outputs.
    units: &'a [(&'a Ready, &'a [f32])],
    scratch: &'a mut Scratch,
    outs: Outs<'a>,
}

impl Kernel for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { activation, units, scratch, outs: [x_gradient, mut weights, sums] } = self;
        let sizes = &activation.inputs.sizes;
        let (outputs, channels) = (sizes.outputs, sizes.channels());
        let columns = Columns::new(channels);
        let mut products = Products::new(columns.strip());
        let (mut filled, last) = (None, units.len().wrapping_sub(1));
        if units.is_empty() {
            x_gradient.fill(0.0);
        }
        for (index, (unit, gradient)) in units.iter().enumerate() {
            let rows = (*gradient, sizes.out()[1] * outputs);
            let matrix = &unit.matrix;
            let middle =
                Middle::<S, L> { matrix, gradient: rows, outputs, channels, vectors: PhantomData };
            unit.back.planes.fill(0.0, &mut scratch.gradient, middle);
            if !x_gradient.is_empty() {
                let products = if index == last { Some(&mut products) } else { None };
                let way = XGradient { activation, back: &unit.back, first: index == 0, products };
                way.run::<S, L>(scratch, x_gradient);
            }
            if let Some(forward) = &unit.forward {
                activation.fill(forward.planes, &mut filled, &mut scratch.x);
                let count = channels * (unit.windows.taps() + outputs);
                let (of_unit, rest) = weights.split_at_mut(count);
                weights = rest;
                unit.weight_gradient::<S, L>(forward, gradient, outputs, scratch, of_unit);
            }
        }
        if let Some((first, second)) = sums.split_at_mut_checked(channels)
            && !second.is_empty()
        {
            first.copy_from_slice(&columns.fold(&products.sums));
            second.copy_from_slice(&columns.fold(&products.products));
        }
    }
}

/// From ∂u in its planes to what a unit adds to the gradient of the activations; with the last unit
/// on to the gradient before the prologue, up to the part of the batch norm that needs all images.
struct XGradient<'a> {
    activation: Activation<'a>,
    back: &'a Plan,
    /// Whether there is nothing yet to add to.
    first: bool,
    /// Of the last unit: Σ g and Σ g·x̂.
    products: Option<&'a mut Products>,
}

impl XGradient<'_> {
    #[inline(always)]
    fn run<S: Simd, const L: usize>(mut self, scratch: &mut Scratch, out: &mut [f32]) {
        let sizes = &self.activation.inputs.sizes;
        let row = sizes.image[1] * sizes.channels();
        let Scratch { gradient, rows, filled, .. } = scratch;
        rows.resize(self.back.scratch_row(), 0.0);
        filled.resize(row, 0.0);
        let images = out.chunks_exact_mut(row).zip(self.activation.image.chunks_exact(row));
        for (y, (out, x)) in images.enumerate() {
            if self.first {
                self.back.row::<S, L>(gradient, y, rows, out);
            } else {
                self.back.row::<S, L>(gradient, y, rows, filled);
                out.iter_mut().zip(&**filled).for_each(|(out, value)| *out += value);
            }
            if let Some(products) = &mut self.products {
                sizes.prologue.back(self.activation.scale(), x, out, products);
            }
        }
    }
}

impl Ready {
    /// ∂D and ∂P of an image, added to `out`.
    #[inline(always)]
    fn weight_gradient<S: Simd, const L: usize>(
        &self,
        forward: &Plan,
        gradient: &[f32],
        outputs: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let (depthwise, pointwise) = out.split_at_mut(self.windows.image[2] * self.windows.taps());
        self.pointwise_gradient::<S, L>(forward, gradient, outputs, scratch, pointwise);
        let correlation = Correlation {
            windows: &self.windows,
            x: (&forward.planes, &scratch.x),
            gradient: (&self.back.planes, &scratch.gradient),
        };
        correlation.add::<S, L>(depthwise);
    }

    /// ∂P = ∂zᵀ·u, with u computed again.
    #[inline(always)]
    fn pointwise_gradient<S: Simd, const L: usize>(
        &self,
        forward: &Plan,
        gradient: &[f32],
        outputs: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let [height, width, channels] = self.windows.output();
        let pixel = forward.planes.pixel;
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
