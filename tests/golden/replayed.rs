//! The golden attack and gradients in passes that the device has recorded.

use std::cell::RefCell;

use burn::tensor::{Device, Tensor};
use shaders::Kernels;
use smoothdarts::perturb::Objective;
use smoothdarts::policy::softmax::relax;
use smoothdarts::task::{Classify, Point, Recorded};

use super::cnn_search::Case;
use super::fixture::{Fixture, Report};
use crate::devices::host;

/// The loss of an attack, replayed.
struct Loss<'a> {
    recorded: &'a mut Recorded<Classify>,
    case: &'a Case<'a>,
    at: Point<'a>,
    begun: bool,
}

impl Objective for Loss<'_> {
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1> {
        let loss = match self.begun {
            true => self.recorded.loss(p),
            false => self.recorded.begin_attack(self.at, p, &self.case.train),
        };
        self.begun = true;
        loss.expect("the device records")
    }

    fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>> {
        self.recorded.gradient(p).expect("the device records")
    }
}

pub fn check(fixture: &Fixture, device: &Device) {
    let mut case = Case::new(fixture, device, Kernels::Fused);
    let trained = case.statistics_after_training();
    let recorded = RefCell::new(Recorded::new(&case.model));
    case.hold_from_any_start(|case, weights| {
        let at = Point { weights, statistics: &trained, eval: true };
        let recorded = &mut *recorded.borrow_mut();
        case.attack_along(&mut Loss { recorded, case, at, begun: false })
    });
    case.hold_from_any_start(|case, weights| {
        let (at, p) = (case.at(weights), relax(&case.alpha));
        let found = recorded.borrow_mut().weight_gradient(at, &p, &case.train);
        let (gradient, learned) = found.expect("the device records");
        let mut report = Report::default();
        let (loss, expected) = (host(learned.loss), fixture.values("train/loss"));
        report.relative("train/loss", &loss, expected, 1e-4);
        report.relative("train/grad", &host(gradient), &case.by_weight("train/grad"), 1e-3);
        report
    });
    assert_eq!(recorded.borrow().count(), 4, "{}: recorded passes", fixture.name);
    case.report.finish(&format!("{} (replayed, {device:?})", fixture.name));
}
