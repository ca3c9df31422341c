//! A text, word by word: mean negative log-likelihood of the words that follow (spec §10).

use burn::tensor::{Device, Int, Tensor, TensorData};
use shaders::WordLoss;

use super::{Carry, Scored, Task, VirtualStep};
use crate::config::Config;
use crate::data::text::TextBatch;
use crate::net::{LanguageNet, Predicted};
use crate::nn::{GradientTarget, Pass, correct, mean};

/// The task of saying which word follows. Its perplexity is the exponential of its loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Language {
    /// Width of the hidden state.
    hidden: usize,
    /// Words of a sequence at which the learning rate is that of the settings.
    bptt: usize,
    /// Weight of the mean square of the dropped outputs (AR).
    activation: f64,
    /// Weight of the mean square of the change of the outputs (TAR).
    temporal: f64,
    /// Largest norm of a gradient in the virtual step of the second order; 0: any.
    clip: f64,
    clip_uncapped: bool,
    keeps_embedding: bool,
}

/// Words on the device, with those that follow and the hidden state before them.
#[derive(Clone, Debug)]
pub struct TextInput {
    /// [rows, columns].
    pub words: Tensor<2, Int>,
    /// `[rows · columns]`, row after row.
    pub next: Tensor<1, Int>,
    /// [columns, hidden].
    pub hidden: Tensor<2>,
    /// Rows that were asked for.
    pub wanted: usize,
}

/// The hidden state after a batch; zeros before the first one.
#[derive(Clone, Debug, Default)]
pub struct Hidden(Option<Tensor<2>>);

impl Carry for Hidden {
    fn tensors(&self) -> Vec<Tensor<2>> {
        self.0.iter().cloned().collect()
    }

    fn from_tensors(mut tensors: Vec<Tensor<2>>) -> Self {
        Self(tensors.pop())
    }
}

impl Hidden {
    /// This state.
    pub fn new(state: Tensor<2>) -> Self {
        Self(Some(state))
    }
}

impl TextInput {
    /// Brings a batch to the device.
    pub fn new(batch: &TextBatch, hidden: Tensor<2>) -> Self {
        let (device, shape) = (hidden.device(), [batch.rows(), batch.columns]);
        let numbers = |words: &[u32]| words.iter().map(|&word| word as i32).collect::<Vec<_>>();
        let next = TensorData::new(numbers(&batch.next), [batch.next.len()]);
        Self {
            words: Tensor::from_data(TensorData::new(numbers(&batch.words), shape), &device),
            next: Tensor::from_data(next, &device),
            hidden,
            wanted: batch.wanted,
        }
    }
}

impl Language {
    /// The task of these settings.
    pub fn new(config: &Config) -> Self {
        let Config { recurrent, quirks, weights, .. } = config;
        Self {
            hidden: recurrent.hidden,
            bptt: recurrent.bptt,
            activation: recurrent.activation_regularisation,
            temporal: recurrent.temporal_regularisation,
            clip: weights.clip,
            clip_uncapped: quirks.unrolled_clip_uncapped,
            keeps_embedding: quirks.unrolled_keeps_embedding,
        }
    }

    /// AR + TAR: what the weights descend besides the loss. None of the second where there is one row.
    fn penalty(&self, outputs: Tensor<3>, dropped: Tensor<3>) -> Option<Tensor<1>> {
        let [rows, ..] = outputs.dims();
        let weighed = |weight: f64, square: Tensor<3>| mean(square).mul_scalar(weight);
        let activation =
            (self.activation > 0.0).then(|| weighed(self.activation, dropped.square()));
        let temporal = (self.temporal > 0.0 && rows > 1).then(|| {
            let change = outputs.clone().narrow(0, 1, rows - 1) - outputs.narrow(0, 0, rows - 1);
            weighed(self.temporal, change.square())
        });
        activation.into_iter().chain(temporal).reduce(|one, other| one + other)
    }
}

impl Task for Language {
    type Net = dyn LanguageNet;
    type Batch = TextBatch;
    type Input = TextInput;
    type Carry = Hidden;

    fn upload(&self, batch: TextBatch, carry: &Hidden, device: &Device) -> TextInput {
        let zeros = || Tensor::zeros([batch.columns, self.hidden], device);
        TextInput::new(&batch, carry.0.clone().unwrap_or_else(zeros))
    }

    fn count(&self, input: &TextInput) -> usize {
        input.next.dims()[0]
    }

    fn loss(
        &self,
        network: &Self::Net,
        input: &TextInput,
        p: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Scored<Hidden> {
        let TextInput { words, next, hidden, .. } = input.clone();
        let tracked = pass.is_tracked();
        let (words, hidden) =
            if tracked { (words.autodiff(), hidden.autodiff()) } else { (words, hidden) };
        let said = network.forward(words, hidden, p, pass);
        let ([rows, columns, width], Predicted { outputs, dropped, hidden, decoder, bias }) =
            (said.outputs.dims(), said);
        let read = dropped.clone().reshape([rows * columns, width]);
        let penalty = if pass.is_training() { self.penalty(outputs, dropped) } else { None };
        let WordLoss { loss, right } =
            shaders::word_loss(pass.kernels, read.clone(), decoder, bias, next);
        Scored {
            loss,
            penalty,
            logits: read,
            right: Some(right),
            carry: Hidden::new(if tracked { hidden.inner() } else { hidden }),
        }
    }

    fn continued(&self, input: &TextInput, carry: &Hidden) -> TextInput {
        let hidden = carry.0.clone().unwrap_or_else(|| input.hidden.clone());
        TextInput { hidden, ..input.clone() }
    }

    /// Of logits over the vocabulary; [`Self::loss`] counts on its way.
    fn correct(&self, input: &TextInput, logits: Tensor<2>) -> Tensor<1> {
        correct(logits, input.next.clone())
    }

    fn perplexity(&self, loss: f64) -> Option<f64> {
        Some(loss.exp())
    }

    fn rate(&self, input: &TextInput) -> f64 {
        input.wanted as f64 / self.bptt as f64
    }

    fn virtual_step(&self, network: &Self::Net) -> VirtualStep {
        VirtualStep {
            clip: Some(self.clip).filter(|&clip| clip > 0.0),
            uncapped: self.clip_uncapped,
            held: self.keeps_embedding.then(|| network.embedding()).into_iter().collect(),
        }
    }

    /// Of a column, which is a sequence.
    fn multiply_adds(&self, network: &Self::Net, target: GradientTarget) -> u64 {
        self.bptt as u64 * network.multiply_adds(target)
    }
}
