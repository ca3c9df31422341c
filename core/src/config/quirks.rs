//! Where the authors' code and the text of the paper differ.

use serde::{Deserialize, Serialize};

use super::{AlphaBatches, Projection, Setting, Split};

section! {
    /// Where the authors' code and the text of the paper differ, or the code does the unexpected.
    QUIRKS = "quirks", Quirks {
        /// How a perturbed row becomes a probability vector: row-clip (code) or exact (paper).
        projection: Projection = Projection::RowClip,
        /// ε reaches epsilon_max in the last epoch (paper), instead of stopping one step short (code).
        epsilon_reaches_max: bool = false,
        /// Take an attack back that lowered the loss (code).
        revert_failed_attack: bool = true,
        /// Attack in eval mode, with running BN statistics (code), instead of train mode.
        attack_in_eval_mode: bool = true,
        /// Use the learning rate of the next epoch, as newer PyTorch did with the authors' loop.
        learning_rate_shift: bool = false,
        /// Augment the validation half too, also while its accuracy is measured (code).
        augment_validation: bool = true,
        /// Validation batch of a step: fresh (code) or pass.
        alpha_batches: AlphaBatches = AlphaBatches::Fresh,
        /// Momentum of batch norm in one-shot networks as PyTorch counts it: 0.997 (code) or 0.003, which TensorFlow calls 0.997 (paper).
        oneshot_norm_momentum: f64 = 0.997,
        /// Pad the poolings between the stages of one-shot networks by a pixel, 32 → 17 → 9 (code), instead of 32 → 16 → 8 (paper).
        oneshot_pool_padding: bool = true,
        /// The temperature of gdas falls to 1 (code), instead of 0.1 (paper).
        gdas_temperature_stops: bool = true,
        /// gdas weighs what a block or the output reads by the soft draw (code), instead of taking one alone (paper).
        gdas_soft_inputs: bool = true,
        /// nasp takes the softmax of the ones and zeros of its operations (code), so that all of them are computed, instead of these themselves (paper).
        nasp_softmax: bool = true,
        /// Weights that no draw of gdas has used yet know neither weight decay nor momentum (code, with PyTorch before 2).
        unused_weights_rest: bool = true,
        /// enas computes all operations while weights learn, those of weight 0 too: their batch norms see the images, and they know weight decay (code).
        enas_computes_all: bool = true,
        /// The virtual step of a recurrent second-order search leaves the embedding, which is the decoder too, where it is (code), instead of moving all weights.
        unrolled_keeps_embedding: bool = true,
        /// The second-order correction of a recurrent search is multiplied by clip / norm also where that is above 1 (code), instead of by what the gradient was multiplied by.
        unrolled_clip_uncapped: bool = true,
        /// The embedding of the last word of a vocabulary learns nothing from being read (code, by its padding index), only from the decoder.
        last_word_rests: bool = true,
        /// Averaged SGD steps with the rate of the step before, and its average leaves the first step out (code, as PyTorch does), instead of the rate of its own step and all steps.
        asgd_lags: bool = true,
        /// Split of the training set: contiguous (code) or shuffled.
        split: Split = Split::Contiguous,
    }
}
