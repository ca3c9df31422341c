//! The WGSL kernels of the convolution and of its way back to x by workgroups, where fours divide what comes
//! out.

use super::Sizes;
use super::wgpu::sized;
use crate::norm::blocks::Blocks;
use crate::wgpu::{Program, WORKGROUP};

/// Vectors that fit in the memory of a workgroup: 16 KiB in a browser.
const STAGED: usize = 1024;

/// Fours of a block of what comes out, at most.
const WIDEST: usize = 16;

/// Workgroups that a large GPU can have at work: with fewer, a thread takes fewer pixels.
const BUSY: usize = 256;

/// What differs between the ways.
struct Way {
    name: &'static str,
    source: &'static str,
    /// Channels that are read of a pixel at once.
    from: usize,
    /// Channels that come out of a part, and parts.
    part: usize,
    parts: usize,
    pixels: usize,
    /// Taps, of all banks that a part reads.
    steps: usize,
}

impl Way {
    fn forward(sizes: &Sizes) -> Self {
        Self {
            name: "convolution",
            source: include_str!("convolution_tiled.wgsl"),
            from: sizes.inputs(),
            part: sizes.bank(),
            parts: sizes.banks,
            pixels: sizes.output_shape().num_elements() / sizes.outputs,
            steps: sizes.windows.taps(),
        }
    }

    /// Where fours divide what comes out.
    fn layout(&self) -> Option<Layout> {
        if !self.part.is_multiple_of(4) {
            return None;
        }
        let deep = if self.from.is_multiple_of(4) { 4 } else { 1 };
        let part = self.part / 4;
        let blocks = part.div_ceil(WIDEST);
        let wide = part.div_ceil(blocks);
        let slice = (self.from / deep).min(STAGED / (deep * wide));
        let lanes = WORKGROUP / wide;
        let groups = |each| blocks * self.parts * self.pixels.div_ceil(lanes * each);
        let each = [8, 4].into_iter().find(|each| groups(*each) >= BUSY).unwrap_or(2);
        Some(Layout { deep, wide, slice, each, groups: groups(each) })
    }
}

/// How the workgroups share the work.
struct Layout {
    /// Channels of a number that is read.
    deep: usize,
    /// Fours of a block of what comes out.
    wide: usize,
    /// Numbers that are read of a pixel whose weights are staged at once.
    slice: usize,
    /// Pixels of a thread.
    each: usize,
    groups: usize,
}

/// Where outputs of a bank are multiples of 4; with the moments of what comes out where its blocks are told.
pub(super) fn forward(sizes: &Sizes, blocks: Option<Blocks>) -> Option<Program> {
    let way = Way::forward(sizes);
    let layout = way.layout()?;
    Some(Blocks::program(blocks, tiled(sizes, &way, &layout), layout.each, 3))
}

/// The blocks of the way forward, where that is by workgroups.
pub(super) fn blocks(sizes: &Sizes) -> Option<Blocks> {
    let way = Way::forward(sizes);
    let Layout { wide, each, .. } = way.layout()?;
    Some(Blocks {
        side: wide,
        pixels: WORKGROUP / wide * each,
        all_pixels: way.pixels,
        vectors: sizes.outputs / 4,
    })
}

/// Where inputs are multiples of 4.
pub(super) fn x_gradient(sizes: &Sizes) -> Option<Program> {
    let way = Way {
        name: "convolution_x_gradient",
        source: include_str!("x_gradient_tiled.wgsl"),
        from: sizes.bank(),
        part: sizes.inputs(),
        parts: 1,
        pixels: sizes.input_shape().num_elements() / sizes.inputs(),
        steps: sizes.banks * sizes.windows.taps(),
    };
    let layout = way.layout()?;
    Some(tiled(sizes, &way, &layout).constant("moments", ""))
}

fn tiled(sizes: &Sizes, way: &Way, layout: &Layout) -> Program {
    let &Layout { deep, wide, slice, each, groups } = layout;
    let (activated, passed) = match sizes.relu {
        true => (
            "select(Number(), value, value > Number())",
            "select(vec4(0.0), sum, value > vec4(0.0))",
        ),
        // Every buffer that is bound has to be used.
        false => ("value", "select(sum, value, vec4(false))"),
    };
    let pieces = [include_str!("sizes.wgsl"), way.source, include_str!("tiled.wgsl")];
    let program = Program::of_pieces(way.name, pieces, groups * WORKGROUP);
    sized(program, sizes)
        .number(deep)
        .sizes([("from", way.from / deep), ("slice", slice), ("deep", deep)])
        .sizes([("part", way.part / 4), ("parts", way.parts), ("wide", wide)])
        .sizes([("pixels", way.pixels), ("each", each), ("steps", way.steps)])
        .constant("activated", activated)
        .constant("passed", passed)
        .constant("sums", lines(each, sum))
        .constant("starts", lines(each, start))
        .constant("products", lines(deep, weights) + &lines(each, |n| products(n, deep)))
        .constant("puts", lines(each, put))
}

/// The lines of all pixels of a thread, or of all weights.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

fn sum(n: usize) -> String {
    format!(
        "    let pixel{n} = min(pixel + {n}u * LANES, PIXELS - 1u);\n    var sum{n} = vec4(0.0);\n"
    )
}

fn start(n: usize) -> String {
    format!("        let start{n} = start_of(pixel{n}, bank, tap);\n")
}

fn weights(i: usize) -> String {
    let place = format!("(number * DEEP + {i}u) * WIDE + local % WIDE");
    format!("                let w{i} = staged[{place}];\n")
}

/// One channel after another, as the plain kernels add them.
fn products(n: usize, deep: usize) -> String {
    let value = format!("                let v{n} = value_at(start{n}, first + number);\n");
    let product = |i: usize| match deep {
        1 => format!("                sum{n} += v{n} * w{i};\n"),
        _ => format!("                sum{n} += v{n}[{i}] * w{i};\n"),
    };
    value + &lines(deep, product)
}

fn put(n: usize) -> String {
    format!(
        "    let there{n} = works && pixel + {n}u * LANES < PIXELS;
    if there{n} {{
        put(pixel{n}, part, four, sum{n});
    }}
"
    )
}
