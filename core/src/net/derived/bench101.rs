//! The network of one cell of NAS-Bench-101 (spec §7.5): a stem, three stages of equally many cells with a
//! 2×2 max pooling before the second and the third, where the channels double, and a classifier.
//!
//! Operations sit on the vertices of a cell. The input comes to a vertex through a 1×1 projection; what other
//! vertices give is added to it, cut to its channels. The output concatenates the vertices that feed it, which
//! share its channels, and adds a projection of the input where that feeds it, too.
//!
//! Its batch norms average as PyTorch does by default. Those of the benchmark keep 0.997 of the old average,
//! which a short training would not come away from.

use burn::tensor::Tensor;

use super::{Classifier, DerivedError, DerivedShape, Logits};
use crate::cell::nasbench101::Graph;
use crate::net::{LinearClassifier, Stem};
use crate::nn::{
    ActivationInfo, Builder, GradientTarget, Layout, NormOptions, Pass, Primitive, Sequence, Trace,
    Value,
};
use crate::ops::{self, Candidate, Site, State, conv_norm_relu};

/// Stages of the network.
const STAGES: usize = 3;

/// The benchmark's skeleton around the cells.
pub(super) struct DerivedBench101 {
    layout: Layout,
    stem: Sequence,
    cells: Vec<Cell>,
    classifier: LinearClassifier,
}

struct Cell {
    path: String,
    /// Whether the images are pooled before it.
    halves: bool,
    /// Those between input and output.
    vertices: Vec<Vertex>,
    /// Which of them feed the output.
    outputs: Vec<usize>,
    /// What brings the input to the output, where it feeds it.
    past: Option<Sequence>,
}

struct Vertex {
    path: String,
    channels: usize,
    /// What brings the input of the cell to the vertex, where it feeds it.
    projection: Option<Sequence>,
    /// The vertices that it reads.
    sources: Vec<usize>,
    operation: Candidate,
}

impl DerivedBench101 {
    /// Builds the network of this cell, of which only what lies between input and output counts.
    pub fn new(graph: &Graph, shape: DerivedShape) -> Result<Self, DerivedError> {
        let DerivedShape { image_channels, classes, cells, channels, .. } = shape;
        let no_way = || DerivedError::NoWay { cell: graph.to_string() };
        let graph = &graph.pruned().ok_or_else(no_way)?;
        check(graph, shape)?;
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let norm = NormOptions::pending();
        let first = [image_channels, channels];
        let stem = conv_norm_relu(&mut builder.child("stem"), first, (3, 1), norm);
        let (mut inputs, mut channels, mut built) = (channels, channels, Vec::new());
        for index in 0..cells {
            let halves = index > 0 && index % (cells / STAGES) == 0;
            channels *= if halves { 2 } else { 1 };
            let mut builder = builder.child(format!("cells.{index}"));
            built.push(Cell::new(&mut builder, graph, [inputs, channels], halves)?);
            inputs = channels;
        }
        let classifier = LinearClassifier::new(&mut builder.child("classifier"), channels, classes);
        Ok(Self { layout, stem, cells: built, classifier })
    }
}

/// Whether there is a network of this shape.
fn check(graph: &Graph, shape: DerivedShape) -> Result<(), DerivedError> {
    let DerivedShape { cells, channels, .. } = shape;
    if !cells.is_multiple_of(STAGES) {
        return Err(DerivedError::StagesOf101 { cells });
    }
    if shape.auxiliary {
        return Err(DerivedError::NotOfBench101 { what: "auxiliary head" });
    }
    if shape.stem == Stem::ImageNet {
        return Err(DerivedError::NotOfBench101 { what: "stem for ImageNet" });
    }
    let last = graph.vertices() - 1;
    let vertices = (1..last).filter(|&vertex| graph.has_edge(vertex, last)).count();
    if channels < vertices {
        return Err(DerivedError::Narrow { channels, vertices });
    }
    Ok(())
}

/// Channels of the vertices between input and output, of a cell whose output has `outputs`. Those that feed
/// the output share its channels, the first ones taking what is left over; each other has as many as the
/// widest vertex that it feeds.
fn widths(graph: &Graph, outputs: usize) -> Vec<usize> {
    let last = graph.vertices() - 1;
    let feeds_output = |vertex: usize| graph.has_edge(vertex, last);
    let feeding = (1..last).filter(|&vertex| feeds_output(vertex)).count().max(1);
    let mut left_over = outputs % feeding;
    let mut widths = vec![0; last.saturating_sub(1)];
    for vertex in (1..last).filter(|&vertex| feeds_output(vertex)) {
        widths[vertex - 1] = outputs / feeding + usize::from(left_over > 0);
        left_over = left_over.saturating_sub(1);
    }
    for vertex in (1..last).rev().filter(|&vertex| !feeds_output(vertex)) {
        let fed = (vertex + 1..last).filter(|&to| graph.has_edge(vertex, to));
        widths[vertex - 1] = fed.map(|to| widths[to - 1]).max().unwrap_or(0);
    }
    widths
}

impl Cell {
    fn new(
        builder: &mut Builder,
        graph: &Graph,
        [inputs, outputs]: [usize; 2],
        halves: bool,
    ) -> Result<Self, DerivedError> {
        let (norm, last) = (NormOptions::pending(), graph.vertices() - 1);
        let path = builder.path().to_owned();
        let mut vertices = Vec::new();
        let named = graph.operations().iter().zip(widths(graph, outputs));
        for (vertex, (operation, channels)) in (1..).zip(named) {
            let name = operation.name();
            // All labels of the benchmark are in the catalogue.
            let found =
                ops::find(name).ok_or_else(|| crate::cell::GenotypeError::UnknownOperation {
                    cell: path.clone(),
                    operation: name.to_owned(),
                })?;
            let mut builder = builder.child(format!("vertices.{vertex}"));
            let path = builder.path().to_owned();
            let ends = [inputs, channels];
            let projection = graph
                .has_edge(0, vertex)
                .then(|| conv_norm_relu(&mut builder.child("projection"), ends, (1, 1), norm));
            let sources = (1..vertex).filter(|&from| graph.has_edge(from, vertex)).map(|it| it - 1);
            let sources = sources.collect();
            let site = Site { channels, stride: 1, norm, pool_norm: false };
            let operation = found.build(&mut builder, site);
            vertices.push(Vertex { path, channels, projection, sources, operation });
        }
        let feeding = (1..last).filter(|&vertex| graph.has_edge(vertex, last)).map(|it| it - 1);
        let past = graph.has_edge(0, last).then(|| {
            conv_norm_relu(&mut builder.child("projection"), [inputs, outputs], (1, 1), norm)
        });
        Ok(Self { path, halves, vertices, outputs: feeding.collect(), past })
    }

    /// Multiply-adds for one image; `info` goes from the input to the output.
    fn multiply_adds(&self, info: &mut ActivationInfo) -> u64 {
        let mut total = 0;
        for vertex in &self.vertices {
            let mut read = *info;
            total += vertex.projection.as_ref().map_or(0, |it| it.multiply_adds(&mut read));
            // What it reads of other vertices has weights before it.
            read.tracked |= info.target == GradientTarget::Weights;
            total += vertex.operation.multiply_adds(read);
        }
        total += self.past.as_ref().map_or(0, |it| it.multiply_adds(&mut info.clone()));
        info.tracked |= info.target == GradientTarget::Weights;
        total
    }

    /// # Shapes
    /// - output: [batch, height, width, channels]
    fn forward(&self, input: &State, pass: &mut Pass) -> Option<Tensor<4>> {
        let mut values: Vec<Tensor<4>> = Vec::with_capacity(self.vertices.len());
        for vertex in &self.vertices {
            let projected = vertex.projection.as_ref().map(|it| input.after(it, pass).value);
            let read = vertex.sources.iter().filter_map(|&source| values.get(source));
            let read = read.map(|value| first_channels(value, vertex.channels));
            let sum = projected.into_iter().chain(read).reduce(|sum, value| sum + value)?;
            let value = vertex.operation.forward(&State::new(sum), pass);
            values.push(pass.apply(value));
        }
        let past = self.past.as_ref().map(|it| input.after(it, pass).value);
        let blocks: Vec<_> =
            self.outputs.iter().filter_map(|&vertex| values.get(vertex).cloned()).collect();
        match blocks.is_empty() {
            true => past,
            false => {
                let all = shaders::concat(pass.kernels, blocks);
                Some(past.into_iter().fold(all, |sum, value| sum + value))
            }
        }
    }

    /// Writes down what [`Self::forward`] computes in eval mode.
    fn trace(&self, input: Value, trace: &mut Trace) -> Value {
        let mut values: Vec<Value> = Vec::with_capacity(self.vertices.len());
        for vertex in &self.vertices {
            let path = &vertex.path;
            let mut read = Vec::new();
            if let Some(projection) = &vertex.projection {
                read.push(projection.trace(input, &format!("{path}.projection"), trace));
            }
            for &source in &vertex.sources {
                let from = (values.get(source).copied(), self.vertices.get(source));
                let (Some(value), Some(from)) = from else { continue };
                read.push(match from.channels == vertex.channels {
                    true => value,
                    false => {
                        let first = Primitive::FirstChannels { channels: vertex.channels };
                        trace.step(format!("{path}.first.{source}"), first, vec![value])
                    }
                });
            }
            let sum = trace.sum(format!("{path}.sum"), read).unwrap_or(input);
            values.push(vertex.operation.trace(sum, path, trace).unwrap_or(sum));
        }
        let blocks = self.outputs.iter().filter_map(|&vertex| values.get(vertex).copied());
        let blocks = trace.concatenation(format!("{}.blocks", self.path), blocks.collect());
        let past = self
            .past
            .as_ref()
            .map(|it| it.trace(input, &format!("{}.projection", self.path), trace));
        let parts = blocks.into_iter().chain(past).collect();
        trace.sum(self.path.clone(), parts).unwrap_or(input)
    }
}

impl Classifier for DerivedBench101 {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64 {
        let mut info = ActivationInfo::images(image_size, target);
        let mut total = self.stem.multiply_adds(&mut info);
        for cell in &self.cells {
            if cell.halves {
                info.size = info.size.map(|side| side / 2);
            }
            total += cell.multiply_adds(&mut info);
        }
        total + self.classifier.multiply_adds(info)
    }

    fn forward(&self, images: Tensor<4>, pass: &mut Pass) -> Logits {
        let mut x = State::images(images).after(&self.stem, pass);
        for cell in &self.cells {
            if cell.halves {
                x = State::new(pass.pattern.halve(pass.kernels, x.value, 0));
            }
            let input = x.for_several();
            // A pruned cell always gives something.
            x = cell.forward(&input, pass).map_or(input, State::new);
        }
        Logits { logits: self.classifier.forward(x.value, pass), auxiliary: None }
    }

    fn trace(&self) -> Trace<'_> {
        let mut trace = Trace::new(&self.layout);
        let mut x = self.stem.trace(Value::Images, "stem", &mut trace);
        for cell in &self.cells {
            if cell.halves {
                let name = format!("{}.pooled", cell.path);
                x = trace.step(name, Primitive::Largest, vec![x]);
            }
            x = cell.trace(x, &mut trace);
        }
        self.classifier.trace(x, &mut trace);
        trace
    }
}

/// The first channels of an activation, as many as are wanted.
fn first_channels(x: &Tensor<4>, channels: usize) -> Tensor<4> {
    match x.dims()[3] == channels {
        true => x.clone(),
        false => x.clone().slice_dim(3, 0..channels),
    }
}
