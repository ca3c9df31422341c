//! The CPU twin: a copy, image by image.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::{Part, PartGradients, PartOps};
use crate::cpu::block::Block;
use crate::cpu::{contiguous, for_chunks, values};
use crate::meter;

impl PartOps for Flex {}

impl PartGradients for Flex {
    fn part_gradient(
        known: FlexTensor,
        gradient: FlexTensor,
        is_known: bool,
        part: Part,
    ) -> FlexTensor {
        let _span = meter::span("part_gradient");
        let (known, gradient) = (contiguous(known), contiguous(gradient));
        let image = part.image();
        let mut out = Block::new(part.shape[0] * image);
        for_chunks(&mut out, image, 3 * image, |index, out| {
            let of_part = index.checked_sub(part.images.start).filter(|_| index < part.images.end);
            let known = is_known.then(|| &values(&known)[index * image..][..image]);
            let gradient = of_part.map(|index| &values(&gradient)[index * image..][..image]);
            match (known, gradient) {
                (Some(known), Some(gradient)) => {
                    let sums = known.iter().zip(gradient);
                    out.iter_mut().zip(sums).for_each(|(out, (a, b))| *out = a + b);
                }
                (Some(one), None) | (None, Some(one)) => out.copy_from_slice(one),
                (None, None) => out.fill(0.0),
            }
        });
        out.into_tensor(part.shape)
    }
}
