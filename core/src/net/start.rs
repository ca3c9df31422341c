//! What a network of stacked cells starts with, for images of 32×32 and of 224×224 pixels (spec §1.3, §9.2).

use super::Stem;
use super::topology::Start;
use crate::nn::{Builder, Layer, NormOptions, Sequence};
use crate::ops::stem;

/// What gives the first input of the first cell, and what makes its second input of that.
pub(super) type Stems = [Sequence; 2];

/// Builds it, for a first cell of so many channels; a small stem has `multiplier` times as many.
pub(super) fn start(
    builder: &mut Builder,
    kind: Stem,
    (image_channels, channels, multiplier): (usize, usize, usize),
    norm: NormOptions,
) -> (Stems, Start) {
    match kind {
        Stem::Small => {
            let wide = multiplier * channels;
            let stem = stem(builder, image_channels, wide, norm);
            ([stem, Sequence::default()], Start { channels: wide, halved: false })
        }
        Stem::ImageNet => {
            let mut halving = |path: [&str; 2], [inputs, outputs]: [usize; 2]| {
                let convolution = Layer::convolution(builder, path[0], [outputs, inputs, 3, 3], 2);
                convolution.and_norm(builder, path[1], norm)
            };
            let half = channels / 2;
            let first = halving(["stem0.0", "stem0.1"], [image_channels, half]);
            let second = halving(["stem0.3", "stem0.4"], [half, channels]).after_relu();
            let third = halving(["stem1.1", "stem1.2"], [channels; 2]).after_relu();
            let stem = [Sequence(vec![first, second]), Sequence(vec![third])];
            // A quirk that has to be: the first cell comes after a reduction, that of the stem.
            (stem, Start { channels, halved: true })
        }
    }
}
