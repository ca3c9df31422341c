//! Networks: the supernet, in which every edge of every cell computes all its candidates, weighted by p
//! (spec §1.2 and §1.3), and the network that is trained from a genotype ([`derived()`], spec §9).

mod bench201;
mod cell;
mod dag;
mod derived;
mod edge;
mod evaluation;
mod language;
pub mod largest;
mod oneshot;
mod partial;
mod plan;
mod recurrent;
mod start;
mod topology;
mod weights;

use burn::tensor::Tensor;
use shaders::{Kernels, product};

use crate::cell::Choice;
use crate::nn::{
    ActivationInfo, Builder, GradientTarget, Init, Layout, NormOptions, Pass, Primitive, Trace,
    Value, WeightId,
};
use crate::ops::{Operation, State};
pub use bench201::Bench201Net;
use cell::Cell;
pub use dag::Dag;
pub use derived::{Classifier, DerivedError, DerivedShape, Logits, derived};
pub use evaluation::{Evaluation, Stem};
pub use language::{Dropout, LanguageNet, LanguageShape, Predicted};
pub use oneshot::{BlockTable, Inputs, OneShotNet};
pub use partial::Partial;
pub use recurrent::{DerivedRecurrent, RecurrentNet};
use start::Stems;
use topology::CellShape;
use weights::Weighing;
pub use weights::Weights;

/// What every network has, whatever it reads.
pub trait Network {
    /// Places of all weights and statistics.
    fn layout(&self) -> &Layout;

    /// Its choices.
    fn architecture(&self) -> &[Choice];

    /// How many cells may each have a p of their own.
    fn copies(&self) -> usize {
        1
    }

    /// How many options are derived from each row of every choice; `None` where rows are not derived one by
    /// one.
    fn takes(&self) -> Option<Vec<usize>> {
        None
    }
}

impl Network for dyn Supernet {
    fn layout(&self) -> &Layout {
        Supernet::layout(self)
    }

    fn architecture(&self) -> &[Choice] {
        Supernet::architecture(self)
    }

    fn copies(&self) -> usize {
        Supernet::copies(self)
    }

    fn takes(&self) -> Option<Vec<usize>> {
        Supernet::takes(self)
    }
}

/// What a search needs of a network: its weights, its architecture and its output.
pub trait Supernet {
    /// Places of all weights and statistics.
    fn layout(&self) -> &Layout;

    /// What p weighs, one architecture tensor each.
    fn architecture(&self) -> &[Choice];

    /// How many cells may each have a p of their own: then a p may have the rows of the first cell, those
    /// of the second, and so on. 1 where all cells share what they have in common.
    fn copies(&self) -> usize {
        1
    }

    /// How many options are derived from each row of every choice; `None` where rows are not derived one by
    /// one, as those of DARTS cells.
    fn takes(&self) -> Option<Vec<usize>> {
        None
    }

    /// Multiply-adds of a pass for one image of this height and width, with those of the gradients
    /// that are wanted ([`crate::nn::Layer::multiply_adds`] says what counts).
    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64;

    /// Logits for a batch, with every edge weighted by `probabilities`.
    ///
    /// # Shapes
    /// - `images`: [batch, height, width, channels]
    /// - `probabilities`: [edges, operations] for every architecture tensor
    /// - output: [batch, classes]
    fn forward(&self, images: Tensor<4>, probabilities: &[Tensor<2>], pass: &mut Pass)
    -> Tensor<2>;
}

/// Size of a supernet and of what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetShape {
    /// Channels of the images.
    pub image_channels: usize,
    /// Classes.
    pub classes: usize,
    /// Cells; those at 1/3 and 2/3 reduce. [`Bench201Net`] counts its residual blocks, too.
    pub cells: usize,
    /// Channels of the first cell.
    pub channels: usize,
    /// Channels of the stem, as a multiple of `channels`; 1 in [`Bench201Net`] whatever this says.
    pub stem_multiplier: usize,
}

/// How a supernet is built besides its size and its choices: what a method and the quirks of a space decide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Build {
    /// One in so many channels goes through the operations, the others go past them (PC-DARTS); 1: all go
    /// through.
    pub partial_channels: usize,
    /// What a network of DARTS cells starts with.
    pub stem: Stem,
    /// Momentum of the affine batch norms of a one-shot network, as PyTorch counts it.
    pub norm_momentum: f64,
    /// Padding of the poolings between the stages of a one-shot network, 0 or 1.
    pub pool_padding: usize,
}

impl Build {
    /// How the channels of its cells are divided.
    fn partial(&self) -> Partial {
        Partial { parts: self.partial_channels }
    }
}

impl Default for Build {
    /// As the authors' code builds it (spec §0.15, §0.16).
    fn default() -> Self {
        Self { partial_channels: 1, stem: Stem::Small, norm_momentum: 0.997, pool_padding: 1 }
    }
}

/// The candidates of one edge.
pub struct EdgeTable {
    /// State that the edge ends in.
    pub node: usize,
    /// State that it reads.
    pub source: usize,
    /// Its candidates, in column order.
    pub operations: Vec<&'static Operation>,
}

/// The supernet of a cell space: stem, cells, global average, classifier.
pub struct CellNet {
    layout: Layout,
    architecture: Vec<Choice>,
    stem: Stems,
    cells: Vec<Cell>,
    /// Of a normal cell, and of a reduction cell.
    weighing: Vec<Weighing>,
    classifier: LinearClassifier,
}

/// Global average, then a linear layer.
struct LinearClassifier {
    weight: WeightId,
    bias: WeightId,
    inputs: usize,
    classes: usize,
}

impl CellNet {
    /// Builds the network of these edge tables (normal cell, reduction cell), whose p are those of
    /// `choices`.
    pub fn new(
        choices: Vec<Choice>,
        normal: &[EdgeTable],
        reduce: &[EdgeTable],
        shape: NetShape,
        build: &Build,
    ) -> Self {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let sizes = (shape.image_channels, shape.channels, shape.stem_multiplier);
        let (stem, start) = start::start(&mut builder, build.stem, sizes, NormOptions::new(true));
        let nodes = [normal, reduce].map(|table| Dag::nodes(table, cell::INPUTS));
        let shapes = topology::cells(start, shape.channels, shape.cells, nodes);
        let cell = |(index, shape): (usize, &CellShape)| {
            let table = if shape.reduction { reduce } else { normal };
            Cell::new(&mut builder.child(format!("cells.{index}")), table, *shape, build)
        };
        let cells = shapes.iter().enumerate().map(cell).collect();
        let outputs = topology::outputs(start, &shapes);
        let classifier =
            LinearClassifier::new(&mut builder.child("classifier"), outputs, shape.classes);
        let weighing = Weighing::all(&choices);
        Self { layout, architecture: choices, stem, cells, weighing, classifier }
    }
}

impl Supernet for CellNet {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn architecture(&self) -> &[Choice] {
        &self.architecture
    }

    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64 {
        let mut before = ActivationInfo::images(image_size, target);
        let mut total = self.stem[0].multiply_adds(&mut before);
        let mut previous = before;
        total += self.stem[1].multiply_adds(&mut previous);
        for cell in &self.cells {
            let (count, output) = cell.multiply_adds(before, previous);
            total += count;
            (before, previous) = (previous, output);
        }
        total + self.classifier.multiply_adds(previous)
    }

    fn forward(
        &self,
        images: Tensor<4>,
        probabilities: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Tensor<2> {
        let weights: Vec<Weights> = self.weighing.iter().map(|it| it.of(probabilities)).collect();
        let [first, second] = &self.stem;
        let mut before = State::images(images).after(first, pass).for_several();
        let mut previous = match second.0.is_empty() {
            true => before.clone(),
            false => before.after(second, pass).for_several(),
        };
        for cell in &self.cells {
            pass.choice = self.weighing[cell.kind()].operations;
            let output = cell.forward(&before, &previous, &weights[cell.kind()], pass);
            (before, previous) = (previous, output);
        }
        self.classifier.forward(previous.value, pass)
    }
}

impl LinearClassifier {
    fn new(builder: &mut Builder, inputs: usize, classes: usize) -> Self {
        let init = Init::FanIn(inputs);
        let weight = builder.weight("weight", &[classes, inputs], init);
        Self { weight, bias: builder.weight("bias", &[classes], init), inputs, classes }
    }

    /// Multiply-adds for one image; see [`crate::nn::Layer::multiply_adds`].
    fn multiply_adds(&self, info: ActivationInfo) -> u64 {
        (self.inputs * self.classes) as u64 * info.products()
    }

    /// Global average, then the linear layer.
    fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<2> {
        let [batch, height, width, channels] = x.dims();
        let pooled = x.reshape([batch, height * width, channels]).mean_dim(1);
        let weight = pass.weight(self.weight, [self.classes, self.inputs]);
        product(Kernels::Composed, pooled.reshape([batch, channels]), weight)
            + pass.weight(self.bias, [1, self.classes])
    }

    /// Writes down what [`Self::forward`] computes.
    fn trace(&self, x: Value, trace: &mut Trace) -> Value {
        let x = trace.step("global_pooling".to_owned(), Primitive::Mean, vec![x]);
        let linear = Primitive::Linear { weight: self.weight, bias: self.bias };
        trace.step("classifier".to_owned(), linear, vec![x])
    }
}

/// The rows of a table one after another: where edge e has its candidate k, at e · operations + k.
pub(crate) fn flat(probabilities: &Tensor<2>) -> Tensor<1> {
    let [edges, operations] = probabilities.dims();
    probabilities.clone().reshape([edges * operations])
}
