//! A search for those who watch it: the parts of a step with what each did. The numbers are those of
//! [`Run::advance`], bit for bit; watching only reads more of them.

use burn::tensor::Tensor;
use serde::Serialize;

use super::Search;
use super::parts::{For, for_the_eye};
use crate::arrays::to_rows;
use crate::cell::Rows;
use crate::data::Batches;
use crate::event::Event;
use crate::nn::{Randomness, read};
use crate::run::{Advanced, Position, Run, RunError};
use crate::task::{LossOfP, Task};

/// What one part of a search did. Lists have one entry for every choice, rows as in
/// [`crate::cell::Choice`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "parts live one at a time")]
pub enum Watched {
    /// The α-step: α went down the gradient of the validation loss.
    Alpha {
        /// Loss on the validation batch before it.
        valid_loss: f32,
        /// p before it.
        before: Vec<Rows>,
        /// p after it.
        after: Vec<Rows>,
    },
    /// The perturbation of p, for the w-step that follows.
    Perturb {
        /// Radius of the ball.
        epsilon: f64,
        /// p = softmax(α).
        p: Vec<Rows>,
        /// p + δ, before its rows become probability vectors again.
        displaced: Vec<Rows>,
        /// p̂, what the weights are trained at.
        perturbed: Vec<Rows>,
        /// Training loss at p (batch norm as in the attack, spec §3.4).
        loss_before: f32,
        /// Training loss at p̂.
        loss_after: f32,
    },
    /// The w-step, or a part of a search that is no step: an epoch starts, an evaluation.
    Event {
        /// What it says.
        event: Event,
    },
}

impl<T: Task> Run<Search<T>> {
    /// Does the next part of a step as [`Run::advance_part`], and tells what it did; what comes
    /// between steps as [`Run::advance`]. `None` when the search is over.
    ///
    /// # Errors
    /// As for [`Run::advance`].
    pub async fn watch(
        &mut self,
        batches: &mut dyn Batches<Batch = T::Batch>,
    ) -> Result<Option<Watched>, RunError> {
        loop {
            let before = to_rows(&self.job.policy.mean()).await?;
            match self.advance_part(&mut *batches).await? {
                Advanced::Said(event) => return Ok(Some(Watched::Event { event })),
                Advanced::Over => return Ok(None),
                Advanced::Part => {}
            }
            if let Some(told) = self.job.tell(before, self.progress.position).await? {
                return Ok(Some(told));
            }
        }
    }

    /// The p that would be derived from now.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn probabilities(&self) -> Result<Vec<Rows>, RunError> {
        Ok(to_rows(&self.job.policy.mean()).await?)
    }
}

impl<T: Task> Search<T> {
    /// What the last part of the step under way did; nothing between steps.
    async fn tell(&self, before: Vec<Rows>, at: Position) -> Result<Option<Watched>, RunError> {
        let Some(step) = &self.step else { return Ok(None) };
        let Some(perturbed) = &step.perturbed else {
            let after = to_rows(&self.policy.mean()).await?;
            let valid_loss = match &step.valid_loss {
                Some(loss) => read(loss.clone()).await?.first().copied(),
                None => None,
            };
            let valid_loss = valid_loss.unwrap_or(f32::NAN);
            return Ok(Some(Watched::Alpha { valid_loss, before, after }));
        };
        let draw = self.draw(at, For::Weights).await?;
        let picked = draw.picked();
        let clean = self.policy.relax(self.policy.leaves(), draw);
        let point = self.state.point(self.config.quirks.attack_in_eval_mode);
        let randomness = || Randomness { picked: picked.clone(), ..for_the_eye(self.streams) };
        let mut objective = LossOfP::new(&self.model, point, &step.train);
        let losses = [&clean, &perturbed.p].map(|p| objective.loss(p, randomness()));
        let losses = read(Tensor::cat(losses.to_vec(), 0)).await?;
        let loss = |index: usize| losses.get(index).copied().unwrap_or(f32::NAN);
        Ok(Some(Watched::Perturb {
            epsilon: self.epsilon(at.epoch),
            p: to_rows(&clean).await?,
            displaced: to_rows(&perturbed.displaced).await?,
            perturbed: to_rows(&perturbed.p).await?,
            loss_before: loss(0),
            loss_after: loss(1),
        }))
    }
}
