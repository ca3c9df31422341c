//! The WGSL kernels: one thread for each channel and chunk of pixels where sums are taken, one for
//! each number where not.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;

use super::{NormGradients, NormOps, Standard};
use crate::device;
use crate::wgpu::{ACCESS, Built, Lanes, Program, built, contiguous, empty};

impl NormOps for CubeBackend {
    fn normalise(x: CubeTensor, moments: CubeTensor, standard: Standard) -> CubeTensor {
        let (x, moments) = (contiguous(x), contiguous(moments));
        let y = empty(&x, x.shape());
        built((x.shape(), standard), |(shape, standard)| normalise(shape, *standard))
            .launch(&[&x, &moments, &y]);
        y
    }
}

impl NormGradients for CubeBackend {
    fn moments(x: CubeTensor, groups: usize) -> CubeTensor {
        let x = contiguous(x);
        let shape = x.shape();
        let lanes = lanes(&shape, groups);
        over_chunks(&x, &shape, groups, lanes, |found| {
            let settings = (shape.clone(), groups, lanes);
            built(settings, |(shape, groups, lanes)| moments(shape, *groups, *lanes))
                .launch(&[&x, found]);
        })
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
            built((shape, standard), |(shape, standard)| scale(shape, *standard))
                .launch(&[&gradient, &moments, &out]);
            return out;
        }
        let sums = sums(&gradient, standard.groups, |lanes, partial| {
            gradient_products(&shape, standard.groups, None, lanes)
                .launch(&[&y, &gradient, partial]);
        });
        built((shape, standard), |(shape, standard)| pull(shape, *standard))
            .launch(&[&y, &gradient, &moments, &sums, &out]);
        out
    }
}

/// The moments of a stack from those of its chunks of pixels, [chunks, 2, groups · channels], which `launch` writes.
pub(crate) fn over_chunks(
    like: &CubeTensor,
    shape: &Shape,
    groups: usize,
    lanes: Lanes,
    launch: impl FnOnce(&CubeTensor),
) -> CubeTensor {
    let out = empty(like, [2, groups * shape[3]]);
    match lanes.chunks() {
        1 => launch(&out),
        chunks => {
            let partial = empty(like, [chunks, 2, groups * shape[3]]);
            launch(&partial);
            built((shape.clone(), groups, lanes), |(shape, groups, lanes)| {
                merge(shape, *groups, *lanes)
            })
            .launch(&[&partial, &out]);
        }
    }
    out
}

/// [2, groups · channels], of what `launch` writes for every chunk of pixels: [chunks, 2, groups ·
/// channels].
pub(crate) fn sums(
    like: &CubeTensor,
    groups: usize,
    launch: impl FnOnce(Lanes, &CubeTensor),
) -> CubeTensor {
    let shape = like.shape();
    let lanes = lanes(&shape, groups);
    lanes.summed(like, [2, groups * shape[3]], |partial| launch(lanes, partial))
}

fn lanes(shape: &Shape, groups: usize) -> Lanes {
    Lanes::new(shape[3], pixels(shape, groups), device::variant())
}

/// Pixels of a group.
fn pixels(shape: &Shape, groups: usize) -> usize {
    shape[0] / groups * shape[1] * shape[2]
}

/// Fills what every template of a stack has.
pub(crate) fn sized(program: Program, shape: &Shape, groups: usize) -> Program {
    sized_in(1, program, shape, groups)
}

/// The same for vectors of so many channels.
pub(crate) fn sized_in(width: usize, program: Program, shape: &Shape, groups: usize) -> Program {
    let (channels, pixels) = (shape[3] / width, pixels(shape, groups));
    program.sizes([("channels", channels), ("groups", groups), ("pixels", pixels)]).number(width)
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

fn moments(shape: &Shape, groups: usize, lanes: Lanes) -> Program {
    let (columns, name) = (groups * shape[3], "moments");
    let program = match lanes.fours() {
        false => lanes.program(name, [GROUPS, MERGED], include_str!("moments.wgsl"), columns),
        true => {
            let source = include_str!("moments_tiled.wgsl");
            lanes.program(name, [GROUPS, MERGED, MERGED_LANES], source, columns)
        }
    };
    sized_in(lanes.width(), program, shape, groups)
}

fn merge(shape: &Shape, groups: usize, lanes: Lanes) -> Program {
    let (columns, name) = (groups * shape[3], "merge");
    let program = match lanes.fours() {
        false => lanes.merging(name, [GROUPS, MERGED, include_str!("merge.wgsl")], columns),
        true => {
            let source = include_str!("merge_tiled.wgsl");
            lanes.merging(name, [GROUPS, MERGED, MERGED_LANES, source], columns)
        }
    };
    sized_in(lanes.width(), program, shape, groups)
}

/// The sums of a gradient and of its product with x after `norm`, for every channel of a group and
/// chunk of its pixels: buffers x, the moments if there is a norm, the gradient, [chunk, 2, groups ·
/// channels].
pub(crate) fn gradient_products(
    shape: &Shape,
    groups: usize,
    norm: Option<Standard>,
    lanes: Lanes,
) -> Built {
    built((shape.clone(), groups, norm, lanes), |(shape, groups, norm, lanes)| {
        products(shape, *groups, *norm, *lanes)
    })
}

fn products(shape: &Shape, groups: usize, norm: Option<Standard>, lanes: Lanes) -> Program {
    let source = include_str!("gradient_products.wgsl");
    let declarations = [GROUPS, STANDARD];
    let program = lanes.program("gradient_products", declarations, source, groups * shape[3]);
    declare(sized_in(lanes.width(), program, shape, groups), norm)
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
const MERGED_LANES: &str = include_str!("merged_lanes.wgsl");

/// Declares x and, where there is a norm, its moments and its γ and β, as the first bindings, and the functions
/// `norm_of(column)`, `standard(value, norm)` and `normed(value, norm)`, which is that with γ and β.
pub(crate) const STANDARD: &str = include_str!("standard.wgsl");

/// Fills what [`STANDARD`] leaves open; `{{ next }}` to `{{ fourth }}` are the free bindings.
pub(crate) fn declare(program: Program, norm: Option<Standard>) -> Program {
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
    use crate::device::Variant;

    #[test]
    fn every_template_is_valid_wgsl() {
        for (groups, shape) in
            [(1, [2, 8, 8, 16]), (1, [1, 1, 1, 1]), (3, [3, 7, 5, 6]), (4, [64, 32, 32, 64])]
        {
            let (shape, norm) =
                (Shape::from(shape), Standard { groups, of_batch: true, eps: 1e-5, affine: false });
            let mut programs = Vec::new();
            for variant in [Variant::Plain, Variant::Tiled] {
                let lanes = Lanes::new(shape[3], pixels(&shape, groups), variant);
                programs.extend([
                    moments(&shape, groups, lanes),
                    merge(&shape, groups, lanes),
                    products(&shape, groups, None, lanes),
                    products(&shape, groups, Some(norm), lanes),
                ]);
            }
            programs.extend([
                normalise(&shape, norm),
                pull_through("pull", &shape, norm),
                pull_through("pull", &shape, Standard { affine: true, ..norm }),
                pull_through("pull", &shape, Standard { affine: true, of_batch: false, ..norm }),
                pull(&shape, norm),
                scale(&shape, norm),
            ]);
            for program in programs {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
