//! The checks of `kind = rnn-eval` and `rnn-eval-steps`: the network of a recurrent genotype, SGD and ASGD.

use burn::tensor::{Device, Tensor, TensorData};
use shaders::Kernels;
use smoothdarts::cell::{Genotype, codec};
use smoothdarts::config::{Config, WeightsOptimiser};
use smoothdarts::data::text::TextBatch;
use smoothdarts::net::{DerivedRecurrent, Dropout, LanguageShape, Network as _};
use smoothdarts::nn::{GradientTarget, Pass, Statistics};
use smoothdarts::optim::{Asgd, clip, norm, sgd};
use smoothdarts::task::{Carry as _, Hidden, Language, Model, Point, Task as _};

use super::cnn_search::rng;
use super::fixture::{Fixture, Report};
use crate::devices::host;

struct Case<'a> {
    fixture: &'a Fixture,
    device: Device,
    model: Model<Language>,
    dropout: Dropout,
    weights: Tensor<1>,
    none: Tensor<2>,
}

/// What a step gives.
struct Taken {
    gradient: Tensor<1>,
    nll: Vec<f32>,
    loss: Vec<f32>,
    hidden: Hidden,
}

pub fn check(fixture: &Fixture, device: &Device, kernels: Kernels) {
    let case = Case::new(fixture, device, kernels);
    let mut report = Report::default();
    match fixture.kind() {
        "rnn-eval" => case.once(&mut report),
        _ => case.steps(&mut report),
    }
    report.finish(&format!("{} ({kernels:?}, {device:?})", fixture.name));
}

/// The shares of the metadata, those whose masks are given.
fn dropout(fixture: &Fixture) -> Dropout {
    if !fixture.says("dropouts") {
        return Dropout::default();
    }
    let all: serde_json::Value = serde_json::from_str(fixture.text("dropouts")).unwrap();
    let share = |name: &str| all[name].as_f64().unwrap();
    Dropout {
        output: share("dropout"),
        hidden: share("dropouth"),
        input: share("dropoutx"),
        embedding: share("dropouti"),
        word: share("dropoute"),
    }
}

impl<'a> Case<'a> {
    fn new(fixture: &'a Fixture, device: &Device, kernels: Kernels) -> Self {
        let mut config = Config::default();
        let recurrent = &mut config.recurrent;
        recurrent.hidden = fixture.number("hidden_size");
        recurrent.temporal_regularisation = 1e-3;
        if fixture.says("temporal_activation_regularisation") {
            recurrent.bptt = fixture.number("bptt");
            recurrent.temporal_regularisation =
                fixture.number("temporal_activation_regularisation");
            recurrent.activation_regularisation = fixture.number("activation_regularisation");
        }
        let genotype: Genotype = serde_json::from_str(fixture.text("genotype")).unwrap();
        let name = fixture.text("genotype_name");
        let published = smoothdarts::cell::published::find_recurrent(name).unwrap();
        assert_eq!(published.genotype(), genotype, "the published cell {name}");
        assert_eq!(codec::of(&genotype).unwrap().name, "recurrent");
        let dropout = dropout(fixture);
        let shape = LanguageShape {
            vocabulary: fixture.number("vocabulary"),
            hidden: config.recurrent.hidden,
            dropout,
            last_word_rests: true,
        };
        let network = Box::new(DerivedRecurrent::new(&genotype, shape).unwrap());
        let layout = network.layout();
        let values = |name: &str| fixture.values(&format!("param/{name}")).to_vec();
        let ordered: Vec<f32> =
            layout.weights().iter().flat_map(|slot| values(&slot.name)).collect();
        let weights = layout.placed(&ordered);
        let count = weights.len();
        Self {
            weights: Tensor::from_data(TensorData::new(weights, [count]), device),
            none: Tensor::zeros([2, 1], device),
            device: device.clone(),
            model: Model::new(Language::new(&config), network, kernels),
            dropout,
            fixture,
        }
    }

    fn batch(&self, suffix: &str) -> TextBatch {
        let words = |name: &str| {
            self.fixture.values(&format!("{name}{suffix}")).iter().map(|&it| it as u32).collect()
        };
        let [rows, columns] = self.fixture.shape(&format!("x{suffix}"))[..] else { panic!() };
        TextBatch { words: words("x"), next: words("y"), columns, wanted: rows }
    }

    fn hidden(&self, name: &str) -> Hidden {
        let shape = self.fixture.shape(name);
        let shape = [shape[1], shape[2]];
        let values = self.fixture.values(name).to_vec();
        Hidden::new(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// The masks of a step, in the order in which the network asks for them, 1 for what stays.
    fn masks(&self, step: usize) -> Vec<f32> {
        let Dropout { output, hidden, input, embedding, word } = self.dropout;
        let shares = [
            ("word", word),
            ("embedding", embedding),
            ("x", input),
            ("h", hidden),
            ("output", output),
        ];
        let given = shares.iter().filter(|(_, share)| *share > 0.0);
        let values =
            given.flat_map(|(name, _)| self.fixture.values(&format!("mask/{name}/{step}")));
        values.map(|&value| if value > 0.0 { 1.0 } else { 0.0 }).collect()
    }

    /// Loss, penalty and gradient of a sequence in train mode.
    fn take(
        &self,
        weights: &Tensor<1>,
        batch: &TextBatch,
        hidden: &Hidden,
        masks: Vec<f32>,
    ) -> Taken {
        let input = self.model.task.upload(batch.clone(), hidden, &self.device);
        let (layout, kernels) = (self.model.network.layout(), self.model.kernels);
        let target = GradientTarget::Weights;
        let pass = Pass::new(layout, weights, Statistics::Batch, target, kernels, rng().into());
        let mut pass = pass.with_masks(masks);
        let scored = self.model.task.loss(self.model.network.as_ref(), &input, &[], &mut pass);
        let nll = host(scored.loss.clone().inner());
        let loss = scored.loss + scored.penalty.unwrap();
        let mut gradients = loss.backward();
        let gradient = pass.weight_gradient(layout, &mut gradients);
        Taken { gradient, nll, loss: host(loss.inner()), hidden: scored.carry }
    }

    /// One pass, and that eval mode does the same twice.
    fn once(&self, report: &mut Report) {
        let batch = self.batch("");
        let taken = self.take(&self.weights, &batch, &self.hidden("hidden"), Vec::new());
        report.relative("nll", &taken.nll, self.fixture.values("nll"), 1e-4);
        let expected = self.fixture.values("loss_with_tar_1e-3");
        report.relative("loss", &taken.loss, expected, 1e-4);
        let next = host(taken.hidden.tensors().remove(0));
        report.relative("hidden_next", &next, self.fixture.values("hidden_next"), 1e-4);
        self.by_weight(report, "grad", &taken.gradient, 1e-3);
        let outcome = self.model.weight_gradient(
            Point { weights: &self.weights, statistics: &self.none, eval: false },
            &[],
            &self.model.task.upload(batch.clone(), &self.hidden("hidden"), &self.device),
            rng(),
        );
        self.by_weight(report, "grad", &outcome.0, 1e-3);
        let [first, second] = [0, 1].map(|_| self.evaluated(&self.weights, &batch));
        report.absolute("eval twice", &first, &second, 0.0);
    }

    /// Steps of SGD and of ASGD; everything within 1e-4.
    fn steps(&self, report: &mut Report) {
        let fixture = self.fixture;
        let (rate, bptt): (f64, f64) = (fixture.number("learning_rate"), fixture.number("bptt"));
        let optimiser = WeightsOptimiser {
            momentum: 0.0,
            weight_decay: fixture.number("weight_decay"),
            ..WeightsOptimiser::default()
        };
        let (of_sgd, of_asgd): (usize, usize) =
            (fixture.number("sgd_steps"), fixture.number("asgd_steps"));
        let (mut weights, mut hidden) = (self.weights.clone(), self.hidden("hidden"));
        let mut averaging = None;
        let (mut nll, mut losses, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        for step in 0..of_sgd + of_asgd {
            let batch = self.batch(&format!("/{step}"));
            let taken = self.take(&weights, &batch, &hidden, self.masks(step));
            if step == 0 {
                self.by_weight(report, "step1/grad", &taken.gradient, 1e-4);
            }
            nll.extend(taken.nll);
            losses.extend(taken.loss);
            norms.extend(host(norm(std::slice::from_ref(&taken.gradient))));
            let gradient = clip(taken.gradient, fixture.number("grad_clip"));
            let rate = rate * batch.rows() as f64 / bptt;
            if step < of_sgd {
                let buffer = gradient.zeros_like();
                weights = sgd(weights, buffer, gradient, rate, &optimiser).0;
            } else {
                let averaging = averaging.get_or_insert_with(|| Asgd::new(&weights, rate));
                let rates = (rate, optimiser.weight_decay);
                weights = averaging.step(weights, gradient, rates, true);
            }
            hidden = taken.hidden;
            if step + 1 == of_sgd {
                self.by_weight(report, "sgd/param", &weights, 1e-4);
                let found = host(hidden.tensors().remove(0));
                report.relative("sgd/hidden", &found, fixture.values("sgd/hidden"), 1e-4);
            }
        }
        for (what, found) in [("nll", nll), ("loss", losses), ("grad_norm", norms)] {
            let what = format!("steps/{what}");
            report.relative(&what, &found, fixture.values(&what), 1e-4);
        }
        let found = host(hidden.tensors().remove(0));
        report.relative("steps/hidden", &found, fixture.values("steps/hidden"), 1e-4);
        let average = averaging.unwrap().average;
        self.by_weight(report, "asgd/param", &weights, 1e-4);
        self.by_weight(report, "asgd/averaged", &average, 1e-4);
        let batch = self.batch("_eval");
        for (what, weights) in [("current", &weights), ("averaged", &average)] {
            let what = format!("eval/nll_{what}");
            report.relative(&what, &self.evaluated(weights, &batch), fixture.values(&what), 1e-4);
        }
    }

    /// The loss in eval mode, from a hidden state of zeros.
    fn evaluated(&self, weights: &Tensor<1>, batch: &TextBatch) -> Vec<f32> {
        let input = self.model.task.upload(batch.clone(), &Hidden::default(), &self.device);
        let at = Point { weights, statistics: &self.none, eval: true };
        host(self.model.loss(at, &[], &input, rng()).loss)
    }

    /// The worst weight tensor, each relative to its own largest entry.
    fn by_weight(&self, report: &mut Report, prefix: &str, flat: &Tensor<1>, tolerance: f32) {
        let flat = host(flat.clone());
        let mut worst = 0.0f32;
        for slot in self.model.network.layout().weights() {
            let expected = self.fixture.values(&format!("{prefix}/{}", slot.name));
            let found = &flat[slot.range.clone()];
            let scale = expected.iter().fold(f32::MIN_POSITIVE, |it, value| it.max(value.abs()));
            let errors = found.iter().zip(expected).map(|(one, other)| (one - other).abs() / scale);
            worst = errors.fold(
                worst,
                |worst, error| if error > worst || error.is_nan() { error } else { worst },
            );
        }
        report.absolute(&format!("{prefix} (worst tensor)"), &[worst], &[0.0], tolerance);
    }
}
