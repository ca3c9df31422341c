//! The way back of a bank.

use burn::backend::flex::FlexTensor;
use macerator::{Simd, with_simd};

use super::output_gradient::OutputGradient;
use super::{Activation, Inputs, Prologue, Sizes};
use crate::cpu::block::Block;
use crate::cpu::columns::Columns;
use crate::cpu::convolve::{Plan, Windows};
use crate::cpu::correlate::Correlation;
use crate::cpu::matrix::{Product, rows_at_once};
use crate::cpu::narrow::Dealt;
use crate::cpu::outer::Gradient;
use crate::cpu::planes::Rows;
use crate::cpu::{Scratch, dispatch, fold, for_each, for_parts, gate, lanes, with_scratch};
use crate::norm::cpu::{Affine, Pull, Scale};

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
    matrix: Product,
}

/// What a task writes: for x, for the weights of its units, and the sums that the batch norm needs.
type Outs<'a> = [&'a mut [f32]; 3];

impl Inputs {
    /// The gradients for x and the weights, empty where not wanted, and those for γ and β, where there are
    /// such.
    pub(super) fn backward(
        &self,
        gradient: FlexTensor,
        wanted: Wanted,
    ) -> (Block, Vec<f32>, Vec<f32>) {
        let sizes = &self.sizes;
        let gradient = OutputGradient::new(gradient, sizes);
        let units: Vec<Ready> =
            (0..sizes.units.len()).map(|unit| self.ready_back(unit, wanted)).collect();
        let images = sizes.sources() * sizes.batch;
        let summed = wanted.x && sizes.prologue.norm.is_some_and(|it| it.of_batch || it.affine);
        let mut x = Block::new(if wanted.x { images * self.input() } else { 0 });
        let mut sums = vec![0.0; if summed { images * 2 * sizes.channels() } else { 0 }];
        // [source, image, weights of the units of the source].
        let mut weights =
            Block::new(if wanted.weights { sizes.batch * sizes.weight_count() } else { 0 });
        let tasks = self.deal_back(&mut x, &mut weights, &mut sums);
        // The middle anew, then the gradients for x and for the weights.
        for_each(tasks, 3 * self.cost(), |index, outs| {
            // The weights are added up.
            outs[1].fill(0.0);
            let (source, image) = (index / sizes.batch, index % sizes.batch);
            let activation = Activation { inputs: self, source, image: self.image(index) };
            let range = sizes.of_source(source);
            let images = range.clone().map(|unit| unit * sizes.batch + image);
            let units = units[range].iter().zip(images);
            with_scratch(|scratch| back(activation, units, &gradient, scratch, outs));
        });
        if summed {
            self.pull(&sums, &mut x);
        }
        let affine = if sizes.prologue.is_affine() { self.affine_gradient(&sums) } else { vec![] };
        (x, self.folded(&weights), affine)
    }

    /// [2, sources · channels], γ and β, from [source, image, 2, channels], Σ g and Σ g·x̂.
    fn affine_gradient(&self, sums: &[f32]) -> Vec<f32> {
        let channels = self.sizes.channels();
        let of_source = sums.chunks_exact((self.sizes.batch * 2 * channels).max(1));
        let (mut gammas, mut betas) = (Vec::new(), Vec::new());
        for sums in of_source.map(|sums| fold(sums, 2 * channels)) {
            let (beta, gamma) = sums.split_at(channels);
            betas.extend_from_slice(beta);
            gammas.extend_from_slice(gamma);
        }
        [gammas, betas].concat()
    }

    fn ready_back(&self, unit: usize, wanted: Wanted) -> Ready {
        let (depthwise, pointwise) = self.weights_of(unit);
        let (windows, channels) = (self.sizes.windows(unit), self.sizes.channels());
        let at = |output: usize, input: usize| pointwise[output * channels + input];
        Ready {
            forward: wanted.weights.then(|| Plan::forward(&windows, depthwise, lanes())),
            back: Plan::transposed(&windows, depthwise, lanes()),
            matrix: Product::new([self.sizes.outputs, channels], lanes(), at),
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

    /// The weights' gradients: the sums over the images of [source, image, weights of the units of the source], where
    /// depthwise ones are [taps, channels].
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
        for unit in 0..sizes.units.len() {
            let (depthwise, _) = sizes.places(unit);
            if let Some(depthwise) = sums.get_mut(depthwise) {
                transpose(depthwise, sizes.channels());
            }
        }
        sums
    }

    /// The rest of the way back through the batch norm of the prologue, in place.
    fn pull(&self, sums: &[f32], x: &mut [f32]) {
        let Sizes { batch, .. } = self.sizes;
        let channels = self.sizes.channels();
        let of_batch = self.sizes.prologue.norm.is_some_and(|norm| norm.of_batch);
        let sums = sums.chunks_exact(batch * 2 * channels);
        let pixels = batch * self.input() / channels;
        let pull = |(source, sums): (usize, &[f32])| {
            let scale = &self.scales[source].factor;
            let factor = self.affine.get(source).map_or(scale, |affine| &affine.factor);
            // By given moments nothing comes back through them.
            let sums = if of_batch { sums } else { &[] };
            Pull::new(factor, Columns::new(channels), sums, pixels)
        };
        let pulls: Vec<Pull> = sums.enumerate().map(pull).collect();
        for_parts([(x, self.input())], 3 * self.input(), |index, [out]| {
            let source = index / batch;
            let (scale, pull) = (&self.scales[source], &pulls[source]);
            pull_back(self.image(index), scale, pull, out);
        });
    }
}

/// [taps, channels] as [channels, taps].
fn transpose(weights: &mut [f32], channels: usize) {
    let rows = weights.to_vec();
    let rows: Vec<&[f32]> = rows.chunks_exact(channels).collect();
    for (channel, taps) in weights.chunks_exact_mut(rows.len()).enumerate() {
        taps.iter_mut().zip(&rows).for_each(|(value, row)| *value = row[channel]);
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

/// From the gradient of the activations to that of the pixels, as far as one image goes.
#[with_simd]
fn through<'a, S: Simd>(
    prologue: Prologue,
    scales: (&'a Scale, Option<&'a Affine>),
    x: &[f32],
    gradient: &mut [f32],
    products: &mut Products,
) {
    let (scale, affine) = scales;
    let Some(norm) = prologue.norm else {
        if prologue.relu {
            gradient.iter_mut().zip(x).for_each(|(g, x)| *g = gate(*g, *x > 0.0));
        }
        return;
    };
    let strip = scale.mean.len();
    for (gradient, x) in gradient.chunks_mut(strip).zip(x.chunks(strip)) {
        let means = &scale.mean;
        let scale = means.iter().zip(&scale.factor);
        match affine {
            Some(Affine { factor, shift }) if prologue.relu => {
                let rows = means.iter().zip(factor).zip(shift);
                for ((g, x), ((mean, factor), shift)) in gradient.iter_mut().zip(x).zip(rows) {
                    *g = gate(*g, (x - mean) * factor + shift > 0.0);
                }
            }
            None if prologue.relu => {
                for ((g, x), (mean, factor)) in gradient.iter_mut().zip(x).zip(scale.clone()) {
                    *g = gate(*g, (x - mean) * factor > 0.0);
                }
            }
            _ => {}
        }
        if !norm.of_batch && affine.is_none() {
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

/// The units that read an image, each with the place of its output in the gradient.
fn back<'a>(
    activation: Activation,
    units: impl ExactSizeIterator<Item = (&'a Ready, usize)>,
    gradient: &OutputGradient,
    scratch: &mut Scratch,
    [x_gradient, mut weights, sums]: Outs,
) {
    let sizes = &activation.inputs.sizes;
    let columns = Columns::new(sizes.channels());
    let mut products = Products::new(columns.strip());
    let (mut filled, last) = (None, units.len().wrapping_sub(1));
    if units.len() == 0 {
        x_gradient.fill(0.0);
    }
    let mut computed = std::mem::take(&mut scratch.computed);
    for (index, (unit, image)) in units.enumerate() {
        let gradient = gradient.image(image, activation.inputs.output(), &mut computed);
        unit.middle(gradient, sizes.outputs, scratch);
        if !x_gradient.is_empty() {
            let products = if index == last { Some(&mut products) } else { None };
            activation.add_gradient(&unit.back, index > 0, products, scratch, x_gradient);
        }
        if let Some(forward) = &unit.forward {
            activation.fill(forward.planes, &mut filled, &mut scratch.x);
            let count = sizes.channels() * (unit.windows.taps() + sizes.outputs);
            let (of_unit, rest) = weights.split_at_mut(count);
            weights = rest;
            unit.weight_gradient(forward, gradient, sizes.outputs, scratch, of_unit);
        }
    }
    scratch.computed = computed;
    if let Some((first, second)) = sums.split_at_mut_checked(sizes.channels())
        && !second.is_empty()
    {
        first.copy_from_slice(&columns.fold(&products.sums));
        second.copy_from_slice(&columns.fold(&products.products));
    }
}

impl Activation<'_> {
    /// From ∂u in its planes to what a unit gives, or adds, to the gradient of the activations. With
    /// the last unit, which brings the products, on to the gradient before the prologue, up to the part
    /// of the batch norm that needs all images.
    fn add_gradient(
        self,
        back: &Plan,
        add: bool,
        mut products: Option<&mut Products>,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let Sizes { image: [height, width, channels], prologue, .. } = self.inputs.sizes;
        let rows = rows_at_once(width * channels);
        let blocks = out.chunks_mut(rows * width * channels);
        for (block, (out, x)) in blocks.zip(self.image.chunks(rows * width * channels)).enumerate()
        {
            let (first, Scratch { gradient, filled, .. }) = (block * rows, &mut *scratch);
            back.image_rows(gradient, first..(first + rows).min(height), add, filled, out);
            if let Some(products) = &mut products {
                through(prologue, self.scale(), x, out, products);
            }
        }
    }
}

/// Rows of ∂u.
struct Middle<'a> {
    matrix: &'a Product,
    /// ∂z.
    gradient: &'a [f32],
    outputs: usize,
    channels: usize,
}

impl Middle<'_> {
    fn multiply(&self, gradient: &[f32], out: &mut [f32], dealt: &mut Dealt) {
        self.matrix.multiply(gradient, out, [self.outputs, self.channels], dealt);
    }
}

impl Rows for Middle<'_> {
    fn write(&self, y: usize, row: &mut [f32]) {
        let length = row.len() / self.channels * self.outputs;
        self.multiply(&self.gradient[y * length..][..length], row, &mut Dealt::default());
    }
}

impl Ready {
    /// Fills the planes of the way back with ∂u = ∂z·P.
    fn middle(&self, gradient: &[f32], outputs: usize, scratch: &mut Scratch) {
        let [height, width, channels] = self.windows.output();
        let Scratch { gradient: planes, rows: u, dealt, .. } = scratch;
        let middle = Middle { matrix: &self.matrix, gradient, outputs, channels };
        let is_small = rows_at_once(width * channels) >= height;
        if is_small || matches!(self.matrix, Product::Narrow(_)) {
            u.resize(height * width * channels);
            middle.multiply(gradient, u, dealt);
            self.back.planes.copy(u, 0.0, planes);
        } else {
            self.back.planes.fill(0.0, planes, middle);
        }
    }

    /// ∂D, [taps, channels], and ∂P of an image, added to `out`.
    fn weight_gradient(
        &self,
        forward: &Plan,
        gradient: &[f32],
        outputs: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let [height, _, channels] = self.windows.output();
        let (depthwise, pointwise) = out.split_at_mut(channels * self.windows.taps());
        let Scratch { x, rows: u, gradient: middle, filled, dealt, .. } = scratch;
        // ∂P = ∂zᵀ·u, with u computed again.
        forward.rows(x, 0..height, 0, u);
        dispatch(Gradient {
            pixel: forward.planes.pixel,
            inputs: channels,
            outputs,
            x: u,
            gradient,
            out: pointwise,
            filled,
            dealt,
        });
        dispatch(Correlation {
            windows: &self.windows,
            x: (&forward.planes, x),
            gradient: (&self.back.planes, middle),
            out: depthwise,
        });
    }
}

/// The rest of the way back through the batch norm.
#[with_simd]
fn pull_back<S: Simd>(x: &[f32], scale: &Scale, pull: &Pull, out: &mut [f32]) {
    let strip = scale.mean.len();
    for (x, out) in x.chunks(strip).zip(out.chunks_mut(strip)) {
        let scale = scale.mean.iter().zip(&scale.factor);
        let pull = pull.factor.iter().zip(&pull.shift).zip(&pull.slope);
        for (((x, out), (mean, factor)), ((gain, shift), slope)) in
            x.iter().zip(out).zip(scale).zip(pull)
        {
            *out = *out * gain - shift - (x - mean) * factor * slope;
        }
    }
}
