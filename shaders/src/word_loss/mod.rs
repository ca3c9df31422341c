//! The loss of a vocabulary: mean negative log-likelihood of the words behind a decoder, without all logits.
//!
//! 35 steps of 256 sentences have 8,960 × 10,000 logits, 358 MB, and plain ops keep them several times: as they
//! are, as log-softmax, and as gradients. Here some rows at a time become logits, a loss and, where it is asked
//! for, the gradient (softmax − one)/rows, from which those of the outputs, of the decoder and of its bias
//! follow at once: the way back is only a factor. Three products of 54 GFLOP at those sizes.

mod autodiff;
mod cpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::{Int, Tensor};

use crate::Kernels;

/// What a decoder is worth.
#[derive(Clone, Debug)]
pub struct WordLoss {
    /// Mean over the words of −log softmax(decoder · output + bias)\[target\], \[1\].
    pub loss: Tensor<1>,
    /// Words of which the target has the largest logit (the first of several), \[1\]. Never tracked.
    pub right: Tensor<1>,
}

/// The loss of words behind a decoder.
///
/// # Shapes
/// - `outputs`: \[words, hidden\], at least one word
/// - `decoder`: \[vocabulary, hidden\]
/// - `bias`: \[vocabulary\]
/// - `targets`: \[words\], each below the vocabulary
pub fn word_loss(
    kernels: Kernels,
    outputs: Tensor<2>,
    decoder: Tensor<2>,
    bias: Tensor<1>,
    targets: Tensor<1, Int>,
) -> WordLoss {
    if !kernels.fused_on_cpu(&outputs) {
        return composed(outputs, decoder, bias, targets);
    }
    let words = Words {
        outputs: outputs.into_dispatch(),
        decoder: decoder.into_dispatch(),
        bias: bias.into_dispatch(),
        targets: targets.into_dispatch(),
    };
    let wanted = Wanted { outputs: false, decoder: false, bias: false };
    let found = Dispatch::word_loss(words, wanted);
    let right = Tensor::<1>::from_dispatch(found.right).inner();
    WordLoss { loss: Tensor::from_dispatch(found.loss), right }
}

/// The reference: plain ops.
fn composed(
    outputs: Tensor<2>,
    decoder: Tensor<2>,
    bias: Tensor<1>,
    targets: Tensor<1, Int>,
) -> WordLoss {
    let logits = outputs.matmul(decoder.transpose()) + bias.unsqueeze();
    let plain = logits.clone().inner();
    let best = plain.clone().argmax(1).squeeze_dim::<1>(1);
    let right = best.equal(targets.clone().inner()).float().sum();
    let largest = plain.max_dim(1);
    let largest = if logits.is_autodiff() { largest.autodiff() } else { largest };
    let logits = logits - largest;
    let sums = logits.clone().exp().sum_dim(1).log();
    let chosen = logits.gather(1, targets.unsqueeze_dim(1));
    WordLoss { loss: (sums - chosen).mean(), right }
}

/// The tensors of [`word_loss`].
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Words<B: Backend> {
    pub(crate) outputs: FloatTensor<B>,
    pub(crate) decoder: FloatTensor<B>,
    pub(crate) bias: FloatTensor<B>,
    pub(crate) targets: IntTensor<B>,
}

/// Which gradients are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) outputs: bool,
    pub(crate) decoder: bool,
    pub(crate) bias: bool,
}

/// The loss, the words that are right, and the gradients, or anything for those that are not asked for.
#[derive(Clone, Debug, ExtensionType)]
pub(crate) struct Loss<B: Backend> {
    pub(crate) loss: FloatTensor<B>,
    pub(crate) right: FloatTensor<B>,
    pub(crate) outputs: FloatTensor<B>,
    pub(crate) decoder: FloatTensor<B>,
    pub(crate) bias: FloatTensor<B>,
}

/// The op.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait WordLossOps: Backend {
    /// The loss with its gradients.
    fn word_loss(#[extension_type] words: Words<Self>, wanted: Wanted) -> Loss<Self>;
}
