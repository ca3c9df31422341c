//! The WGSL kernels: one thread for each number that is written.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{ChannelGradients, ChannelOps, Part};
use crate::wgpu::{ACCESS, Program, contiguous, empty};

impl ChannelOps for CubeBackend {
    fn channels(x: CubeTensor, part: Part) -> CubeTensor {
        let x = contiguous(x);
        let out = empty(&x, part.shape());
        forward(&part).launch(&[&x, &out]);
        out
    }
}

impl ChannelGradients for CubeBackend {
    fn channels_gradient(
        x: CubeTensor,
        known: CubeTensor,
        gradient: CubeTensor,
        is_known: bool,
        part: Part,
    ) -> CubeTensor {
        let [x, known, gradient] = [x, known, gradient].map(contiguous);
        let out = empty(&gradient, part.shape);
        let mut buffers = vec![&gradient, &out];
        buffers.extend(is_known.then_some(&known));
        // A kernel must read all that it binds.
        buffers.extend((part.size > 1).then_some(&x));
        backward(&part, is_known).launch(&buffers);
        out
    }
}

fn sized(program: Program, part: &Part) -> Program {
    let [_, height, width, channels] = part.shape;
    program.sizes([
        ("height", height),
        ("width", width),
        ("channels", channels),
        ("first", part.channels.start),
        ("part", part.channels.len()),
        ("size", part.size),
    ])
}

fn forward(part: &Part) -> Program {
    let pieces = [include_str!("sizes.wgsl"), include_str!("channels.wgsl")];
    sized(Program::of_pieces("channels", pieces, part.shape().num_elements()), part)
}

fn backward(part: &Part, is_known: bool) -> Program {
    let (mut bindings, mut binding) = (String::new(), 2);
    let mut bind = |name: &str, is_bound: bool| {
        if is_bound {
            let access = ACCESS;
            bindings += &format!(
                "@group(0) @binding({binding}) var<storage, {access}> {name}: array<f32>;\n"
            );
            binding += 1;
        }
    };
    bind("known", is_known);
    bind("x", part.size > 1);
    let is_first =
        if part.size > 1 { "is_first_largest(batch, row, column, channel)" } else { "true" };
    let largest = if part.size > 1 { include_str!("largest.wgsl") } else { "" };
    let pieces = [include_str!("sizes.wgsl"), largest, include_str!("gradient.wgsl")];
    sized(Program::of_pieces("channels_gradient", pieces, part.shape.iter().product()), part)
        .constant("bindings", bindings)
        .constant("known", if is_known { "known[index]" } else { "0.0" })
        .constant("is_first", is_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for (channels, size) in [(0..2, 1), (2..8, 1), (2..8, 2)] {
            let part = Part { shape: [3, 4, 2, 8], channels, size, ..Part::default() };
            for program in [forward(&part), backward(&part, true), backward(&part, false)] {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
