//! The kernels: chunk after chunk of an image, while it is in the first-level cache.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use macerator::{Simd, Vector};

use super::{Edge, OfEdge, RectifiedGradients, RectifiedOps};
use crate::cpu::block::Block;
use crate::cpu::columns::{self, Columns, Formula, ROWS};
use crate::cpu::{self, contiguous, fold, for_chunks, values, zero};
use crate::meter;
use crate::node::cpu::{Pull, Ready, chunk};

impl RectifiedOps for Flex {
    fn rectified(x: FlexTensor, moments: FlexTensor, affine: FlexTensor, edge: Edge) -> FlexTensor {
        let _span = meter::span("rectified");
        let it = OfEdge { x, masks: moments.clone(), moments, affine };
        let edge = Ready::new(edge, it);
        let (image, chunk) = (edge.edge.image(), chunk(edge.edge.channels()));
        let mut out = Block::new(edge.edge.shape[0] * image);
        for_chunks(&mut out, image, 2 * image, |index, out| {
            for (x, out) in edge.image(index).chunks(chunk).zip(out.chunks_mut(chunk)) {
                columns::map(Rectified, edge.rows(), [x; 2], out);
            }
        });
        out.into_tensor(edge.edge.shape)
    }
}

impl RectifiedGradients for Flex {
    fn rectified_gradients(
        it: OfEdge<Self>,
        gradient: FlexTensor,
        edge: Edge,
    ) -> (FlexTensor, FlexTensor) {
        let _span = meter::span("rectified_gradients");
        let (edge, gradient) = (Ready::new(edge, it), contiguous(gradient));
        let (image, channels) = (edge.edge.image(), edge.edge.channels());
        let (columns, chunk) = (Columns::new(channels), chunk(channels));
        let part = |index: usize| &values(&gradient)[index * image..][..image];
        let mut partial = vec![0.0; edge.edge.shape[0] * 2 * channels];
        for_chunks(&mut partial, 2 * channels, 4 * image, |index, out| {
            let mut open = vec![0.0; chunk.min(image)];
            let parts = edge.image(index).chunks(chunk).zip(part(index).chunks(chunk));
            let mut sums = edge.begin(columns);
            for (x, g) in parts {
                let open = &mut open[..x.len()];
                columns::map(Gate, edge.rows(), [x, g], open);
                sums.add(&edge, x, open);
            }
            sums.finish(&edge, columns, out);
        });
        let sums = fold(&partial, 2 * channels);
        let way = edge.way_back(&sums);
        let rows = way.each_ref().map(|row| row.as_slice());
        let mut out = Block::new(edge.edge.shape[0] * image);
        for_chunks(&mut out, image, 5 * image, |index, out| {
            let mut open = vec![0.0; chunk.min(image)];
            let parts = edge.image(index).chunks(chunk).zip(part(index).chunks(chunk));
            for ((x, g), out) in parts.zip(out.chunks_mut(chunk)) {
                let open = &mut open[..x.len()];
                columns::map(Gate, edge.rows(), [x, g], open);
                columns::map(Pull::whole(), rows, [x, open], out);
            }
        });
        (cpu::tensor(sums, [2, channels]), out.into_tensor(edge.edge.shape))
    }
}

/// What comes out of the batch norm; the rows are mean, factor and shift.
#[inline(always)]
fn normed<S: Simd>(
    [mean, factor, shift, _]: &[Vector<S, f32>; ROWS],
    x: Vector<S, f32>,
) -> Vector<S, f32> {
    (x - *mean).mul_add(*factor, *shift)
}

/// The ReLU of it: what is no number stays so.
#[derive(Clone, Copy)]
struct Rectified;

impl Formula for Rectified {
    #[inline(always)]
    fn at<S: Simd>(
        self,
        rows: &[Vector<S, f32>; ROWS],
        x: Vector<S, f32>,
        _: Vector<S, f32>,
        _: Vector<S, f32>,
    ) -> Vector<S, f32> {
        let y = normed(rows, x);
        y.le(zero()).select(zero(), y)
    }
}

/// The gradient that comes through the ReLU.
#[derive(Clone, Copy)]
struct Gate;

impl Formula for Gate {
    #[inline(always)]
    fn at<S: Simd>(
        self,
        rows: &[Vector<S, f32>; ROWS],
        x: Vector<S, f32>,
        gradient: Vector<S, f32>,
        _: Vector<S, f32>,
    ) -> Vector<S, f32> {
        normed(rows, x).le(zero()).select(zero(), gradient)
    }
}
