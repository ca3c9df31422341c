//! The CPU twin: from the last step to the first. The gradients of W_i are products over several steps at once:
//! with few rows in a batch a product for every step would read and write the whole matrix 35 times.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::super::ops::{Cell, Gradients, Inputs, Ran, RecurrentGradients, Wanted};
use super::rows::{Add, MixBack, NormaliseBack, OPTIONS, StartBack};
use super::{ACTIVATIONS, Known, Room, cut, filled, filled_rows, running};
use crate::cpu::block::Block;
use crate::cpu::gemm::{Left, Matrix, Out, Right, product};
use crate::cpu::{contiguous, dispatch, for_each, tensor, values};
use crate::meter;

/// Rows over which a gradient of weights is summed in one product, at least.
const SUMMED: usize = 512;

/// Rows that a thread takes at once.
const ROWS: usize = 32;

impl RecurrentGradients for Flex {
    fn recurrent_cell_gradients(
        inputs: Inputs<Self>,
        ran: Ran<Self>,
        gradient: FlexTensor,
        cell: Cell,
        wanted: Wanted,
    ) -> Gradients<Self> {
        let _span = meter::span("recurrent_cell_gradients");
        let kept = Kept::new(&inputs, &ran, &cell);
        let mut back = Backward::new(&inputs, &cell, wanted);
        let gradient = contiguous(gradient);
        let steps = if wanted.nodes { SUMMED.div_ceil(cell.shape.batch.max(1)) } else { 1 };
        let times: Vec<usize> = (0..cell.shape.time).step_by(steps).collect();
        for start in times.into_iter().rev() {
            let steps = start..cell.shape.time.min(start + steps);
            for t in steps.clone().rev() {
                back.step(t, &steps, &kept, values(&gradient));
            }
            back.sum_nodes(&steps, &kept);
        }
        back.finish(&inputs, &kept, gradient)
    }
}

/// What the forward pass left.
struct Kept {
    states: FlexTensor,
    starts: FlexTensor,
    products: FlexTensor,
    /// Before each word, [time, batch, width].
    hidden: Block,
    /// By use of the norm, [2, width]; empty without a norm.
    moments: Vec<f32>,
}

impl Kept {
    fn new(inputs: &Inputs<Flex>, ran: &Ran<Flex>, cell: &Cell) -> Self {
        let (size, width) = (cell.shape.hidden, Room::width(cell));
        let one = cell.shape.batch * width;
        let mut hidden = Block::new(cell.shape.time * one);
        let first = filled(&inputs.hidden, size, width);
        let outputs = filled(&ran.outputs, size, width);
        let (start, rest) = hidden.split_at_mut(one.min(cell.shape.time * one));
        start.copy_from_slice(&first[..start.len()]);
        rest.copy_from_slice(&outputs[..rest.len()]);
        let running = running(inputs, cell, width);
        let moments = match cell.norm {
            Some(norm) if norm.of_batch => {
                let mut moments = filled(&ran.moments, size, width).to_vec();
                let filled = moments.chunks_exact_mut(2 * width);
                filled.for_each(|moments| moments[width + size..].fill(f32::INFINITY));
                moments
            }
            Some(_) => running.repeat(cell.shape.time * (cell.shape.nodes + 1)),
            None => Vec::new(),
        };
        let [states, starts, products] =
            [&ran.states, &ran.starts, &ran.products].map(Clone::clone);
        Self { states, starts, products, hidden, moments }
    }

    fn states(&self, t: usize, cell: &Cell, one: usize) -> Known<'_> {
        Known { values: values(&self.states), kept: cell.shape.time, at: t, one }
    }
}

struct Backward<'a> {
    room: Room<'a>,
    wanted: Wanted,
    /// W₀ for words and for the state, and W_i, all transposed.
    words: Right,
    state: Right,
    nodes: Vec<Right>,
    /// From the step behind, of the hidden state.
    carry: Block,
    /// Of the states of a step, [nodes + 1, batch, width]: past the products, and through them.
    past: Block,
    through: Block,
    /// Of (c, h') of all steps.
    starts: Block,
    /// Of (c, z) of some steps, by node: [state, step, batch, 2, width].
    products: Block,
    /// Of W_i, [inputs, 2, width].
    of_nodes: Block,
    of_p: Vec<[f64; OPTIONS]>,
}

impl<'a> Backward<'a> {
    fn new(inputs: &Inputs<Flex>, cell: &'a Cell, wanted: Wanted) -> Self {
        let room = Room::new(inputs, cell);
        let (shape, width, one) = (cell.shape, room.width, room.states());
        let [words, state, nodes] = room.weights(inputs);
        let right = |values: &[f32], rows| Right::columns(Matrix::new(values, [rows, 2 * width]));
        let each = nodes.chunks_exact((shape.hidden * 2 * width).max(1));
        let steps = if wanted.nodes { SUMMED.div_ceil(shape.batch.max(1)) } else { 1 };
        let zeros = |count| {
            let mut block = Block::new(count);
            block.fill(0.0);
            block
        };
        Self {
            words: right(&words, shape.inputs),
            state: right(&state, shape.hidden),
            nodes: each.map(|values| right(values, shape.hidden)).collect(),
            carry: zeros(one),
            past: zeros((shape.nodes + 1) * one),
            through: zeros((shape.nodes + 1) * one),
            starts: Block::new(shape.time * 2 * one),
            products: Block::new(cell.pairs() * steps.min(shape.time) * 2 * one),
            of_nodes: zeros(if wanted.nodes { nodes.len() } else { 0 }),
            of_p: vec![[0.0; OPTIONS]; cell.pairs()],
            wanted,
            room,
        }
    }

    fn step(&mut self, t: usize, steps: &Range<usize>, kept: &Kept, gradient: &[f32]) {
        let (cell, width, one) = (self.room.cell, self.room.width, self.room.states());
        let shape = cell.shape;
        self.past.fill(0.0);
        self.through.fill(0.0);
        let numbers = shape.batch * shape.hidden;
        let given = filled_rows(&gradient[t * numbers..][..numbers], shape.hidden, width);
        dispatch(Add { x: &given, mask: None, factor: 1.0, out: &mut self.carry });
        let factor = (cell.concat.len() as f32).recip();
        for state in &cell.concat {
            let out = &mut self.past[state * one..][..one];
            dispatch(Add { x: &self.carry, mask: None, factor, out });
        }
        for (node, (pair, reads)) in cell.nodes().into_iter().enumerate().rev() {
            self.gather(t, node + 1, kept);
            self.mix(t, steps, (node, pair, reads.clone()), kept);
            let rows = Matrix::new(
                &self.products[self.place(pair, 0, t, steps)..],
                [reads.len() * shape.batch, 2 * width],
            )
            .grouped(shape.batch, steps.len() * 2 * one);
            let values = &mut self.through[reads.start * one..];
            product(Left::rows(rows), &self.nodes[node], Out { values, stride: width, add: true });
        }
        self.gather(t, 0, kept);
        self.start(t, kept);
    }

    /// Where the gradient of the products of a pair lies, `place` states behind the first of its node.
    fn place(&self, pair: usize, place: usize, t: usize, steps: &Range<usize>) -> usize {
        let one = 2 * self.room.states();
        (pair * steps.len() + place * steps.len() + t - steps.start) * one
    }

    /// Both parts of the gradient of a state, taken back through the norm.
    fn gather(&mut self, t: usize, state: usize, kept: &Kept) {
        let (cell, one) = (self.room.cell, self.room.states());
        let out = &mut self.past[state * one..][..one];
        let x = &self.through[state * one..][..one];
        dispatch(Add { x, mask: self.room.mask.as_deref(), factor: 1.0, out: &mut *out });
        let Some(norm) = cell.norm else { return };
        let states = kept.states(t, cell, one);
        let size = 2 * self.room.width;
        let moments = &kept.moments[(t * (cell.shape.nodes + 1) + state) * size..][..size];
        dispatch(NormaliseBack {
            values: &states.values[states.start(state)..][..one],
            gradient: out,
            moments,
            of_batch: norm.of_batch,
            eps: norm.eps,
        });
    }

    /// From the gradient of a node those of its products, of the states that it reads, and of p.
    fn mix(
        &mut self,
        t: usize,
        steps: &Range<usize>,
        (node, pair, reads): (usize, usize, Range<usize>),
        kept: &Kept,
    ) {
        let (cell, width, one) = (self.room.cell, self.room.width, self.room.states());
        let (known, products) = (kept.states(t, cell, one), values(&kept.products));
        let (start, room) = (self.place(pair, 0, t, steps), &self.room);
        let (past, gradient) = self.past.split_at_mut((node + 1) * one);
        let of_products = self.products[start..].chunks_mut(steps.len() * 2 * one);
        let of_states = past[reads.start * one..].chunks_mut(one);
        let mut parts = Vec::new();
        let outs = of_products.zip(of_states);
        for ((place, state), (of_products, of_state)) in reads.clone().enumerate().zip(outs) {
            let products = &products[((t * cell.pairs()) + pair + place) * 2 * one..][..2 * one];
            let state = &known.values[known.start(state)..][..one];
            let of_products = of_products[..2 * one].chunks_mut(ROWS * 2 * width);
            let outs = of_products.zip(of_state.chunks_mut(ROWS * width)).enumerate();
            parts.extend(outs.map(|(chunk, outs)| (place, chunk, products, state, outs)));
        }
        let mut sums = vec![(0, [0.0; OPTIONS]); parts.len()];
        let parts = parts.into_iter().zip(&mut sums).collect();
        let gradient = &gradient[..one];
        for_each(
            parts,
            ACTIVATIONS * ROWS * width,
            |_, ((place, chunk, products, state, outs), sums)| {
                let (of_products, of_state) = outs;
                let found = dispatch(MixBack {
                    width,
                    products: &products[chunk * ROWS * 2 * width..],
                    state: &state[chunk * ROWS * width..],
                    gradient: &gradient[chunk * ROWS * width..],
                    p: room.p[pair + place],
                    of_products,
                    of_state,
                });
                *sums = (place, found);
            },
        );
        for (place, sums) in sums {
            let total = self.of_p[pair + place].iter_mut();
            total.zip(sums).for_each(|(total, sum)| *total += f64::from(sum));
        }
    }

    fn start(&mut self, t: usize, kept: &Kept) {
        let (shape, width, one) = (self.room.cell.shape, self.room.width, self.room.states());
        let of_products = &mut self.starts[t * 2 * one..][..2 * one];
        dispatch(StartBack {
            width,
            products: &values(&kept.starts)[t * 2 * one..][..2 * one],
            hidden: &kept.hidden[t * one..][..one],
            gradient: &self.past[..one],
            of_products: &mut *of_products,
            of_hidden: &mut self.carry,
        });
        let rows = Matrix::new(of_products, [shape.batch, 2 * width]);
        let through = &mut self.through[..one];
        let out = Out { values: through, stride: width, add: false };
        product(Left::rows(rows), &self.state, out);
        let (x, mask) = (&self.through[..one], self.room.mask.as_deref());
        dispatch(Add { x, mask, factor: 1.0, out: &mut self.carry });
    }

    /// Adds the gradients of W_i of some steps.
    fn sum_nodes(&mut self, steps: &Range<usize>, kept: &Kept) {
        if !self.wanted.nodes {
            return;
        }
        let (cell, width, one) = (self.room.cell, self.room.width, self.room.states());
        let shape = cell.shape;
        let size = shape.hidden * 2 * width;
        for (node, (pair, reads)) in cell.nodes().into_iter().enumerate() {
            let rows = steps.len() * shape.batch;
            let known = kept.states(steps.start, cell, one);
            let states = &known.values[known.start(reads.start)..];
            let states = self.room.hidden(states, reads.len() * rows);
            let states = states.grouped(rows, shape.time * one);
            let gradient = &self.products[self.place(pair, 0, steps.start, steps)..];
            let right = Right::rows(Matrix::new(gradient, [reads.len() * rows, 2 * width]));
            let values = &mut self.of_nodes[node * size..][..size];
            let out = Out { values, stride: 2 * width, add: true };
            product(Left::columns(states).masked(self.room.mask()), &right, out);
        }
    }

    /// What is left of all steps: W₀, the words and the first state.
    fn finish(self, inputs: &Inputs<Flex>, kept: &Kept, nothing: FlexTensor) -> Gradients<Flex> {
        let (room, wanted) = (&self.room, self.wanted);
        let (shape, width) = (room.cell.shape, room.width);
        let rows = shape.time * shape.batch;
        let gradient = Matrix::new(&self.starts, [rows, 2 * width]);
        let asked = |asked: bool, make: &dyn Fn() -> FlexTensor| {
            if asked { make() } else { nothing.clone() }
        };
        let x = || {
            let mut out = Block::new(rows * shape.inputs);
            let to = Out { values: &mut out, stride: shape.inputs, add: false };
            product(Left::rows(gradient), &self.words, to);
            out.into_tensor([shape.time, shape.batch, shape.inputs])
        };
        let start = || {
            let right = Right::rows(gradient);
            let mut out = Block::new((shape.inputs + shape.hidden) * 2 * width);
            let (words, state) = out.split_at_mut(shape.inputs * 2 * width);
            let read = contiguous(inputs.x.clone());
            let read = Left::columns(Matrix::new(values(&read), [rows, shape.inputs]));
            product(read, &right, Out { values: words, stride: 2 * width, add: false });
            let hidden = Left::columns(room.hidden(&kept.hidden, rows)).masked(room.mask());
            product(hidden, &right, Out { values: state, stride: 2 * width, add: false });
            let dims = [shape.inputs + shape.hidden, 2 * shape.hidden];
            cut(&out, width, shape.hidden).into_tensor(dims)
        };
        let of_nodes = || {
            let dims = [shape.nodes, shape.hidden, 2 * shape.hidden];
            cut(&self.of_nodes, width, shape.hidden).into_tensor(dims)
        };
        let hidden = || {
            let dims = [shape.batch, shape.hidden];
            cut(&self.carry, width, shape.hidden).into_tensor(dims)
        };
        let p = || {
            // None has no part in the sum.
            let row = |row: &[f64; OPTIONS]| {
                let [past, rest @ ..] = *row;
                std::iter::once(0.0).chain(rest.map(|sum| (past + sum) as f32))
            };
            let sums: Vec<f32> = self.of_p.iter().flat_map(row).collect();
            tensor(sums, [self.of_p.len(), OPTIONS])
        };
        Gradients {
            x: asked(wanted.x, &x),
            hidden: asked(wanted.hidden, &hidden),
            start: asked(wanted.start, &start),
            nodes: asked(wanted.nodes, &of_nodes),
            p: asked(wanted.p, &p),
        }
    }
}
