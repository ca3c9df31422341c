//! Recurrent cells along a text: that of a search, and those of genotypes.

use shaders::{Activation, CellNorm, RecurrentCell, Sequence};

use super::*;

/// Nodes, hidden numbers, numbers of a word, batch and time.
type Sizes = (usize, usize, usize, usize, usize);

/// Cases on wgpu, where a cell is many ops of burn around one kernel of ours: each takes ten seconds of a software
/// adapter. The golden searches of text hold there too.
const OF_OPS: u32 = 3;

/// Hidden sizes that fill vectors, and that do not.
fn sizes() -> impl Strategy<Value = Sizes> {
    let hidden = prop::sample::select(vec![1, 3, 8, 15, 16, 17, 24, 40]);
    (1..5_usize, hidden, 1..7_usize, 1..12_usize, 1..5_usize)
}

/// x, hidden, start and nodes.
fn cell_inputs((nodes, hidden, inputs, batch, time): Sizes, scale: f32) -> Vec<Vec<f32>> {
    let scaled = |count, seed, by: f32| -> Vec<f32> {
        noise(count, seed).into_iter().map(|x| x * by).collect()
    };
    vec![
        scaled(time * batch * inputs, 1, scale),
        scaled(batch * hidden, 2, 1.0),
        scaled((inputs + hidden) * 2 * hidden, 3, scale),
        scaled(nodes * hidden * 2 * hidden, 4, scale),
    ]
}

fn sequence(
    (nodes, hidden, inputs, batch, time): Sizes,
    tensors: Vec<Tensor<1>>,
    masked: bool,
) -> (Sequence, Option<Tensor<1>>) {
    let mut tensors = tensors.into_iter();
    let mut next = || tensors.next().unwrap();
    let (x, first, start, each) = (next(), next(), next(), next());
    let mask: Vec<f32> =
        (0..batch * hidden).map(|at| if at % 4 == 1 { 0.0 } else { 4.0 / 3.0 }).collect();
    let device = x.device().inner();
    let sequence = Sequence {
        x: x.reshape([time, batch, inputs]),
        hidden: first.reshape([batch, hidden]),
        mask: masked.then(|| vector(&mask, &device).reshape([batch, hidden])),
        start: start.reshape([inputs + hidden, 2 * hidden]),
        nodes: each.reshape([nodes, hidden, 2 * hidden]),
    };
    (sequence, tensors.next())
}

#[derive(Clone, Debug)]
struct SearchCell {
    sizes: Sizes,
    masked: bool,
    of_batch: bool,
    /// Factor of words and weights.
    scale: f32,
}

impl SearchCell {
    fn norm(&self, device: &Device) -> CellNorm {
        if self.of_batch {
            return CellNorm { running: None, eps: 1e-5 };
        }
        let hidden = self.sizes.1;
        let variances = noise(hidden, 21).into_iter().map(|variance| variance.abs() + 0.5);
        let moments: Vec<f32> = noise(hidden, 20).into_iter().chain(variances).collect();
        CellNorm { running: Some(vector(&moments, device).reshape([2, hidden])), eps: 1e-5 }
    }
}

impl Case for SearchCell {
    const ON_WGPU: u32 = OF_OPS;

    fn strategy() -> BoxedStrategy<Self> {
        (sizes(), any::<bool>(), any::<bool>())
            .prop_map(|(mut sizes, masked, of_batch)| {
                // Over few rows the variance is anything, and its root amplifies rounding without bound.
                sizes.3 += if of_batch { 18 } else { 0 };
                Self { sizes, masked, of_batch, scale: 0.4 }
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let mut inputs = cell_inputs(self.sizes, self.scale);
        let pairs = self.sizes.0 * (self.sizes.0 + 1) / 2;
        inputs.push(noise(5 * pairs, 5).into_iter().map(|p| p.abs() / 2.0).collect());
        inputs
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, inputs| {
            let device = inputs[0].device().inner();
            let (sequence, p) = sequence(case.sizes, inputs, case.masked);
            let p = p.unwrap();
            let pairs = p.dims()[0] / 5;
            let norm = case.norm(&device);
            shaders::mixed_cell(kernels, sequence, p.reshape([pairs, 5]), norm).outputs.unsqueeze()
        })
    }
}

#[derive(Clone, Debug)]
struct GenotypeCell {
    sizes: Sizes,
    masked: bool,
    cell: RecurrentCell,
    scale: f32,
}

impl Case for GenotypeCell {
    const ON_WGPU: u32 = OF_OPS;

    fn strategy() -> BoxedStrategy<Self> {
        let picks = prop::collection::vec((0..4_usize, any::<prop::sample::Index>()), 4);
        (sizes(), any::<bool>(), picks, any::<bool>())
            .prop_map(|(sizes, masked, picks, last)| {
                let nodes = picks.into_iter().take(sizes.0).enumerate();
                let node = |(node, (activation, state)): (usize, (usize, prop::sample::Index))| {
                    (Activation::ALL[activation], state.index(node + 1))
                };
                let concat = if last { vec![sizes.0] } else { (1..sizes.0 + 1).collect() };
                let cell = RecurrentCell { nodes: nodes.map(node).collect(), concat };
                Self { sizes, masked, cell, scale: 0.7 }
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        cell_inputs(self.sizes, self.scale)
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, inputs| {
            let (sequence, _) = sequence(case.sizes, inputs, case.masked);
            shaders::derived_cell(kernels, sequence, &case.cell).unsqueeze()
        })
    }
}

#[test]
fn a_search_cell_equals_plain_ops() {
    equals_plain_ops::<SearchCell>();
}

/// A case without relu, whose kink finite differences step over.
#[derive(Clone, Debug)]
struct Smooth<C>(C);

impl Case for Smooth<SearchCell> {
    const ON_WGPU: u32 = 1;

    fn strategy() -> BoxedStrategy<Self> {
        SearchCell::strategy().prop_map(Self).boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        self.0.inputs()
    }

    fn op(&self) -> Box<Op> {
        let op = self.0.op();
        Box::new(move |kernels, mut inputs| {
            let p = inputs.pop().unwrap();
            let pairs = p.dims()[0] / 5;
            let only: Vec<f32> = [1.0, 1.0, 0.0, 1.0, 1.0].repeat(pairs);
            inputs.push(p.clone() * vector(&only, &p.device()));
            op(kernels, inputs)
        })
    }
}

impl Case for Smooth<GenotypeCell> {
    const ON_WGPU: u32 = 1;

    fn strategy() -> BoxedStrategy<Self> {
        let smooth = |mut case: GenotypeCell| {
            for (activation, _) in &mut case.cell.nodes {
                if *activation == Activation::Relu {
                    *activation = Activation::Tanh;
                }
            }
            Self(case)
        };
        GenotypeCell::strategy().prop_map(smooth).boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        self.0.inputs()
    }

    fn op(&self) -> Box<Op> {
        self.0.op()
    }
}

#[test]
fn a_search_cell_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Smooth<SearchCell>>(0.003);
}

#[test]
fn a_search_cell_does_not_depend_on_threads() {
    does_not_depend_on_threads::<SearchCell>();
}

#[test]
fn a_search_cell_tracks_each_input_alone() {
    tracks_each_input_alone::<SearchCell>();
}

#[test]
fn the_cell_of_a_genotype_equals_plain_ops() {
    equals_plain_ops::<GenotypeCell>();
}

#[test]
fn the_cell_of_a_genotype_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Smooth<GenotypeCell>>(0.01);
}

#[test]
fn the_cell_of_a_genotype_does_not_depend_on_threads() {
    does_not_depend_on_threads::<GenotypeCell>();
}

#[test]
fn the_cell_of_a_genotype_tracks_each_input_alone() {
    tracks_each_input_alone::<GenotypeCell>();
}

/// More rows than one product of the way back sums, in more than one block of steps.
#[test]
fn long_texts_of_wide_batches_equal_plain_ops() {
    let sizes = (3, 40, 5, 300, 5);
    for of_batch in [true, false] {
        let case = SearchCell { sizes, masked: true, of_batch, scale: 0.2 };
        equals_plain_ops_everywhere(&case);
    }
    let nodes = vec![(Activation::Tanh, 0), (Activation::Relu, 1), (Activation::Sigmoid, 1)];
    let cell = RecurrentCell { nodes, concat: vec![1, 2, 3] };
    equals_plain_ops_everywhere(&GenotypeCell { sizes, masked: true, cell, scale: 0.2 });
}

/// Gates and activations far in their saturation: no overflow becomes a NaN. Products of thousands are rounded by
/// so much that a gate near 0 differs; of 10⁸, that it is anything.
#[test]
fn extreme_products_stay_finite_and_near_to_plain_ops() {
    let sizes = (2, 17, 4, 20, 2);
    let nodes = vec![(Activation::Sigmoid, 0), (Activation::Tanh, 1)];
    let cell = RecurrentCell { nodes, concat: vec![1, 2] };
    let check = |inputs: Vec<Vec<f32>>, op: Box<Op>, tolerance: f32| {
        let reference = evaluate(Kernels::Composed, &Device::flex(), &inputs, &op);
        for (name, device) in crate::devices::all() {
            let found = evaluate(Kernels::Fused, &device, &inputs, &op);
            assert!(difference(&found.value, &reference.value) < tolerance, "{name}");
            assert!(
                found.value.iter().chain(found.gradients.iter().flatten()).all(|x| x.is_finite())
            );
        }
    };
    for (scale, tolerance) in [(10.0, 1e-3), (1e4, f32::INFINITY)] {
        let case = SearchCell { sizes, masked: false, of_batch: false, scale };
        check(case.inputs(), case.op(), tolerance);
        let case = GenotypeCell { sizes, masked: false, cell: cell.clone(), scale };
        check(case.inputs(), case.op(), tolerance);
    }
}

/// σ(c) of 0 everywhere: every state is the one before, so the hidden state stays what it was.
#[test]
fn closed_gates_give_the_previous_hidden_state() {
    let (batch, hidden, device) = (3, 5, Device::flex());
    let closed = |rows: usize| -> Vec<f32> {
        let column = |index: usize| if index % (2 * hidden) < hidden { -300.0 } else { 1.0 };
        (0..rows * 2 * hidden).map(column).collect()
    };
    let first =
        vector(&noise(batch * hidden, 1).iter().map(|x| x.abs()).collect::<Vec<_>>(), &device);
    let sequence = Sequence {
        x: Tensor::ones([2, batch, 1], &device),
        hidden: first.clone().reshape([batch, hidden]),
        mask: None,
        start: vector(&closed(1 + hidden), &device).reshape([1 + hidden, 2 * hidden]),
        nodes: vector(&closed(2 * hidden), &device).reshape([2, hidden, 2 * hidden]),
    };
    let nodes = vec![(Activation::Identity, 0), (Activation::Tanh, 1)];
    let cell = RecurrentCell { nodes, concat: vec![1, 2] };
    for kernels in [Kernels::Composed, Kernels::Fused] {
        let outputs = numbers(shaders::derived_cell(kernels, sequence.clone(), &cell));
        for outputs in outputs.chunks(batch * hidden) {
            assert!(difference(outputs, &numbers(first.clone())) < 1e-6, "{kernels:?}");
        }
    }
}

/// Those of the reference, for running statistics.
#[test]
fn the_moments_of_every_use_are_those_of_plain_ops() {
    let case = SearchCell { sizes: (3, 19, 4, 20, 3), masked: true, of_batch: true, scale: 0.4 };
    let moments = |kernels| {
        let device = Device::flex();
        let inputs = case.inputs().iter().map(|input| vector(input, &device)).collect();
        let (sequence, p) = sequence(case.sizes, inputs, case.masked);
        let norm = case.norm(&device);
        let cell = shaders::mixed_cell(kernels, sequence, p.unwrap().reshape([6, 5]), norm);
        let moments = cell.moments.unwrap();
        assert_eq!(moments.dims(), [3 * 4, 2, 19]);
        numbers(moments)
    };
    let error = difference(&moments(Kernels::Fused), &moments(Kernels::Composed));
    assert!(error < 1e-5, "{error:e}");
}
