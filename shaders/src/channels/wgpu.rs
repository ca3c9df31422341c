//! The WGSL kernels: one thread for each number that is written.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{ChannelGradients, ChannelOps, Division, Part, There};
use crate::wgpu::{ACCESS, Program, built, contiguous, empty};

impl ChannelOps for CubeBackend {
    fn channels(x: CubeTensor, base: CubeTensor, part: Part) -> CubeTensor {
        let (x, base) = (contiguous(x), part.has_base.then(|| contiguous(base)));
        let out = empty(&x, part.shape());
        let mut buffers = vec![&x, &out];
        buffers.extend(&base);
        let Part { division, is_first, has_base } = part;
        built((division.sizes(), is_first, has_base), |(sizes, is_first, has_base)| {
            let (is_first, has_base) = (*is_first, *has_base);
            forward(&Part { division: Division::of(*sizes), is_first, has_base })
        })
        .launch(&buffers);
        out
    }
}

impl ChannelGradients for CubeBackend {
    fn channels_gradient(
        x: CubeTensor,
        known: CubeTensor,
        first: CubeTensor,
        others: CubeTensor,
        there: There,
        division: Division,
    ) -> CubeTensor {
        let tensors = [known, first, others, x].map(contiguous);
        let out = empty(&tensors[3], division.shape);
        let mut buffers = vec![&out];
        // A kernel must read all that it binds.
        let bound = tensors.iter().zip(bound(&division, there));
        buffers.extend(bound.filter_map(|(tensor, (_, is_bound))| is_bound.then_some(tensor)));
        built((division.sizes(), there), |(sizes, there)| backward(&Division::of(*sizes), *there))
            .launch(&buffers);
        out
    }
}

/// Shape, first channels and windows of a division.
type Sizes = ([usize; 4], usize, usize);

impl Division {
    fn sizes(&self) -> Sizes {
        (self.shape, self.first, self.size)
    }

    /// Of nothing that waits.
    fn of((shape, first, size): Sizes) -> Self {
        Self { shape, first, size, ..Self::default() }
    }
}

fn sized(program: Program, division: &Division, part: &Part) -> Program {
    let [_, height, width, channels] = division.shape;
    program.sizes([
        ("height", height),
        ("width", width),
        ("channels", channels),
        ("first", part.channels().start),
        ("part", part.channels().len()),
        ("size", part.size()),
    ])
}

/// Declares what is read, from this binding on.
fn bindings(first: usize, names: impl Iterator<Item = &'static str>) -> String {
    let (mut text, access) = (String::new(), ACCESS);
    for (binding, name) in (first..).zip(names) {
        text +=
            &format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<f32>;\n");
    }
    text
}

fn forward(part: &Part) -> Program {
    let pieces = [include_str!("sizes.wgsl"), include_str!("channels.wgsl")];
    let program = Program::of_pieces("channels", pieces, part.shape().num_elements())
        .constant("bindings", bindings(2, part.has_base.then_some("base").into_iter()))
        .constant("base", if part.has_base { "base[index] + " } else { "" });
    sized(program, &part.division, part)
}

/// What the gradient reads, and whether it does.
fn bound(division: &Division, there: There) -> [(&'static str, bool); 4] {
    let There { known, first, others } = there;
    let looks = others && division.size > 1;
    [("known", known), ("first", first), ("others", others), ("x", looks)]
}

fn backward(division: &Division, there: There) -> Program {
    let bound = bound(division, there);
    let names = bound.into_iter().filter_map(|(name, is_bound)| is_bound.then_some(name));
    let looks = bound[3].1;
    let largest = if looks { include_str!("largest.wgsl") } else { "" };
    let pieces = [include_str!("sizes.wgsl"), largest, include_str!("gradient.wgsl")];
    let count = division.shape.iter().product();
    let add_first = "value += first[index / CHANNELS * FIRST + channel];";
    let add_others = "value += others[window * PART + channel - FIRST];";
    let is_first = if looks { "is_first_largest(batch, row, column, channel)" } else { "true" };
    let program = Program::of_pieces("channels_gradient", pieces, count)
        .constant("bindings", bindings(1, names))
        .constant("known", if there.known { "known[index]" } else { "0.0" })
        .constant("add_first", if there.first { add_first } else { "" })
        .constant("add_others", if there.others { add_others } else { "" })
        .constant("is_first", is_first);
    sized(program, division, &Part { division: division.clone(), is_first: false, has_base: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for (first, size, known) in [(2, 1, false), (2, 2, true), (6, 2, false)] {
            let division = Division { shape: [3, 4, 2, 8], first, size, ..Division::default() };
            let parts =
                [(true, false), (false, false), (false, true)].map(|(is_first, has_base)| {
                    forward(&Part { division: division.clone(), is_first, has_base })
                });
            let gradients = [(true, true), (false, true), (true, false)]
                .map(|(first, others)| backward(&division, There { known, first, others }));
            for program in parts.into_iter().chain(gradients) {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
