//! The perturbation of a step: from α to p̂.

use burn::tensor::Tensor;

use super::Search;
use super::parts::Perturbed;
use crate::arch::probabilities;
use crate::config;
use crate::net::{Examples, LossOfP};
use crate::nn::{Randomness, ReadError};
use crate::perturb::{self, Ascent, Ball, Objective, Perturbation};
use crate::rng::Stream;

impl Search {
    /// p̂: softmax(α), perturbed as the method says. α itself is never touched.
    pub(super) async fn perturb(
        &self,
        train: &Examples,
        noise: &mut impl FnMut() -> Randomness,
    ) -> Result<Perturbed, ReadError> {
        let p = probabilities(&self.state.alpha);
        let mut rng = self.streams.at(Stream::Perturbation, self.progress.total_steps);
        let config::Perturbation { steps, step_scale, random_start, norm, .. } =
            self.config.perturbation;
        let quirks = &self.config.quirks;
        let ball = Ball { epsilon: self.epsilon(), norm, projection: quirks.projection };
        match self.perturbation {
            Perturbation::None => Ok(Perturbed { p, attacked: None }),
            Perturbation::Random => {
                let p = perturb::random(&p, ball, &mut rng).await?;
                Ok(Perturbed { p, attacked: None })
            }
            Perturbation::Adversarial => {
                let revert = quirks.revert_failed_attack;
                let kernels = self.model.kernels;
                let ascent = Ascent { steps, step_scale, random_start, revert, kernels };
                let mut objective = self.training_loss(train, noise);
                let attacked =
                    perturb::adversarial(&p, ball, ascent, &mut objective, &mut rng).await?;
                Ok(Perturbed { p: attacked.p.clone(), attacked: Some(attacked) })
            }
        }
    }

    /// What an attack raises.
    pub(super) fn training_loss<'a, N>(
        &'a self,
        train: &'a Examples,
        noise: &'a mut N,
    ) -> TrainingLoss<'a, N> {
        let at = self.state.point(self.config.quirks.attack_in_eval_mode);
        TrainingLoss { loss: LossOfP::new(&self.model, at, train), noise }
    }
}

/// The training loss as a function of p, for the attack.
pub(super) struct TrainingLoss<'a, N> {
    loss: LossOfP<'a>,
    noise: &'a mut N,
}

impl<N: FnMut() -> Randomness> Objective for TrainingLoss<'_, N> {
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1> {
        self.loss.loss(p, (self.noise)())
    }

    fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>> {
        self.loss.gradient(p, (self.noise)())
    }
}
