//! SNAS: p is a soft draw, softmax((α + g) / τ) with Gumbel noise g, and α descends the training loss together
//! with the weights, at the same draw.
//!
//! Paper: *SNAS: Stochastic Neural Architecture Search* (Xie, Zheng, Liu, Lin, ICLR 2019), where α is the
//! logarithm of the rates of a concrete distribution. Settings: sections `alpha` and `sampling`.

use burn::tensor::{Device, Tensor};

use super::softmax::{self, Softmax};
use super::{Draw, Entry, Policy, Sample, Setup, gumbel};
use crate::arrays::{ArrayError, Arrays};

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "concrete",
    help: "p is a soft draw near one option of each row; alpha descends the training loss by Adam, with the \
           weights and at their draw",
    has_alpha: true,
    fits: |_| true,
    new: |setup| Box::new(Concrete::new(setup)),
    read: softmax::read,
};

/// τ of the first epoch and of the last.
const TEMPERATURES: (f64, f64) = (1.0, 0.03);

/// What initial α lie around.
const START: f64 = 1.0;

/// α, and the gradient that waits for that of the weights.
pub struct Concrete {
    softmax: Softmax,
    temperatures: (f64, f64),
    pending: Option<(Vec<Tensor<2>>, u64)>,
}

impl Concrete {
    fn new(setup: &Setup) -> Self {
        Self {
            softmax: Softmax::around(setup, START),
            temperatures: gumbel::temperatures(setup.config, TEMPERATURES),
            pending: None,
        }
    }
}

impl Policy for Concrete {
    fn leaves(&self) -> &[Tensor<2>] {
        self.softmax.leaves()
    }

    fn relax(&self, leaves: &[Tensor<2>], draw: Draw) -> Vec<Tensor<2>> {
        let Draw::Step(Sample { mut rng, progress, .. }) = draw else {
            return softmax::relax(leaves);
        };
        let shapes: Vec<[usize; 2]> = leaves.iter().map(Tensor::dims).collect();
        let temperature = gumbel::temperature(self.temperatures, progress);
        let noise = gumbel::noise(&shapes, 1, &mut rng);
        let pairs = leaves.iter().zip(noise);
        pairs.map(|(alpha, noise)| gumbel::soft(alpha, &noise, temperature)).collect()
    }

    fn is_single_level(&self) -> bool {
        true
    }

    fn learn(&mut self, gradient: Vec<Tensor<2>>, step: u64) {
        self.pending = Some((gradient, step));
    }

    fn settle(&mut self) {
        if let Some((gradient, step)) = self.pending.take() {
            self.softmax.learn(gradient, step);
        }
    }

    fn saved(&self) -> Vec<(String, Tensor<2>)> {
        self.softmax.saved()
    }

    fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError> {
        self.pending = None;
        self.softmax.restore(arrays, device)
    }
}
