//! The checks of `kind = rnn-search` and `rnn-search-steps`: losses, gradients, running statistics, the next
//! hidden state, PGD, five whole steps, and the second-order gradient with its quirks.

use burn::tensor::{Device, Int, Tensor, TensorData};
use pollster::block_on;
use shaders::Kernels;
use smoothdarts::cell::Genotype;
use smoothdarts::config::{AlphaOptimiser, Config, Norm, Projection, WeightsOptimiser};
use smoothdarts::method::architect::{Computed, Unrolling, first_order, second_order};
use smoothdarts::net::{Dropout, LanguageShape};
use smoothdarts::optim::{Moments, adam, clip, norm, sgd};
use smoothdarts::perturb::{Ascent, Ball, Objective, attack, row_clip};
use smoothdarts::policy::softmax::{relax, relax_rows};
use smoothdarts::space;
use smoothdarts::task::{Carry as _, Hidden, Language, Model, Point, Task as _, TextInput};

use super::cnn_search::{concat, rng};
use super::fixture::{Fixture, Report};
use crate::devices::host;

struct Case<'a> {
    fixture: &'a Fixture,
    device: Device,
    kernels: Kernels,
    weights: Tensor<1>,
    fresh: Tensor<2>,
    alpha: Vec<Tensor<2>>,
    report: Report,
}

pub fn check(fixture: &Fixture, device: &Device, kernels: Kernels) {
    let mut case = Case::new(fixture, device, kernels);
    let trained = case.validation();
    case.evaluation(&trained);
    case.attack(&trained);
    case.derivation();
    if fixture.kind() == "rnn-search-steps" {
        case.steps();
        case.unrolled("unrolled", |_| {});
        case.unrolled("unrolled_full", |config| config.quirks.unrolled_keeps_embedding = false);
        case.unrolled("unrolled_unclipped", |config| {
            config.weights.clip = fixture.number("unrolled_unclipped_grad_clip");
        });
    }
    case.report.finish(&format!("{} ({kernels:?}, {device:?})", fixture.name));
}

impl<'a> Case<'a> {
    fn new(fixture: &'a Fixture, device: &Device, kernels: Kernels) -> Self {
        let mut case = Self {
            fixture,
            device: device.clone(),
            kernels,
            weights: Tensor::zeros([1], device),
            fresh: Tensor::zeros([1, 1], device),
            alpha: vec![fixture.matrix("alpha/cell", device)],
            report: Report::default(),
        };
        let model = case.model(|_| {});
        let layout = model.network.layout();
        case.weights = case.vector(case.by_weight(&model, "param"));
        let fresh = case.vector(layout.initial_statistics());
        case.fresh = fresh.reshape([2, layout.norm_channels()]);
        case
    }

    fn config(&self) -> Config {
        let (fixture, mut config) = (self.fixture, Config::default());
        config.recurrent.hidden = fixture.number("hidden_size");
        config.recurrent.temporal_regularisation = 0.0;
        if fixture.says("bptt") {
            config.recurrent.bptt = fixture.number("bptt");
            config.recurrent.temporal_regularisation =
                fixture.number("temporal_activation_regularisation");
            config.recurrent.activation_regularisation =
                fixture.number("activation_regularisation");
            config.weights.clip = fixture.number("grad_clip");
        }
        config
    }

    fn model(&self, change: impl FnOnce(&mut Config)) -> Model<Language> {
        let shape = LanguageShape {
            vocabulary: self.fixture.number("vocabulary"),
            hidden: self.fixture.number("hidden_size"),
            dropout: Dropout::default(),
            last_word_rests: true,
        };
        let network = space::find("recurrent").unwrap().language(shape).unwrap();
        let mut config = self.config();
        change(&mut config);
        Model::new(Language::new(&config), network, self.kernels)
    }

    fn vector(&self, values: Vec<f32>) -> Tensor<1> {
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), &self.device)
    }

    fn by_weight(&self, model: &Model<Language>, prefix: &str) -> Vec<f32> {
        let layout = model.network.layout();
        let values = |name: &str| self.fixture.values(&format!("{prefix}/{name}")).to_vec();
        let slots = layout.weights().iter();
        layout.placed(&slots.flat_map(|slot| values(&slot.name)).collect::<Vec<_>>())
    }

    /// The words `words` and those that follow, `next`, from this state.
    fn text(&self, words: &str, next: &str, hidden: Tensor<2>) -> TextInput {
        let columns: usize = self.fixture.number("batch");
        let numbers = |name: &str| -> Vec<i32> {
            self.fixture.values(name).iter().map(|&word| word as i32).collect()
        };
        let (words, next) = (numbers(words), numbers(next));
        let (count, rows) = (next.len(), words.len() / columns);
        let words = TensorData::new(words, [rows, columns]);
        TextInput {
            words: Tensor::<2, Int>::from_data(words, &self.device),
            next: Tensor::<1, Int>::from_data(TensorData::new(next, [count]), &self.device),
            hidden,
            wanted: rows,
        }
    }

    fn state(&self, name: &str) -> Tensor<2> {
        let size = |key| self.fixture.number::<usize>(key);
        let (columns, width) = (size("batch"), size("hidden_size"));
        let values = self.fixture.values(name).to_vec();
        Tensor::from_data(TensorData::new(values, [columns, width]), &self.device)
    }

    fn given(&self) -> TextInput {
        self.text("x", "y", self.state("hidden"))
    }

    fn start(&self) -> Point<'_> {
        Point { weights: &self.weights, statistics: &self.fresh, eval: false }
    }

    fn running(&self, prefix: &str) -> Vec<f32> {
        let of = |kind| self.fixture.values(&format!("{prefix}/rnns.0.bn.running_{kind}"));
        [of("mean"), of("var")].concat()
    }

    /// Train mode from fresh statistics; returns those after it.
    fn validation(&mut self) -> Tensor<2> {
        let (model, input, fixture) = (self.model(|_| {}), self.given(), self.fixture);
        let found = first_order(&model, self.start(), (&self.alpha, &relax), &input, rng());
        let p = relax(&self.alpha);
        let (gradient, _) = model.unpenalised_weight_gradient(self.start(), &p, &input, rng());
        let expected = self.by_weight(&model, "valid/grad");
        let (running, report) = (self.running("valid"), &mut self.report);
        let loss = host(found.loss);
        report.relative("valid/loss", &loss, fixture.values("valid/loss"), 1e-4);
        let by_alpha = concat(&found.gradient);
        report.relative("grad_alpha", &by_alpha, fixture.values("valid/grad_alpha/cell"), 1e-3);
        report.relative("valid/grad", &host(gradient), &expected, 1e-3);
        let [next] = <[_; 1]>::try_from(found.carry.tensors()).unwrap();
        report.relative("hidden_next", &host(next), fixture.values("valid/hidden_next"), 1e-4);
        report.relative("running", &host(found.statistics.clone()), &running, 1e-3);
        found.statistics
    }

    fn evaluation(&mut self, statistics: &Tensor<2>) {
        let at = Point { weights: &self.weights, statistics, eval: true };
        let (p, input) = (relax(&self.alpha), self.given());
        let outcome = self.model(|_| {}).loss(at, &p, &input, rng());
        let loss = host(outcome.loss);
        self.report.relative("eval/loss", &loss, self.fixture.values("eval/loss"), 1e-4);
        assert_eq!(host(outcome.statistics), host(statistics.clone()), "eval mode leaves them");
    }

    fn attack(&mut self, statistics: &Tensor<2>) {
        struct Loss<'a>(&'a Model<Language>, Point<'a>, &'a TextInput);
        impl Objective for Loss<'_> {
            fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1> {
                self.0.loss(self.1, p, self.2, rng()).loss
            }
            fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>> {
                self.0.probability_gradient(self.1, p, self.2, rng()).0
            }
        }
        let at = Point { weights: &self.weights, statistics, eval: true };
        let epsilon = self.fixture.number("epsilon");
        let ball = Ball { epsilon, norm: Norm::Linf, projection: Projection::RowClip };
        let steps = self.fixture.number("pgd_steps");
        let ascent = Ascent {
            steps,
            step_scale: 2.0,
            random_start: false,
            revert: true,
            kernels: self.kernels,
        };
        let (model, input, p) = (self.model(|_| {}), self.given(), relax(&self.alpha));
        let mut loss = Loss(&model, at, &input);
        let attacked = block_on(attack(&p, ball, ascent, &mut loss, &mut rng())).unwrap();
        let (found, fixture) = (concat(&attacked.p), self.fixture);
        // A sign that rounding decides moves its entry by a whole step: 1 entry in 50 may do so.
        self.report.share("adv/prob off", &found, fixture.values("adv/prob/cell"), 1e-4, 0.02);
        let loss = host(attacked.loss_after);
        self.report.relative("adv/loss", &loss, fixture.values("adv/loss"), 1e-4);
    }

    fn derivation(&self) {
        let alpha = host(self.alpha[0].clone()).chunks(5).map(<[f32]>::to_vec).collect();
        let found = space::find("recurrent").unwrap().derive(&[relax_rows(&alpha)]);
        let expected: Genotype = serde_json::from_str(self.fixture.text("genotype")).unwrap();
        assert_eq!(found, expected, "{}: genotype", self.fixture.name);
    }

    /// Five whole first-order SDARTS-RS steps on sequences of several lengths, both hidden states carried.
    fn steps(&mut self) {
        let (model, fixture, config) = (self.model(|_| {}), self.fixture, self.config());
        let alpha_optimiser = AlphaOptimiser {
            learning_rate: fixture.number("arch_lr"),
            beta1: 0.9,
            weight_decay: fixture.number("arch_weight_decay"),
            ..AlphaOptimiser::default()
        };
        let optimiser = self.optimiser();
        let (mut weights, mut statistics) = (self.weights.clone(), self.fresh.clone());
        let (mut alpha, mut buffer) = (self.alpha.clone(), weights.zeros_like());
        let zero = || Moments { first: alpha[0].zeros_like(), second: alpha[0].zeros_like() };
        let mut moments = zero();
        let [mut train, mut valid] =
            ["hidden", "hidden_valid"].map(|name| Hidden::new(self.state(name)));
        let (mut nll, mut losses, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        for step in 0..5 {
            let at = Point { weights: &weights, statistics: &statistics, eval: false };
            let state = valid.tensors().remove(0);
            let (x, y) = (format!("steps/x_valid/{step}"), format!("steps/y_valid/{step}"));
            let input = self.text(&x, &y, state);
            let found = first_order(&model, at, (&alpha, &relax), &input, rng());
            valid = found.carry;
            losses.extend(host(found.loss));
            let [gradient] = <[_; 1]>::try_from(found.gradient).unwrap();
            (alpha[0], moments) =
                adam(alpha[0].clone(), moments, gradient, step + 1, &alpha_optimiser);
            let noise = fixture.matrix(&format!("steps/noise/{step}"), &self.device);
            let p = vec![row_clip(relax(&alpha).remove(0) + noise)];
            if step == 0 {
                let expected = fixture.values("steps/prob/0");
                self.report.absolute("steps/prob/0", &concat(&p), expected, 1e-4);
            }
            let state = train.tensors().remove(0);
            let input = self.text(&format!("steps/x/{step}"), &format!("steps/y/{step}"), state);
            let at = Point { weights: &weights, statistics: &found.statistics, eval: false };
            let (gradient, outcome) = model.weight_gradient(at, &p, &input, rng());
            norms.extend(host(norm(std::slice::from_ref(&gradient))));
            let gradient = clip(gradient, config.weights.clip);
            let rate = fixture.number::<f64>("learning_rate") * model.task.rate(&input);
            (weights, buffer) = sgd(weights, buffer, gradient, rate, &optimiser);
            (statistics, train) = (outcome.statistics, outcome.carry);
            nll.extend(host(outcome.loss));
        }
        let params = self.by_weight(&model, "steps/param");
        let (running, report) = (self.running("steps"), &mut self.report);
        report.relative("valid_loss", &losses, fixture.values("steps/valid_loss"), 1e-4);
        report.relative("train_nll", &nll, fixture.values("steps/train_nll"), 1e-4);
        report.relative("grad_norm", &norms, fixture.values("steps/grad_norm"), 2e-3);
        report.absolute("steps/alpha", &concat(&alpha), fixture.values("steps/alpha/cell"), 1e-4);
        report.relative("steps/param", &host(weights), &params, 2e-3);
        report.relative("steps/running", &host(statistics), &running, 1e-3);
        for (name, carry) in [("steps/hidden", train), ("steps/hidden_valid", valid)] {
            let state = host(carry.tensors().remove(0));
            report.relative(name, &state, fixture.values(name), 2e-3);
        }
    }

    fn optimiser(&self) -> WeightsOptimiser {
        WeightsOptimiser {
            momentum: 0.0,
            weight_decay: self.fixture.number("weight_decay"),
            ..WeightsOptimiser::default()
        }
    }

    /// The second-order gradient at the initial state.
    fn unrolled(&mut self, name: &str, change: impl FnOnce(&mut Config)) {
        let (model, optimiser) = (self.model(change), self.optimiser());
        let train = self.text("steps/x/0", "steps/y/0", self.state("hidden"));
        let valid = self.text("steps/x_valid/0", "steps/y_valid/0", self.state("hidden_valid"));
        let momentum = self.weights.zeros_like();
        let learning_rate = self.fixture.number::<f64>("learning_rate") * model.task.rate(&train);
        let optimiser = &optimiser;
        let unrolling = Unrolling { momentum: &momentum, learning_rate, optimiser, train: &train };
        let alpha = (self.alpha.as_slice(), &relax as _);
        let mut passes = Computed { model: &model, noise: rng };
        let found = second_order(&model, &mut passes, self.start(), alpha, &valid, &unrolling);
        let expected = self.fixture.values(&format!("{name}/grad_alpha/cell"));
        self.report.relative(name, &concat(&found.gradient), expected, 2e-3);
        if name == "unrolled" {
            let plain = first_order(&model, self.start(), alpha, &valid, rng());
            let expected = self.fixture.values("unrolled/first_order_grad_alpha/cell");
            self.report.relative("first order", &concat(&plain.gradient), expected, 1e-3);
        }
    }
}
