//! Masks of dropout. They hold for a whole sequence: a pass draws each once (spec §10).

use burn::tensor::{Tensor, TensorData};

use super::pass::Pass;
use crate::rng::uniform;

impl Pass {
    /// A mask that drops this share: 0 for what is dropped, else what keeps the mean. None where nothing is
    /// dropped: in eval mode, or of a share of 0. It is tracked where `like` is, and on its device.
    ///
    /// Masks that were given ([`Pass::with_masks`], 1 for what stays) come before those that are drawn.
    pub fn mask(&mut self, shape: [usize; 2], share: f64, like: &Tensor<2>) -> Option<Tensor<2>> {
        if share == 0.0 || !self.is_training() {
            return None;
        }
        let (keep, count) = ((1.0 - share) as f32, shape[0] * shape[1]);
        let mut mask: Vec<f32> =
            self.given_masks.by_ref().take(count).map(|stays| stays / keep).collect();
        let left = count - mask.len();
        let draws = uniform(&mut self.randomness.rng, left, 0.0, 1.0).into_iter();
        mask.extend(draws.map(|draw| if draw < keep { 1.0 / keep } else { 0.0 }));
        let mask = Tensor::from_data(TensorData::new(mask, shape), &like.device().inner());
        Some(if like.is_autodiff() { mask.autodiff() } else { mask })
    }
}
