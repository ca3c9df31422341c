//! What a training on a text changes from step to step, and its way to and from files.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MOST_RELOADS;
use crate::arrays::{Array, Arrays, from_rows, vector};
use crate::config::Config;
use crate::data::text::Text;
use crate::event::Trained;
use crate::nn::{Layout, ReadError};
use crate::optim::Asgd;
use crate::rng::Streams;
use crate::run::checkpoint::CheckpointError;
use crate::run::state::{WEIGHTS, flat, placed};
use crate::run::train::{self, Kind};
use crate::task::{Carry as _, Hidden, Point};

/// What it changes, and the words that this is about.
pub struct State {
    pub(super) weights: Tensor<1>,
    /// Of SGD; none without momentum.
    pub(super) momentum: Option<Tensor<1>>,
    /// There is no batch norm.
    pub(super) statistics: Tensor<2>,
    /// The hidden state after the last sequence.
    pub(super) hidden: Hidden,
    /// ASGD, once it has begun.
    pub(super) averaging: Option<Asgd>,
    /// Validation losses of the epochs of SGD.
    pub(super) losses: Vec<f64>,
    /// The best epoch so far; `None` before the first evaluation.
    pub(super) best: Option<Best>,
    /// How often the weights went back since.
    reloads: usize,
    /// What the test after the last epoch found.
    pub(super) tested: Option<Tested>,
    /// The words that the numbers mean, and what stands for all of them.
    pub(super) words: Vec<String>,
    vocabulary: String,
}

/// The best epoch so far.
pub(super) struct Best {
    /// The weights that were evaluated.
    pub weights: Tensor<1>,
    pub of: BestEpoch,
}

/// What is known of it besides.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct BestEpoch {
    pub loss: f64,
    pub accuracy: f64,
    /// 0-based.
    pub epoch: usize,
    /// Steps and rate of ASGD, where it had begun.
    averaging: Option<(u64, f64)>,
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
    best: Option<BestEpoch>,
    #[serde(default)]
    reloads: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tested: Option<Tested>,
}

const MOMENTUM: &str = "momentum";
const HIDDEN: &str = "hidden";
const AVERAGE: &str = "asgd.average";
const BEST: &str = "best.weights";

impl State {
    pub(super) fn initial(config: &Config, text: &Text, layout: &Layout, device: &Device) -> Self {
        Self {
            weights: vector(layout.initial_weights(&Streams::new(config.seed)), device),
            momentum: None,
            statistics: Tensor::zeros([2, 1], device),
            hidden: Hidden::default(),
            averaging: None,
            losses: Vec::new(),
            best: None,
            reloads: 0,
            tested: None,
            words: text.vocabulary.clone(),
            vocabulary: text.fingerprint(),
        }
    }

    pub(super) fn point<'a>(&'a self, weights: &'a Tensor<1>, eval: bool) -> Point<'a> {
        Point { weights, statistics: &self.statistics, eval }
    }

    /// The weights that are evaluated: the average, where ASGD keeps one.
    pub(super) fn evaluated(&self) -> &Tensor<1> {
        self.averaging.as_ref().map_or(&self.weights, |averaging| &averaging.average)
    }

    /// Whether no epoch had a smaller loss.
    pub(super) fn is_best(&self, loss: f64) -> bool {
        loss.is_finite() && self.best.as_ref().is_none_or(|best| loss < best.of.loss)
    }

    /// Keeps the weights of the best epoch.
    pub(super) fn keep(&mut self, weights: Tensor<1>, (loss, accuracy): (f64, f64), epoch: usize) {
        let averaging = self.averaging.as_ref().map(|it| (it.steps, it.rate));
        self.best = Some(Best { weights, of: BestEpoch { loss, accuracy, epoch, averaging } });
        self.reloads = 0;
    }

    /// Goes back to the best epoch, with the optimiser that it had; the number of that epoch, from 1 on.
    pub(super) fn reload(&mut self) -> Option<usize> {
        let best = self.best.as_ref().filter(|_| self.reloads < MOST_RELOADS)?;
        self.weights = best.weights.clone();
        self.averaging = best.of.averaging.map(|(steps, rate)| Asgd {
            average: best.weights.clone(),
            steps,
            rate,
        });
        (self.momentum, self.hidden) = (None, Hidden::default());
        self.reloads += 1;
        Some(best.of.epoch + 1)
    }
}

impl train::State for State {
    fn tell(&self, trained: &mut Trained) {
        if let Some(Best { of, .. }) = &self.best {
            (trained.best_accuracy, trained.best_epoch) = (of.accuracy, of.epoch);
            trained.perplexity = Some(of.loss.exp());
        }
        trained.test_perplexity = self.tested.map(|tested| tested.loss.exp());
    }

    /// Those of the best epoch are averages where averaged SGD had begun.
    fn weights(&self, kind: Kind) -> Option<(&Tensor<1>, &Tensor<2>)> {
        let weights = match kind {
            Kind::Final => &self.weights,
            Kind::Best => self.best.as_ref().map_or(&self.weights, |best| &best.weights),
            Kind::Average => return None,
        };
        Some((weights, &self.statistics))
    }

    async fn save(&self, layout: &Layout) -> Result<Arrays, ReadError> {
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

    fn notes(&self) -> Value {
        let notes = Notes {
            vocabulary: self.vocabulary.clone(),
            losses: self.losses.clone(),
            averaging: self.averaging.as_ref().map(|it| (it.steps, it.rate)),
            best: self.best.as_ref().map(|best| best.of),
            reloads: self.reloads,
            tested: self.tested,
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
        if notes.vocabulary != self.vocabulary {
            let (saved, found) = (notes.vocabulary, self.vocabulary.clone());
            return Err(CheckpointError::OtherVocabulary { saved, found });
        }
        let vector = |name: &str| placed(arrays, name, layout, device);
        let weights = vector(WEIGHTS)?;
        let momentum = arrays.contains_key(MOMENTUM).then(|| vector(MOMENTUM)).transpose()?;
        let averaging = match notes.averaging {
            None => None,
            Some((steps, rate)) => Some(Asgd { average: vector(AVERAGE)?, steps, rate }),
        };
        let best = match notes.best {
            None => None,
            Some(of) => Some(Best { weights: vector(BEST)?, of }),
        };
        self.hidden = hidden(arrays, device);
        (self.weights, self.momentum, self.averaging) = (weights, momentum, averaging);
        (self.best, self.losses, self.reloads) = (best, notes.losses, notes.reloads);
        self.tested = notes.tested;
        Ok(())
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
