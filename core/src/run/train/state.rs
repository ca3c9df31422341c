//! What a training changes from step to step besides the weights, and its way to and from files.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Train;
use crate::arrays::Arrays;
use crate::data::Batch;
use crate::net::Network as _;
use crate::run::RunError;
use crate::run::checkpoint::CheckpointError;
use crate::run::state::{Weights, flat, norms, placed, placed_norms, to_file};
use crate::task::Task;

/// A moving average of the weights and of the running statistics.
pub(super) struct Average {
    pub weights: Tensor<1>,
    pub statistics: Tensor<2>,
}

/// The weights of the best epoch so far.
pub(super) struct Best {
    pub weights: Tensor<1>,
    pub statistics: Tensor<2>,
    pub accuracy: f64,
    /// 0-based.
    pub epoch: usize,
}

/// What the test after the last epoch counted.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Tested {
    /// Share of images whose class is among the five strongest; none with five classes or fewer.
    pub top5: Option<f64>,
    /// Images by class and by the class that they were taken for.
    pub confusion: Vec<Vec<u64>>,
}

/// The numbers that no array of a checkpoint can hold exactly.
#[derive(Default, Serialize, Deserialize)]
struct Notes {
    best: Option<(f64, usize)>,
    average_accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tested: Option<Tested>,
}

/// Which weights of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those of the last step: what the paper reports.
    Final,
    /// Those after the best epoch so far.
    Best,
    /// Their moving average.
    Average,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Final, Self::Best, Self::Average];

    /// The name of their file.
    pub fn file(self) -> &'static str {
        match self {
            Self::Final => "weights.safetensors",
            Self::Best => "weights-best.safetensors",
            Self::Average => "weights-ema.safetensors",
        }
    }
}

impl<T: Task<Batch = Batch, Carry = ()>> Train<T> {
    pub(super) async fn save(&self) -> Result<Arrays, RunError> {
        let layout = self.model.network.layout();
        let mut arrays = self.state.save(layout).await?;
        let average = self.average.as_ref().map(|it| ("ema", &it.weights, &it.statistics));
        let best = self.best.as_ref().map(|it| ("best", &it.weights, &it.statistics));
        for (name, weights, statistics) in average.into_iter().chain(best) {
            arrays.insert(format!("{name}.weights"), flat(layout, weights).await?);
            arrays.insert(format!("{name}.statistics"), norms(layout, statistics).await?);
        }
        Ok(arrays)
    }

    pub(super) fn noted(&self) -> Value {
        let notes = Notes {
            best: self.best.as_ref().map(|best| (best.accuracy, best.epoch)),
            average_accuracy: self.average_accuracy,
            tested: self.tested.clone(),
        };
        serde_json::to_value(notes).unwrap_or_default()
    }

    /// Takes what [`Self::save`] and [`Self::noted`] gave; nothing, where something is missing.
    pub(super) fn load(&mut self, arrays: &Arrays, notes: &Value) -> Result<(), CheckpointError> {
        let (layout, device) = (self.model.network.layout(), &self.device);
        let notes: Notes = serde_json::from_value(notes.clone())
            .map_err(|error| CheckpointError::Malformed(format!("notes: {error}")))?;
        let pair = |name: &str| {
            let weights = placed(arrays, &format!("{name}.weights"), layout, device)?;
            let statistics = placed_norms(arrays, &format!("{name}.statistics"), layout, device)?;
            Ok::<_, CheckpointError>((weights, statistics))
        };
        let state = Weights::load(arrays, layout, device)?;
        let average = match &self.average {
            None => None,
            Some(_) => {
                let (weights, statistics) = pair("ema")?;
                Some(Average { weights, statistics })
            }
        };
        let best = match notes.best {
            None => None,
            Some((accuracy, epoch)) => {
                let (weights, statistics) = pair("best")?;
                Some(Best { weights, statistics, accuracy, epoch })
            }
        };
        (self.state, self.average, self.best) = (state, average, best);
        (self.average_accuracy, self.tested) = (notes.average_accuracy, notes.tested);
        Ok(())
    }

    /// Weights and running statistics as a safetensors file, with the names of the authors' code.
    /// `None` where there are no weights of this kind.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn weights(&self, kind: Kind) -> Result<Option<Vec<u8>>, RunError> {
        let (best, average) = (self.best.as_ref(), self.average.as_ref());
        let (weights, statistics) = match kind {
            Kind::Final => (&self.state.weights, &self.state.statistics),
            Kind::Best => match best {
                Some(best) => (&best.weights, &best.statistics),
                None => return Ok(None),
            },
            Kind::Average => match average {
                Some(average) => (&average.weights, &average.statistics),
                None => return Ok(None),
            },
        };
        Ok(Some(to_file(self.model.network.layout(), weights, statistics).await?))
    }
}
