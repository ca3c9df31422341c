//! Moments that a kernel finds of what it computes, before it leaves the registers. A launch of their own reads all of it
//! again: 3.0 of the 53 ms that the kernels of a DARTS step take on an H200 (native/repro/gpu).

use burn::backend::wgpu::CubeTensor;
use burn::tensor::Shape;

use super::wgpu::over_chunks;
use crate::wgpu::{Lanes, Program, WORKGROUP};

/// What the workgroups of a kernel compute: each a block of pixels, and vectors of four channels side by side. The
/// kernel stages in an array of at least [`WORKGROUP`] vectors, `staged`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Blocks {
    /// Vectors of a workgroup, of which neighbouring threads have neighbouring ones.
    pub(crate) side: usize,
    /// Pixels of a workgroup; block after block, as they lie in memory.
    pub(crate) pixels: usize,
    /// Pixels of a group.
    pub(crate) all_pixels: usize,
    /// Vectors of all groups.
    pub(crate) vectors: usize,
}

impl Blocks {
    /// A template that finds moments too, or does not. Its main function has `sum0`, `sum1`, ... of its pixels, `each`
    /// of them, as many `there0`, `there1`, ... that say whether there are such pixels, `pixel_block`, `vector`, and
    /// `writes`: whether the thread is the first of a vector.
    pub(crate) fn program(
        this: Option<Self>,
        program: Program,
        each: usize,
        found: usize,
    ) -> Program {
        let Some(Self { side, pixels, all_pixels, vectors }) = this else {
            return program.constant("moments", "");
        };
        program
            .and_pieces([include_str!("of_block.wgsl")])
            .sizes([("side", side), ("block", pixels), ("found", found)])
            .sizes([("all_pixels", all_pixels), ("all_vectors", vectors)])
            .sizes([("half", (WORKGROUP / side).next_power_of_two() / 2)])
            .constant("moments", lines(each))
    }

    /// The moments of z, of so many groups, from those of the blocks, which `launch` writes.
    pub(crate) fn moments(
        self,
        z: &CubeTensor,
        shape: &Shape,
        groups: usize,
        launch: impl FnOnce(&CubeTensor),
    ) -> CubeTensor {
        over_chunks(z, shape, groups, Lanes::of_blocks(self.pixels, self.all_pixels), launch)
    }
}

/// Mean and variance of so many pixels of each thread.
fn lines(each: usize) -> String {
    let all = |line: &dyn Fn(usize) -> String| (0..each).map(line).collect::<Vec<_>>();
    let sum = all(&|n| format!("select(vec4(0.0), sum{n}, there{n})")).join(" + ");
    let distances =
        all(&|n| format!("    let distance{n} = select(vec4(0.0), sum{n} - mean, there{n});\n"));
    let squares = all(&|n| format!("distance{n} * distance{n}")).join(" + ");
    format!(
        "    let mean = over_side({sum}, local) / pixels_of(pixel_block);
{}    let squares = over_side({squares}, local);
    if writes {{
        put_moments(pixel_block, vector, mean, squares / pixels_of(pixel_block));
    }}
",
        distances.concat()
    )
}
