//! The CPU twin: one image at a time. The pixels of a window's row lie side by side, so a k×k
//! convolution is k matrix products over pixels that overlap, and so is each phase of its way back.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::Simd;

use super::{ConvolutionGradients, ConvolutionOps, Sizes};
use crate::cpu::block::Block;
use crate::cpu::columns::Columns;
use crate::cpu::matrix::{Packed, Pixels};
use crate::cpu::outer::{Layout, outer, whole_vectors};
use crate::cpu::planes::{Planes, Rows};
use crate::cpu::{
    self, Kernel, MULTIPLY_ADDS, Scratch, contiguous, dispatch, fold, for_parts, gate, lanes,
    rectified, values, with_scratch,
};
use crate::meter;
use crate::norm::cpu::{image_moments, merge};

impl ConvolutionOps for Flex {
    fn convolution(x: FlexTensor, weight: FlexTensor, sizes: Sizes) -> FlexTensor {
        let _span = meter::span("convolution");
        forward(x, weight, sizes, false).0.into_tensor(sizes.output_shape())
    }

    fn convolution_and_moments(
        x: FlexTensor,
        weight: FlexTensor,
        sizes: Sizes,
    ) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("convolution_and_moments");
        let (z, moments) = forward(x, weight, sizes, true);
        (z.into_tensor(sizes.output_shape()), cpu::tensor(moments, [2, sizes.outputs]))
    }
}

impl ConvolutionGradients for Flex {
    fn convolution_x_gradient(
        x: FlexTensor,
        weight: FlexTensor,
        gradient: FlexTensor,
        sizes: Sizes,
    ) -> FlexTensor {
        let _span = meter::span("convolution_x_gradient");
        let (x, weight, gradient) = (contiguous(x), contiguous(weight), contiguous(gradient));
        let way = Way::new(values(&weight), sizes);
        let [input, output] = [sizes.image(), sizes.output()];
        let mut out = Block::new(sizes.batch * input);
        for_parts([(&mut *out, input)], sizes.cost(), |index, [out]| {
            let x = &values(&x)[index * input..][..input];
            let gradient = &values(&gradient)[index * output..][..output];
            with_scratch(|scratch| {
                dispatch(Back { sizes: &sizes, way: &way, x, gradient, scratch, out });
            });
        });
        out.into_tensor(sizes.input_shape())
    }

    fn convolution_weight_gradient(
        x: FlexTensor,
        gradient: FlexTensor,
        sizes: Sizes,
    ) -> FlexTensor {
        let _span = meter::span("convolution_weight_gradient");
        let (x, gradient) = (contiguous(x), contiguous(gradient));
        let shape = sizes.weight_shape();
        let [input, output] = [sizes.image(), sizes.output()];
        // [images, i, j, c, o].
        let images = sizes.images_of_a_sum(shape.num_elements());
        let mut partial = Block::new(sizes.batch.div_ceil(images) * shape.num_elements());
        for_parts(
            [(&mut *partial, shape.num_elements())],
            images * sizes.cost(),
            |index, [out]| {
                out.fill(0.0);
                let all = index * images..((index + 1) * images).min(sizes.batch);
                for image in all {
                    let x = &values(&x)[image * input..][..input];
                    let gradient = &values(&gradient)[image * output..][..output];
                    with_scratch(|scratch| {
                        dispatch(Weights { sizes: &sizes, x, gradient, scratch, out: &mut *out });
                    });
                }
            },
        );
        let sum = fold(&partial, shape.num_elements());
        let mut out = vec![0.0; sum.len()];
        for (index, value) in sum.into_iter().enumerate() {
            let (row, output) = (index / sizes.outputs, index % sizes.outputs);
            out[sizes.place(row / sizes.inputs(), row % sizes.inputs(), output)] = value;
        }
        cpu::tensor(out, shape)
    }
}

impl Sizes {
    /// Floats of an image of the input.
    fn image(&self) -> usize {
        self.windows.image.iter().product()
    }

    /// Floats of an image of the output.
    fn output(&self) -> usize {
        let [height, width, _] = self.windows.output();
        height * width * self.outputs
    }

    /// What an image costs.
    fn cost(&self) -> usize {
        let products = self.windows.size * self.windows.size * self.inputs();
        self.image() + self.output() * (1 + products / MULTIPLY_ADDS)
    }

    /// Images whose gradients for so many weights are added up by one thread: of small images with many channels
    /// the sums are longer than what they are sums of. At least sixteen sums keep many threads busy.
    fn images_of_a_sum(&self, weights: usize) -> usize {
        (weights / self.output().max(1)).min(self.batch / 16).max(1)
    }

    /// Whether every output pixel is made of one input pixel as it is: then an image is one row, and needs no
    /// copy. In rows of 17 or 9 pixels, as one-shot networks have, a seventh to a quarter of the work is in tiles
    /// that are not full.
    fn is_pointwise(&self) -> bool {
        (self.windows.size, self.windows.stride, self.relu) == (1, 1, false)
    }

    /// The padded input. No filling up: nothing here needs pixels of whole vectors.
    fn planes(&self) -> Planes {
        Planes::new(self.windows.image, 1, self.windows.padding() + self.banks - 1, 1)
    }

    /// The windows of a bank, as pixels of overlapping rows.
    #[inline(always)]
    fn windows<'a>(&self, planes: &Planes, x: &'a [f32], bank: usize) -> Pixels<'a> {
        let shift = planes.padding - self.windows.padding() + bank;
        let stride = self.windows.stride;
        Pixels {
            values: &x[planes.offset(shift, shift)..],
            pixel: stride * self.inputs(),
            row: planes.row(),
            lines: Some([self.windows.output()[1], stride * planes.row()]),
        }
    }
}

/// The output, and its moments if they are wanted.
fn forward(x: FlexTensor, weight: FlexTensor, sizes: Sizes, moments: bool) -> (Block, Vec<f32>) {
    let (x, weight) = (contiguous(x), contiguous(weight));
    let (weight, outputs) = (values(&weight), sizes.outputs);
    let shape = [sizes.windows.size, sizes.windows.size * sizes.inputs(), sizes.bank()];
    let bank = |bank: usize| {
        let at = |row: usize, output: usize| {
            let (tap, input) = (row / sizes.inputs(), row % sizes.inputs());
            weight[sizes.place(tap, input, bank * shape[2] + output)]
        };
        Packed::new(shape, lanes(), at)
    };
    let banks: Vec<Packed> = (0..sizes.banks).map(bank).collect();
    let [input, output] = [sizes.image(), sizes.output()];
    let mut z = Block::new(sizes.batch * output);
    let size = if moments { 2 * outputs } else { 0 };
    let mut partial = vec![0.0; sizes.batch * size];
    for_parts([(&mut *z, output), (&mut *partial, size)], sizes.cost(), |index, [z, partial]| {
        let x = &values(&x)[index * input..][..input];
        with_scratch(|scratch| dispatch(Forward { sizes: &sizes, banks: &banks, x, scratch, z }));
        if moments {
            image_moments(z, Columns::new(outputs), partial);
        }
    });
    let moments = if moments { merge(&partial, 1, outputs, output / outputs) } else { Vec::new() };
    (z, moments)
}

/// An image after the ReLU, if there is one.
struct Activation<'a> {
    image: &'a [f32],
    relu: bool,
}

impl Rows for Activation<'_> {
    #[inline(always)]
    fn write(&self, y: usize, row: &mut [f32]) {
        let image = &self.image[y * row.len()..][..row.len()];
        match self.relu {
            true => row.iter_mut().zip(image).for_each(|(out, x)| *out = rectified(*x)),
            false => row.copy_from_slice(image),
        }
    }
}

/// Floats of pixels that a product of an image takes at once: they stay in the first-level cache for all
/// blocks of the matrix.
const CHUNK: usize = 4096;

/// A product for all pixels of an image, of so many floats in `x` and in `out`.
#[inline(always)]
fn pointwise<S: Simd, const L: usize>(
    matrix: &Packed,
    [from, to]: [usize; 2],
    x: &[f32],
    out: &mut [f32],
) {
    // Whole tiles, of at most eight pixels.
    let pixels = (CHUNK / from).max(1).next_multiple_of(8);
    for (x, out) in x.chunks(pixels * from).zip(out.chunks_mut(pixels * to)) {
        matrix.multiply::<S, L>(Pixels::side_by_side(x, from), out, to);
    }
}

struct Forward<'a> {
    sizes: &'a Sizes,
    banks: &'a [Packed],
    x: &'a [f32],
    scratch: &'a mut Scratch,
    z: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { sizes, banks, x, scratch, z } = self;
        if let (true, [matrix]) = (sizes.is_pointwise(), banks) {
            return pointwise::<S, L>(matrix, [sizes.inputs(), sizes.outputs], x, z);
        }
        let planes = sizes.planes();
        planes.fill(0.0, &mut scratch.x, Activation { image: x, relu: sizes.relu });
        for (bank, matrix) in banks.iter().enumerate() {
            let windows = sizes.windows(&planes, &scratch.x, bank);
            matrix.multiply::<S, L>(windows, &mut z[bank * sizes.bank()..], sizes.outputs);
        }
    }
}

/// The way back to x. Pixel y of the input gets weight i from output pixel (y + padding − i) /
/// stride, where that is whole: the pixels of each phase y mod stride are a convolution of ∂z with
/// the weights of that phase, last one first.
struct Way {
    /// Layout of ∂z.
    planes: Planes,
    /// Of phase (y mod stride) · stride + x mod stride.
    phases: Vec<Option<Phase>>,
}

/// The pixels of one phase.
struct Phase {
    matrix: Packed,
    /// From the first pixel of the phase in the planes to the first that counts.
    start: usize,
}

impl Way {
    fn new(weight: &[f32], sizes: Sizes) -> Self {
        let stride = sizes.windows.stride;
        let [height, width, _] = sizes.windows.output();
        let border = sizes.windows.padding().div_ceil(stride);
        let planes = Planes::new([height, width, sizes.outputs], 1, border, 1);
        let phase = |index| Phase::new(weight, &sizes, &planes, [index / stride, index % stride]);
        Self { planes, phases: (0..stride * stride).map(phase).collect() }
    }
}

impl Phase {
    /// Nothing where no weight belongs to the phase.
    fn new(weight: &[f32], sizes: &Sizes, planes: &Planes, phase: [usize; 2]) -> Option<Self> {
        let (windows, outputs) = (sizes.windows, sizes.outputs);
        // With several banks, of 1×1 convolutions, each has a phase on the diagonal to itself.
        let (bank, count) = match sizes.banks {
            1 => (0, outputs),
            banks if phase[0] == phase[1] && phase[0] < banks => (phase[0], sizes.bank()),
            _ => return None,
        };
        let [rows, columns] =
            phase.map(|phase| taps(phase - bank, windows.padding(), windows.size, windows.stride));
        let (first_row, first_column) = (rows.first()?, columns.first()?);
        let place = |phase: usize, tap: usize| {
            (phase - bank + windows.padding() + planes.padding * windows.stride - tap)
                / windows.stride
        };
        let start = planes.offset(place(phase[0], *first_row), place(phase[1], *first_column));
        let inputs = sizes.inputs();
        let shape = [rows.len(), columns.len() * count, inputs];
        let at = |place: usize, input: usize| {
            let (i, j) = (rows[place / shape[1]], columns[place % shape[1] / count]);
            let output = bank * count + place % count;
            weight[sizes.place(i * windows.size + j, input, output)]
        };
        Some(Self { matrix: Packed::new(shape, lanes(), at), start: start + bank * count })
    }
}

/// The weights of a phase along one direction, in the order of the output pixels that they meet.
fn taps(phase: usize, padding: usize, size: usize, stride: usize) -> Vec<usize> {
    let meets = |tap: &usize| (phase + padding + size * stride - tap).is_multiple_of(stride);
    (0..size).rev().filter(meets).collect()
}

struct Back<'a> {
    sizes: &'a Sizes,
    way: &'a Way,
    x: &'a [f32],
    gradient: &'a [f32],
    scratch: &'a mut Scratch,
    out: &'a mut [f32],
}

impl Kernel for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { sizes, way: Way { planes, phases }, x, gradient, scratch, out } = self;
        if let (true, [Some(phase)]) = (sizes.is_pointwise(), phases.as_slice()) {
            let pixels = [sizes.outputs, sizes.inputs()];
            return pointwise::<S, L>(&phase.matrix, pixels, gradient, out);
        }
        planes.copy(gradient, 0.0, &mut scratch.gradient);
        let ([height, width, channels], stride) = (sizes.windows.image, sizes.windows.stride);
        // Rows whose pixels are of one phase: with stride 1 all of them at once.
        let size = width * channels * if stride == 1 { height } else { 1 };
        let rows = out.chunks_exact_mut(size).zip(x.chunks_exact(size));
        for (y, (out, x)) in rows.enumerate() {
            let phases = &phases[y % stride * stride..][..stride.min(width)];
            if phases.iter().any(Option::is_none) {
                out.fill(0.0);
            }
            for (column, phase) in phases.iter().enumerate() {
                let Some(Phase { matrix, start }) = phase else { continue };
                let values = &scratch.gradient[y / stride * planes.row() + start..];
                let (pixel, row) = (sizes.outputs, planes.row());
                let gradient = Pixels { values, pixel, row, lines: Some([width, row]) };
                let out = &mut out[column * channels..];
                matrix.multiply::<S, L>(gradient, out, stride * channels);
            }
            if sizes.relu {
                out.iter_mut().zip(x).for_each(|(out, x)| *out = gate(*out, *x > 0.0));
            }
        }
    }
}

struct Weights<'a> {
    sizes: &'a Sizes,
    x: &'a [f32],
    gradient: &'a [f32],
    scratch: &'a mut Scratch,
    out: &'a mut [f32],
}

impl Kernel for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { sizes, x, gradient, scratch, out } = self;
        if sizes.is_pointwise() {
            let (inputs, outputs) = (sizes.inputs(), sizes.outputs);
            let count = gradient.len() / outputs;
            let x = Pixels { row: x.len(), ..Pixels::side_by_side(x, inputs) };
            let filled = &mut scratch.filled;
            let gradient = whole_vectors::<L>(gradient, [outputs; 2], count, filled);
            let layout = Layout { inputs, outputs, input: outputs, output: 1 };
            return outer::<S, L>([1, count], x, gradient, out, layout);
        }
        let planes = sizes.planes();
        planes.fill(0.0, &mut scratch.x, Activation { image: x, relu: sizes.relu });
        let ([height, width, _], bank) = (sizes.windows.output(), sizes.bank());
        let inputs = sizes.windows.size * sizes.inputs();
        let layout = Layout { inputs, outputs: bank, input: sizes.outputs, output: 1 };
        let filled = &mut scratch.filled;
        let gradient = whole_vectors::<L>(gradient, [sizes.outputs, bank], width, filled);
        for (row, out) in out.chunks_exact_mut(inputs * sizes.outputs).enumerate() {
            for index in 0..sizes.banks {
                let mut x = sizes.windows(&planes, &scratch.x, index);
                x.values = &x.values[row * x.row..];
                x.row *= sizes.windows.stride;
                let (gradient, out) = (gradient.from(index * bank), &mut out[index * bank..]);
                outer::<S, L>([height, width], x, gradient, out, layout);
            }
        }
    }
}
