//! The CPU twin: all edges of a chunk of an image while its sum is in the first-level cache; an edge that
//! drop-path drops is not read at all.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::{Scalar, Simd, Vector};

use super::{Edge, Edges, NodeGradients, NodeOps, OfEdge, Sum};
use crate::cpu::block::Block;
use crate::cpu::columns::{self, Columns, Formula, Products, ROWS, Total};
use crate::cpu::{self, contiguous, fold, for_chunks, for_each, values};
use crate::meter;
use crate::norm::cpu::{Affine, Scale};

/// Floats of a chunk: it and that of an edge fit into 32 KiB, the smallest first-level cache.
const CHUNK: usize = 4096;

impl NodeOps for Flex {
    fn node(edges: Edges<Self>, sum: Sum) -> FlexTensor {
        let _span = meter::span("node");
        let (base, places) = edges.into_parts();
        let base = sum.base.then(|| contiguous(base));
        let edges: Vec<Ready> =
            sum.edges.iter().zip(places).map(|(edge, it)| Ready::new(*edge, it)).collect();
        let image: usize = sum.shape[1..].iter().product();
        let chunk = chunk(sum.shape[3]);
        let mut out = Block::new(sum.shape[0] * image);
        let images = out.chunks_mut(image.max(1)).enumerate();
        let tasks = images.flat_map(|(index, out)| {
            out.chunks_mut(chunk).enumerate().map(move |(part, out)| (index, part * chunk, out))
        });
        let cost = (1 + edges.len()) * chunk.min(image);
        for_each(tasks.collect(), cost, |_, (index, start, out)| {
            let place = index * image + start;
            let mut begun = false;
            if let Some(base) = &base {
                out.copy_from_slice(&values(base)[place..][..out.len()]);
                begun = true;
            }
            for edge in &edges {
                begun |= edge.add(index, place, begun, out);
            }
            if !begun {
                out.fill(0.0);
            }
        });
        out.into_tensor(sum.shape)
    }
}

impl NodeGradients for Flex {
    fn edge_sums(it: OfEdge<Self>, gradient: FlexTensor, edge: Edge) -> FlexTensor {
        let _span = meter::span("edge_sums");
        let (edge, gradient) = (Ready::new(edge, it), contiguous(gradient));
        let (image, channels) = (edge.edge.image(), edge.edge.channels());
        let columns = Columns::new(channels);
        let mut partial = vec![0.0; edge.edge.shape[0] * 2 * channels];
        for_chunks(&mut partial, 2 * channels, 2 * image, |index, out| {
            let mask = edge.mask(index);
            if mask != 0.0 {
                let (x, g) = (edge.image(index), &values(&gradient)[index * image..][..image]);
                edge.sums(x, g, columns, out);
                out.iter_mut().for_each(|sum| *sum *= mask);
            }
        });
        cpu::tensor(fold(&partial, 2 * channels), [2, channels])
    }

    fn edge_gradient(
        it: OfEdge<Self>,
        gradient: FlexTensor,
        sums: FlexTensor,
        edge: Edge,
    ) -> FlexTensor {
        let _span = meter::span("edge_gradient");
        let (edge, gradient, sums) = (Ready::new(edge, it), contiguous(gradient), contiguous(sums));
        let image = edge.edge.image();
        let way = edge.way_back(values(&sums));
        let rows = way.each_ref().map(|row| row.as_slice());
        let mut out = Block::new(edge.edge.shape[0] * image);
        for_chunks(&mut out, image, 3 * image, |index, out| {
            let g = &values(&gradient)[index * image..][..image];
            columns::map(Pull { mask: edge.mask(index) }, rows, [edge.image(index), g], out);
        });
        out.into_tensor(edge.edge.shape)
    }
}

/// Floats of a chunk: whole strips.
pub(super) fn chunk(channels: usize) -> usize {
    let strip = Columns::new(channels).strip();
    strip * (CHUNK / strip).max(1)
}

/// An edge with its norm as numbers.
pub(super) struct Ready {
    pub(super) edge: Edge,
    x: FlexTensor,
    scale: Scale,
    affine: Affine,
    masks: FlexTensor,
}

impl Ready {
    pub(super) fn new(edge: Edge, it: OfEdge<Flex>) -> Self {
        let OfEdge { x, moments, affine, masks } = it;
        let known = edge.norm.and_then(|standard| {
            Scale::list(values(&contiguous(moments)), standard).into_iter().next()
        });
        let scale = known.unwrap_or_else(|| Scale::identity(edge.channels()));
        let affine = match edge.is_affine() {
            true => Affine::list(values(&contiguous(affine)), std::slice::from_ref(&scale)),
            false => Vec::new(),
        };
        let affine = affine.into_iter().next().unwrap_or_else(|| Affine::none(&scale));
        Self { edge, x: contiguous(x), scale, affine, masks: contiguous(masks) }
    }

    pub(super) fn image(&self, index: usize) -> &[f32] {
        let image = self.edge.image();
        &values(&self.x)[index * image..][..image]
    }

    fn mask(&self, image: usize) -> f32 {
        if self.edge.masked { values(&self.masks)[image] } else { 1.0 }
    }

    /// Puts what it gives into `out`, or adds it; whether it did, which a dropped image does not.
    fn add(&self, image: usize, place: usize, add: bool, out: &mut [f32]) -> bool {
        let mask = self.mask(image);
        if mask == 0.0 {
            return false;
        }
        let x = &values(&self.x)[place..][..out.len()];
        columns::map(Normed { mask, add }, self.rows(), [x; 2], out);
        true
    }

    /// Mean, factor and shift of its batch norm, and the mean again.
    pub(super) fn rows(&self) -> [&[f32]; ROWS] {
        [&self.scale.mean, &self.affine.factor, &self.affine.shift, &self.scale.mean]
    }

    /// Σ g·x̂ and Σ g of an image.
    fn sums(&self, x: &[f32], g: &[f32], columns: Columns, out: &mut [f32]) {
        let chunk = chunk(columns.channels());
        let mut sums = self.begin(columns);
        for (x, g) in x.chunks(chunk).zip(g.chunks(chunk)) {
            sums.add(self, x, g);
        }
        sums.finish(self, columns, out);
    }

    /// Sums of an image, of nothing so far.
    pub(super) fn begin(&self, columns: Columns) -> Sums {
        let zeros = vec![0.0; columns.strip()];
        Sums { products: zeros.clone(), totals: zeros }
    }

    /// The rows of [`Pull`]: mean, slope, factor, shift.
    pub(super) fn way_back(&self, sums: &[f32]) -> [Vec<f32>; ROWS] {
        let (mean, factor) = (self.scale.mean.clone(), self.affine.factor.clone());
        if !self.edge.of_batch() {
            let zeros = vec![0.0; mean.len()];
            return [mean, zeros.clone(), factor, zeros];
        }
        let columns = Columns::new(self.edge.channels());
        let count = (self.edge.shape[0] * self.edge.image() / self.edge.channels()) as f32;
        let (products, totals) = sums.split_at(self.edge.channels());
        let means = |sums: &[f32]| -> Vec<f32> {
            let sums = columns.repeat(sums.iter().copied());
            sums.into_iter().zip(&factor).map(|(sum, factor)| sum / count * factor).collect()
        };
        let (mut slope, shift) = (means(products), means(totals));
        slope.iter_mut().zip(&self.scale.factor).for_each(|(slope, factor)| *slope *= factor);
        [mean, slope, factor, shift]
    }
}

/// Σ g·(x − mean) and Σ g of an image, as strips.
pub(super) struct Sums {
    products: Vec<f32>,
    totals: Vec<f32>,
}

impl Sums {
    /// Adds those of a chunk.
    pub(super) fn add(&mut self, edge: &Ready, x: &[f32], g: &[f32]) {
        let rows = [&*edge.scale.mean; ROWS];
        columns::sum(Total, rows, [x, g], &mut self.totals);
        columns::sum(Products, rows, [x, g], &mut self.products);
    }

    /// Σ g·x̂ and Σ g of every channel.
    pub(super) fn finish(self, edge: &Ready, columns: Columns, out: &mut [f32]) {
        let Self { mut products, totals } = self;
        products.iter_mut().zip(&edge.scale.factor).for_each(|(sum, factor)| *sum *= factor);
        let (first, second) = out.split_at_mut(columns.channels());
        first.copy_from_slice(&columns.fold(&products));
        second.copy_from_slice(&columns.fold(&totals));
    }
}

/// ((x − mean) · factor + shift) · mask, or that added.
#[derive(Clone, Copy)]
struct Normed {
    mask: f32,
    add: bool,
}

impl Formula for Normed {
    #[inline(always)]
    fn at<S: Simd>(
        self,
        [mean, factor, shift, _]: &[Vector<S, f32>; ROWS],
        x: Vector<S, f32>,
        _: Vector<S, f32>,
        out: Vector<S, f32>,
    ) -> Vector<S, f32> {
        let y = (x - *mean).mul_add(*factor, *shift);
        let mask: Vector<S, f32> = self.mask.splat();
        if self.add { y.mul_add(mask, out) } else { y * mask }
    }
}

/// g · mask · factor − shift − (x − mean) · slope.
#[derive(Clone, Copy)]
pub(super) struct Pull {
    mask: f32,
}

impl Pull {
    /// Of an image that no mask takes out.
    pub(super) fn whole() -> Self {
        Self { mask: 1.0 }
    }
}

impl Formula for Pull {
    #[inline(always)]
    fn at<S: Simd>(
        self,
        [mean, slope, factor, shift]: &[Vector<S, f32>; ROWS],
        x: Vector<S, f32>,
        gradient: Vector<S, f32>,
        _: Vector<S, f32>,
    ) -> Vector<S, f32> {
        let mask: Vector<S, f32> = self.mask.splat();
        gradient * mask * *factor - (x - *mean).mul_add(*slope, *shift)
    }
}
