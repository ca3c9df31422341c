//! What a step says.

use burn::tensor::Tensor;

use super::SearchError;
use crate::event::{Attack, Event, Step};
use crate::nn::{ReadError, read};
use crate::perturb::Attacked;

/// The numbers of a step, brought back from the device in one read.
pub(super) struct StepReport {
    pub train_loss: f32,
    pub correct: f32,
    valid_loss: f32,
    attack: Option<(f32, f32)>,
}

impl StepReport {
    pub async fn read(
        train_loss: Tensor<1>,
        correct: Tensor<1>,
        valid_loss: Tensor<1>,
        attacked: Option<Attacked>,
    ) -> Result<Self, ReadError> {
        let mut parts = vec![train_loss, correct, valid_loss];
        parts.extend(attacked.into_iter().flat_map(|found| [found.loss_before, found.loss_after]));
        let numbers = read(Tensor::cat(parts, 0)).await?;
        let at = |index: usize| numbers.get(index).copied().unwrap_or(f32::NAN);
        let attack = (numbers.len() > 3).then(|| (at(3), at(4)));
        Ok(Self { train_loss: at(0), correct: at(1), valid_loss: at(2), attack })
    }

    /// The event of a step over `count` images.
    ///
    /// # Errors
    /// [`SearchError::Diverged`] if a loss is not finite.
    pub fn into_event(
        self,
        epoch: usize,
        step: usize,
        count: f64,
        revert: bool,
    ) -> Result<Event, SearchError> {
        for (what, value) in
            [("the training loss", self.train_loss), ("the validation loss", self.valid_loss)]
        {
            if !value.is_finite() {
                let what = what.to_owned();
                return Err(SearchError::Diverged { epoch, step, what, value });
            }
        }
        let attack = self.attack.map(|(loss_before, loss_after)| Attack {
            loss_before,
            loss_after,
            reverted: revert && loss_before > loss_after,
        });
        Ok(Event::Step(Step {
            epoch,
            step,
            train_loss: self.train_loss,
            train_accuracy: (f64::from(self.correct) / count) as f32,
            valid_loss: self.valid_loss,
            attack,
        }))
    }
}
