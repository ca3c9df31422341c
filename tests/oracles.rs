//! The oracles of the specification (§14): closed forms and counts that hold exactly. The numbers
//! come from tests/data/oracles.json.

use burn::tensor::{Device, Tensor, TensorData};
use pollster::block_on;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde_json::Value;
use shaders::Kernels;
use smoothdarts::cell::codec::darts;
use smoothdarts::cell::{Cell, Row};
use smoothdarts::config::{
    AlphaOptimiser, Config, Mode, Norm, Perturbation, Projection, WeightsOptimiser,
};
use smoothdarts::net::{NetShape, Supernet};
use smoothdarts::optim::{Moments, adam, clip, cosine, sgd};
use smoothdarts::perturb::{Ascent, Ball, Objective, attack, epsilon, row_clip};
use smoothdarts::policy::softmax::{initial, relax_rows};
use smoothdarts::rng::Streams;
use smoothdarts::space::darts::derive_cell;
use smoothdarts::{ops, space};

use crate::devices::host;

fn oracles() -> Value {
    serde_json::from_str(include_str!("data/oracles.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn row(values: &[f32]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &Device::flex())
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= tolerance, "entry {index}: {found}, expected {expected}");
    }
}

fn supernet(name: &str, classes: usize) -> Box<dyn Supernet> {
    let shape = NetShape { image_channels: 3, classes, cells: 8, channels: 16, stem_multiplier: 3 };
    space::find(name).unwrap().supernet(shape).unwrap()
}

/// Those of P-DARTS's stages, with all 8 operations (spec §1.5). Where some fell, there are fewer.
#[test]
fn the_networks_of_stages_have_exactly_the_parameters_of_the_specification() {
    let darts = space::find("darts").unwrap();
    for (cells, expected) in [(5, 1_275_834), (11, 2_585_146), (17, 3_894_202)] {
        let shape =
            NetShape { image_channels: 3, classes: 10, cells, channels: 16, stem_multiplier: 3 };
        assert_eq!(darts.supernet(shape).unwrap().layout().weight_count(), expected);
    }
}

#[test]
fn supernets_have_exactly_the_parameters_of_the_specification() {
    let counts = &oracles()["supernet_params"];
    let expected = |key: &str| counts[key].as_u64().unwrap() as usize;
    for (name, classes, key) in [
        ("darts", 10, "darts_8op_or_7op_C16_L8_nc10"),
        ("s5", 10, "darts_8op_or_7op_C16_L8_nc10"),
        ("s5", 100, "nc100"),
        ("s1", 10, "s1"),
        ("s2", 10, "s2"),
        ("s3", 10, "s3"),
        ("s4", 10, "s4"),
    ] {
        assert_eq!(supernet(name, classes).layout().weight_count(), expected(key), "{name}");
    }
}

#[test]
fn every_space_has_all_edges_in_order_and_even_rows_at_zero_alpha() {
    let of_images = space::ALL.iter().filter(|row| row.reads() == space::Reads::Images);
    for row in of_images {
        let network = supernet(row.name, 10);
        assert_eq!(network.architecture(), row.choices(), "{}", row.name);
        for (tensor, cell) in row.choices().iter().zip(row.derive(&[]).cells) {
            if tensor.rows.iter().any(Row::is_of_node) {
                continue; // tests/oneshot.rs
            }
            let inputs = cell.inputs.len();
            let nodes = if inputs == 1 { 3 } else { 4 };
            let ends =
                (inputs..inputs + nodes).flat_map(|node| (0..node).map(move |it| (node, it)));
            let found = tensor.rows.iter().map(|edge| (edge.node, edge.source));
            assert!(found.eq(ends), "{} {}", row.name, tensor.name);
            for edge in &tensor.rows {
                let operations = edge.options.len();
                let p = relax_rows(&vec![vec![0.0; operations]]);
                assert_close(&p[0], &vec![1.0 / operations as f32; operations], 1e-7);
            }
        }
    }
}

#[test]
fn cells_have_the_channels_of_the_specification() {
    let net = supernet("s5", 10);
    let shape_of = |name: &str| {
        let slot = net.layout().weights().iter().find(|slot| slot.name == name);
        slot.unwrap_or_else(|| panic!("{name}")).shape.clone()
    };
    let table = [
        (48, 48, 16),
        (48, 64, 16),
        (64, 64, 32),
        (64, 128, 32),
        (128, 128, 32),
        (128, 128, 64),
        (128, 256, 64),
        (256, 256, 64),
    ];
    for (cell, (before, previous, channels)) in table.into_iter().enumerate() {
        let second = shape_of(&format!("cells.{cell}.preprocess1.op.1.weight"));
        assert_eq!(second, [channels, previous, 1, 1], "cell {cell}");
        // A cell after a reduction halves its older input, in two halves of the channels.
        if cell == 3 || cell == 6 {
            let first = shape_of(&format!("cells.{cell}.preprocess0.conv_2.weight"));
            assert_eq!(first, [channels / 2, before, 1, 1], "cell {cell}");
        } else {
            let first = shape_of(&format!("cells.{cell}.preprocess0.op.1.weight"));
            assert_eq!(first, [channels, before, 1, 1], "cell {cell}");
        }
    }
}

#[test]
fn row_clip_gives_the_table_of_the_specification() {
    for case in oracles()["clip_row"].as_array().unwrap() {
        let found = host(row_clip(row(&numbers(&case["inp"]))));
        assert_close(&found, &numbers(&case["out"]), 1e-6);
    }
}

#[test]
fn a_row_that_the_clip_empties_puts_all_mass_on_its_largest_entry() {
    assert_eq!(host(row_clip(row(&[-0.3, -0.1, -0.2]))), [0.0, 1.0, 0.0]);
}

/// L(p) = ⟨g, p⟩.
struct Linear(Tensor<2>);

impl Objective for Linear {
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1> {
        (p[0].clone() * self.0.clone()).sum()
    }
    fn gradient(&mut self, _: &[Tensor<2>]) -> Vec<Tensor<2>> {
        vec![self.0.clone()]
    }
}

#[test]
fn pgd_on_a_linear_loss_gives_the_table_of_the_specification() {
    for kernels in [Kernels::Composed, Kernels::Fused] {
        pgd_gives_the_table(kernels);
    }
}

fn pgd_gives_the_table(kernels: Kernels) {
    for case in oracles()["pgd_linear"].as_array().unwrap() {
        let p = numbers(&case["p"]);
        let epsilon = case["eps"].as_f64().unwrap();
        let ball = Ball { epsilon, norm: Norm::Linf, projection: Projection::RowClip };
        let ascent =
            Ascent { steps: 7, step_scale: 2.0, random_start: false, revert: true, kernels };
        let mut loss = Linear(row(&numbers(&case["g"])));
        let mut rng = Pcg64::seed_from_u64(0);
        let found = block_on(attack(&[row(&p)], ball, ascent, &mut loss, &mut rng)).unwrap();
        assert_close(&host(found.p[0].clone()), &numbers(&case["result"]), 1e-6);
        let before = case["loss_before"].as_f64().unwrap() as f32;
        let after = case["loss_after"].as_f64().unwrap() as f32;
        assert_close(&host(found.loss_before), &[before], 1e-6);
        assert_close(&host(found.loss_after), &[after], 1e-6);
    }
}

#[test]
fn epsilon_grows_from_its_minimum_and_stops_one_step_short_unless_in_paper_mode() {
    let config = Perturbation::default();
    for (epoch, epochs, expected) in
        [(0, 50, 0.03), (25, 50, 0.165), (49, 50, 0.2946), (99, 100, 0.2973)]
    {
        assert!((epsilon(&config, false, epoch, epochs) - expected).abs() < 1e-12);
    }
    assert!((epsilon(&config, true, 49, 50) - 0.3).abs() < 1e-12);
    assert!((epsilon(&config, true, 0, 1) - 0.03).abs() < 1e-12);
}

#[test]
fn paper_mode_changes_the_quirks_and_faithful_mode_restores_them() {
    let mut config = Config::default();
    config.set_mode(Mode::Paper);
    assert_eq!(config.quirks.projection, Projection::Exact);
    assert!(config.quirks.epsilon_reaches_max);
    config.set_mode(Mode::Faithful);
    assert_eq!(config, Config::default());
}

#[test]
fn the_learning_rate_follows_the_cosine() {
    let config = WeightsOptimiser::default();
    for (epoch, expected) in [(0, 0.025), (10, 0.022708204), (25, 0.013), (49, 0.00102368)] {
        assert!((cosine(&config, epoch, 50) - expected).abs() < 1e-8, "epoch {epoch}");
    }
}

#[test]
fn adam_takes_a_first_step_of_the_learning_rate_against_the_decayed_gradient() {
    let config = AlphaOptimiser::default();
    let (alpha, gradient) = ([0.5f32, -2.0, 0.0], [0.1f32, 0.002, -3.0]);
    let zero = row(&[0.0; 3]);
    let moments = Moments { first: zero.clone(), second: zero };
    let (found, _) = adam(row(&alpha), moments, row(&gradient), 1, &config);
    let expected: Vec<f32> = alpha
        .iter()
        .zip(gradient)
        .map(|(alpha, gradient)| {
            let g = f64::from(gradient) + config.weight_decay * f64::from(*alpha);
            let step = config.learning_rate * g / (g.abs() + config.eps);
            (f64::from(*alpha) - step) as f32
        })
        .collect();
    assert_close(&host(found), &expected, 5e-6);
}

#[test]
fn sgd_takes_its_second_step_along_the_momentum_buffer() {
    let config = WeightsOptimiser { weight_decay: 0.0, ..WeightsOptimiser::default() };
    let vector = |values: [f32; 2]| Tensor::<1>::from_data(values, &Device::flex());
    let (first, second) = ([1.0f32, -2.0], [0.5f32, 3.0]);
    let (weights, buffer) = sgd(vector([0.0; 2]), vector([0.0; 2]), vector(first), 0.1, &config);
    assert_close(&host(weights.clone()), &[-0.1, 0.2], 1e-7);
    let (weights, buffer) = sgd(weights, buffer, vector(second), 0.1, &config);
    assert_close(&host(buffer), &[0.9 + 0.5, -1.8 + 3.0], 1e-6);
    assert_close(&host(weights), &[-0.1 - 0.14, 0.2 - 0.12], 1e-6);
}

#[test]
fn the_clip_scales_a_long_gradient_and_leaves_a_short_one_alone() {
    let vector = |values: [f32; 2]| Tensor::<1>::from_data(values, &Device::flex());
    assert_close(&host(clip(vector([30.0, 40.0]), 5.0)), &[3.0, 4.0], 1e-5);
    assert_eq!(host(clip(vector([0.3, 0.4]), 5.0)), [0.3, 0.4]);
    assert_eq!(host(clip(vector([30.0, 40.0]), 0.0)), [30.0, 40.0]);
}

fn edges(operations: &[&str]) -> Vec<Row> {
    let names: Vec<String> = operations.iter().map(|name| (*name).to_owned()).collect();
    let ends = (2..6).flat_map(|node| (0..node).map(move |source| (node, source)));
    ends.map(|(node, source)| Row { node, source, options: names.clone() }).collect()
}

fn genes(cell: &Cell) -> Vec<darts::Gene> {
    cell.edges().map(|(_, edge)| (edge.operation.clone().unwrap(), edge.source)).collect()
}

#[test]
fn ties_go_to_the_first_edge_and_the_first_operation() {
    let found = genes(&derive_cell("normal", &edges(&["a", "b"]), &vec![vec![0.5, 0.5]; 14]));
    let a = |source| ("a".to_owned(), source);
    assert_eq!(found, [a(0), a(1), a(0), a(1), a(0), a(1), a(0), a(1)]);
}

#[test]
fn genes_of_a_node_are_listed_by_strength() {
    let mut rows = vec![vec![0.6, 0.4]; 14];
    rows[0] = vec![0.3, 0.7]; // node 2 from state 0
    rows[1] = vec![0.9, 0.1]; // node 2 from state 1
    let found = genes(&derive_cell("normal", &edges(&["a", "b"]), &rows));
    assert_eq!(found[..2], [("a".to_owned(), 1), ("b".to_owned(), 0)]);
}

#[test]
fn none_is_never_derived_even_where_it_dominates() {
    let rows = relax_rows(&vec![vec![9.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]; 14]);
    let genotype = space::find("darts").unwrap().derive(&[rows.clone(), rows]);
    let normal = genotype.cell("normal").unwrap();
    assert_eq!(normal.edges().count(), 8);
    assert!(normal.operations().all(|operation| operation == "max_pool_3x3"));
    genotype.validate().unwrap();
}

#[test]
fn initial_alpha_is_a_thousandth_of_a_standard_normal() {
    let net = supernet("darts", 10);
    let alpha = initial(net.architecture(), 1e-3, &Streams::new(7));
    let all: Vec<f32> = alpha.concat().concat();
    assert_eq!(all.len(), 2 * 14 * 8);
    let deviation = (all.iter().map(|a| a * a).sum::<f32>() / all.len() as f32).sqrt();
    assert!((8e-4..1.2e-3).contains(&deviation), "{deviation}");
    assert_ne!(alpha[0], alpha[1], "normal and reduction cells start independently");
}

#[test]
fn every_operation_has_the_parameters_of_its_closed_form() {
    use smoothdarts::nn::{Builder, Layout, NormOptions};
    for operation in ops::ALL {
        for (channels, stride) in [(4, 1), (4, 2), (16, 1), (16, 2), (6, 2)] {
            let mut layout = Layout::default();
            let site =
                ops::Site { channels, stride, norm: NormOptions::new(false), pool_norm: true };
            operation.build(&mut Builder::new(&mut layout), site);
            let expected = (operation.parameters)(channels, stride);
            assert_eq!(layout.weight_count(), expected, "{} {channels} {stride}", operation.name);
        }
    }
}
