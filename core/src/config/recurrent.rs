//! The recurrent network and the text that it reads (spec §10).

use serde::{Deserialize, Serialize};

use super::Setting;

choice! {
    /// How long the sequences of a text are.
    Lengths {
        /// `bptt` words, half of it in one of twenty (the authors' search).
        Halved,
        /// The same with a deviation of 5 words, from 5 to `bptt` + 20 (the authors' training).
        Jittered,
    }
}

section! {
    /// The recurrent network and the text that it reads; the defaults are those of the authors' search.
    RECURRENT = "recurrent", Recurrent {
        /// Width of the embedding and of the hidden state (850 in a training).
        hidden: usize = 300,
        /// Words of a sequence, before the hidden state is cut off from what made it; the learning rate is that of so many words.
        bptt: usize = 35,
        /// How long sequences are: halved (bptt, seldom half of it) or jittered (around that).
        lengths: Lengths = Lengths::Halved,
        /// Words of the training text to use, from the first on; 0 uses all.
        train_words: usize = 0,
        /// Columns of the text while it is evaluated.
        evaluation_batch: usize = 10,
        /// Share of the outputs that is dropped before the decoder, the same in all words of a sequence.
        dropout: f64 = 0.75,
        /// Share of the hidden state that is dropped in all nodes (dropouth).
        dropout_hidden: f64 = 0.25,
        /// Share of the input of the cell that is dropped (dropoutx).
        dropout_input: f64 = 0.75,
        /// Share of the embedded words that is dropped (dropouti).
        dropout_embedding: f64 = 0.2,
        /// Share of the words of the vocabulary whose embedding is dropped (dropoute; 0.1 in a training).
        dropout_word: f64 = 0.0,
        /// Weight of the mean square of the dropped outputs in the loss of the weights (AR).
        activation_regularisation: f64 = 0.0,
        /// Weight of the mean square of their change from word to word, undropped (TAR).
        temporal_regularisation: f64 = 1e-3,
    }
}
