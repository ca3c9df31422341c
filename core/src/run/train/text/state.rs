//! What a training on a text changes from step to step, and its way to and from files.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TextTrain;
use crate::arrays::{Array, Arrays, from_rows};
use crate::optim::Asgd;
use crate::run::RunError;
use crate::run::checkpoint::CheckpointError;
use crate::run::state::{WEIGHTS, flat, placed, to_file};
use crate::task::{Carry as _, Hidden};

/// The best epoch so far.
#[derive(Clone)]
pub(super) struct Best {
    /// The weights that were evaluated.
    pub weights: Tensor<1>,
    pub loss: f64,
    pub accuracy: f64,
    /// 0-based.
    pub epoch: usize,
    /// Steps and rate of ASGD, where it had begun.
    pub averaging: Option<(u64, f64)>,
}

/// What the test after the last epoch found.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Tested {
    pub loss: f64,
    pub accuracy: f64,
}

/// The numbers that no array of a checkpoint can hold exactly.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    vocabulary: String,
    losses: Vec<f64>,
    /// Steps and rate of ASGD.
    averaging: Option<(u64, f64)>,
    best: Option<BestNotes>,
    #[serde(default)]
    reloads: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tested: Option<Tested>,
}

#[derive(Serialize, Deserialize)]
struct BestNotes {
    loss: f64,
    accuracy: f64,
    epoch: usize,
    averaging: Option<(u64, f64)>,
}

/// Which weights of a training on a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Those of the best epoch, which are tested: averages where ASGD had begun.
    Best,
    /// Those of the last step.
    Last,
}

impl Weight {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Best, Self::Last];

    /// The name of their file.
    pub fn file(self) -> &'static str {
        match self {
            Self::Best => "weights.safetensors",
            Self::Last => "weights-last.safetensors",
        }
    }
}

const MOMENTUM: &str = "momentum";
const HIDDEN: &str = "hidden";
const AVERAGE: &str = "asgd.average";
const BEST: &str = "best.weights";

impl TextTrain {
    pub(super) async fn save(&self) -> Result<Arrays, RunError> {
        let layout = self.model.network.layout();
        let vectors = [
            (WEIGHTS, Some(&self.weights)),
            (MOMENTUM, self.momentum.as_ref()),
            (AVERAGE, self.averaging.as_ref().map(|averaging| &averaging.average)),
            (BEST, self.best.as_ref().map(|best| &best.weights)),
        ];
        let mut arrays = Arrays::new();
        for (name, vector) in vectors {
            if let Some(vector) = vector {
                arrays.insert(name.to_owned(), flat(layout, vector).await?);
            }
        }
        for state in self.hidden.tensors() {
            arrays.insert(HIDDEN.to_owned(), Array::of(&state).await?);
        }
        Ok(arrays)
    }

    pub(super) fn noted(&self) -> Value {
        let best = self.best.as_ref().map(|best| {
            let Best { loss, accuracy, epoch, averaging, .. } = *best;
            BestNotes { loss, accuracy, epoch, averaging }
        });
        let notes = Notes {
            vocabulary: self.vocabulary.clone(),
            losses: self.losses.clone(),
            averaging: self.averaging.as_ref().map(|it| (it.steps, it.rate)),
            best,
            reloads: self.reloads,
            tested: self.tested,
        };
        serde_json::to_value(notes).unwrap_or_default()
    }

    /// Takes what [`Self::save`] and [`Self::noted`] gave; nothing, where something is missing or the words
    /// are others.
    pub(super) fn load(&mut self, arrays: &Arrays, notes: &Value) -> Result<(), CheckpointError> {
        let notes: Notes = serde_json::from_value(notes.clone())
            .map_err(|error| CheckpointError::Malformed(format!("notes: {error}")))?;
        if notes.vocabulary != self.vocabulary {
            let (saved, found) = (notes.vocabulary, self.vocabulary.clone());
            return Err(CheckpointError::OtherVocabulary { saved, found });
        }
        let (layout, device) = (self.model.network.layout(), &self.device);
        let vector = |name: &str| placed(arrays, name, layout, device);
        let weights = vector(WEIGHTS)?;
        let momentum = arrays.contains_key(MOMENTUM).then(|| vector(MOMENTUM)).transpose()?;
        let averaging = match notes.averaging {
            None => None,
            Some((steps, rate)) => Some(Asgd { average: vector(AVERAGE)?, steps, rate }),
        };
        let best = match notes.best {
            None => None,
            Some(BestNotes { loss, accuracy, epoch, averaging }) => {
                Some(Best { weights: vector(BEST)?, loss, accuracy, epoch, averaging })
            }
        };
        self.hidden = hidden(arrays, device);
        (self.weights, self.momentum, self.averaging) = (weights, momentum, averaging);
        (self.best, self.losses, self.reloads) = (best, notes.losses, notes.reloads);
        self.tested = notes.tested;
        Ok(())
    }

    /// Weights as a safetensors file, with the names of the authors' code.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn file(&self, kind: Weight) -> Result<Vec<u8>, RunError> {
        let best = self.best.as_ref().map(|best| &best.weights);
        let weights = match kind {
            Weight::Best => best.unwrap_or(&self.weights),
            Weight::Last => &self.weights,
        };
        to_file(self.model.network.layout(), weights, &self.statistics).await
    }
}

/// The hidden state of a checkpoint; none at the start of an epoch.
fn hidden(arrays: &Arrays, device: &Device) -> Hidden {
    let state = arrays.get(HIDDEN).map(|array| {
        let width = array.shape.last().copied().unwrap_or(1).max(1);
        let rows: Vec<Vec<f32>> = array.values.chunks(width).map(<[f32]>::to_vec).collect();
        from_rows(&rows, device)
    });
    Hidden::from_tensors(state.into_iter().collect())
}
