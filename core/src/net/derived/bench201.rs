//! The network of one cell of NAS-Bench-201, as the benchmark trained it.

use burn::tensor::Tensor;

use super::graph::Graph;
use super::{Classifier, Derived, DerivedError, DerivedShape, Logits};
use crate::net::bench201::Skeleton;
use crate::net::{NetShape, Stem};
use crate::nn::{Builder, GradientTarget, Layout, NormOptions, Pass, Trace};
use crate::ops::Site;

/// The benchmark's skeleton around the cell.
pub(super) struct DerivedBench201 {
    layout: Layout,
    skeleton: Skeleton<Graph>,
}

impl DerivedBench201 {
    /// Builds the network.
    pub fn new(derived: &Derived, shape: DerivedShape) -> Result<Self, DerivedError> {
        let DerivedShape { image_channels, classes, cells, channels, .. } = shape;
        if cells < 5 || cells % 3 != 2 {
            return Err(DerivedError::Stages { cells });
        }
        if shape.auxiliary {
            return Err(DerivedError::NotOfBench201 { what: "auxiliary head" });
        }
        if shape.stem == Stem::ImageNet {
            return Err(DerivedError::NotOfBench201 { what: "stem for ImageNet" });
        }
        let mut layout = Layout::default();
        let shape = NetShape { image_channels, classes, cells, channels, stem_multiplier: 1 };
        let skeleton = Skeleton::new(&mut Builder::new(&mut layout), shape, |builder, channels| {
            let norm = NormOptions::pending();
            let site = Site { channels, stride: 1, norm, pool_norm: false };
            Graph::new(builder, derived, site, "layers")
        });
        Ok(Self { layout, skeleton })
    }
}

impl Classifier for DerivedBench201 {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64 {
        self.skeleton
            .multiply_adds(image_size, target, |graph, info| (graph.multiply_adds(|_| info), info))
    }

    fn forward(&self, images: Tensor<4>, pass: &mut Pass) -> Logits {
        let logits = self.skeleton.forward(images, pass, |graph, x, pass| {
            graph.forward(vec![x.clone()], pass).pop().unwrap_or(x)
        });
        Logits { logits, auxiliary: None }
    }

    fn trace(&self) -> Trace<'_> {
        let mut trace = Trace::new(&self.layout);
        self.skeleton
            .trace(&mut trace, |graph, x, trace| graph.trace(vec![x], trace).pop().unwrap_or(x));
        trace
    }
}
