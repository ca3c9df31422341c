//! The CPU twin: all steps, forward. Hidden states lie in whole vectors, so that no loop has a rest; what is
//! filled up stays 0 or is never read.

mod back;
mod rows;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::ops::{Cell, Inputs, Ran, RecurrentOps};
use crate::cpu::block::Block;
use crate::cpu::gemm::{Left, Matrix, Out, Right, product};
use crate::cpu::{contiguous, dispatch, for_chunks, tensor, values};
use crate::meter;
use rows::{Add, Mix, Normalise, OPTIONS, Start};

/// Floats of the longest vector.
const LONGEST: usize = 16;

/// Rows of a node that a thread takes at once.
const ROWS: usize = 16;

/// What the gate and the activation of a number cost: some sixty multiply-adds.
const ACTIVATIONS: usize = 8;

impl RecurrentOps for Flex {
    fn recurrent_cell(inputs: Inputs<Self>, cell: Cell) -> Ran<Self> {
        let _span = meter::span("recurrent_cell");
        Forward::new(&inputs, &cell).run(values(&contiguous(inputs.x.clone())))
    }
}

/// A cell with its sizes in memory.
struct Room<'a> {
    cell: &'a Cell,
    /// Floats of a hidden state in whole vectors.
    width: usize,
    mask: Option<Block>,
    p: Vec<[f32; OPTIONS]>,
}

impl<'a> Room<'a> {
    fn new(inputs: &Inputs<Flex>, cell: &'a Cell) -> Self {
        let (hidden, width) = (cell.shape.hidden, Self::width(cell));
        let mask = cell.masked.then(|| filled(&inputs.mask, hidden, width));
        let p = contiguous(inputs.p.clone());
        Self { cell, width, mask, p: values(&p).as_chunks::<OPTIONS>().0.to_vec() }
    }

    fn width(cell: &Cell) -> usize {
        cell.shape.hidden.next_multiple_of(LONGEST)
    }

    /// Floats of the hidden states of a batch.
    fn states(&self) -> usize {
        self.cell.shape.batch * self.width
    }

    fn mask(&self) -> Option<Matrix<'_>> {
        let shape = [self.cell.shape.batch, self.width];
        self.mask.as_deref().map(|mask| Matrix::new(mask, shape).of_width(self.cell.shape.hidden))
    }

    /// Rows of hidden states as the left factor of a product.
    fn hidden<'b>(&self, values: &'b [f32], rows: usize) -> Matrix<'b> {
        Matrix::new(values, [rows, self.width]).of_width(self.cell.shape.hidden)
    }

    /// W₀ for the words, W₀ for the state, and W_i, each [inputs, 2, width].
    fn weights(&self, inputs: &Inputs<Flex>) -> [Block; 3] {
        let hidden = self.cell.shape.hidden;
        let (start, nodes) = (contiguous(inputs.start.clone()), contiguous(inputs.nodes.clone()));
        let (words, state) = values(&start).split_at(self.cell.shape.inputs * 2 * hidden);
        [words, state, values(&nodes)].map(|rows| filled_rows(rows, hidden, self.width))
    }

    fn norm(&self, values: &mut [f32], moments: &mut [f32]) {
        if let Some(norm) = self.cell.norm {
            dispatch(Normalise { values, moments, of_batch: norm.of_batch, eps: norm.eps });
        }
    }
}

/// Rows of `from` numbers as rows of `to`, filled up with zeros.
fn filled(tensor: &FlexTensor, from: usize, to: usize) -> Block {
    filled_rows(values(&contiguous(tensor.clone())), from, to)
}

fn filled_rows(values: &[f32], from: usize, to: usize) -> Block {
    let mut out = Block::new(values.len() / from.max(1) * to);
    let (chunk, part) = ((1 << 14) / to.max(1) + 1, from.max(1));
    for_chunks(&mut out, chunk * to.max(1), chunk * (from + to), |index, rows| {
        let values = values[index * chunk * part..].chunks_exact(part);
        for (row, values) in rows.chunks_exact_mut(to).zip(values) {
            row[..from].copy_from_slice(values);
            row[from..].fill(0.0);
        }
    });
    out
}

/// The opposite: the first `to` numbers of every row of `from`.
fn cut(values: &[f32], from: usize, to: usize) -> Block {
    let mut out = Block::new(values.len() / from.max(1) * to);
    let chunk = (1 << 14) / to.max(1) + 1;
    for_chunks(&mut out, chunk * to.max(1), chunk * 2 * to, |index, rows| {
        let values = values[index * chunk * from..].chunks_exact(from);
        for (row, values) in rows.chunks_exact_mut(to).zip(values) {
            row.copy_from_slice(&values[..to]);
        }
    });
    out
}

struct Forward<'a> {
    room: Room<'a>,
    /// W₀ for words and for the state, and W_i.
    words: Right,
    state: Right,
    nodes: Vec<Right>,
    /// Before each word and behind the last, [time + 1, batch, width].
    hidden: Block,
    /// By use, [2, width].
    moments: Vec<f32>,
    running: Vec<f32>,
}

impl<'a> Forward<'a> {
    fn new(inputs: &Inputs<Flex>, cell: &'a Cell) -> Self {
        let room = Room::new(inputs, cell);
        let (shape, width) = (cell.shape, room.width);
        let [words, state, nodes] = room.weights(inputs);
        let right = |values: &[f32], rows| Right::rows(Matrix::new(values, [rows, 2 * width]));
        let each = nodes.chunks_exact((shape.hidden * 2 * width).max(1));
        let mut hidden = Block::new((shape.time + 1) * room.states());
        let first = filled(&inputs.hidden, shape.hidden, width);
        hidden[..first.len()].copy_from_slice(&first);
        Self {
            words: right(&words, shape.inputs),
            state: right(&state, shape.hidden),
            nodes: each.map(|values| right(values, shape.hidden)).collect(),
            hidden,
            moments: Vec::new(),
            running: running(inputs, cell, width),
            room,
        }
    }

    fn run(mut self, x: &[f32]) -> Ran<Flex> {
        let (cell, width, one) = (self.room.cell, self.room.width, self.room.states());
        let shape = cell.shape;
        let kept = if cell.kept { shape.time } else { 1 };
        let mut starts = Block::new(shape.time * 2 * one);
        let mut states = Block::new((shape.nodes + 1) * kept * one);
        let mut products = Block::new(kept * cell.pairs() * 2 * one);
        let words = Matrix::new(x, [shape.time * shape.batch, shape.inputs]);
        let out = Out { values: &mut starts, stride: 2 * width, add: false };
        product(Left::rows(words), &self.words, out);
        for t in 0..shape.time {
            let at = if cell.kept { t } else { 0 };
            let products = &mut products[at * cell.pairs() * 2 * one..][..cell.pairs() * 2 * one];
            let starts = &mut starts[t * 2 * one..][..2 * one];
            self.step(t, starts, &mut Steps { values: &mut states, kept, at, one }, products);
        }
        let outputs = cut(&self.hidden[one..], width, shape.hidden);
        let outputs = outputs.into_tensor([shape.time, shape.batch, shape.hidden]);
        let moments = match cell.norm.is_some_and(|norm| norm.of_batch) {
            true => cut(&self.moments, width, shape.hidden).into_tensor([
                shape.time * (shape.nodes + 1),
                2,
                shape.hidden,
            ]),
            false => tensor(Vec::new(), [0, 2, shape.hidden]),
        };
        let keep = |block: Block| match cell.kept {
            true => {
                let count = block.len();
                block.into_tensor([count])
            }
            false => outputs.clone(),
        };
        let [states, starts, products] = [states, starts, products].map(keep);
        Ran { outputs, moments, states, starts, products }
    }

    /// A word: from the hidden state before it to the one behind it.
    fn step(&mut self, t: usize, starts: &mut [f32], states: &mut Steps, products: &mut [f32]) {
        let (room, one) = (&self.room, self.room.states());
        let (shape, width) = (room.cell.shape, room.width);
        let (before, after) = self.hidden.split_at_mut((t + 1) * one);
        let hidden = &before[t * one..];
        let left = Left::rows(room.hidden(hidden, shape.batch)).masked(room.mask());
        product(left, &self.state, Out { values: &mut *starts, stride: 2 * width, add: true });
        let (_, first) = states.split(0);
        for_chunks(first, ROWS * width, ACTIVATIONS * ROWS * width, |index, out| {
            let (products, hidden) = rows_of(starts, hidden, index, width);
            dispatch(Start { width, products, hidden, out });
        });
        self.moments.extend_from_slice(&self.running);
        let last = self.moments.len() - self.running.len();
        room.norm(first, &mut self.moments[last..]);
        for (node, (pair, reads)) in room.cell.nodes().into_iter().enumerate() {
            let products = &mut products[pair * 2 * one..][..reads.len() * 2 * one];
            let (known, out) = states.split(node + 1);
            let rows = room
                .hidden(&known.values[known.start(reads.start)..], reads.len() * shape.batch)
                .grouped(shape.batch, known.kept * one);
            let out_of = Out { values: &mut *products, stride: 2 * width, add: false };
            product(Left::rows(rows).masked(room.mask()), &self.nodes[node], out_of);
            let products = &*products;
            let cost = reads.len() * ACTIVATIONS * ROWS * width;
            for_chunks(out, ROWS * width, cost, |index, out| {
                let reads = reads.clone().enumerate().map(|(place, state)| {
                    let state = &known.values[known.start(state)..][..one];
                    let products = &products[place * 2 * one..][..2 * one];
                    let (products, state) = rows_of(products, state, index, width);
                    (products, state, room.p[pair + place])
                });
                let reads: Vec<_> = reads.collect();
                dispatch(Mix { width, reads: &reads, out });
            });
            self.moments.extend_from_slice(&self.running);
            let last = self.moments.len() - self.running.len();
            room.norm(out, &mut self.moments[last..]);
        }
        let after = &mut after[..one];
        after.fill(0.0);
        let factor = (room.cell.concat.len() as f32).recip();
        for state in &room.cell.concat {
            let x = &states.values[states.start(*state)..][..one];
            dispatch(Add { x, mask: None, factor, out: &mut *after });
        }
    }
}

/// The rows of chunk `index` of (c, z) and of a state.
fn rows_of<'b>(
    products: &'b [f32],
    state: &'b [f32],
    index: usize,
    width: usize,
) -> (&'b [f32], &'b [f32]) {
    (&products[index * ROWS * 2 * width..], &state[index * ROWS * width..])
}

/// Means and variances in whole vectors; 0 and infinity where they are filled up, which makes 0 of any number.
fn running(inputs: &Inputs<Flex>, cell: &Cell, width: usize) -> Vec<f32> {
    let Some(norm) = cell.norm else { return Vec::new() };
    let mut moments = match norm.of_batch {
        true => vec![0.0; 2 * width],
        false => filled(&inputs.running, cell.shape.hidden, width).to_vec(),
    };
    moments[width + cell.shape.hidden..].fill(f32::INFINITY);
    moments
}

/// States by number and step, [states, steps, batch, width].
struct Steps<'b> {
    values: &'b mut [f32],
    kept: usize,
    at: usize,
    one: usize,
}

/// Those before one.
#[derive(Clone, Copy)]
struct Known<'b> {
    values: &'b [f32],
    kept: usize,
    at: usize,
    one: usize,
}

impl Known<'_> {
    fn start(&self, state: usize) -> usize {
        (state * self.kept + self.at) * self.one
    }
}

impl Steps<'_> {
    fn start(&self, state: usize) -> usize {
        (state * self.kept + self.at) * self.one
    }

    /// The states before this one, and it.
    fn split(&mut self, state: usize) -> (Known<'_>, &mut [f32]) {
        let (start, one) = (self.start(state), self.one);
        let (known, rest) = self.values.split_at_mut(start);
        let known = Known { values: known, kept: self.kept, at: self.at, one };
        (known, &mut rest[..one])
    }
}
