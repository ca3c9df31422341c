//! The space `recurrent`: cells of a recurrent network, searched on text.
//!
//! # What it is
//!
//! The cells of the paper's search on Penn Treebank, which is that of DARTS (Liu, Simonyan, Yang; ICLR
//! 2019). A first state is made of the word and of the hidden state; eight nodes follow, each of which
//! reads one state before it through an activation: tanh, ReLU, sigmoid or the identity. A gate of its own
//! says how much of the state the activation replaces. The mean of the nodes is the next hidden state.
//! The paper counts 12 nodes: two inputs, the first state, eight nodes and the output. There are
//! 8!·4⁸ = 2,642,411,520 cells.
//!
//! # Settings
//!
//! Section `recurrent`; `search.batch_size` counts columns of the text, `search.cells`, `search.channels` and
//! the like do nothing here. Methods: those whose p is the softmax of alpha.
//!
//! # Derivation
//!
//! Every node reads the state whose strongest activation, `none` left out, has the largest p, through that
//! activation; the first of equals.
//!
//! # What the released code does differently
//!
//! The second-order gradient has two quirks, `quirks.unrolled_keeps_embedding` and
//! `quirks.unrolled_clip_uncapped`. The attack does not know the regularisation of the activations (spec
//! §3.6). The author concedes that cells searched on Penn Treebank may be no better than random ones.
//!
//! # What the logged numbers mean
//!
//! `alpha` and `probabilities` have one tensor, `cell`, of 36 rows (node, state) and five columns. Accuracy is
//! the share of words that were guessed right, and perplexity the exponential of the loss.

use super::{Family, Reads, SpaceError, rows, strongest};
use crate::cell::codec::{Codec, recurrent};
use crate::cell::{Choice, ChoiceKind, Edge, Genotype, Row, Rows};
use crate::net::{Build, LanguageNet, LanguageShape, NetShape, RecurrentNet, Supernet};

/// The space.
pub struct Recurrent;

/// In the order of [`crate::ops::Activation`].
const ACTIVATIONS: [&str; 5] = [NONE, "tanh", "relu", "sigmoid", "identity"];

const NONE: &str = crate::ops::NONE;

/// States of the nodes: eight, after the first state.
const NODES: std::ops::Range<usize> = 1..9;

impl Family for Recurrent {
    fn reads(&self) -> Reads {
        Reads::Text
    }

    fn choices(&self) -> Vec<Choice> {
        let (name, kind) = (recurrent::CELL.to_owned(), ChoiceKind::Operation);
        vec![Choice { name, kind, rows: rows(NODES, |_| &ACTIVATIONS) }]
    }

    fn supernet(
        &self,
        _: Vec<Choice>,
        _: NetShape,
        _: &Build,
    ) -> Result<Box<dyn Supernet>, SpaceError> {
        Err(SpaceError::OfText)
    }

    fn language(&self, shape: LanguageShape) -> Result<Box<dyn LanguageNet>, SpaceError> {
        let choice = self.choices().into_iter().next().ok_or(SpaceError::OfImages)?;
        Ok(Box::new(RecurrentNet::new(choice, shape)))
    }

    fn derive(&self, probabilities: &[Rows]) -> Genotype {
        let rows = rows(NODES, |_| &ACTIVATIONS);
        let weighed: Vec<(&Row, &Vec<f32>)> =
            rows.iter().zip(probabilities.iter().flatten()).collect();
        let gene = |entering: &[(&Row, &Vec<f32>)]| {
            let found = entering.iter().filter_map(|(row, p)| strongest(row, p, Some(NONE)));
            let best = found.reduce(|best, next| if next.0 > best.0 { next } else { best });
            best.and_then(|(_, Edge { source, operation })| Some((operation?, source)))
        };
        let nodes = weighed.chunk_by(|one, next| one.0.node == next.0.node);
        let genes: Vec<recurrent::Gene> = nodes.filter_map(gene).collect();
        let mean: Vec<usize> = if genes.is_empty() { Vec::new() } else { NODES.collect() };
        recurrent::from_genes(&genes, &mean)
    }

    fn codec(&self) -> &'static Codec {
        &recurrent::CODEC
    }
}
