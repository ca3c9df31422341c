//! What a searched cell means and how it is computed fast are two programs. Over random graphs, sizes and
//! modes the plan gives what edge by edge gives: every node, the gradients for the inputs, for p, for the
//! weights of edges and for the weights, and the running statistics.
//!
//! Differences are in units of the largest number of a tensor (see `differs`). Both programs add in
//! different orders in single precision, and a batch norm divides by a standard deviation, so they differ by
//! rounding that grows from node to node: values by less than 2e-5, gradients by less than 1e-4, which is
//! what tests/kernels.rs allows one kernel. Over the cases here it is 1e-6 and 2e-5.

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::net::{Dag, EdgeTable, Partial, Weights};
use smoothdarts::nn::{
    Builder, GradientTarget, Layout, NormOptions, Pass, Randomness, RunningStatistics, Sequence,
    SkipDropout, Statistics,
};
use smoothdarts::ops::{ALL, Site, State, relu_conv_norm};
use smoothdarts::rng::{Streams, normal, uniform};

const VALUES: f32 = 2e-5;
const GRADIENTS: f32 = 1e-4;

/// A graph, what it reads and how.
#[derive(Clone, Debug)]
struct Case {
    inputs: usize,
    /// Node, source and the operations, by their places in the catalogue.
    edges: Vec<(usize, usize, Vec<usize>)>,
    site: Site,
    /// One in so many channels goes through the candidates.
    parts: usize,
    /// Whether edges are weighed.
    weighs_edges: bool,
    /// Batch, height and width.
    images: [usize; 3],
    eval: bool,
    drop_path: f64,
    skip_dropout: f64,
}

/// Some of the edges of a graph, each with as many operations as the others.
fn edges(inputs: usize, nodes: usize) -> impl Strategy<Value = Vec<(usize, usize, Vec<usize>)>> {
    let pairs: Vec<(usize, usize)> = (inputs..inputs + nodes)
        .flat_map(|node| (0..node).map(move |source| (node, source)))
        .collect();
    let count = pairs.len();
    let kept = prop::collection::vec(prop::bool::weighted(0.8), count);
    let candidates = (1..7_usize).prop_flat_map(move |candidates| {
        let anything = prop::collection::vec(0..ALL.len(), candidates);
        prop::collection::vec(anything, count)
    });
    // The paper's spaces have the same candidates on every edge.
    (kept, candidates, prop::bool::ANY).prop_map(move |(kept, mut candidates, same)| {
        if same {
            candidates = vec![candidates[0].clone(); count];
        }
        let edges = pairs.iter().zip(candidates).map(|((node, source), it)| (*node, *source, it));
        edges.zip(kept).filter_map(|(edge, kept)| kept.then_some(edge)).collect()
    })
}

/// PyTorch's defaults, or what 1Shot1 has and another eps.
fn norms() -> impl Strategy<Value = NormOptions> {
    (any::<bool>(), any::<bool>()).prop_map(|(affine, usual)| match usual {
        true => NormOptions::new(affine),
        false => NormOptions { eps: 1e-3, momentum: 0.997, ..NormOptions::new(affine) },
    })
}

fn cases() -> impl Strategy<Value = Case> {
    let graph = (1..4_usize, 1..5_usize)
        .prop_flat_map(|(inputs, nodes)| (Just(inputs), edges(inputs, nodes)));
    let site = (select(vec![2, 4, 6, 8, 16, 20]), 1..3_usize, norms(), any::<bool>());
    let images = (2..4_usize, 6..10_usize, 6..10_usize);
    // A factorised reduction takes even sizes only.
    let even = |size: usize, stride: usize| size - size % stride;
    let drop_path = select(vec![0.0, 0.0, 0.3]);
    let partial = (select(vec![1, 1, 2, 4]), any::<bool>());
    let rates = (drop_path, select(vec![0.0, 0.0, 0.4]));
    (graph, site, images, any::<bool>(), rates, partial).prop_map(
        move |(
            (inputs, edges),
            (channels, stride, norm, pool_norm),
            images,
            eval,
            rates,
            (parts, weighs_edges),
        )| {
            let (drop_path, skip_dropout) = if eval { (0.0, 0.0) } else { rates };
            // A factorised reduction has an even number of channels.
            let channels = channels * parts;
            Case {
                parts,
                weighs_edges,
                inputs,
                edges,
                site: Site { channels, stride, norm, pool_norm },
                images: [images.0, even(images.1, stride), even(images.2, stride)],
                eval,
                drop_path,
                skip_dropout,
            }
        },
    )
}

/// The graph, its weights and what it reads, on the host.
struct Graph {
    layout: Layout,
    /// What stands before the first input, as in a cell.
    input: Sequence,
    dag: Dag,
    case: Case,
    weights: Vec<f32>,
    statistics: Vec<f32>,
    p: Vec<f32>,
    /// Of every edge.
    edge_weights: Vec<f32>,
    inputs: Vec<Vec<f32>>,
}

/// What a pass gives.
#[derive(Debug)]
struct Found {
    nodes: Vec<Vec<f32>>,
    inputs: Vec<Vec<f32>>,
    p: Vec<f32>,
    edge_weights: Vec<f32>,
    /// By weight tensor.
    weights: Vec<Vec<f32>>,
    statistics: Vec<f32>,
}

impl Graph {
    fn new(case: &Case) -> Self {
        let edge = |(node, source, operations): &(usize, usize, Vec<usize>)| EdgeTable {
            node: *node,
            source: *source,
            operations: operations.iter().map(|operation| &ALL[*operation]).collect(),
        };
        let table: Vec<EdgeTable> = case.edges.iter().map(edge).collect();
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let channels = case.site.channels;
        let input =
            relu_conv_norm(&mut builder.child("input"), channels, channels, NormOptions::new(true));
        let path = |row, _: &EdgeTable| format!("edges.{row}");
        let site = (case.site, Partial { parts: case.parts });
        let dag = Dag::new(&mut builder, &table, case.inputs, site, path);
        let mut rng = Pcg64::seed_from_u64(5);
        let [batch, height, width] = case.images;
        let image = batch * height * width * case.site.channels;
        let rows: usize = case.edges.iter().map(|(_, _, operations)| operations.len()).sum();
        let mut graph = Self {
            weights: layout.initial_weights(&Streams::new(3)),
            statistics: layout.initial_statistics(),
            p: uniform(&mut rng, rows, 0.1, 1.0),
            edge_weights: uniform(&mut rng, case.edges.len(), 0.1, 1.0),
            inputs: (0..case.inputs).map(|_| normal(&mut rng, image)).collect(),
            layout,
            input,
            dag,
            case: Case { eval: false, ..case.clone() },
        };
        // Running statistics that a pass left: batch norms that always see the same have the same, which the
        // plan relies on in eval mode.
        if case.eval {
            graph.statistics = graph.pass(Kernels::Composed, &Device::flex()).statistics;
            graph.case.eval = true;
        }
        graph
    }

    /// Nodes, and the gradients of the sum of all their numbers, each times a fixed one.
    fn pass(&self, kernels: Kernels, device: &Device) -> Found {
        let [batch, height, width] = self.case.images;
        let shape = [batch, height, width, self.case.site.channels];
        let running = vector(&self.statistics, device).reshape([2, self.layout.norm_channels()]);
        let statistics = match self.case.eval {
            true => {
                Statistics::Running(RunningStatistics::new(&self.layout, kernels, running.clone()))
            }
            false => Statistics::Batch,
        };
        let randomness = Randomness {
            drop_path: self.case.drop_path,
            skips: Some(SkipDropout {
                rate: self.case.skip_dropout,
                rng: Pcg64::seed_from_u64(10),
            }),
            ..Pcg64::seed_from_u64(9).into()
        };
        let weights = vector(&self.weights, device);
        let target = GradientTarget::Weights;
        let mut pass = Pass::new(&self.layout, &weights, statistics, target, kernels, randomness);
        let p = vector(&self.p, device).autodiff().require_grad();
        let inputs: Vec<Tensor<4>> = self.inputs.iter().map(|x| leaf(x, shape, device)).collect();
        let mut states: Vec<State> = inputs.iter().cloned().map(State::new).collect();
        states[0] = states[0].after(&self.input, &mut pass);
        let first = states[0].value.clone();
        let edges = vector(&self.edge_weights, device).autodiff().require_grad();
        let nodes = self.dag.forward(states, &self.weights_of(&p, &edges), &mut pass);
        let mut rng = Pcg64::seed_from_u64(7);
        let probed = |node: &Tensor<4>| {
            let probe = normal(&mut rng, node.shape().num_elements());
            (node.clone() * vector(&probe, device).reshape(node.dims()).autodiff()).sum()
        };
        // The first state has a part of its own: there is a gradient even where all edges are `none`.
        let loss = [&first].into_iter().chain(&nodes).map(probed).reduce(Tensor::add).unwrap();
        let mut gradients = loss.backward();
        let zeros = |count| vec![0.0; count];
        let weights = numbers(pass.weight_gradient(&self.layout, &mut gradients));
        Found {
            nodes: nodes.into_iter().map(|node| numbers(node.inner())).collect(),
            inputs: inputs
                .iter()
                .map(|x| x.grad_remove(&mut gradients).map_or(zeros(self.inputs[0].len()), numbers))
                .collect(),
            p: p.grad_remove(&mut gradients).map_or(zeros(self.p.len()), numbers),
            edge_weights: edges
                .grad_remove(&mut gradients)
                .map_or(zeros(self.edge_weights.len()), numbers),
            weights: self
                .layout
                .weights()
                .iter()
                .map(|slot| weights[slot.range.clone()].to_vec())
                .collect(),
            statistics: numbers(pass.updated(running)),
        }
    }
}

impl Graph {
    /// What weighs the edges and their candidates.
    fn weights_of(&self, p: &Tensor<1>, edges: &Tensor<1>) -> Weights {
        if !self.case.weighs_edges {
            return p.clone().into();
        }
        let rows = p.clone().reshape([self.edge_weights.len() as isize, -1]);
        let candidates = (rows * edges.clone().reshape([-1, 1])).reshape([-1]);
        Weights { candidates, edges: Some(edges.clone()) }
    }
}

fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

fn leaf(values: &[f32], shape: [usize; 4], device: &Device) -> Tensor<4> {
    vector(values, device).reshape(shape).autodiff().require_grad()
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

/// Largest difference in units of the largest number of the reference, which counts as at least `least`.
fn differs(found: &[f32], expected: &[f32], least: f32) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(least, |scale, value| scale.max(value.abs()));
    let distances = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / scale);
    distances.fold(0.0, |worst, value| if value > worst || value.is_nan() { value } else { worst })
}

/// The largest differences of values, and of gradients for inputs, for p, for the weights of edges and for weights.
fn compare(found: &Found, expected: &Found) -> [f32; 5] {
    let worst = |found: &[Vec<f32>], expected: &[Vec<f32>], least: f32| {
        assert_eq!(found.len(), expected.len());
        let pairs = found.iter().zip(expected);
        pairs.map(|(a, b)| differs(a, b, least)).fold(0.0, f32::max)
    };
    let largest = expected.weights.iter().flatten().fold(0.0_f32, |most, x| most.max(x.abs()));
    [
        worst(&found.nodes, &expected.nodes, 1e-3),
        worst(&found.inputs, &expected.inputs, 1e-3),
        differs(&found.p, &expected.p, 1e-3),
        differs(&found.edge_weights, &expected.edge_weights, 1e-3),
        worst(&found.weights, &expected.weights, 1e-2 * largest),
    ]
}

fn holds(count: u32, device: &Device) {
    let cpu = Device::flex();
    let config = Config { cases: count, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng).run(&cases(), |case| {
        if case.edges.is_empty() {
            return Ok(());
        }
        let graph = Graph::new(&case);
        let expected = graph.pass(Kernels::Composed, &cpu);
        let found = graph.pass(Kernels::Fused, device);
        let errors = compare(&found, &expected);
        let statistics = differs(&found.statistics, &expected.statistics, 1e-3);
        prop_assert!(errors[0] < VALUES, "nodes differ by {:e}", errors[0]);
        prop_assert!(statistics < VALUES, "running statistics differ by {:e}", statistics);
        for (what, error) in ["inputs", "p", "edges", "weights"].into_iter().zip(&errors[1..]) {
            prop_assert!(*error < GRADIENTS, "gradients for {} differ by {:e}", what, error);
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_plan_gives_what_edge_by_edge_gives() {
    holds(96, &Device::flex());
}

#[test]
fn the_plan_on_wgpu_gives_what_edge_by_edge_gives_on_the_cpu() {
    if let Some(gpu) = crate::devices::wgpu() {
        holds(4, &gpu);
    }
}
