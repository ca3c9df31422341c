//! Recurrent networks of a text (spec §10): what is around the cell here, in [`mixed`] the cell that is
//! searched, in [`derived`] the one that is trained.
//!
//! ```text
//! x_t = embedding of the word, dropped      h_t = cell(x_t, h_{t−1})      next word: h_t, dropped, · embedding
//! ```

mod derived;
mod mixed;

use burn::tensor::{Int, Tensor};

use super::{Dropout, LanguageShape, Predicted};
use crate::nn::{Builder, Init, Pass, WeightId};
pub use derived::DerivedRecurrent;
pub use mixed::RecurrentNet;

/// Weights start in U(±0.04), as in the authors' code.
pub(super) const INIT: Init = Init::Uniform(0.04);

/// What is around a cell: the embedding, which is the matrix of the decoder too, and the dropouts.
pub(super) struct Reader {
    embedding: WeightId,
    bias: WeightId,
    pub vocabulary: usize,
    pub hidden: usize,
    dropout: Dropout,
    last_word_rests: bool,
}

/// A text, as a cell reads it.
pub(super) struct Sequence {
    /// Embedded words after all dropouts, [rows, columns, hidden].
    pub x: Tensor<3>,
    /// The state before the first word, [columns, hidden].
    pub hidden: Tensor<2>,
    /// What the hidden state and the states of the cell are multiplied by before a weight meets them, the same
    /// in all rows, [columns, hidden].
    pub mask: Option<Tensor<2>>,
}

impl Sequence {
    /// The text with the weights of a cell, as the kernels take it.
    pub fn of(self, start: Tensor<2>, nodes: Tensor<3>) -> shaders::Sequence {
        let Self { x, hidden, mask } = self;
        shaders::Sequence { x, hidden, mask, start, nodes }
    }
}

impl Reader {
    /// Adds its weights; the embedding must be the first of the network.
    pub fn new(builder: &mut Builder, shape: LanguageShape) -> Self {
        let LanguageShape { vocabulary, hidden, dropout, last_word_rests } = shape;
        let embedding = builder.child("encoder").weight("weight", &[vocabulary, hidden], INIT);
        let bias = builder.child("decoder").weight("bias", &[vocabulary], Init::Constant(0.0));
        Self { embedding, bias, vocabulary, hidden, dropout, last_word_rests }
    }

    /// The slot of the embedding.
    pub fn embedding(&self) -> usize {
        0
    }

    /// Reads a text; `cell` gives the states after every row, [rows, columns, hidden].
    ///
    /// # Shapes
    /// As for [`super::LanguageNet::forward`].
    pub fn forward(
        &self,
        (words, hidden): (Tensor<2, Int>, Tensor<2>),
        pass: &mut Pass,
        cell: impl FnOnce(Sequence, &mut Pass) -> Tensor<3>,
    ) -> Predicted {
        let ([rows, columns], width) = (words.dims(), self.hidden);
        let table = pass.weight(self.embedding, [self.vocabulary, width]);
        let x = self.embedded(words, &table, pass);
        let mask = pass.mask([columns, width], self.dropout.hidden, &hidden);
        let output = pass.mask([columns, width], self.dropout.output, &hidden);
        let outputs = cell(Sequence { x, hidden, mask }, pass);
        let dropped = match output {
            Some(mask) => outputs.clone() * mask.reshape([1, columns, width]),
            None => outputs.clone(),
        };
        let hidden = outputs.clone().narrow(0, rows - 1, 1).reshape([columns, width]);
        let bias = pass.weight(self.bias, [self.vocabulary]);
        Predicted { outputs, dropped, hidden, decoder: table, bias }
    }

    /// The inputs of the cell: the embedded words after three dropouts, of whole words, of what they are
    /// embedded in, and of the input itself.
    ///
    /// # Shapes
    /// - output: [rows, columns, hidden]
    fn embedded(&self, words: Tensor<2, Int>, table: &Tensor<2>, pass: &mut Pass) -> Tensor<3> {
        let ([rows, columns], width) = (words.dims(), self.hidden);
        let word = pass.mask([self.vocabulary, 1], self.dropout.word, table);
        let table = word.map_or_else(|| table.clone(), |mask| table.clone() * mask);
        let mut mask = |share| pass.mask([columns, width], share, &table);
        let masks = [mask(self.dropout.embedding), mask(self.dropout.input)];
        let words = words.reshape([rows * columns]);
        let x = table.clone().select(0, words.clone());
        let x = if self.last_word_rests { self.rested(x, words) } else { x };
        let x = x.reshape([rows, columns, width]);
        match masks.into_iter().flatten().reduce(|one, other| one * other) {
            None => x,
            Some(mask) => x * mask.reshape([1, columns, width]),
        }
    }
}

impl Reader {
    /// What is read, without a gradient for the last word of the vocabulary. The authors' code looks words up with
    /// `padding_idx = -1`, which PyTorch takes for the last row: only the decoder teaches it.
    ///
    /// # Shapes
    /// - `x`: [words, hidden]; `words`: `[words]`
    fn rested(&self, x: Tensor<2>, words: Tensor<1, Int>) -> Tensor<2> {
        if !x.is_autodiff() {
            return x;
        }
        let [count, width] = x.dims();
        let last = words.equal_elem(self.vocabulary as i32 - 1).reshape([count, 1]);
        x.clone().mask_where(last.expand([count, width]), x.detach())
    }
}
