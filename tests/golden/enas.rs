//! The checks of `kind = enas-controller`: probabilities, log-probability, entropy and gradient of the
//! controller, three steps of REINFORCE, and the child at a drawn architecture.

use burn::tensor::{Device, Tensor, TensorData};
use pollster::block_on;
use shaders::Kernels;
use smoothdarts::net::NetShape;
use smoothdarts::nn::Randomness;
use smoothdarts::policy::Architecture;
use smoothdarts::policy::controller::{
    Deciding, Decisions, Learner, Node, WEIGHTS, architecture, nodes, walk,
};
use smoothdarts::policy::uniform::picked;
use smoothdarts::task::{Classify, ImageBatch, Model, Point};

use super::cnn_search::{by_weight, concat, matrices, rng, space_of};
use super::fixture::{Fixture, Report};
use crate::devices::host;

/// The expected agreement of all quantities of this kind.
const TOLERANCE: f32 = 1e-4;

struct Case<'a> {
    fixture: &'a Fixture,
    device: Device,
    model: Model<Classify>,
    nodes: Vec<Node>,
    report: Report,
}

pub fn check(fixture: &Fixture, device: &Device, kernels: Kernels) {
    let shape = NetShape {
        image_channels: 3,
        classes: fixture.number("classes"),
        cells: fixture.number("child_cells"),
        channels: fixture.number("child_channels"),
        stem_multiplier: 1,
    };
    let network = space_of(fixture).supernet(shape).unwrap();
    let nodes = nodes(network.architecture(), &network.takes().unwrap());
    let model = Model::new(Classify { image_size: 16 }, network, kernels);
    let (report, device) = (Report::default(), device.clone());
    let mut case = Case { fixture, device, model, nodes, report };
    case.samples();
    case.learning();
    case.child();
    case.report.finish(&format!("{} ({kernels:?})", fixture.name));
}

impl Case<'_> {
    fn weights(&self, prefix: &str) -> Vec<Tensor<2>> {
        let weight = |name: &&str| self.fixture.rows(&format!("{prefix}/{name}"), &self.device);
        WEIGHTS.iter().map(weight).collect()
    }

    fn decisions(&self, sample: usize) -> Decisions {
        let numbers = |name: String| -> Vec<usize> {
            self.fixture.values(&name).iter().map(|&number| number as usize).collect()
        };
        let states = self.nodes.iter().map(|node| node.state);
        Decisions {
            parents: states
                .clone()
                .map(|it| numbers(format!("sample{sample}/parents/{it}")))
                .collect(),
            operations: states.map(|it| numbers(format!("sample{sample}/op/{it}"))[0]).collect(),
        }
    }

    fn architecture(&self, sample: usize) -> Architecture {
        architecture(self.model.network.architecture(), &self.nodes, &self.decisions(sample))
    }

    fn samples(&mut self) {
        let weights = self.weights("param");
        for sample in 0..3 {
            let decisions = self.decisions(sample);
            let found = block_on(walk(&weights, &self.nodes, Deciding::Given(&decisions))).unwrap();
            for (node, pair) in self.nodes.clone().iter().zip(found.probabilities.chunks(2)) {
                for (kind, p) in ["prob_parents", "prob_op"].iter().zip(pair) {
                    let name = format!("sample{sample}/{kind}/{}", node.state);
                    self.report.relative(
                        kind,
                        &host(p.clone()),
                        self.fixture.values(&name),
                        TOLERANCE,
                    );
                }
            }
            for (name, value) in [("neg_log_prob", found.neg_log_prob), ("entropy", found.entropy)]
            {
                let expected = self.fixture.values(&format!("sample{sample}/{name}"));
                self.report.relative(name, &host(value), expected, TOLERANCE);
            }
            let p: Vec<f32> = self.architecture(sample).concat().concat();
            let choices = self.model.network.architecture().iter();
            let of =
                |name: &str| self.fixture.values(&format!("sample{sample}/arch/{name}")).to_vec();
            let expected: Vec<f32> = choices.flat_map(|choice| of(&choice.name)).collect();
            self.report.absolute("arch", &p, &expected, 0.0);
        }
    }

    /// Three steps of REINFORCE.
    fn learning(&mut self) {
        let mut learner =
            Learner::at(self.weights("param"), self.fixture.values("baseline")[0].into());
        let decisions = self.decisions(0);
        let (gradient, found) = block_on(learner.gradient(&self.nodes, &decisions)).unwrap();
        let accuracy = self.fixture.values("accuracy").to_vec();
        let mut rounds = Vec::new();
        for (sample, percent) in accuracy.into_iter().enumerate() {
            let decisions = self.decisions(sample);
            let round = learner.learn(&self.nodes, &decisions, percent.into());
            rounds.push(block_on(round).unwrap());
        }
        for (name, numbers) in [
            ("reward", rounds.iter().map(|it| it.reward as f32).collect::<Vec<_>>()),
            ("baseline", rounds.iter().map(|it| it.baseline as f32).collect()),
            ("loss", rounds.iter().map(|it| it.loss as f32).collect()),
        ] {
            let expected = self.fixture.values(&format!("steps/{name}"));
            self.report.relative(&format!("steps/{name}"), &numbers, expected, TOLERANCE);
        }
        let advantage = rounds[0].reward - rounds[0].baseline;
        drop(found);
        for (name, gradient) in WEIGHTS.iter().zip(gradient) {
            let found = host(gradient.mul_scalar(advantage));
            let expected = self.fixture.values(&format!("step1/grad/{name}"));
            self.report.relative(&format!("grad/{name}"), &found, expected, TOLERANCE);
        }
        for (name, weight) in WEIGHTS.iter().zip(learner.weights) {
            let expected = self.fixture.values(&format!("steps/param/{name}"));
            self.report.relative(&format!("steps/{name}"), &host(weight), expected, TOLERANCE);
        }
    }

    /// All operations of the child are computed; in eval mode those of weight 0 may be left out.
    fn child(&mut self) {
        let (fixture, network) = (self.fixture, self.model.network.as_ref());
        let layout = network.layout();
        let vector = |values: Vec<f32>| {
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), &self.device)
        };
        let weights = vector(by_weight(fixture, network, "child/param"));
        let fresh = vector(layout.initial_statistics()).reshape([2, layout.norm_channels()]);
        let p = matrices(fixture, network, "sample0/arch", &self.device);
        assert_eq!(concat(&p), self.architecture(0).concat().concat());
        let input = ImageBatch {
            images: fixture.images("x", &self.device),
            labels: fixture.labels("y", &self.device),
        };
        let at = Point { weights: &weights, statistics: &fresh, eval: false };
        let (gradient, outcome) = self.model.weight_gradient(at, &p, &input, rng());
        let picked = picked(network.architecture(), &self.architecture(0));
        let report = &mut self.report;
        let logits = host(outcome.logits);
        report.relative("child/logits", &logits, fixture.values("child/train/logits"), TOLERANCE);
        report.relative(
            "child/loss",
            &host(outcome.loss),
            fixture.values("child/train/loss"),
            TOLERANCE,
        );
        let expected = by_weight(fixture, network, "child/train/grad");
        report.relative("child/grad", &host(gradient), &expected, 1e-3);
        let at = Point { weights: &weights, statistics: &outcome.statistics, eval: true };
        let picked = Some(picked);
        for draws in [rng().into(), Randomness { picked, ..rng().into() }] {
            let found = self.model.loss(at, &p, &input, draws);
            let expected = fixture.values("child/eval/logits");
            report.relative("child/eval", &host(found.logits), expected, TOLERANCE);
            let percent = 100.0 * host(found.correct)[0] / 4.0;
            report.absolute(
                "child/accuracy",
                &[percent],
                fixture.values("child/eval/accuracy_percent"),
                0.0,
            );
        }
    }
}
