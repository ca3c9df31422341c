//! The checks of `kind = pdarts-search`: logits, losses, gradients, running statistics and three whole steps in
//! each stage, which operations fall between them, and what is derived at every restriction.

use burn::tensor::{Device, Tensor};
use shaders::Kernels;
use smoothdarts::cell::{Choice, Genotype, Rows};
use smoothdarts::config::{AlphaOptimiser, WeightsOptimiser};
use smoothdarts::method::architect::first_order;
use smoothdarts::net::{Build, NetShape};
use smoothdarts::optim::{Moments, adam, clip, clip_all, norm, sgd};
use smoothdarts::policy::softmax::{relax, relax_rows};
use smoothdarts::space::darts::progressive;
use smoothdarts::space::{self, Modified};
use smoothdarts::task::Point;

use super::cnn_search::{Case, concat, rng};
use super::fixture::{Fixture, Report};
use crate::devices::host;

/// The kinds of quantities of a stage agree so well in single precision.
const TOLERANCE: f32 = 1e-4;

pub fn check(fixture: &Fixture, device: &Device, kernels: Kernels) {
    let list = |key: &str| -> Vec<usize> { serde_json::from_str(fixture.text(key)).unwrap() };
    let (cells, channels, operations) = (list("cells"), list("channels"), list("operations"));
    let mut space = Modified::new(space::find(fixture.text("space")).unwrap(), Build::default());
    let all = space.choices.clone();
    for stage in 0..fixture.number("stages") {
        let name = format!("stage{stage}");
        assert_eq!(switches(&all, &space.choices), given(fixture, &name), "{name}");
        let shape = NetShape {
            image_channels: 3,
            classes: fixture.number("classes"),
            cells: cells[stage],
            channels: channels[stage],
            stem_multiplier: 3,
        };
        let part = fixture.part(&name, "stage", &[("cells", cells[stage].to_string())]);
        let network = space.supernet(shape).unwrap();
        let count: usize = fixture.number(&format!("{name}_parameters_without_alphas"));
        assert_eq!(network.layout().weight_count(), count, "{name}");
        let mut case = Case::of_network(&part, network, device, kernels);
        let trained = case.statistics_after_training();
        case.hold_from_any_start(Case::validation);
        case.hold_from_any_start(training);
        case.hold_from_any_start(|case, weights| case.evaluation(weights, &trained));
        case.hold_from_any_start(steps);
        case.report.finish(&format!("{} ({kernels:?}, {device:?})", part.name));
        let p = probabilities(fixture, &name, &space.choices);
        match operations.get(stage + 1) {
            Some(&count) => {
                for (choice, p) in p.iter().enumerate() {
                    space.keep(choice, &progressive::kept(p, count));
                }
            }
            None => derivation(fixture, &all, &space.choices, &p),
        }
    }
}

/// p of the choices of a stage.
fn probabilities(fixture: &Fixture, stage: &str, choices: &[Choice]) -> Vec<Rows> {
    let rows = |choice: &Choice| {
        let alpha = fixture.values(&format!("{stage}/alpha/{}", choice.name));
        relax_rows(&alpha.chunks(choice.shape()[1]).map(<[f32]>::to_vec).collect())
    };
    choices.iter().map(rows).collect()
}

/// Which of all operations are on, as the file writes it.
fn given(fixture: &Fixture, name: &str) -> Vec<f32> {
    let of = |cell: &str| fixture.values(&format!("{name}/switches_{cell}")).to_vec();
    ["normal", "reduce"].into_iter().flat_map(of).collect()
}

fn switches(all: &[Choice], choices: &[Choice]) -> Vec<f32> {
    let mut on = Vec::new();
    for (all, choice) in all.iter().zip(choices) {
        for (all, row) in all.rows.iter().zip(&choice.rows) {
            on.extend(all.options.iter().map(|it| f32::from(row.options.contains(it))));
        }
    }
    on
}

fn derivation(fixture: &Fixture, all: &[Choice], choices: &[Choice], p: &[Rows]) {
    let mut last = choices.to_vec();
    for (choice, p) in last.iter_mut().zip(p) {
        let strongest = progressive::strongest(choice, p);
        for (row, column) in choice.rows.iter_mut().zip(strongest) {
            row.options = vec![row.options[column.unwrap()].clone()];
        }
    }
    assert_eq!(switches(all, &last), given(fixture, "final"));
    let read = |text: &str| -> Genotype { serde_json::from_str(text).unwrap() };
    let first = progressive::derive(choices, p, usize::MAX);
    assert_eq!(first, read(fixture.text("genotype")));
    let found = progressive::restrictions(choices, p);
    let expected: serde_json::Value =
        serde_json::from_str(fixture.text("genotypes_by_skip_target")).unwrap();
    assert_eq!(found.len(), expected.as_object().unwrap().len());
    for (target, genotype) in &found {
        assert_eq!(*genotype, read(&expected[target.to_string()].to_string()), "target {target}");
    }
    // The script logs a target if it is below the number of skip connections that is left.
    let mut logged = vec![(None, first.clone())];
    let mut left = progressive::skips(&first);
    for (target, genotype) in found {
        if target < left {
            left = progressive::skips(&genotype);
            logged.push((Some(target), genotype));
        }
    }
    let expected: Vec<serde_json::Value> =
        serde_json::from_str(fixture.text("genotypes_logged")).unwrap();
    let expected = expected.iter().map(|entry| {
        let target = entry["target"].as_u64().map(|target| target as usize);
        (target, read(&entry["genotype"].to_string()))
    });
    assert_eq!(logged, expected.collect::<Vec<_>>());
}

fn training(case: &Case, weights: &Tensor<1>) -> Report {
    let (at, p, fixture) = (case.at(weights), relax(&case.alpha), case.fixture);
    let (gradient, outcome) = case.model.weight_gradient(at, &p, &case.train, rng());
    let (by_alpha, _) =
        case.model.architecture_gradient(at, &case.alpha, &relax, &case.train, rng());
    let mut report = Report::default();
    let mut same = |name: &str, found: Vec<f32>, expected: &[f32]| {
        report.relative(name, &found, expected, TOLERANCE);
    };
    for (name, found) in
        [("train/logits", host(outcome.logits)), ("train/loss", host(outcome.loss))]
    {
        same(name, found, fixture.values(name));
    }
    let grad_norm = host(norm(std::slice::from_ref(&gradient)));
    same("train/grad_norm", grad_norm, fixture.values("train/grad_norm"));
    same("train/grad", host(gradient), &case.by_weight("train/grad"));
    same("train/grad_alpha", concat(&by_alpha), &case.expected("train/grad_alpha"));
    let layout = case.model.network.layout();
    let statistics = layout.statistics_in_order(&host(outcome.statistics));
    let (means, variances) = statistics.split_at(layout.norm_channels());
    for (kind, found) in [("running_mean", means), ("running_var", variances)] {
        let of = |name: &str| fixture.values(&format!("train/{name}.{kind}")).to_vec();
        let expected: Vec<f32> = layout.norms().iter().flat_map(|slot| of(&slot.name)).collect();
        same(kind, found.to_vec(), &expected);
    }
    report
}

/// Whole steps of the released script on the same batches: both gradients are clipped.
fn steps(case: &Case, weights: &Tensor<1>) -> Report {
    let (fixture, optimiser) = (case.fixture, WeightsOptimiser::default());
    let alpha_optimiser = AlphaOptimiser {
        learning_rate: fixture.number("arch_lr"),
        clip: 5.0,
        ..AlphaOptimiser::default()
    };
    let (mut weights, mut running) = (weights.clone(), case.fresh.clone());
    let (mut alpha, mut buffer) = (case.alpha.clone(), weights.zeros_like());
    let zero =
        |alpha: &Tensor<2>| Moments { first: alpha.zeros_like(), second: alpha.zeros_like() };
    let mut moments: Vec<Moments> = alpha.iter().map(zero).collect();
    let (mut train_losses, mut valid_losses) = (Vec::new(), Vec::new());
    for step in 1..=fixture.number("steps") {
        let at = Point { weights: &weights, statistics: &running, eval: false };
        let found = first_order(&case.model, at, (&alpha, &relax), &case.valid, rng());
        let gradient = clip_all(found.gradient, alpha_optimiser.clip);
        for ((alpha, moments), gradient) in alpha.iter_mut().zip(&mut moments).zip(gradient) {
            (*alpha, *moments) =
                adam(alpha.clone(), moments.clone(), gradient, step, &alpha_optimiser);
        }
        valid_losses.extend(host(found.loss));
        let at = Point { weights: &weights, statistics: &found.statistics, eval: false };
        let (gradient, outcome) =
            case.model.weight_gradient(at, &relax(&alpha), &case.train, rng());
        let rate = fixture.number("weight_lr");
        (weights, buffer) = sgd(weights, buffer, clip(gradient, optimiser.clip), rate, &optimiser);
        train_losses.extend(host(outcome.loss));
        running = outcome.statistics;
    }
    let mut report = Report::default();
    for (name, losses) in [("steps/train_loss", train_losses), ("steps/valid_loss", valid_losses)] {
        report.relative(name, &losses, fixture.values(name), TOLERANCE);
    }
    report.absolute("steps/alpha", &concat(&alpha), &case.expected("steps/alpha"), TOLERANCE);
    report
}
