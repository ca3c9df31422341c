//! What a run says while it runs: a search, or a training. This is the only way out of the loop: the progress line, the
//! file events.jsonl, the report and the web page are readers of one stream.

pub mod line;
mod measured;
mod score;
mod training;

use serde::{Deserialize, Serialize};

use crate::cell::{Choice, Genotype, Rows};
use crate::config::Config;
pub use measured::{Anytime, Eigenvalues};
pub use score::Score;
pub use training::{EvaluatedOn, TrainEpoch, TrainStep, Trained};

/// Version of the event schema; the first event of a stream carries it. Readers accept every
/// version up to their own.
///
/// - 1: searches.
/// - 2: trainings too: [`TrainStep`], [`TrainEpoch`], [`Trained`], and [`EpochStarted::drop_path`].
/// - 3: of a training the top-5 accuracy, the names of the classes and which class it takes for which.
/// - 4: of a look into a table the validation accuracy; what the table does not know is left out
///   ([`Anytime`]).
/// - 5: a step in which α rests has no validation loss; a search may have stages ([`StageStarted`]); of text the
///   perplexity ([`EpochFinished::perplexity`], [`Finished::valid_perplexity`], [`TrainEpoch::perplexity`],
///   [`Trained::perplexity`]).
pub const SCHEMA: u32 = 5;

/// One thing that happened, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "events live one at a time")]
pub enum Event {
    /// The run starts; everything that a reader needs to interpret the rest.
    Started(Started),
    /// An epoch starts.
    EpochStarted(EpochStarted),
    /// A stage of the search starts that is not its first.
    StageStarted(StageStarted),
    /// One step of the search ended: an α-step and a w-step.
    Step(Step),
    /// An epoch ended.
    EpochFinished(EpochFinished),
    /// How sharp the validation loss is around α: after an epoch, or within one on demand.
    Hessian(Eigenvalues),
    /// What a table of trained networks says of the cell that would be derived now.
    Anytime(Anytime),
    /// Something that the user should know, and that did not stop the search.
    Warning(Warning),
    /// The search ended.
    Finished(Finished),
    /// One step of a training ended.
    TrainStep(TrainStep),
    /// An epoch of a training ended.
    TrainEpoch(TrainEpoch),
    /// The training ended.
    Trained(Trained),
}

/// The run starts. What it is, its settings say ([`Config::trains`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// [`SCHEMA`] of the writer.
    pub schema: u32,
    /// Every setting.
    pub config: Config,
    /// The device in words, e.g. `cpu (2 threads)`.
    pub device: String,
    /// Number of weights of the supernet; of a trained network without its auxiliary head.
    pub parameters: usize,
    /// What it chooses from, one architecture tensor each; nothing in a training.
    #[serde(rename = "architecture")]
    pub choices: Vec<Choice>,
    /// Steps in one epoch.
    pub steps_per_epoch: usize,
    /// Names of the classes by label, where somebody told them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// An epoch starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochStarted {
    /// 0-based.
    pub epoch: usize,
    /// Learning rate of the weights in this epoch.
    pub learning_rate: f64,
    /// Radius of the perturbation in this epoch; 0 without one.
    pub epsilon: f64,
    /// Probability of drop-path in this epoch of a training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_path: Option<f64>,
    /// Rate of dropout after skip connections in this epoch of a search in stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_dropout: Option<f64>,
}

/// A stage of the search starts that is not its first: a fresh network, fresh weights, a fresh α.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageStarted {
    /// 0-based, so 1 or more.
    pub stage: usize,
    /// 0-based epoch that it starts with.
    pub epoch: usize,
    /// Cells of the supernet.
    pub cells: usize,
    /// Number of weights of the supernet.
    pub parameters: usize,
    /// What it chooses from.
    #[serde(rename = "architecture")]
    pub choices: Vec<Choice>,
    /// The operations that fell: of every choice, on every edge.
    pub fallen: Vec<Vec<Vec<String>>>,
}

/// One step of the search ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// 0-based epoch.
    pub epoch: usize,
    /// 0-based step in the epoch.
    pub step: usize,
    /// Loss of the perturbed network on the training batch.
    pub train_loss: f32,
    /// Share of right answers on the training batch.
    pub train_accuracy: f32,
    /// Loss on the validation batch, before the α-step; none where α rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_loss: Option<f32>,
    /// What the attack did, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<Attack>,
}

/// What an adversarial perturbation did to the training loss (eval mode, spec §3.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attack {
    /// Loss before it.
    pub loss_before: f32,
    /// Loss after it, before a reverting rule is applied.
    pub loss_after: f32,
    /// Whether the attack lowered the loss and was taken back.
    pub reverted: bool,
}

/// An epoch ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochFinished {
    /// 0-based.
    pub epoch: usize,
    /// Learning rate of the weights.
    pub learning_rate: f64,
    /// Radius of the perturbation; 0 without one.
    pub epsilon: f64,
    /// Mean loss over the training steps, of the perturbed network.
    pub train_loss: f64,
    /// Share of right answers over the training steps.
    pub train_accuracy: f64,
    /// Loss over the validation half, unperturbed, eval mode.
    pub valid_loss: f64,
    /// Share of right answers over the validation half.
    pub valid_accuracy: f64,
    /// Perplexity over the training steps and over the validation text, of a search of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<Perplexity>,
    /// Raw α of every choice, in the order of [`Started::choices`].
    pub alpha: Vec<Rows>,
    /// Row-softmax of α.
    pub probabilities: Vec<Rows>,
    /// What would be derived now.
    pub genotype: Genotype,
    /// Share of parameter-free operations in each cell of the genotype (Table 5); none of a recurrent cell, whose
    /// activations have no weights at all.
    pub parameter_free: Vec<f32>,
    /// Seconds spent on this epoch. The only field that differs between repeated runs.
    pub seconds: f64,
}

/// The exponential of a mean loss in nats: among so many equally likely words the next one had to be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Perplexity {
    /// Of the perturbed network, over the training steps.
    pub train: f64,
    /// Of the network as it is, over the validation text.
    pub valid: f64,
}

/// Something that the user should know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// 0-based epoch.
    pub epoch: usize,
    /// Which warning, for programs.
    pub code: WarningCode,
    /// What it means, for people.
    pub message: String,
}

/// The warnings that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// Skip connections take over the cell.
    Collapse,
    /// The rule of DARTS-ES stops the search, or would.
    EarlyStop,
    /// Events of this run are lost: their file was damaged.
    EventsLost,
    /// A number of a training was not finite, and the weights are again those of the best epoch.
    Reloaded,
    /// One of another version of this program; its message says what it means.
    #[serde(other)]
    Other,
}

/// The search ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The result.
    pub genotype: Genotype,
    /// Epochs trained in all.
    pub epochs: usize,
    /// Validation accuracy of the supernet after the last epoch.
    pub valid_accuracy: f64,
    /// Its perplexity on the validation text, of a search of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_perplexity: Option<f64>,
    /// Why it ended: `completed` or `early_stopped`.
    pub reason: String,
    /// 0-based epoch whose cell is the result, where that is not the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_to: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_read_as_they_were_written_and_those_of_other_versions_too()
    -> Result<(), serde_json::Error> {
        let line = |code: &str| {
            format!(r#"{{"type":"warning","epoch":3,"code":"{code}","message":"look at it"}}"#)
        };
        let known = [("collapse", WarningCode::Collapse), ("early_stop", WarningCode::EarlyStop)];
        for (name, code) in known {
            let event = Event::Warning(Warning { epoch: 3, code, message: "look at it".into() });
            assert_eq!(serde_json::to_string(&event)?, line(name));
            assert_eq!(serde_json::from_str::<Event>(&line(name))?, event);
        }
        let event: Event = serde_json::from_str(&line("of_tomorrow"))?;
        assert!(matches!(event, Event::Warning(Warning { code: WarningCode::Other, .. })));
        Ok(())
    }

    #[test]
    fn the_trainings_of_schema_2_are_read() -> Result<(), serde_json::Error> {
        let epoch: Event = serde_json::from_str(
            r#"{"type":"train_epoch","epoch":0,"learning_rate":0.025,"drop_path":0.0,
                "train_loss":2.3,"train_accuracy":0.1,"evaluated_on":"test","loss":2.2,
                "accuracy":0.2,"best":true,"seconds":0.5}"#,
        )?;
        assert!(matches!(epoch, Event::TrainEpoch(TrainEpoch { top5: None, ema: None, .. })));
        let trained: Event = serde_json::from_str(
            r#"{"type":"trained","genotype":"|none~0|+|none~0|none~1|+|none~0|none~1|none~2|","epochs":1,"evaluated_on":"test",
                "accuracy":0.2,"best_accuracy":0.2,"best_epoch":0}"#,
        )?;
        assert!(matches!(trained, Event::Trained(Trained { top5: None, confusion: None, .. })));
        Ok(())
    }
}
