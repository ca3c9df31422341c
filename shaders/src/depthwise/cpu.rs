//! The CPU twin: one image at a time through the padded planes of [`Planes`], where all loops run
//! over contiguous vectors and none has a border case.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, Vector};

use super::{DepthwiseGradients, DepthwiseOps, Geometry};
use crate::cpu::planes::{GROUP, Planes};
use crate::cpu::{self, Kernel, contiguous, dispatch, for_chunks_with, load, store, values};

/// Weights whose gradient is accumulated at once: as many as leave registers for the operands.
const TAPS: usize = 9;

impl DepthwiseOps for Flex {
    fn depthwise(x: FlexTensor, weight: FlexTensor, geometry: Geometry) -> FlexTensor {
        let (x, weight) = (contiguous(x), contiguous(weight));
        cpu::tensor(convolve(values(&x), values(&weight), &geometry), geometry.output_shape())
    }
}

impl DepthwiseGradients for Flex {
    fn depthwise_x_gradient(
        weight: FlexTensor,
        gradient: FlexTensor,
        geometry: Geometry,
    ) -> FlexTensor {
        let (weight, gradient) = (contiguous(weight), contiguous(gradient));
        let out = convolve_transposed(values(&gradient), values(&weight), &geometry);
        cpu::tensor(out, geometry.input_shape())
    }

    fn depthwise_weight_gradient(
        x: FlexTensor,
        gradient: FlexTensor,
        geometry: Geometry,
    ) -> FlexTensor {
        let (x, gradient) = (contiguous(x), contiguous(gradient));
        let out = weight_gradient(values(&x), values(&gradient), &geometry);
        cpu::tensor(out, geometry.weight_shape())
    }
}

/// The convolution of a batch.
pub(crate) fn convolve(x: &[f32], weight: &[f32], geometry: &Geometry) -> Vec<f32> {
    let plan = Plan::forward(geometry, weight);
    plan.convolve(x, geometry.batch, geometry.image(), geometry.output())
}

/// Its gradient for the input, from that of the output.
pub(crate) fn convolve_transposed(
    gradient: &[f32],
    weight: &[f32],
    geometry: &Geometry,
) -> Vec<f32> {
    let plan = Plan::transposed(geometry, weight);
    plan.convolve(gradient, geometry.batch, geometry.output(), geometry.image())
}

/// A convolution as shifts of padded planes. Pixel `phase + steps · i` of an output row is the sum
/// over the taps of that phase; a forward pass has one phase, the way back through stride s has s
/// in each direction, and each weight belongs to one of them.
struct Plan {
    planes: Planes,
    /// Rows of the planes from one output row to the next, in units of one row of phases.
    rows: usize,
    /// Phases in each direction.
    steps: usize,
    /// Taps of phase (y mod steps) · steps + x mod steps.
    phases: Vec<Vec<Tap>>,
    /// [block][tap] vectors.
    weights: Vec<f32>,
    lanes: usize,
    taps: usize,
}

/// One weight of the kernel at its place.
#[derive(Clone, Copy)]
struct Tap {
    /// From the start of an output row in the planes to what this weight multiplies.
    offset: usize,
    /// Index of the weight in row-major order.
    weight: usize,
}

impl Plan {
    fn forward(geometry: &Geometry, weight: &[f32]) -> Self {
        let Geometry { stride, dilation, size, .. } = *geometry;
        let lanes = cpu::lanes();
        let planes = Planes::new(geometry.image(), stride, geometry.padding(), lanes);
        let tap = |index: usize| Tap {
            offset: planes.offset(index / size * dilation, index % size * dilation),
            weight: index,
        };
        let phases = vec![(0..size * size).map(tap).collect()];
        let weights = pack(&planes, weight, size * size, lanes);
        Self { planes, rows: stride, steps: 1, phases, weights, lanes, taps: size * size }
    }

    /// Input pixel y gets weight i from output pixel (y + padding − i · dilation) / stride, where
    /// that is whole.
    fn transposed(geometry: &Geometry, weight: &[f32]) -> Self {
        let Geometry { stride, dilation, size, .. } = *geometry;
        let lanes = cpu::lanes();
        let border = geometry.padding().div_ceil(stride);
        let planes = Planes::new(geometry.output(), 1, border, lanes);
        let shift = |phase: usize, index: usize| {
            let distance = phase + geometry.padding() + border * stride - index * dilation;
            distance.is_multiple_of(stride).then_some(distance / stride)
        };
        let phase = |phase: usize| {
            let tap = |index: usize| {
                let y = shift(phase / stride, index / size)?;
                let x = shift(phase % stride, index % size)?;
                Some(Tap { offset: planes.offset(y, x), weight: index })
            };
            (0..size * size).filter_map(tap).collect()
        };
        let phases = (0..stride * stride).map(phase).collect();
        let weights = pack(&planes, weight, size * size, lanes);
        Self { planes, rows: 1, steps: stride, phases, weights, lanes, taps: size * size }
    }

    fn convolve(
        &self,
        x: &[f32],
        batch: usize,
        from: [usize; 3],
        [height, width, channels]: [usize; 3],
    ) -> Vec<f32> {
        let image = from.iter().product::<usize>();
        let size = height * width * channels;
        let mut out = vec![0.0; batch * size];
        for_chunks_with(&mut out, size, Vec::new, |scratch, index, out| {
            let x = &x[index * image..][..image];
            dispatch(Convolve { plan: self, x, width, channels, scratch, out });
        });
        out
    }
}

/// Weights [channels, taps] as [block][tap] vectors over the lanes of a block.
fn pack(planes: &Planes, weight: &[f32], taps: usize, lanes: usize) -> Vec<f32> {
    let mut packed = vec![0.0; planes.blocks() * taps * lanes];
    for (row, vector) in packed.chunks_exact_mut(lanes).enumerate() {
        let (block, tap) = (row / taps, row % taps);
        let channels = planes.channels_of(block);
        for (lane, value) in vector.iter_mut().enumerate() {
            let channel = channels.start + lane % planes.width_of_block;
            if channel < channels.end {
                *value = weight[channel * taps + tap];
            }
        }
    }
    packed
}

struct Convolve<'a> {
    plan: &'a Plan,
    x: &'a [f32],
    width: usize,
    channels: usize,
    scratch: &'a mut Vec<f32>,
    out: &'a mut [f32],
}

impl Kernel for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { plan, x, width, channels, scratch, out } = self;
        let Plan { planes, rows, steps, phases, weights, lanes, taps } = plan;
        let vectors = (width.div_ceil(*steps) * planes.width_of_block).div_ceil(L);
        let mut row = vec![0.0; vectors * L];
        for block in 0..planes.blocks() {
            planes.fill(x, block, 0.0, scratch);
            let weights = weights[block * taps * lanes..].as_chunks::<L>().0;
            for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
                let start = y / steps * rows * planes.row();
                for phase in 0..(*steps).min(width) {
                    let taps = &phases[y % steps * steps + phase];
                    convolve_row::<S, L>(&scratch[start..], taps, weights, &mut row);
                    planes.put(&row, block, out, phase, *steps);
                }
            }
        }
    }
}

/// out = Σ over taps of weight · x from the offset of the tap on.
#[inline(always)]
fn convolve_row<S: Simd, const L: usize>(
    x: &[f32],
    taps: &[Tap],
    weights: &[[f32; L]],
    out: &mut [f32],
) {
    let (groups, rest) = out.as_chunks_mut::<L>().0.as_chunks_mut::<GROUP>();
    let (pairs, last) = rest.as_chunks_mut::<2>();
    let mut x = x;
    for group in groups {
        convolve_group::<S, L, GROUP>(x, taps, weights, group);
        x = &x[GROUP * L..];
    }
    for pair in pairs {
        convolve_group::<S, L, 2>(x, taps, weights, pair);
        x = &x[2 * L..];
    }
    for last in last {
        convolve_group::<S, L, 1>(x, taps, weights, std::array::from_mut(last));
    }
}

/// `N` vectors in registers: every weight is loaded once for all of them.
#[inline(always)]
fn convolve_group<S: Simd, const L: usize, const N: usize>(
    x: &[f32],
    taps: &[Tap],
    weights: &[[f32; L]],
    out: &mut [[f32; L]; N],
) {
    let mut sums: [Vector<S, f32>; N] = [load(&[0.0; L]); N];
    for tap in taps {
        let weight = load(&weights[tap.weight]);
        let x = x[tap.offset..][..N * L].as_chunks::<L>().0;
        for (sum, x) in sums.iter_mut().zip(x) {
            *sum = load::<S, L>(x).mul_add(weight, *sum);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = store(sum);
    }
}

/// Σ over images, one image to a chunk: [channels, 1, size, size].
fn weight_gradient(x: &[f32], gradient: &[f32], geometry: &Geometry) -> Vec<f32> {
    let taps = geometry.size * geometry.size;
    let planes = Planes::new(geometry.image(), geometry.stride, geometry.padding(), cpu::lanes());
    let mut partial = vec![0.0; geometry.batch * geometry.channels * taps];
    for_chunks_with(&mut partial, geometry.channels * taps, Vec::new, |scratch, index, out| {
        let image: usize = geometry.image().iter().product();
        let output: usize = geometry.output().iter().product();
        let x = &x[index * image..][..image];
        let gradient = &gradient[index * output..][..output];
        dispatch(WeightGradient { geometry, planes: &planes, x, gradient, scratch, out });
    });
    let mut sum = vec![0.0; geometry.channels * taps];
    for partial in partial.chunks_exact(sum.len().max(1)) {
        sum.iter_mut().zip(partial).for_each(|(sum, value)| *sum += value);
    }
    sum
}

struct WeightGradient<'a> {
    geometry: &'a Geometry,
    planes: &'a Planes,
    x: &'a [f32],
    gradient: &'a [f32],
    scratch: &'a mut Vec<f32>,
    out: &'a mut [f32],
}

impl Kernel for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let Self { geometry, planes, x, gradient, scratch, out } = self;
        let Geometry { size, dilation, .. } = *geometry;
        let [height, width, channels] = geometry.output();
        let taps = size * size;
        // Whole groups: the zeros at the end of a gradient row add nothing.
        let row = (width * planes.width_of_block).next_multiple_of(HALF * L);
        let mut rows = vec![0.0; height * row];
        for block in 0..planes.blocks() {
            planes.fill(x, block, 0.0, scratch);
            for (source, row) in
                gradient.chunks_exact(width * channels).zip(rows.chunks_exact_mut(row))
            {
                planes.take(source, block, row);
            }
            for first in (0..taps).step_by(TAPS) {
                // Past the last weight the last one is computed again.
                let offsets = std::array::from_fn(|tap| {
                    let index = (first + tap).min(taps - 1);
                    planes.offset(index / size * dilation, index % size * dilation)
                });
                let step = geometry.stride * planes.row();
                let sums = correlate::<S, L>(scratch, &offsets, step, &rows, row);
                for (tap, sum) in (first..taps).zip(sums) {
                    for (lane, value) in sum.into_iter().enumerate() {
                        let channel = block * planes.width_of_block + lane % planes.width_of_block;
                        if channel < channels {
                            out[channel * taps + tap] += value;
                        }
                    }
                }
            }
        }
    }
}

/// Vectors of a gradient row that are kept in registers.
const HALF: usize = GROUP / 2;

/// Σ over all rows of gradient · x from each of the offsets on.
#[inline(always)]
fn correlate<S: Simd, const L: usize>(
    x: &[f32],
    offsets: &[usize; TAPS],
    step: usize,
    gradient: &[f32],
    row: usize,
) -> [[f32; L]; TAPS] {
    let mut sums: [Vector<S, f32>; TAPS] = [load(&[0.0; L]); TAPS];
    for (y, gradient) in gradient.chunks_exact(row).enumerate() {
        let x = &x[y * step..];
        for (group, gradient) in gradient.chunks_exact(HALF * L).enumerate() {
            let gradient = gradient.as_chunks::<L>().0;
            let gradient: [Vector<S, f32>; HALF] =
                std::array::from_fn(|index| load(&gradient[index]));
            let x = &x[group * HALF * L..];
            for (sum, offset) in sums.iter_mut().zip(offsets) {
                let x = x[*offset..][..HALF * L].as_chunks::<L>().0;
                for (x, gradient) in x.iter().zip(gradient) {
                    *sum = load::<S, L>(x).mul_add(gradient, *sum);
                }
            }
        }
    }
    sums.map(store)
}
