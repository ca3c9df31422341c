//! The WGSL kernel: one thread for each number of the stack.

use std::ops::Range;

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{Part, PartGradients, PartOps};
use crate::wgpu::{ACCESS, Program, built, contiguous, empty};

impl PartOps for CubeBackend {}

impl PartGradients for CubeBackend {
    fn part_gradient(
        known: CubeTensor,
        gradient: CubeTensor,
        is_known: bool,
        part: Part,
    ) -> CubeTensor {
        let gradient = contiguous(gradient);
        let out = empty(&gradient, part.shape);
        let settings = (part.shape, part.place(), is_known);
        let program = built(settings, |(shape, place, is_known)| program(*shape, place, *is_known));
        match is_known {
            true => program.launch(&[&gradient, &out, &contiguous(known)]),
            false => program.launch(&[&gradient, &out]),
        }
        out
    }
}

/// For a part at this place of a stack of this shape.
fn program(shape: [usize; 4], place: &Range<usize>, is_known: bool) -> Program {
    let (binding, known) = match is_known {
        true => {
            let known = "var<storage, ".to_owned() + ACCESS + "> known: array<f32>;";
            ("@group(0) @binding(2) ".to_owned() + &known, "known[index]")
        }
        false => (String::new(), "0.0"),
    };
    Program::new("part_gradient", include_str!("split_at.wgsl"), shape.iter().product())
        .constant("binding", binding)
        .constant("known", known)
        .sizes([("first", place.start), ("last", place.end)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for images in [0..1, 1..3, 0..3] {
            for is_known in [true, false] {
                let part = Part { shape: [3, 5, 2, 6], images: images.clone(), ..Part::default() };
                let program = program(part.shape, &part.place(), is_known);
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
