//! The WGSL kernels of the pointwise products: a plain one for any number of channels, one of tiles for
//! multiples of 4.

use super::Sizes;
use crate::device::Variant;
use crate::wgpu::{Program, WORKGROUP};

/// Through the pointwise weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Way {
    Forward,
    Back,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "unit_pointwise",
            Self::Back => "unit_middle_gradient",
        }
    }

    /// Numbers of a pixel that are read, and that are written.
    fn channels(self, sizes: &Sizes) -> [usize; 2] {
        match self {
            Self::Forward => [sizes.channels(), sizes.outputs],
            Self::Back => [sizes.outputs, sizes.channels()],
        }
    }
}

pub(super) fn product(sizes: &Sizes, way: Way, variant: Variant) -> Program {
    let fours = way.channels(sizes).iter().all(|count| count.is_multiple_of(4));
    match variant {
        Variant::Tiled if fours => tiled(sizes, way),
        _ => plain(sizes, way),
    }
}

/// Pixels of a unit.
fn pixels(sizes: &Sizes) -> usize {
    sizes.batch * sizes.out().iter().product::<usize>()
}

fn plain(sizes: &Sizes, way: Way) -> Program {
    let [from, to] = way.channels(sizes);
    let [from_step, to_step] = match way {
        Way::Forward => [1, from],
        Way::Back => [to, 1],
    };
    let threads = sizes.units.len() * pixels(sizes).div_ceil(8) * to.div_ceil(8);
    let pieces = [include_str!("sizes.wgsl"), include_str!("product.wgsl")];
    sizes.fill(Program::of_pieces(way.name(), pieces, threads)).sizes([
        ("from", from),
        ("from_step", from_step),
        ("to", to),
        ("to_step", to_step),
    ])
}

/// Fours that fit in the memory of a workgroup: 16 KiB in a browser.
const STAGED: usize = 1024;

/// Fours of a block of outputs, at most: with 16 half a warp of 32 threads writes 256 bytes of a pixel.
const WIDEST: usize = 16;

/// Workgroups that a large GPU can have at work: with fewer, a thread takes fewer pixels.
const BUSY: usize = 256;

fn tiled(sizes: &Sizes, way: Way) -> Program {
    let [from, to] = way.channels(sizes).map(|count| count / 4);
    let blocks = to.div_ceil(WIDEST);
    let wide = to.div_ceil(blocks);
    let slice = from.min(STAGED / (4 * wide));
    let lanes = WORKGROUP / wide;
    let groups = |each| sizes.units.len() * blocks * pixels(sizes).div_ceil(lanes * each);
    let each = [8, 4].into_iter().find(|each| groups(*each) >= BUSY).unwrap_or(2);
    let (place, step, turned) = match way {
        Way::Forward => ("output * 4u * FROM + input", "FROM", "transpose(rows)"),
        Way::Back => ("input * 4u * TO + output", "TO", "rows"),
    };
    let pieces = [include_str!("sizes.wgsl"), include_str!("product_tiled.wgsl")];
    sizes
        .fill(Program::of_pieces(way.name(), pieces, groups(each) * WORKGROUP))
        .sizes([("from", from), ("to", to), ("wide", wide), ("slice", slice)])
        .sizes([("pixels_each", each), ("last_unit", sizes.units.len() - 1)])
        .constant("place", place)
        .constant("step", step)
        .constant("turned", turned)
        .constant("starts", lines(each, start))
        .constant("products", lines(each, |n| products(n, "x")))
        .constant("puts", lines(each, put))
}

/// The lines of all pixels of a thread, or of all its numbers.
pub(super) fn lines(pixels: usize, line: impl Fn(usize) -> String) -> String {
    (0..pixels).map(line).collect()
}

fn start(n: usize) -> String {
    format!(
        "    let start{n} = start_of(number, pixel + {n}u * LANES);
    var sum{n} = vec4(0.0);
"
    )
}

/// One input after another, as the plain kernel adds them.
pub(super) fn products(n: usize, inputs: &str) -> String {
    let product = |(i, lane)| format!("            sum{n} += v{n}.{lane} * w{i};\n");
    let products: String = "xyzw".chars().enumerate().map(product).collect();
    format!("            let v{n} = {inputs}[start{n} + first + input];\n{products}")
}

fn put(n: usize) -> String {
    format!("        put(number, pixel + {n}u * LANES, output, sum{n});\n")
}
