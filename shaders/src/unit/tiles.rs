//! The inner loops of the WGSL kernels, written out. A thread computes several numbers of a row, and of
//! another row, and keeps in registers what they share: each input is loaded once for all taps that meet
//! it, each weight once for all numbers.
//!
//! A software Vulkan loads in a loop over the lanes of a vector, and goes through every case of a switch
//! with those lanes at rest that it is not for. There a DARTS step (4 cells, 8 channels, batch 8, 16×16)
//! spends 0.08 s in the depthwise convolutions, 0.05 s on their way back to x and 0.07 s in the gradients
//! of weights. With one number a thread and a case for each unit it was 2.61, 0.99 and 1.54 s; with
//! several numbers and a case for each unit still 0.26, 0.27 and 0.18 s (`sdarts bench --device wgpu --profile`).

use std::ops::Range;

use super::{Sizes, Unit};
use crate::device::Variant;

/// Most numbers of a row that a thread computes: with 5 taps it holds 12 inputs, 5 weights and 8 sums. In
/// tiles a number is a vector of four.
pub(super) fn widest(variant: Variant) -> usize {
    match variant {
        Variant::Plain => 8,
        Variant::Tiled => 4,
    }
}

/// Numbers of a row of `width` that a thread computes, a multiple of the stride.
pub(super) fn tile(width: usize, stride: usize, widest: usize) -> usize {
    width.div_ceil(width.div_ceil(widest)).next_multiple_of(stride)
}

/// How far below a row the other one lies that a thread computes; 0 where it computes one row alone. Rows
/// as far apart as the taps meet the same inputs. A GPU finds them in its cache, and more threads are worth
/// more there: an H200 takes 5.1 ms of a step for the way back to x, with two rows a thread 6.4.
pub(super) fn below(sizes: &Sizes, variant: Variant) -> usize {
    if variant == Variant::Tiled {
        return 0;
    }
    let dilation = sizes.units.first().map_or(1, |unit| unit.dilation);
    let shared = sizes.stride == 1 && sizes.units.iter().all(|unit| unit.dilation == dilation);
    if shared { dilation } else { 0 }
}

/// Threads of the plain kernels for a column of `height` rows.
pub(super) fn rows(sizes: &Sizes, height: usize) -> usize {
    match below(sizes, Variant::Plain) {
        0 => height,
        below => height.div_ceil(2 * below) * below,
    }
}

/// What units have in common that run the same text.
type Kind = (usize, usize);

fn kind(unit: &Unit) -> Kind {
    (unit.size, unit.dilation)
}

/// The kinds of all units, each once.
fn kinds(sizes: &Sizes) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = sizes.units.iter().map(kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The functions of all kinds of units.
pub(super) fn functions(sizes: &Sizes, text: impl Fn(Kind) -> String) -> String {
    kinds(sizes).into_iter().map(text).collect()
}

/// The cases of a switch over the units that call the function of their kind; one for each kind.
pub(super) fn calls(sizes: &Sizes, name: &str, arguments: &str) -> String {
    let mut cases = String::new();
    for (size, dilation) in kinds(sizes) {
        let units =
            sizes.units.iter().enumerate().filter(|(_, unit)| kind(unit) == (size, dilation));
        let numbers: Vec<String> = units.map(|(index, _)| format!("{index}u")).collect();
        let call = format!("{name}_{size}_{dilation}({arguments});");
        cases += &format!("        case {}: {{ {call} }}\n", numbers.join(", "));
    }
    cases + "        default: {}\n"
}

/// Lines for every number of a tile that is in the row.
pub(super) fn stores(
    tile: usize,
    column: &str,
    end: &str,
    line: impl Fn(usize) -> String,
) -> String {
    each(0..tile, |t| format!("    if {column} + {t}u < {end} {{ {} }}\n", line(t)))
}

/// Products of a row that are written out: for every number of a tile, which tap meets which input.
struct Products {
    /// (tap, input).
    pairs: Vec<Vec<(usize, usize)>>,
    /// Where the first input lies, from the first number on.
    first: isize,
}

impl Products {
    fn forward(tile: usize, (size, dilation): Kind, stride: usize, padding: usize) -> Self {
        let number = |t| (0..size).map(|tap| (tap, t * stride + tap * dilation)).collect();
        Self { pairs: (0..tile).map(number).collect(), first: -(padding as isize) }
    }

    /// Input pixel x gets a tap from output pixel (x + padding − tap · dilation) / stride, where that
    /// is whole.
    fn back(tile: usize, (size, dilation): Kind, stride: usize, padding: usize) -> Self {
        let (stride, padding) = (stride as isize, padding as isize);
        let place = |t: usize, tap: usize| {
            let distance = t as isize + padding - (tap * dilation) as isize;
            (distance.rem_euclid(stride) == 0).then_some(distance.div_euclid(stride))
        };
        let places = (0..tile).flat_map(|t| (0..size).filter_map(move |tap| place(t, tap)));
        let first = places.min().unwrap_or(0);
        let number = |t| {
            let pair = |tap| Some((tap, usize::try_from(place(t, tap)? - first).ok()?));
            (0..size).filter_map(pair).collect()
        };
        Self { pairs: (0..tile).map(number).collect(), first }
    }

    /// Lines that load what is needed and add the products to sums, and with the taps of the row before
    /// to those of the row below.
    fn lines(&self, input: impl Fn(usize) -> String, two_rows: bool) -> String {
        let mut text = String::new();
        for n in sorted(self.pairs.iter().flatten().map(|(_, input)| *input)) {
            text += &format!("        let v{n} = {};\n", input(n));
        }
        let rows = [("sums", 'w'), ("below", 'p')];
        for (sums, tap) in &rows[..1 + usize::from(two_rows)] {
            for (t, pairs) in self.pairs.iter().enumerate().filter(|(_, pairs)| !pairs.is_empty()) {
                let terms = pairs.iter().map(|(j, n)| format!("{tap}{j} * v{n}"));
                let terms: Vec<String> = terms.collect();
                text += &format!("        (*{sums})[{t}] += {};\n", terms.join(" + "));
            }
        }
        text
    }
}

fn sorted(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// `name` moved by so many, as WGSL.
fn moved(name: &str, by: isize) -> String {
    let sign = if by < 0 { '-' } else { '+' };
    format!("{name} {sign} {}u", by.unsigned_abs())
}

/// Adds the products of a unit of the forward pass to so many numbers of a row of u, and to those below.
pub(super) fn depthwise(sizes: &Sizes, kind: Kind, tile: usize, variant: Variant) -> String {
    let (size, dilation) = kind;
    let (padding, two_rows) = (dilation * (size / 2), below(sizes, variant) > 0);
    let products = Products::forward(tile, kind, sizes.stride, padding);
    let input = |n| format!("activation(row, left + {n}u, channel, norm)");
    let lines = format!(
        "        let y = out_y * STRIDE + i * {dilation}u - {padding}u;
        if y >= HEIGHT {{
            continue;
        }}
        let row = ((unit.source * BATCH + image) * HEIGHT + y) * WIDTH;
{}",
        products.lines(input, two_rows)
    );
    let left = moved("out_x * STRIDE", products.first);
    format!(
        "fn depthwise_{size}_{dilation}(unit: Unit, image: u32, out_y: u32, out_x: u32, channel: u32, \
         {}) {{
    let norm = norm_of(unit.source * CHANNELS + channel);
    let left = {left};
{}}}

",
        sums(variant),
        loop_over_taps((size, two_rows), "i", &lines, variant)
    )
}

/// Adds the products of a unit to so many numbers of a row of the gradient for x, and to those below.
pub(super) fn back(sizes: &Sizes, kind: Kind, tile: usize, variant: Variant) -> String {
    let (size, dilation) = kind;
    let (padding, two_rows) = (dilation * (size / 2), below(sizes, variant) > 0);
    let products = Products::back(tile, kind, sizes.stride, padding);
    let input = |n| format!("gradient_at(row, left + {n}u, channel)");
    let lines = format!(
        "        let y = in_y + i * {dilation}u - {padding}u;
        if y % STRIDE != 0u || y / STRIDE >= OUT_HEIGHT {{
            continue;
        }}
        let row = (first + y / STRIDE) * OUT_WIDTH;
{}",
        products.lines(input, two_rows)
    );
    let left = moved("in_x / STRIDE", products.first);
    // The last row of taps meets the first gradient.
    let tap = format!("{}u - i", size - 1);
    format!(
        "fn back_{size}_{dilation}(unit: Unit, first: u32, in_y: u32, in_x: u32, channel: u32, \
         {}) {{
    let left = {left};
{}}}

",
        sums(variant),
        loop_over_taps((size, two_rows), &tap, &lines, variant)
    )
}

/// Parameters that the products are added to.
fn sums(variant: Variant) -> &'static str {
    match variant {
        Variant::Plain => {
            "sums: ptr<function, array<Number, TILE>>, below: ptr<function, array<Number, TILE>>"
        }
        Variant::Tiled => "sums: ptr<function, array<Number, TILE>>",
    }
}

/// `lines` for every row i of a kernel, `tap`, with its weights as w0, w1, ...; with two rows once more,
/// and with the weights of the row before as p0, p1, ..., which are 0 where there is none.
///
/// The number of steps is not written as the constant that it is: lanes at rest go through a loop that a
/// compiler has unrolled in full, else once (119 and 86 ms in the depthwise convolutions of the step above).
fn loop_over_taps(
    (size, two_rows): (usize, bool),
    tap: &str,
    lines: &str,
    variant: Variant,
) -> String {
    let last = size - 1;
    let weight = |j: usize| match variant {
        Variant::Plain => {
            format!("weights[unit.depthwise + (channel * {size}u + tap) * {size}u + {j}u]")
        }
        Variant::Tiled => format!("staged[(tap * {size}u + {j}u) * WIDE + channel % WIDE]"),
    };
    let one = |j: usize| format!("        let w{j} = {};\n", weight(j));
    let two = |j: usize| {
        let next = format!("select(Number(), {}, i < {size}u)", weight(j));
        format!("        let p{j} = w{j};\n        w{j} = {next};\n")
    };
    let (before, steps, tap, load) = match two_rows {
        false => (String::new(), "unit.size", tap.to_owned(), each(0..size, one)),
        true => {
            let before = each(0..size, |j| format!("    var w{j} = Number();\n"));
            (before, "unit.size + 1u", format!("min({tap}, {last}u)"), each(0..size, two))
        }
    };
    format!(
        "{before}    for (var i = 0u; i < {steps}; i++) {{
        let tap = {tap};
{load}        // Above the image this wraps around to a huge number, so one comparison does.
{lines}    }}
"
    )
}

/// Neighbours of a row that a thread takes at once: on a GPU loads that do not wait for each other, which a
/// software device has no use for.
fn neighbours(variant: Variant) -> usize {
    match variant {
        Variant::Plain => 1,
        Variant::Tiled => 4,
    }
}

/// Writes the gradients of a row of D: a window of the row of a moves along that of the gradient.
pub(super) fn for_depthwise(sizes: &Sizes, (size, dilation): Kind, variant: Variant) -> String {
    let padding = dilation * (size / 2);
    let (window, stride) = ((size - 1) * dilation + 1, sizes.stride);
    let count = neighbours(variant);
    // So many stay when the window moves; the others are loaded.
    let (all, kept) = ((count - 1) * stride + window, window.saturating_sub(stride));
    let activation = |column: String| format!("activation(row, {column}, channel, norm)");
    let before = |n: usize| match n < kept {
        true => activation(format!("{}u", (n as u32).wrapping_sub(padding as u32))),
        false => "0.0".to_owned(),
    };
    let next = |n: usize| activation(format!("x * STRIDE + {n}u - {padding}u"));
    let gradient = |k: usize| match count {
        1 => "middle[place + x * CHANNELS]".to_owned(),
        // Past the last one nothing is added.
        _ => format!(
            "select(0.0, middle[place + min(x + {k}u, rows.width - 1u) * CHANNELS], x + {k}u < rows.width)"
        ),
    };
    let starts = each(0..size, |j| format!("    var s{j} = 0.0;\n"));
    let values = each(0..all, |n| format!("        var v{n} = {};\n", before(n)));
    let loads = each(kept..all, |n| format!("            v{n} = {};\n", next(n)));
    let gradients = each(0..count, |k| format!("            let g{k} = {};\n", gradient(k)));
    let product = |k, j| format!("            s{j} += g{k} * v{};\n", k * stride + j * dilation);
    let sums = each(0..count, |k| each(0..size, |j| product(k, j)));
    let moves = each(0..kept, |n| format!("            v{n} = v{};\n", n + count * stride));
    let stores = each(0..size, |j| format!("    partial[start + {j}u] = s{j};\n"));
    format!(
        "fn for_depthwise_{size}_{dilation}(unit: Unit, number: u32, channel: u32, i: u32, rows: Rows, \
         start: u32) {{
    let norm = norm_of(unit.source * CHANNELS + channel);
{starts}    for (var at = rows.first; at < rows.last; at++) {{
        // Above the image this wraps around to a huge number, so one comparison does.
        let y = at % OUT_HEIGHT * STRIDE + i * {dilation}u - {padding}u;
        if y >= HEIGHT {{
            continue;
        }}
        let row = ((unit.source * BATCH + at / OUT_HEIGHT) * HEIGHT + y) * WIDTH;
        let place = (number * OUT_PIXELS + at * OUT_WIDTH) * CHANNELS + channel;
{values}        for (var x = 0u; x < rows.width; x += {count}u) {{
{loads}{gradients}{sums}{moves}        }}
    }}
{stores}}}

"
    )
}

/// The lines of all numbers.
fn each(numbers: Range<usize>, line: impl Fn(usize) -> String) -> String {
    numbers.map(line).collect()
}
