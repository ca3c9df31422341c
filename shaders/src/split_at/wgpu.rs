//! The WGSL kernel: one thread for each number of the stack.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{Part, PartGradients, PartOps};
use crate::wgpu::{ACCESS, Program, contiguous, empty};

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
        match is_known {
            true => program(&part, true).launch(&[&gradient, &out, &contiguous(known)]),
            false => program(&part, false).launch(&[&gradient, &out]),
        }
        out
    }
}

fn program(part: &Part, is_known: bool) -> Program {
    let (binding, known) = match is_known {
        true => {
            let known = "var<storage, ".to_owned() + ACCESS + "> known: array<f32>;";
            ("@group(0) @binding(2) ".to_owned() + &known, "known[index]")
        }
        false => (String::new(), "0.0"),
    };
    let place = part.place();
    Program::new("part_gradient", include_str!("split_at.wgsl"), part.shape.iter().product())
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
                let program = program(&part, is_known);
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
