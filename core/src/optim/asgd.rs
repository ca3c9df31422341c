//! Averaged SGD with the semantics of PyTorch (Polyak & Juditsky 1992), as language models are trained with
//! it: λ = 0 and t₀ = 0, so that the rate does not fall and the average begins at once (spec §10).

use burn::tensor::Tensor;

use super::moving_average;

/// What it keeps between steps.
#[derive(Clone, Debug)]
pub struct Asgd {
    /// Mean of the weights, which is what is evaluated.
    pub average: Tensor<1>,
    /// Steps taken.
    pub steps: u64,
    /// The rate of the next step, where it is that of the step before.
    pub rate: f64,
}

impl Asgd {
    /// None taken, at these weights; `rate` is the one of the first step.
    pub fn new(weights: &Tensor<1>, rate: f64) -> Self {
        Self { average: weights.clone(), steps: 0, rate }
    }

    /// One step along a gradient. PyTorch steps with the rate that the call before left, and counts so that
    /// the average forgets the first weights: after n ≥ 2 steps it is the mean of those after steps 2 to n
    /// (`lags`). Else the rate is `rate` and the average that of all steps.
    pub fn step(
        &mut self,
        weights: Tensor<1>,
        gradient: Tensor<1>,
        (rate, weight_decay): (f64, f64),
        lags: bool,
    ) -> Tensor<1> {
        let taken = if lags && self.steps > 0 { self.rate } else { rate };
        let direction = gradient + weights.clone().mul_scalar(weight_decay);
        let weights = weights - direction.mul_scalar(taken);
        self.steps += 1;
        self.rate = rate;
        let behind = u64::from(lags);
        let averaged = self.steps.saturating_sub(behind).max(1) as f64;
        self.average = match averaged {
            1.0 => weights.clone(),
            count => moving_average(self.average.clone(), weights.clone(), 1.0 - 1.0 / count),
        };
        weights
    }
}
