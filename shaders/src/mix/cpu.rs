//! The CPU twin: all candidates of a chunk while the chunk of the sums is in the first-level cache.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, Vector};

use super::{MixGradients, MixOps, Mixture, SLOTS, Slots, Stacks, Term};
use crate::cpu::block::Block;
use crate::cpu::columns::{self, Columns, Formula, Products, ROWS, Total};
use crate::cpu::{self, contiguous, fold, for_each, for_parts, values};
use crate::meter;
use crate::norm::Standard;
use crate::norm::cpu::Scale;
use crate::norm::deferred::Images;

/// Floats of a chunk: it and a candidate's fit into 32 KiB, the smallest first-level cache.
const CHUNK: usize = 4096;

impl MixOps for Flex {
    fn mix(
        base: FlexTensor,
        slots: Slots<Self>,
        weights: FlexTensor,
        mixture: Mixture,
    ) -> FlexTensor {
        let _span = meter::span("mix");
        let (weights, length) = (contiguous(weights), mixture.length());
        let mut candidates = Candidates::new(slots, &mixture);
        candidates.weigh(values(&weights));
        let base = mixture.base.then(|| contiguous(base));
        let mut sums = Block::new(mixture.targets * length);
        let chunk = chunk(mixture.channels());
        // The same chunk of all targets, so that a stack which goes to several is read once.
        let mut tasks: Vec<Vec<&mut [f32]>> = Vec::new();
        tasks.resize_with(length.div_ceil(chunk), Vec::new);
        for target in sums.chunks_mut(length) {
            for (task, part) in tasks.iter_mut().zip(target.chunks_mut(chunk)) {
                task.push(part);
            }
        }
        let cost = chunk.min(length) * (mixture.targets + mixture.terms.len());
        for_each(tasks, cost, |index, mut outs| {
            let start = index * chunk;
            for (target, out) in outs.iter_mut().enumerate() {
                match &base {
                    Some(base) => {
                        out.copy_from_slice(&values(base)[target * length + start..][..out.len()]);
                    }
                    None => out.fill(0.0),
                }
            }
            for (term, scale) in mixture.terms.iter().zip(&candidates.scales) {
                let out = &mut *outs[term.target];
                let x = candidates.part(term.stack, term.group, start, out.len());
                let rows = [&*scale.mean, &scale.factor, &scale.mean, &scale.mean];
                columns::map(AddScaled, rows, [x; 2], out);
            }
        });
        sums.into_tensor(mixture.output_shape())
    }
}

impl MixGradients for Flex {
    fn mix_sums(slots: Slots<Self>, gradient: FlexTensor, mixture: Mixture) -> FlexTensor {
        let _span = meter::span("mix_sums");
        let candidates = Candidates::new(slots, &mixture);
        let gradient = contiguous(gradient);
        let (channels, length) = (mixture.channels(), mixture.length());
        let (chunk, columns) = (chunk(channels), Columns::new(channels));
        let size = (mixture.targets + mixture.terms.len()) * channels;
        let mut partial = vec![0.0; length.div_ceil(chunk) * size];
        let cost = chunk.min(length) * (mixture.targets + 2 * mixture.terms.len());
        for_parts([(&mut partial, size)], cost, |index, [out]| {
            let start = index * chunk;
            let count = chunk.min(length - start);
            let gradient = |target: usize| &values(&gradient)[target * length + start..][..count];
            let (sums, products) = out.split_at_mut(mixture.targets * channels);
            for (target, out) in sums.chunks_exact_mut(channels).enumerate() {
                column_sums(gradient(target), columns, out);
            }
            let terms = mixture.terms.iter().zip(&candidates.scales);
            for ((term, scale), out) in terms.zip(products.chunks_exact_mut(channels)) {
                let x = candidates.part(term.stack, term.group, start, count);
                column_products(x, gradient(term.target), scale, columns, out);
            }
        });
        cpu::tensor(fold(&partial, size), mixture.sums_shape())
    }

    fn mix_weight_gradient(sums: FlexTensor, mixture: Mixture) -> FlexTensor {
        let sums = contiguous(sums);
        let mut out = vec![0.0; mixture.weights];
        let products = values(&sums).chunks_exact(mixture.channels()).skip(mixture.targets);
        for (term, products) in mixture.terms.iter().zip(products) {
            out[term.weight] += products.iter().sum::<f32>();
        }
        cpu::tensor(out, [mixture.weights])
    }

    fn mix_x_gradients(
        slots: Slots<Self>,
        weights: FlexTensor,
        gradient: FlexTensor,
        sums: FlexTensor,
        wanted: [bool; SLOTS],
        mixture: Mixture,
    ) -> Stacks<Self> {
        let _span = meter::span("mix_x_gradients");
        let [gradient, weights, sums] = [gradient, weights, sums].map(contiguous);
        let (mut x, moments) = slots.into_lists();
        x = x.map(contiguous);
        let (chunk, length) = (chunk(mixture.channels()), mixture.length());
        let ways_of = |slot: usize| -> Vec<Way> {
            let moments = contiguous(moments[slot].clone());
            let scales = scales(values(&moments), mixture.norms[slot], slot, &mixture);
            let way = |(group, scale)| {
                Way::new(scale, values(&weights), values(&sums), (slot, group), &mixture)
            };
            scales.iter().enumerate().map(way).collect()
        };
        let (mut slots, mut ways) = (Vec::new(), Vec::new());
        for slot in (0..mixture.count).filter(|slot| wanted[*slot]) {
            match &mixture.deferred[slot] {
                Some(deferred) => {
                    let (ways, gradient) = (ways_of(slot), gradient.clone());
                    let x = std::mem::replace(&mut x[slot], nothing());
                    deferred.leave(Later { ways, x, gradient, shape: mixture.shape });
                }
                None => {
                    slots.push(slot);
                    ways.push(ways_of(slot));
                }
            }
        }
        let mut outs: Vec<Block> =
            ways.iter().map(|ways| Block::new(ways.len() * length)).collect();
        let mut tasks = Vec::new();
        for ((slot, ways), out) in slots.iter().zip(&ways).zip(&mut outs) {
            for (way, group) in ways.iter().zip(out.chunks_mut(length)) {
                let x = &values(&x[*slot])[way.group * length..];
                let parts = group.chunks_mut(chunk).enumerate();
                tasks.extend(parts.map(|(index, out)| (way, x, index * chunk, out)));
            }
        }
        // Chunk after chunk: activations that go to the same target read its gradient from the cache.
        tasks.sort_by_key(|(_, _, start, _)| *start);
        for_each(tasks, chunk.min(length) * (2 + mixture.targets), |_, (way, x, start, out)| {
            let count = out.len();
            let gradient = |target: usize| &values(&gradient)[target * length + start..][..count];
            way.run(&x[start..][..count], gradient, out);
        });
        for ((slot, ways), out) in slots.iter().zip(&ways).zip(outs) {
            x[*slot] = out.into_tensor(mixture.stack_shape(ways.len()));
        }
        Stacks::from_list(x)
    }
}

/// Floats of a chunk: whole strips.
fn chunk(channels: usize) -> usize {
    let strip = Columns::new(channels).strip();
    strip * (CHUNK / strip).max(1)
}

/// Of every activation of a slot.
fn scales(moments: &[f32], norm: Option<Standard>, slot: usize, mixture: &Mixture) -> Vec<Scale> {
    match norm {
        Some(standard) => Scale::list(moments, standard),
        None => (0..mixture.groups[slot]).map(|_| Scale::identity(mixture.channels())).collect(),
    }
}

/// The stacks in row-major order, and (x − mean) · factor of every term.
struct Candidates {
    stacks: Vec<FlexTensor>,
    scales: Vec<Scale>,
    weights: Vec<usize>,
    length: usize,
}

impl Candidates {
    fn new(slots: Slots<Flex>, mixture: &Mixture) -> Self {
        let (x, moments) = slots.into_lists();
        let mut list = Vec::with_capacity(mixture.terms.len());
        for (slot, moments) in moments.into_iter().enumerate().take(mixture.count) {
            let moments = contiguous(moments);
            let scales = scales(values(&moments), mixture.norms[slot], slot, mixture);
            let terms = &mixture.terms[mixture.of_slot(slot)];
            list.extend(terms.iter().map(|term| scales[term.group].clone()));
        }
        Self {
            stacks: x.into_iter().take(mixture.count).map(contiguous).collect(),
            scales: list,
            weights: mixture.terms.iter().map(|term| term.weight).collect(),
            length: mixture.length(),
        }
    }

    /// Puts the weight of every term into its factor.
    fn weigh(&mut self, weights: &[f32]) {
        for (scale, weight) in self.scales.iter_mut().zip(&self.weights) {
            scale.factor.iter_mut().for_each(|factor| *factor *= weights[*weight]);
        }
    }

    fn part(&self, stack: usize, group: usize, start: usize, count: usize) -> &[f32] {
        &values(&self.stacks[stack])[group * self.length + start..][..count]
    }
}

/// The gradient for an activation: Σ over its terms of g·factor, − shift − (x − mean)·slope; all
/// repeated to strips.
struct Way {
    group: usize,
    /// Target and factor of every term.
    factors: Vec<(usize, Vec<f32>)>,
    mean: Vec<f32>,
    shift: Vec<f32>,
    slope: Vec<f32>,
    /// Whether there is a shift and a slope.
    through_moments: bool,
}

impl Way {
    fn new(
        scale: &Scale,
        weights: &[f32],
        sums: &[f32],
        (slot, group): (usize, usize),
        mixture: &Mixture,
    ) -> Self {
        let places = mixture.of_group(slot, group);
        let factor = |place: usize| {
            let term = mixture.terms[place];
            let weight = weights[term.weight];
            (term.target, scale.factor.iter().map(|factor| factor * weight).collect())
        };
        let mut way = Self {
            group,
            factors: places.clone().map(factor).collect(),
            mean: scale.mean.clone(),
            shift: vec![0.0; scale.mean.len()],
            slope: vec![0.0; scale.mean.len()],
            through_moments: mixture.norms[slot].is_some_and(|norm| norm.of_batch),
        };
        if way.through_moments {
            for place in places {
                way.add_term(place, scale, sums, mixture);
            }
        }
        way
    }

    fn add_term(&mut self, place: usize, scale: &Scale, sums: &[f32], mixture: &Mixture) {
        let (channels, count) = (mixture.channels(), mixture.pixels() as f32);
        let (target, weight) = (mixture.terms[place].target, self.weight_of(place, mixture));
        let columns = Columns::new(channels);
        let row = |row: usize| columns.repeat(sums[row * channels..][..channels].iter().copied());
        let means = row(target).into_iter().zip(row(mixture.targets + place));
        let out = self.shift.iter_mut().zip(&mut self.slope).zip(&scale.factor);
        for ((((shift, slope), factor), weight), (sum, product)) in out.zip(weight).zip(means) {
            *shift += sum / count * weight;
            *slope += product / count * weight * factor;
        }
    }

    /// The factor of a term.
    fn weight_of(&self, place: usize, mixture: &Mixture) -> Vec<f32> {
        let Term { stack, group, .. } = mixture.terms[place];
        self.factors[place - mixture.of_group(stack, group).start].1.clone()
    }

    fn run<'a>(&self, x: &[f32], gradient: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
        let Some(((target, factor), others)) = self.factors.split_first() else {
            return out.fill(0.0);
        };
        match self.through_moments {
            true => {
                let rows = [&*self.mean, &self.slope, factor, &self.shift];
                columns::map(Pull, rows, [x, gradient(*target)], out);
            }
            false => {
                columns::map(Scaled { add: false }, [factor; ROWS], [gradient(*target); 2], out);
            }
        }
        for (target, factor) in others {
            columns::map(Scaled { add: true }, [factor; ROWS], [gradient(*target); 2], out);
        }
    }
}

/// In the place of a gradient that is computed later: burn adds it to those of other readers.
fn nothing() -> FlexTensor {
    cpu::tensor(vec![0.0], [1; 4])
}

/// The gradient for a stack, computed later.
struct Later {
    ways: Vec<Way>,
    x: FlexTensor,
    /// Of the nodes.
    gradient: FlexTensor,
    /// Of an activation.
    shape: [usize; 4],
}

impl Images for Later {
    fn write(&self, image: usize, out: &mut [f32]) {
        let [batch, ..] = self.shape;
        let (way, start) = (&self.ways[image / batch], image % batch * out.len());
        let (count, length) = (out.len(), batch * out.len());
        let place =
            |activation: usize| activation * length + start..activation * length + start + count;
        let x = &values(&self.x)[place(way.group)];
        way.run(x, |target| &values(&self.gradient)[place(target)], out);
    }
}

/// out += (x − mean) · factor.
#[derive(Clone, Copy)]
struct AddScaled;

impl Formula for AddScaled {
    #[inline(always)]
    fn at<S: Simd>(
        self,
        [mean, factor, ..]: &[Vector<S, f32>; ROWS],
        x: Vector<S, f32>,
        _: Vector<S, f32>,
        out: Vector<S, f32>,
    ) -> Vector<S, f32> {
        (x - *mean).mul_add(*factor, out)
    }
}

/// out = gradient · factor, or that added.
#[derive(Clone, Copy)]
struct Scaled {
    add: bool,
}

impl Formula for Scaled {
    #[inline(always)]
    fn at<S: Simd>(
        self,
        [factor, ..]: &[Vector<S, f32>; ROWS],
        gradient: Vector<S, f32>,
        _: Vector<S, f32>,
        out: Vector<S, f32>,
    ) -> Vector<S, f32> {
        if self.add { gradient.mul_add(*factor, out) } else { gradient * *factor }
    }
}

/// The first term, with the shift and the slope of all.
#[derive(Clone, Copy)]
struct Pull;

impl Formula for Pull {
    #[inline(always)]
    fn at<S: Simd>(
        self,
        [mean, slope, factor, shift]: &[Vector<S, f32>; ROWS],
        x: Vector<S, f32>,
        gradient: Vector<S, f32>,
        _: Vector<S, f32>,
    ) -> Vector<S, f32> {
        gradient * *factor - (x - *mean).mul_add(*slope, *shift)
    }
}

/// Σ gradient.
fn column_sums(gradient: &[f32], columns: Columns, out: &mut [f32]) {
    let zeros = vec![0.0; columns.strip()];
    let mut sums = zeros.clone();
    columns::sum(Total, [&*zeros; ROWS], [gradient; 2], &mut sums);
    out.copy_from_slice(&columns.fold(&sums));
}

/// Σ gradient · (x − mean) · factor of the columns.
fn column_products(x: &[f32], gradient: &[f32], scale: &Scale, columns: Columns, out: &mut [f32]) {
    let mut products = vec![0.0; columns.strip()];
    columns::sum(Products, [&*scale.mean; ROWS], [x, gradient], &mut products);
    products.iter_mut().zip(&scale.factor).for_each(|(product, factor)| *product *= factor);
    out.copy_from_slice(&columns.fold(&products));
}
