//! The checks of `kind = oneshot-method` for methods whose p is no softmax of α: GDAS at given Gumbel noise,
//! NASP at its binarised α.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::config::{AlphaOptimiser, Config, WeightsOptimiser};
use smoothdarts::nn::{Picked, Randomness};
use smoothdarts::optim::{Moments, adam, clip, norm, sgd};
use smoothdarts::policy::{Draw, Policy, Sample, Setup, gumbel, proximal};
use smoothdarts::rng::Streams;
use smoothdarts::task::Point;

use super::cnn_search::{Case, concat, rng};
use super::fixture::{Fixture, Report};
use crate::devices::host;

type Relax<'a> = Box<dyn Fn(&[Tensor<2>]) -> Vec<Tensor<2>> + 'a>;

/// From α to p, in one forward pass of the reference.
trait Method {
    /// p of leaves, and what the pass computes, in the pass of this name at this α.
    fn draw<'a>(
        &'a self,
        case: &'a Case,
        pass: &str,
        alpha: &[Tensor<2>],
    ) -> (Relax<'a>, Randomness);

    /// The gradient that Adam gets.
    fn gradient(&self, gradient: Vec<Tensor<2>>) -> Vec<Tensor<2>>;

    /// What becomes of α after the w-step.
    fn settle(&self, alpha: Tensor<2>) -> Tensor<2>;
}

pub fn check_gdas(fixture: &Fixture, device: &Device, kernels: Kernels) {
    let method = Gdas { temperature: fixture.number("tau") };
    let mut case = Case::new(fixture, device, kernels);
    for pass in ["valid", "train", "eval"] {
        let weights = method.weights(&case, pass);
        case.report.extend(weights);
    }
    check(case, &method);
}

pub fn check_nasp(fixture: &Fixture, device: &Device, kernels: Kernels) {
    let mut case = Case::new(fixture, device, kernels);
    let (config, streams) = (Config::default(), Streams::new(1));
    let setup = Setup {
        choices: case.model.network.architecture(),
        copies: 3,
        takes: Vec::new(),
        config: &config,
        streams: &streams,
        device,
    };
    let method = Nasp((proximal::ENTRY.new)(&setup));
    let binarised = host(proximal::binarised(&case.alpha[0]));
    case.report.absolute("binarised", &binarised, fixture.values("binarised/mixed_op"), 0.0);
    let (relax, _) = method.draw(&case, "train", &case.alpha);
    let p = host(relax(&case.alpha).remove(0));
    drop(relax);
    case.report.absolute("weights", &p, fixture.values("weights/mixed_op"), 1e-6);
    check(case, &method);
}

fn check(mut case: Case, method: &dyn Method) {
    let (fixture, title) = (case.fixture, format!("{:?}", case.model.kernels));
    case.hold_from_any_start(|case, weights| validation(case, method, weights));
    case.hold_from_any_start(|case, weights| training(case, method, weights));
    case.hold_from_any_start(|case, weights| steps(case, method, weights));
    case.report.finish(&format!("{} ({title})", fixture.name));
}

struct Gdas {
    temperature: f64,
}

impl Gdas {
    fn noise<'a>(case: &Case<'a>, pass: &str) -> Vec<&'a [f32]> {
        let choices = case.model.network.architecture().iter();
        choices.map(|it| case.fixture.values(&format!("gumbel/{pass}/{}", it.name))).collect()
    }

    /// The weights of a pass, and the softmax behind those of the operations.
    fn weights(&self, case: &Case, pass: &str) -> Report {
        let (relax, _) = self.draw(case, pass, &case.alpha);
        let mut report = Report::default();
        let expected = case.expected(&format!("{pass}/weights"));
        report.absolute(&format!("{pass}/weights"), &concat(&relax(&case.alpha)), &expected, 1e-5);
        let soft = gumbel::soft(&case.alpha[0], Self::noise(case, pass)[0], self.temperature);
        let name = format!("{pass}/soft/mixed_op");
        report.absolute(&name, &host(soft), case.fixture.values(&name), 1e-5);
        report
    }
}

impl Method for Gdas {
    fn draw<'a>(
        &'a self,
        case: &'a Case,
        pass: &str,
        alpha: &[Tensor<2>],
    ) -> (Relax<'a>, Randomness) {
        let noise = Self::noise(case, pass);
        let [_, options] = alpha[0].dims();
        let rows = host(alpha[0].clone()).chunks(options).map(<[f32]>::to_vec).collect();
        let columns = gumbel::strongest(&rows, noise[0]);
        let mut picked = vec![None; alpha.len()];
        picked[0] = Some(columns.clone());
        let relax = move |alpha: &[Tensor<2>]| -> Vec<Tensor<2>> {
            let soft = alpha.iter().zip(&noise);
            let soft = soft.map(|(alpha, noise)| gumbel::soft(alpha, noise, self.temperature));
            let mut p: Vec<Tensor<2>> = soft.collect();
            p[0] = gumbel::straight_through(p[0].clone(), &columns);
            p
        };
        let picked = Some(Arc::new(Picked(picked)));
        (Box::new(relax), Randomness { picked, ..rng().into() })
    }

    fn gradient(&self, gradient: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
        gumbel::clipped(gradient)
    }

    fn settle(&self, alpha: Tensor<2>) -> Tensor<2> {
        alpha
    }
}

struct Nasp(Box<dyn Policy>);

impl Method for Nasp {
    fn draw<'a>(&'a self, _: &'a Case, _: &str, _: &[Tensor<2>]) -> (Relax<'a>, Randomness) {
        let sample = Sample {
            rng: Pcg64::seed_from_u64(0),
            progress: 0.0,
            picked: None,
            architecture: None,
        };
        let relax = move |alpha: &[Tensor<2>]| self.0.relax(alpha, Draw::Step(sample.clone()));
        (Box::new(relax), rng().into())
    }

    fn gradient(&self, gradient: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
        gradient
    }

    fn settle(&self, alpha: Tensor<2>) -> Tensor<2> {
        alpha.clamp(0.0, 1.0)
    }
}

fn validation(case: &Case, method: &dyn Method, weights: &Tensor<1>) -> Report {
    let (relax, draws) = method.draw(case, "valid", &case.alpha);
    let (gradient, outcome) =
        case.model.architecture_gradient(case.at(weights), &case.alpha, &relax, &case.valid, draws);
    let mut report = Report::default();
    let fixture = case.fixture;
    report.relative("valid/logits", &host(outcome.logits), fixture.values("valid/logits"), 1e-4);
    report.relative("valid/loss", &host(outcome.loss), fixture.values("valid/loss"), 1e-4);
    let expected = case.expected("valid/grad_alpha");
    report.relative("valid/grad_alpha", &concat(&gradient), &expected, 1e-3);
    report
}

fn training(case: &Case, method: &dyn Method, weights: &Tensor<1>) -> Report {
    let (relax, draws) = method.draw(case, "train", &case.alpha);
    let (at, p, fixture) = (case.at(weights), relax(&case.alpha), case.fixture);
    let (gradient, outcome) = case.model.weight_gradient(at, &p, &case.train, draws.clone());
    let (by_alpha, _) =
        case.model.architecture_gradient(at, &case.alpha, &relax, &case.train, draws);
    let mut report = Report::default();
    report.relative("train/logits", &host(outcome.logits), fixture.values("train/logits"), 1e-4);
    report.relative("train/loss", &host(outcome.loss), fixture.values("train/loss"), 1e-4);
    let grad_norm = host(norm(std::slice::from_ref(&gradient)));
    report.relative("train/grad_norm", &grad_norm, fixture.values("train/grad_norm"), 1e-3);
    report.relative("train/grad", &host(gradient), &case.by_weight("train/grad"), 1e-3);
    let expected = case.expected("train/grad_alpha");
    report.relative("train/grad_alpha", &concat(&by_alpha), &expected, 1e-3);
    statistics(case, &mut report, "train", outcome.statistics.clone());
    if fixture.says("train_params_without_gradient") {
        let listed = fixture.text("train_params_without_gradient");
        let expected: BTreeSet<String> = serde_json::from_str(listed).unwrap();
        let slots = case.model.network.layout().weights().iter().enumerate();
        let unused = slots.filter(|(slot, _)| !outcome.used.contains(slot));
        let unused: BTreeSet<String> = unused.map(|(_, slot)| slot.name.clone()).collect();
        assert_eq!(unused, expected, "what no cell picked is not computed");
    }
    let (relax, draws) = method.draw(case, "eval", &case.alpha);
    let at = Point { weights, statistics: &outcome.statistics, eval: true };
    let found = case.model.loss(at, &relax(&case.alpha), &case.train, draws);
    report.relative("eval/logits", &host(found.logits), fixture.values("eval/logits"), 1e-4);
    report.relative("eval/loss", &host(found.loss), fixture.values("eval/loss"), 1e-4);
    report
}

fn statistics(case: &Case, report: &mut Report, prefix: &str, statistics: Tensor<2>) {
    let layout = case.model.network.layout();
    let statistics = layout.statistics_in_order(&host(statistics));
    let (means, variances) = statistics.split_at(layout.norm_channels());
    for (kind, found) in [("running_mean", means), ("running_var", variances)] {
        let of = |name: &str| case.fixture.values(&format!("{prefix}/{name}.{kind}")).to_vec();
        let expected: Vec<f32> = layout.norms().iter().flat_map(|slot| of(&slot.name)).collect();
        report.relative(&format!("{prefix} {kind}"), found, &expected, 1e-3);
    }
}

/// Five whole steps of the released script.
fn steps(case: &Case, method: &dyn Method, weights: &Tensor<1>) -> Report {
    let (alpha_optimiser, optimiser) = (AlphaOptimiser::default(), WeightsOptimiser::default());
    let layout = case.model.network.layout();
    let (mut weights, mut running) = (weights.clone(), case.fresh.clone());
    let (mut alpha, mut buffer) = (case.alpha.clone(), weights.zeros_like());
    let zero =
        |alpha: &Tensor<2>| Moments { first: alpha.zeros_like(), second: alpha.zeros_like() };
    let mut moments: Vec<Moments> = alpha.iter().map(zero).collect();
    let (mut train_losses, mut valid_losses) = (Vec::new(), Vec::new());
    let (mut used, mut report) = (BTreeSet::new(), Report::default());
    for step in 0..5 {
        let at = Point { weights: &weights, statistics: &running, eval: false };
        let (relax, draws) = method.draw(case, &format!("step{step}_valid"), &alpha);
        let (gradient, outcome) =
            case.model.architecture_gradient(at, &alpha, &relax, &case.valid, draws);
        used.extend(outcome.used);
        valid_losses.extend(host(outcome.loss));
        let tensors = alpha.iter_mut().zip(&mut moments);
        for ((alpha, moments), gradient) in tensors.zip(method.gradient(gradient)) {
            let at = (alpha.clone(), moments.clone());
            (*alpha, *moments) = adam(at.0, at.1, gradient, step + 1, &alpha_optimiser);
        }
        let after = |name: &str, alpha: &[Tensor<2>], report: &mut Report| {
            if step == 0 && case.fixture.has(&format!("steps/{name}/mixed_op")) {
                let expected = case.expected(&format!("steps/{name}"));
                report.absolute(name, &concat(alpha), &expected, 1e-4);
            }
        };
        after("alpha_after_first_adam", &alpha, &mut report);
        let (relax, draws) = method.draw(case, &format!("step{step}_train"), &alpha);
        let at = Point { weights: &weights, statistics: &outcome.statistics, eval: false };
        let (gradient, outcome) =
            case.model.weight_gradient(at, &relax(&alpha), &case.train, draws.clone());
        used.extend(outcome.used);
        let gradient = clip(gradient, optimiser.clip);
        let next = sgd(weights.clone(), buffer.clone(), gradient, 0.025, &optimiser);
        // Weights that no draw has used rest; where nothing is picked, all are used.
        let mask = match &draws.picked {
            Some(_) => layout.mask(&used),
            None => vec![1.0; layout.weight_count()],
        };
        let count = mask.len();
        let awake = Tensor::<1>::from_data(TensorData::new(mask, [count]), &case.device);
        let awake = awake.greater_elem(0.5);
        weights = weights.mask_where(awake.clone(), next.0);
        buffer = buffer.mask_where(awake, next.1);
        alpha = alpha.into_iter().map(|alpha| method.settle(alpha)).collect();
        after("alpha_after_first_clamp", &alpha, &mut report);
        train_losses.extend(host(outcome.loss));
        running = outcome.statistics;
    }
    for (what, losses) in [("train_loss", train_losses), ("valid_loss", valid_losses)] {
        let name = format!("steps/{what}");
        report.relative(&name, &losses, case.fixture.values(&name), 1e-4);
    }
    report.absolute("steps/alpha", &concat(&alpha), &case.expected("steps/alpha"), 1e-4);
    report.relative("steps/param", &host(weights), &case.by_weight("steps/param"), 2e-3);
    statistics(case, &mut report, "steps", running);
    report
}
