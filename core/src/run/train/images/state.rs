//! What a training on images changes from step to step, and its way to and from files.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Step;
use crate::arrays::Arrays;
use crate::config::Config;
use crate::event::Trained;
use crate::nn::{Layout, ReadError};
use crate::rng::Streams;
use crate::run::checkpoint::CheckpointError;
use crate::run::state::{Weights, flat, norms, placed, placed_norms};
use crate::run::train::{self, Kind};

/// What it changes.
pub struct State {
    pub(super) learnt: Weights,
    /// The moving average of the weights, where there is one.
    pub(super) average: Option<Average>,
    /// The best weights so far; `None` before the first evaluation.
    pub(super) best: Option<Best>,
    /// Accuracy of the moving average after the last epoch.
    pub(super) average_accuracy: Option<f64>,
    /// What the test after the last epoch of all counted.
    pub(super) tested: Option<Tested>,
    /// The step under way.
    pub(super) step: Option<Step>,
}

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

impl State {
    pub(super) fn initial(config: &Config, layout: &Layout, device: &Device) -> Self {
        let learnt = Weights::initial(layout, &Streams::new(config.seed), device);
        let average = (config.train.ema > 0.0).then(|| Average {
            weights: learnt.weights.clone(),
            statistics: learnt.statistics.clone(),
        });
        Self { learnt, average, best: None, average_accuracy: None, tested: None, step: None }
    }
}

impl train::State for State {
    fn tell(&self, trained: &mut Trained) {
        if let Some(best) = &self.best {
            (trained.best_accuracy, trained.best_epoch) = (best.accuracy, best.epoch);
        }
        trained.ema_accuracy = self.average_accuracy;
        trained.top5 = self.tested.as_ref().and_then(|tested| tested.top5);
        trained.confusion = self.tested.as_ref().map(|tested| tested.confusion.clone());
    }

    fn weights(&self, kind: Kind) -> Option<(&Tensor<1>, &Tensor<2>)> {
        let Self { learnt, best, average, .. } = self;
        match kind {
            Kind::Final => Some((&learnt.weights, &learnt.statistics)),
            Kind::Best => best.as_ref().map(|it| (&it.weights, &it.statistics)),
            Kind::Average => average.as_ref().map(|it| (&it.weights, &it.statistics)),
        }
    }

    fn in_step(&self) -> bool {
        self.step.is_some()
    }

    async fn save(&self, layout: &Layout) -> Result<Arrays, ReadError> {
        let mut arrays = self.learnt.save(layout).await?;
        let average = self.average.as_ref().map(|it| ("ema", &it.weights, &it.statistics));
        let best = self.best.as_ref().map(|it| ("best", &it.weights, &it.statistics));
        for (name, weights, statistics) in average.into_iter().chain(best) {
            arrays.insert(format!("{name}.weights"), flat(layout, weights).await?);
            arrays.insert(format!("{name}.statistics"), norms(layout, statistics).await?);
        }
        Ok(arrays)
    }

    fn notes(&self) -> Value {
        let notes = Notes {
            best: self.best.as_ref().map(|best| (best.accuracy, best.epoch)),
            average_accuracy: self.average_accuracy,
            tested: self.tested.clone(),
        };
        serde_json::to_value(notes).unwrap_or_default()
    }

    fn load(
        &mut self,
        arrays: &Arrays,
        notes: &Value,
        layout: &Layout,
        device: &Device,
    ) -> Result<(), CheckpointError> {
        let notes: Notes = serde_json::from_value(notes.clone())
            .map_err(|error| CheckpointError::Malformed(format!("notes: {error}")))?;
        let pair = |name: &str| {
            let weights = placed(arrays, &format!("{name}.weights"), layout, device)?;
            let statistics = placed_norms(arrays, &format!("{name}.statistics"), layout, device)?;
            Ok::<_, CheckpointError>((weights, statistics))
        };
        // First, since its error says that these are weights of another network.
        let learnt = Weights::load(arrays, layout, device)?;
        let average = self.average.is_some().then(|| pair("ema")).transpose()?;
        let best = match notes.best {
            None => None,
            Some((accuracy, epoch)) => {
                let (weights, statistics) = pair("best")?;
                Some(Best { weights, statistics, accuracy, epoch })
            }
        };
        *self = Self {
            learnt,
            average: average.map(|(weights, statistics)| Average { weights, statistics }),
            best,
            average_accuracy: notes.average_accuracy,
            tested: notes.tested,
            step: None,
        };
        Ok(())
    }
}
