//! The network of NAS-Bench-1Shot1 (spec §7.3): a stem, and cells in three stages with a 2×2 max pooling
//! before the second and the third, where the channels double.
//!
//! A cell has one input and choice blocks. Every block reads a 1×1 projection of the input and the blocks
//! before it, weighed by p of its own, and mixes its candidates. The output is the concatenation of the
//! blocks, each times its weight, plus a projection of the input times its weight.
//!
//! Weights and statistics have the names of the reference code, as those of all networks.

use burn::tensor::Tensor;
use shaders::{Mix, PendingNorm, Term};

use super::topology::reduces;
use super::{Build, LinearClassifier, NetShape, Supernet, flat};
use crate::cell::Choice;
use crate::nn::{ActivationInfo, Builder, GradientTarget, Layout, NormOptions, Pass, Sequence};
use crate::ops::{Candidate, Operation, Site, State, conv_norm_relu, relu_conv_norm};

/// The choice of operations; row i is that of block i.
const OPERATIONS: usize = 0;

/// The choice of what makes the output: the input of the cell, then the blocks.
const OUTPUT: usize = 1;

/// What a choice block is made of.
pub struct BlockTable {
    /// How it weighs what it reads: the input of the cell, then the blocks before it.
    pub inputs: Inputs,
    /// Its candidates, in column order.
    pub operations: Vec<&'static Operation>,
}

/// How a block weighs what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// By p of the choice of this index.
    Chosen(usize),
    /// Everything alike: their sum.
    All,
}

/// The supernet.
pub struct OneShotNet {
    layout: Layout,
    architecture: Vec<Choice>,
    stem: Sequence,
    cells: Vec<Cell>,
    /// ReLU, 1×1 convolution and batch norm after the last cell.
    last: Sequence,
    classifier: LinearClassifier,
    pool_padding: usize,
    /// How many options are derived from each row of every choice.
    takes: Vec<usize>,
}

struct Cell {
    /// Whether the images are pooled before it.
    halves: bool,
    blocks: Vec<Block>,
    /// What brings the input of the cell to the channels of its output.
    past: Sequence,
}

struct Block {
    /// What brings the input of the cell to the channels of the block.
    projection: Sequence,
    inputs: Inputs,
    candidates: Vec<Candidate>,
    /// One in so many channels goes through the candidates.
    parts: usize,
}

/// The p of a cell, one for every choice.
struct Weights(Vec<Weighed>);

/// The p of a choice.
struct Weighed {
    /// Row after row.
    p: Tensor<1>,
    /// The first row of the cell.
    first: usize,
    /// Options of a row.
    options: usize,
}

impl OneShotNet {
    /// Builds the network of these blocks, whose p are those of `choices`: of the operations, of the
    /// output, then of the inputs of blocks. `takes` says how many options of a row of each are derived.
    pub fn new(
        (choices, takes): (Vec<Choice>, Vec<usize>),
        table: &[BlockTable],
        shape: NetShape,
        build: &Build,
    ) -> Self {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let norm = NormOptions { momentum: build.norm_momentum, ..NormOptions::pending() };
        let (mut inputs, mut channels) = (shape.channels, shape.channels);
        let first = [shape.image_channels, inputs];
        let stem = conv_norm_relu(&mut builder.child("stem"), first, (3, 1), norm);
        let mut cells = Vec::with_capacity(shape.cells);
        for index in 0..shape.cells {
            let halves = reduces(index, shape.cells);
            channels *= if halves { 2 } else { 1 };
            let builder = &mut builder.child(format!("cells.{index}"));
            let site = Site { channels, stride: 1, norm, pool_norm: false };
            cells.push(Cell::new(builder, table, (inputs, halves), site, build.partial_channels));
            inputs = channels * table.len();
        }
        let norm = NormOptions::new(false);
        let last = relu_conv_norm(&mut builder.child("postprocess"), inputs, channels, norm);
        let classifier =
            LinearClassifier::new(&mut builder.child("classifier"), channels, shape.classes);
        let pool_padding = build.pool_padding;
        Self { layout, architecture: choices, stem, cells, last, classifier, pool_padding, takes }
    }

    /// The p of a cell. A p has the rows that all cells share, or those of the first cell, of the second
    /// and so on.
    fn weights(&self, probabilities: &[Tensor<2>], cell: usize) -> Weights {
        let weighed = |(choice, p): (&Choice, &Tensor<2>)| {
            let ([rows, options], own) = (p.dims(), choice.rows.len());
            Weighed { p: flat(p), first: if rows > own { cell * own } else { 0 }, options }
        };
        Weights(self.architecture.iter().zip(probabilities).map(weighed).collect())
    }
}

impl Supernet for OneShotNet {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn architecture(&self) -> &[Choice] {
        &self.architecture
    }

    fn copies(&self) -> usize {
        self.cells.len()
    }

    fn takes(&self) -> Option<Vec<usize>> {
        Some(self.takes.clone())
    }

    fn multiply_adds(&self, image_size: usize, target: GradientTarget) -> u64 {
        let mut info = ActivationInfo::images(image_size, target);
        let mut total = self.stem.multiply_adds(&mut info);
        for cell in &self.cells {
            if cell.halves {
                info.size = info.size.map(|side| side / 2 + self.pool_padding);
            }
            total += cell.multiply_adds(&mut info);
        }
        total += self.last.multiply_adds(&mut info);
        total + self.classifier.multiply_adds(info)
    }

    fn forward(
        &self,
        images: Tensor<4>,
        probabilities: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Tensor<2> {
        let mut x = State::images(images).after(&self.stem, pass);
        for (index, cell) in self.cells.iter().enumerate() {
            if cell.halves {
                x = State::new(pass.pattern.halve(pass.kernels, x.value, self.pool_padding));
            }
            x = State::new(cell.forward(
                &x.for_several(),
                &self.weights(probabilities, index),
                pass,
            ));
        }
        self.classifier.forward(x.after(&self.last, pass).value, pass)
    }
}

impl Cell {
    fn new(
        builder: &mut Builder,
        table: &[BlockTable],
        (inputs, halves): (usize, bool),
        site: Site,
        parts: usize,
    ) -> Self {
        let block = |(index, table): (usize, &BlockTable)| {
            Block::new(builder, (index, table), inputs, site, parts)
        };
        let blocks: Vec<Block> = table.iter().enumerate().map(block).collect();
        let ends = [inputs, blocks.len() * site.channels];
        let path = format!("_input_projections.{}", blocks.len());
        let past = conv_norm_relu(&mut builder.child(path), ends, (1, 1), site.norm);
        Self { halves, blocks, past }
    }

    /// Multiply-adds for one image; `info` goes from the input to the output.
    fn multiply_adds(&self, info: &mut ActivationInfo) -> u64 {
        let mut past = *info;
        let mut total = self.past.multiply_adds(&mut past);
        for block in &self.blocks {
            let mut read = *info;
            total += block.projection.multiply_adds(&mut read);
            // By its p in an architecture pass, by the weights before it in a weight pass.
            read.tracked = read.target != GradientTarget::Nothing;
            total += block.candidates.iter().map(|it| it.multiply_adds(read)).sum::<u64>();
        }
        *info = ActivationInfo { tracked: info.target != GradientTarget::Nothing, ..past };
        total
    }

    /// # Shapes
    /// - output: [batch, height, width, blocks · channels]
    fn forward(&self, input: &State, weights: &Weights, pass: &mut Pass) -> Tensor<4> {
        let mut blocks: Vec<State> = Vec::with_capacity(self.blocks.len());
        for (index, block) in self.blocks.iter().enumerate() {
            let x = input.after(&block.projection, pass).value;
            let x = block.read(x, &blocks, weights, pass);
            blocks.push(State::new(block.forward(index, x, weights, pass)).for_several());
        }
        let past = input.after(&self.past, pass).value;
        let output = |option: usize, x: Tensor<4>, base: Option<Tensor<4>>, pass: &Pass| {
            weights.sum((OUTPUT, 0), base, [(option, x.into())], pass)
        };
        let weighed = (1..).zip(&blocks);
        let weighed = weighed.map(|(option, x)| output(option, x.read(pass.kernels), None, pass));
        let blocks = shaders::concat(pass.kernels, weighed.collect());
        output(0, past, Some(blocks), pass)
    }
}

impl Block {
    fn new(
        builder: &mut Builder,
        (index, table): (usize, &BlockTable),
        inputs: usize,
        site: Site,
        parts: usize,
    ) -> Self {
        let path = format!("_input_projections.{index}");
        let ends = [inputs, site.channels];
        let projection = conv_norm_relu(&mut builder.child(path), ends, (1, 1), site.norm);
        let mut builder = builder.child(format!("_choice_blocks.{index}.mixed_op._ops"));
        let site = Site { channels: site.channels / parts, ..site };
        let candidate = |(index, operation): (usize, &&'static Operation)| {
            operation.build(&mut builder.child(index), site)
        };
        let candidates = table.operations.iter().enumerate().map(candidate).collect();
        Self { projection, inputs: table.inputs, candidates, parts }
    }

    /// What its candidates read, of the projected input and the blocks before it.
    fn read(
        &self,
        input: Tensor<4>,
        blocks: &[State],
        weights: &Weights,
        pass: &Pass,
    ) -> Tensor<4> {
        let blocks = blocks.iter().map(|block| block.read(pass.kernels));
        match self.inputs {
            Inputs::Chosen(choice) => {
                let read = [input].into_iter().chain(blocks);
                weights.sum((choice, 0), None, read.map(PendingNorm::from).enumerate(), pass)
            }
            Inputs::All => blocks.fold(input, |sum, block| sum + block),
        }
    }

    /// Σ p·candidate; of partial channels only the first ones, and then all are shuffled.
    fn forward(&self, index: usize, x: Tensor<4>, weights: &Weights, pass: &mut Pass) -> Tensor<4> {
        if self.parts == 1 {
            return self.mixed(index, x, weights, pass);
        }
        let channels = x.dims()[3];
        let through = channels / self.parts;
        let own = x.clone().slice_dim(3, 0..through);
        let past = x.slice_dim(3, through..channels);
        let mixed = self.mixed(index, own, weights, pass);
        shuffled(shaders::concat(pass.kernels, vec![mixed, past]), self.parts)
    }

    /// Only those candidates are computed that the pass has not left out.
    fn mixed(&self, index: usize, x: Tensor<4>, weights: &Weights, pass: &mut Pass) -> Tensor<4> {
        let state = State::new(x);
        let row = weights.row(OPERATIONS, index);
        let columns = pass.columns(OPERATIONS, row, self.candidates.len());
        let outputs = columns.map(|column| (column, self.candidates[column].forward(&state, pass)));
        let outputs: Vec<_> = outputs.collect();
        weights.sum((OPERATIONS, index), None, outputs, pass)
    }
}

impl Weights {
    /// Where a row of this cell stands in p.
    fn row(&self, choice: usize, row: usize) -> usize {
        self.0[choice].first + row
    }

    /// Where p of an option stands among the flat ones.
    fn place(&self, (choice, row): (usize, usize), column: usize) -> usize {
        self.row(choice, row) * self.0[choice].options + column
    }

    /// A base, if there is one, and Σ p·x over some options of a row.
    fn sum(
        &self,
        row: (usize, usize),
        base: Option<Tensor<4>>,
        options: impl IntoIterator<Item = (usize, PendingNorm)>,
        pass: &Pass,
    ) -> Tensor<4> {
        let (columns, x): (Vec<usize>, Vec<PendingNorm>) = options.into_iter().unzip();
        let term = |(stack, column): (usize, usize)| Term {
            target: 0,
            stack,
            group: 0,
            weight: self.place(row, column),
        };
        let terms = columns.into_iter().enumerate().map(term).collect();
        let batch = x.first().map_or(0, |x| x.x.dims()[0]);
        let mix = Mix { batch, targets: 1, terms };
        mix.forward(pass.kernels, base, x, self.0[row.0].p.clone())
    }
}

/// Channel i of every one of so many groups, then channel i + 1 of every one: the next block reads channels
/// of all groups.
fn shuffled(x: Tensor<4>, groups: usize) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let each = channels / groups;
    x.reshape([batch, height, width, groups, each])
        .swap_dims(3, 4)
        .reshape([batch, height, width, channels])
}
