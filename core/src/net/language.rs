//! What a network of a text is: it says of every word which one follows.

use burn::tensor::{Int, Tensor};

use super::Network;
use crate::nn::{GradientTarget, Pass};

/// Size of a network of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanguageShape {
    /// Words of the vocabulary.
    pub vocabulary: usize,
    /// Width of the embedding and of the hidden state.
    pub hidden: usize,
    /// What is dropped while weights learn.
    pub dropout: Dropout,
    /// Whether the embedding of the last word learns nothing from being read (`quirks.last_word_rests`).
    pub last_word_rests: bool,
}

/// Shares that are dropped in train mode. Every mask holds for a whole sequence (variational dropout).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dropout {
    /// Of the outputs, before the decoder.
    pub output: f64,
    /// Of the hidden state and of the nodes.
    pub hidden: f64,
    /// Of the input of the cell.
    pub input: f64,
    /// Of the embedded words.
    pub embedding: f64,
    /// Of the words of the vocabulary.
    pub word: f64,
}

/// A network that reads a text row by row.
pub trait LanguageNet: Network {
    /// The weights of the embedding, which are those of the decoder too, by their slot.
    fn embedding(&self) -> usize;

    /// What it makes of a text, with every edge weighted by `p`, which has no entry where there is nothing to
    /// choose.
    ///
    /// # Shapes
    /// - `words`: [rows, columns]
    /// - `hidden`: [columns, hidden], the state before the first row
    /// - `p`: [rows, options] for every choice
    fn forward(
        &self,
        words: Tensor<2, Int>,
        hidden: Tensor<2>,
        p: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Predicted;

    /// Multiply-adds for one word, with those of the gradients that are wanted
    /// ([`crate::nn::Layer::multiply_adds`] says what counts).
    fn multiply_adds(&self, target: GradientTarget) -> u64;
}

/// What a network says of a batch of text: the logits are dropped · decoderᵀ + bias. They are left to the loss,
/// which need not hold those of all words at once: of the paper's batch they are 90 million.
pub struct Predicted {
    /// The outputs of the cell, row after row, [rows, columns, hidden].
    pub outputs: Tensor<3>,
    /// The same after dropout.
    pub dropped: Tensor<3>,
    /// The state after the last row, [columns, hidden].
    pub hidden: Tensor<2>,
    /// [vocabulary, hidden].
    pub decoder: Tensor<2>,
    /// `[vocabulary]`.
    pub bias: Tensor<1>,
}
