//! The WGSL kernels: one thread for each channel and chunk of pixels where sums are taken, one for
//! each number where not.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;

use super::{NormGradients, NormOps, Standard};
use crate::wgpu::{ACCESS, Program, contiguous, empty, pixel_chunks, summed};

impl NormOps for CubeBackend {
    fn normalise(x: CubeTensor, moments: CubeTensor, standard: Standard) -> CubeTensor {
        let (x, moments) = (contiguous(x), contiguous(moments));
        let y = empty(&x, x.shape());
        normalise(&x.shape(), standard).launch(&[&x, &moments, &y]);
        y
    }
}

impl NormGradients for CubeBackend {
    fn moments(x: CubeTensor, groups: usize) -> CubeTensor {
        let x = contiguous(x);
        let shape = x.shape();
        let columns = groups * shape[3];
        let out = empty(&x, [2, columns]);
        match pixel_chunks(pixels(&shape, groups)) {
            1 => moments(&shape, groups).launch(&[&x, &out]),
            chunks => {
                let partial = empty(&x, [chunks, 2, columns]);
                moments(&shape, groups).launch(&[&x, &partial]);
                merge(&shape, groups).launch(&[&partial, &out]);
            }
        }
        out
    }

    fn normalise_gradient(
        y: CubeTensor,
        gradient: CubeTensor,
        moments: CubeTensor,
        standard: Standard,
    ) -> CubeTensor {
        let (y, gradient, moments) = (contiguous(y), contiguous(gradient), contiguous(moments));
        let shape = y.shape();
        let out = empty(&y, shape.clone());
        if !standard.of_batch {
            scale(&shape, standard).launch(&[&gradient, &moments, &out]);
            return out;
        }
        let plain = gradient_products(&shape, standard.groups, None);
        let sums = sums(&gradient, standard.groups, |partial| {
            plain.launch(&[&y, &gradient, partial]);
        });
        pull(&shape, standard).launch(&[&y, &gradient, &moments, &sums, &out]);
        out
    }
}

/// [2, groups · channels], of what `launch` writes for every chunk of pixels: [chunks, 2, groups ·
/// channels].
pub(crate) fn sums(
    like: &CubeTensor,
    groups: usize,
    launch: impl FnOnce(&CubeTensor),
) -> CubeTensor {
    let shape = like.shape();
    summed(like, pixels(&shape, groups), [2, groups * shape[3]], launch)
}

/// Pixels of a group.
fn pixels(shape: &Shape, groups: usize) -> usize {
    shape[0] / groups * shape[1] * shape[2]
}

/// Fills what every template of a stack has.
pub(crate) fn sized(program: Program, shape: &Shape, groups: usize) -> Program {
    let pixels = pixels(shape, groups);
    program.sizes([("channels", shape[3]), ("groups", groups), ("pixels", pixels)])
}

/// A template for one thread for each number.
fn pointwise(
    name: &'static str,
    source: &'static str,
    shape: &Shape,
    standard: Standard,
) -> Program {
    let program = Program::of_pieces(name, [GROUPS, source], shape.num_elements());
    sized(program, shape, standard.groups).constant("eps", format!("{:e}", standard.eps))
}

fn normalise(shape: &Shape, standard: Standard) -> Program {
    pointwise("normalise", include_str!("normalise.wgsl"), shape, standard)
}

fn moments(shape: &Shape, groups: usize) -> Program {
    let (columns, pixels) = (groups * shape[3], pixels(shape, groups));
    let source = include_str!("moments.wgsl");
    sized(Program::of_sums("moments", [GROUPS, MERGED], source, columns, pixels), shape, groups)
}

fn merge(shape: &Shape, groups: usize) -> Program {
    let pieces = [GROUPS, MERGED, include_str!("merge.wgsl")];
    let program = Program::of_pieces("merge", pieces, groups * shape[3]);
    sized(program.of_chunks(), shape, groups)
}

/// The sums of a gradient and of its product with x after `norm`, for every channel of a group and
/// chunk of its pixels: buffers x, the moments if there is a norm, the gradient, [chunk, 2, groups ·
/// channels].
pub(crate) fn gradient_products(shape: &Shape, groups: usize, norm: Option<Standard>) -> Program {
    let (columns, pixels) = (groups * shape[3], pixels(shape, groups));
    let source = include_str!("gradient_products.wgsl");
    let program =
        Program::of_sums("gradient_products", [GROUPS, STANDARD], source, columns, pixels);
    declare(sized(program, shape, groups), norm)
}

/// The rest of the way back through a batch norm of x, from the gradient and its [`sums`]: buffers x,
/// its moments, the gradient, the sums, the output.
/// With given moments the sums do not count.
pub(crate) fn pull_through(name: &'static str, shape: &Shape, norm: Standard) -> Program {
    let pieces = [GROUPS, STANDARD, include_str!("pull.wgsl")];
    let program = Program::of_pieces(name, pieces, shape.num_elements());
    let means = match norm.of_batch {
        true => "(sums[column] + product) / f32(PIXELS)",
        false => "0.0 * (sums[column] + product)",
    };
    declare(sized(program, shape, norm.groups), Some(norm)).constant("means", means)
}

/// The sizes of a stack.
pub(crate) const GROUPS: &str = include_str!("groups.wgsl");

const MERGED: &str = include_str!("merged.wgsl");

/// Declares x and, where there is a norm, its moments and its γ and β, as the first bindings, and the functions
/// `norm_of(column)`, `standard(value, norm)` and `normed(value, norm)`, which is that with γ and β.
pub(crate) const STANDARD: &str = include_str!("standard.wgsl");

/// Fills what [`STANDARD`] leaves open; `{{ next }}` to `{{ fourth }}` are the free bindings.
pub(crate) fn declare(program: Program, norm: Option<Standard>) -> Program {
    declare_of("f32", program, norm)
}

/// The same for columns in fours: what is filled in as the number of channels is that of fours.
pub(crate) fn declare_fours(program: Program, norm: Option<Standard>) -> Program {
    declare_of("vec4<f32>", program, norm)
}

fn declare_of(number: &str, program: Program, norm: Option<Standard>) -> Program {
    let buffer = |binding: usize, name: &str| {
        format!("@group(0) @binding({binding}) var<storage, {ACCESS}> {name}: array<Number>;\n")
    };
    let identity = "Norm(Number(0.0), Number(1.0), Number(1.0), Number(0.0))";
    let (mut buffers, mut of_column, mut standard, mut next) =
        (String::new(), identity.to_owned(), "value", 1);
    let affine = norm.is_some_and(|norm| norm.affine);
    if let Some(Standard { eps, .. }) = norm {
        buffers = buffer(1, "moments");
        let scale = format!("inverseSqrt(moments[COLUMNS_OF_ALL + column] + {eps:e})");
        let gain = match affine {
            true => "affine[column], affine[COLUMNS_OF_ALL + column]",
            false => "Number(1.0), Number(0.0)",
        };
        of_column = format!("Norm(moments[column], {scale}, {gain})");
        (standard, next) = ("(value - norm.mean) * norm.scale", 2);
    }
    if affine {
        buffers += &buffer(2, "affine");
        next = 3;
    }
    let normed = if affine { "standard(value, norm) * norm.gain + norm.shift" } else { standard };
    program
        .constant("number", number)
        .constant("norm_buffers", buffers)
        .constant("norm", of_column)
        .constant("standard", standard)
        .constant("normed", normed)
        .sizes([("next", next), ("second", next + 1), ("third", next + 2), ("fourth", next + 3)])
}

fn scale(shape: &Shape, standard: Standard) -> Program {
    pointwise("normalise_scale", include_str!("scale.wgsl"), shape, standard)
}

fn pull(shape: &Shape, standard: Standard) -> Program {
    pointwise("normalise_gradient", include_str!("gradient.wgsl"), shape, standard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for (groups, shape) in
            [(1, [2, 8, 8, 16]), (1, [1, 1, 1, 1]), (3, [3, 7, 5, 6]), (4, [64, 32, 32, 64])]
        {
            let (shape, norm) =
                (Shape::from(shape), Standard { groups, of_batch: true, eps: 1e-5, affine: false });
            for program in [
                normalise(&shape, norm),
                moments(&shape, groups),
                merge(&shape, groups),
                gradient_products(&shape, groups, None),
                gradient_products(&shape, groups, Some(norm)),
                pull_through("pull", &shape, norm),
                pull_through("pull", &shape, Standard { affine: true, ..norm }),
                pull_through("pull", &shape, Standard { affine: true, of_batch: false, ..norm }),
                pull(&shape, norm),
                scale(&shape, norm),
            ] {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
