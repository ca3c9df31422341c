//! Sums over the pixels of columns: a workgroup takes some columns and a chunk of their pixels, which its
//! lanes share. Where there are several chunks, a second launch adds them up.

use super::{Program, WORKGROUP, empty, fold};
use crate::device::Variant;
use burn::backend::wgpu::CubeTensor;
use burn::tensor::Shape;

/// Pixels that a workgroup sums. With one chunk the sums are complete; only a larger image takes a
/// second launch.
const CHUNK: usize = 2048;

/// Columns that a workgroup sums.
const WIDE: usize = 8;

/// Fours of columns that a workgroup of tiles sums, at most, and pixels that a thread takes of them: a lone
/// activation keeps a GPU at work then.
const FOURS: usize = 16;
const EACH: usize = 16;

/// How sums over the pixels of columns are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lanes {
    /// Whether a column is four of them, side by side.
    fours: bool,
    /// Columns of a workgroup.
    wide: usize,
    /// Pixels of a workgroup.
    chunk: usize,
    /// All pixels.
    pixels: usize,
}

impl Lanes {
    /// For activations with so many channels, which fours must divide to be taken as such.
    pub(crate) fn new(channels: usize, pixels: usize, variant: Variant) -> Self {
        if variant == Variant::Plain || !channels.is_multiple_of(4) {
            return Self { fours: false, wide: WIDE, chunk: CHUNK, pixels };
        }
        let fours = channels / 4;
        let wide = fours.div_ceil(fours.div_ceil(FOURS));
        Self { fours: true, wide, chunk: EACH * (WORKGROUP / wide), pixels }
    }

    /// For blocks of so many pixels of fours of channels, whose sums another kernel has taken.
    pub(crate) fn of_blocks(block: usize, pixels: usize) -> Self {
        Self { fours: true, wide: WIDE, chunk: block, pixels }
    }

    pub(crate) fn chunks(self) -> usize {
        self.pixels.div_ceil(self.chunk).max(1)
    }

    /// Whether the templates are those for fours.
    pub(crate) fn fours(self) -> bool {
        self.fours
    }

    /// Numbers of a vector that is a number of the template.
    pub(crate) fn width(self) -> usize {
        if self.fours { 4 } else { 1 }
    }

    /// A template whose workgroups sum so many columns over chunks of pixels. It finds what is in
    /// `lanes.wgsl`, before which a piece declares `PIXELS`.
    pub(crate) fn program<const N: usize>(
        self,
        name: &'static str,
        declarations: [&'static str; N],
        source: &'static str,
        columns: usize,
    ) -> Program {
        let summed = columns / self.width();
        let workgroups = summed.div_ceil(self.wide) * self.chunks();
        let lanes = match self.fours {
            true => include_str!("lanes_tiled.wgsl"),
            false => include_str!("lanes.wgsl"),
        };
        Program::of_pieces(name, declarations, workgroups * WORKGROUP)
            .and_pieces([include_str!("lane.wgsl"), lanes, source])
            .sizes([("summed", summed), ("wide", self.wide), ("chunk", self.chunk)])
            .sizes([("half", half(WORKGROUP / self.wide))])
            .number(self.width())
    }

    /// A template whose workgroups merge what the chunks of so many columns have.
    pub(crate) fn merging<const N: usize>(
        self,
        name: &'static str,
        pieces: [&'static str; N],
        columns: usize,
    ) -> Program {
        let columns = columns / self.width();
        let threads = if self.fours { columns * (WORKGROUP / WIDE) } else { columns };
        Program::of_pieces(name, pieces, threads)
            .sizes([("wide", WIDE), ("half", half(WORKGROUP / WIDE)), ("chunk", self.chunk)])
            .number(self.width())
    }

    /// Sums over the chunks, [chunks, sums], that `launch` writes, added up.
    pub(crate) fn summed(
        self,
        like: &CubeTensor,
        shape: impl Into<Shape>,
        launch: impl FnOnce(&CubeTensor),
    ) -> CubeTensor {
        let (chunks, shape) = (self.chunks(), shape.into());
        let sums = empty(like, [&[chunks], &*shape].concat());
        launch(&sums);
        match chunks {
            1 => {
                CubeTensor::new_contiguous(sums.client, sums.device, shape, sums.handle, sums.dtype)
            }
            _ => fold(&sums, chunks, shape),
        }
    }
}

/// Where sums over so many lanes begin to be added two by two.
fn half(lanes: usize) -> usize {
    lanes.next_power_of_two() / 2
}
