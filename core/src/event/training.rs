//! What a training says.

use serde::{Deserialize, Serialize};

use super::Score;
use crate::cell::Genotype;

/// One step of a training ended: one batch, one step of SGD.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainStep {
    /// 0-based epoch.
    pub epoch: usize,
    /// 0-based step in the epoch.
    pub step: usize,
    /// Loss on the batch, with that of the auxiliary head.
    pub loss: f32,
    /// Share of right answers on the batch.
    pub accuracy: f32,
}

/// An epoch of a training ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainEpoch {
    /// 0-based.
    pub epoch: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Probability of drop-path.
    pub drop_path: f64,
    /// Mean loss over the steps, with that of the auxiliary head.
    pub train_loss: f64,
    /// Share of right answers over the steps.
    pub train_accuracy: f64,
    /// Which images the network is evaluated on.
    pub evaluated_on: EvaluatedOn,
    /// Loss on them, eval mode, without auxiliary head and label smoothing.
    pub loss: f64,
    /// Share of right answers on them.
    pub accuracy: f64,
    /// Share of them whose class is among the five strongest; none with five classes or fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// Loss and share of right answers of the moving average of the weights, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<[f64; 2]>,
    /// Perplexity on a text: the exponential of the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// Whether the weights that are evaluated are the average that ASGD keeps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub averaged: bool,
    /// Whether these are the best weights so far.
    pub best: bool,
    /// Seconds spent on this epoch. The only field that differs between repeated runs.
    pub seconds: f64,
}

/// What a training is evaluated on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluatedOn {
    /// The test images.
    Test,
    /// The training images that it does not train on (`train.portion` below 1).
    Valid,
}

impl EvaluatedOn {
    /// Its name in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Valid => "validation",
        }
    }
}

/// A training ended. What the paper reports is the accuracy of the last epoch; that of the best
/// one was chosen by the images that it is measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// What was trained.
    pub genotype: Genotype,
    /// Epochs in all.
    pub epochs: usize,
    /// Which images the network was evaluated on.
    pub evaluated_on: EvaluatedOn,
    /// Share of right answers after the last epoch.
    pub accuracy: f64,
    /// The largest share of right answers after any epoch.
    pub best_accuracy: f64,
    /// 0-based epoch after which it was reached first.
    pub best_epoch: usize,
    /// Share of right answers of the moving average of the weights, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema_accuracy: Option<f64>,
    /// [`TrainEpoch::top5`] after the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// Images by class (rows) and by the class that they were taken for (columns), after the last
    /// epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Vec<Vec<u64>>>,
    /// Perplexity of the best weights on the validation text, of a training on a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// The same on the test text, read in one column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_perplexity: Option<f64>,
}

impl TrainEpoch {
    /// On what it is evaluated on.
    pub fn score(&self) -> Score {
        Score::new(self.accuracy, self.perplexity)
    }
}
