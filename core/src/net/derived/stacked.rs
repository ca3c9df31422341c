//! The stacked cells of a DARTS space, for images of 32×32 and of 224×224 pixels (spec §9.1, §9.2).

use burn::tensor::Tensor;

use super::graph::Graph;
use super::head::AuxiliaryHead;
use super::{Classifier, Derived, DerivedError, DerivedShape, Logits};
use crate::net::LinearClassifier;
use crate::net::start::start;
use crate::net::topology::{self, CellShape};
use crate::nn::{
    ActivationInfo, Builder, GradientTarget, Layout, NormOptions, Pass, Sequence, Trace, Value,
};
use crate::ops::{Site, State};

const AFFINE: NormOptions = NormOptions::pending();

/// Stem, cells, global average, classifier, and the auxiliary head.
pub(super) struct Stacked {
    layout: Layout,
    /// What gives the first input of the first cell, and what makes its second input of that.
    stem: [Sequence; 2],
    cells: Vec<StackedCell>,
    auxiliary: Option<(usize, AuxiliaryHead)>,
    classifier: LinearClassifier,
}

struct StackedCell {
    preprocess: [Sequence; 2],
    graph: Graph,
    outputs: Vec<usize>,
    stride: usize,
}

impl Stacked {
    /// Builds the network of a normal cell and a reduction cell.
    pub fn new(cells: [Derived; 2], shape: DerivedShape) -> Result<Self, DerivedError> {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let sizes = (shape.image_channels, shape.channels, 3);
        let (stem, start) = start(&mut builder, shape.stem, sizes, AFFINE);
        let nodes = cells.each_ref().map(|derived| derived.cell.outputs().len());
        let shapes = topology::cells(start, shape.channels, shape.cells, nodes);
        let cell = |(index, shape): (usize, &CellShape)| {
            let derived = &cells[usize::from(shape.reduction)];
            StackedCell::new(&mut builder.child(format!("cells.{index}")), derived, shape)
        };
        let built = shapes.iter().enumerate().map(cell).collect();
        let place = 2 * shape.cells / 3;
        let auxiliary = shapes.get(place).filter(|_| shape.auxiliary).map(|before| {
            let (inputs, classes) = (before.outputs, shape.classes);
            (place, AuxiliaryHead::new(&mut builder, inputs, classes, shape.stem))
        });
        let outputs = topology::outputs(start, &shapes);
        let classifier =
            LinearClassifier::new(&mut builder.child("classifier"), outputs, shape.classes);
        Ok(Self { layout, stem, cells: built, auxiliary, classifier })
    }
}

impl StackedCell {
    fn new(builder: &mut Builder, derived: &Derived, shape: &CellShape) -> Self {
        let stride = shape.stride();
        let preprocess = shape.preprocess(builder, AFFINE);
        let site = Site { channels: shape.channels, stride, norm: AFFINE, pool_norm: false };
        let graph = Graph::new(builder, derived, site, "_ops");
        Self { preprocess, graph, outputs: derived.cell.outputs(), stride }
    }

    fn multiply_adds(
        &self,
        before: ActivationInfo,
        previous: ActivationInfo,
    ) -> (u64, ActivationInfo) {
        let [mut first, mut second] = [before, previous];
        let preprocess = self.preprocess[0].multiply_adds(&mut first)
            + self.preprocess[1].multiply_adds(&mut second);
        let size = second.size.map(|side| side.div_ceil(self.stride));
        let node = ActivationInfo { size, ..second };
        let state = |source: usize| [first, second].get(source).copied().unwrap_or(node);
        (preprocess + self.graph.multiply_adds(state), node)
    }

    fn forward(&self, before: &State, previous: &State, pass: &mut Pass) -> State {
        let [first, second] = &self.preprocess;
        let inputs = vec![before.after(first, pass), previous.after(second, pass)];
        let states = self.graph.forward(inputs, pass);
        let output = |state: &usize| states.get(*state).map(|state| state.read(pass.kernels));
        let outputs: Vec<Tensor<4>> = self.outputs.iter().filter_map(output).collect();
        State::new(shaders::concat(pass.kernels, outputs)).for_several()
    }

    fn trace(&self, before: Value, previous: Value, trace: &mut Trace) -> Value {
        let ([first, second], module) = (&self.preprocess, self.graph.module());
        let inputs = vec![
            first.trace(before, &format!("{module}.preprocess0"), trace),
            second.trace(previous, &format!("{module}.preprocess1"), trace),
        ];
        let states = self.graph.trace(inputs, trace);
        let outputs = self.outputs.iter().filter_map(|state| states.get(*state).copied());
        trace.concatenation(module.to_owned(), outputs.collect()).unwrap_or(previous)
    }
}

impl Classifier for Stacked {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64 {
        let mut before = ActivationInfo::images(image_size, target);
        let mut total = self.stem[0].multiply_adds(&mut before);
        let mut previous = before;
        total += self.stem[1].multiply_adds(&mut previous);
        for (index, cell) in self.cells.iter().enumerate() {
            let (count, output) = cell.multiply_adds(before, previous);
            total += count;
            (before, previous) = (previous, output);
            if let Some((place, head)) = &self.auxiliary
                && *place == index
                && target == GradientTarget::Weights
            {
                total += head.multiply_adds(previous);
            }
        }
        total + self.classifier.multiply_adds(previous)
    }

    /// Quirk: the auxiliary head begins with a ReLU in place. Where its cell is the last one, in
    /// networks of at most 3 cells, the main classifier reads the rectified output too, in train mode.
    fn forward(&self, images: Tensor<4>, pass: &mut Pass) -> Logits {
        let [first, second] = &self.stem;
        let mut before = State::new(images).after(first, pass).for_several();
        let mut previous = before.after(second, pass).for_several();
        let mut auxiliary = None;
        for (index, cell) in self.cells.iter().enumerate() {
            let output = cell.forward(&before, &previous, pass);
            (before, previous) = (previous, output);
            if let Some((place, head)) = &self.auxiliary
                && *place == index
                && pass.is_training()
            {
                let rectified = pass.pattern.rectify(previous.read(pass.kernels));
                auxiliary = Some(head.forward(rectified.clone(), pass));
                if index + 1 == self.cells.len() {
                    previous = State::new(rectified);
                }
            }
        }
        Logits { logits: self.classifier.forward(previous.value, pass), auxiliary }
    }

    fn trace(&self) -> Trace<'_> {
        let mut trace = Trace::new(&self.layout);
        let [first, second] = &self.stem;
        let mut before = first.trace(Value::Images, "stem0", &mut trace);
        let mut previous = second.trace(before, "stem1", &mut trace);
        for cell in &self.cells {
            let output = cell.trace(before, previous, &mut trace);
            (before, previous) = (previous, output);
        }
        self.classifier.trace(previous, &mut trace);
        trace
    }
}
