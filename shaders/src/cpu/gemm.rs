//! Products of large matrices, for whole sequences of a recurrent cell and for the words of a vocabulary.
//!
//! The library that burn calls (`gemm`) wants new memory for each product and packs its matrices anew each
//! time. Here a product is written to where it belongs, or added to what is there; a matrix that 35 steps
//! multiply by is packed once; rows are masked while they are packed; and the vectors are the widest of the
//! machine. `sdarts bench` tells what the library makes of a core: 115 GFLOP/s ("sgemm") of 267 between registers
//! ("fma") on an AMD EPYC with AVX-512. native/repro/peer/README.md, "Recurrent networks", has what a step takes.
//!
//! The order of every sum is that of the depth, in blocks whose size is a constant: no result depends on
//! threads.

use macerator::{Scalar, Simd, Vector};

use super::block::Block;
pub(crate) use super::factor::{Left, Matrix};
use super::{Kernel, MULTIPLY_ADDS, dispatch, for_each, lanes, load, store, with_scratch, zero};

/// Vectors of a register tile: with eight rows of 16 lanes they are 24 of the 32 registers.
const VECTORS: usize = 3;

/// Depth of a block, at most. Its panel of 48 columns comes from the second-level cache, which keeps up; in blocks
/// that fit the first level the 300 of the paper's search would be two, and its logits be written, read and written
/// again.
const DEPTH: usize = 384;

/// Rows that a thread takes at once, of few and of many: each of two threads has some of 64. Many read the right
/// factor less often.
const ROWS: [usize; 2] = [32, 128];

/// Rows that are many.
const MANY: usize = 512;

/// The right factor, packed: blocks of the depth, in each panels of as many columns as a tile has.
pub(crate) struct Right {
    values: Block,
    depth: usize,
    width: usize,
}

impl Right {
    /// The matrix as it is.
    pub(crate) fn rows(matrix: Matrix) -> Self {
        Self::packed([matrix.rows, matrix.columns], |k, columns, panel| {
            for (index, row) in panel.values.chunks_exact_mut(panel.width).enumerate() {
                let values = &matrix.row(k + index)[columns.0..columns.1];
                row[..values.len()].copy_from_slice(values);
                row[values.len()..].fill(0.0);
            }
        })
    }

    /// The matrix transposed.
    pub(crate) fn columns(matrix: Matrix) -> Self {
        Self::packed([matrix.columns, matrix.rows], |k, columns, panel| {
            let (width, depth) = (panel.width, panel.values.len() / panel.width);
            panel.values.fill(0.0);
            for column in columns.0..columns.1 {
                let values = &matrix.row(column)[k..][..depth];
                let out = panel.values[column - columns.0..].iter_mut().step_by(width);
                out.zip(values).for_each(|(out, value)| *out = *value);
            }
        })
    }

    fn packed(
        [depth, width]: [usize; 2],
        pack: impl Fn(usize, (usize, usize), Panel) + Sync + Send,
    ) -> Self {
        let whole = width.next_multiple_of(lanes());
        let mut values = Block::new(depth * whole);
        let mut panels = Vec::new();
        let mut left = &mut values[..];
        for (start, size) in blocks(depth) {
            for (first, width) in columns(whole, lanes()) {
                let (values, rest) = left.split_at_mut(size * width);
                left = rest;
                panels.push((start, first, Panel { values, width }));
            }
        }
        for_each(panels, 2 * VECTORS * lanes() * depth.min(DEPTH), |_, (start, first, panel)| {
            pack(start, (first, width.min(first + panel.width)), panel);
        });
        Self { values, depth, width }
    }
}

/// A panel that is packed.
struct Panel<'a> {
    values: &'a mut [f32],
    width: usize,
}

/// The depth in blocks of nearly the same size: start and size of each.
fn blocks(depth: usize) -> impl Iterator<Item = (usize, usize)> {
    let size = depth.div_ceil(depth.div_ceil(DEPTH).max(1)).max(1);
    (0..depth).step_by(size).map(move |start| (start, size.min(depth - start)))
}

/// Columns in whole vectors as panels: first column and width of each. Four vectors are two panels of two: eight
/// rows of one vector wait for the ends of their sums.
fn columns(whole: usize, lanes: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = next;
        let vectors = match (whole - first) / lanes {
            4 => 2,
            left => left.min(VECTORS),
        };
        next += vectors * lanes;
        (vectors > 0).then_some((first, vectors * lanes))
    })
}

/// Where a product goes: rows `stride` floats apart.
pub(crate) struct Out<'a> {
    pub(crate) values: &'a mut [f32],
    pub(crate) stride: usize,
    /// Whether it is added to what is there.
    pub(crate) add: bool,
}

/// `out` = left · right, or that added.
pub(crate) fn product(left: Left, right: &Right, out: Out) {
    let count = left.count();
    let size = ROWS[usize::from(count >= MANY)];
    let parts = out.values.chunks_mut((size * out.stride).max(1)).take(count.div_ceil(size));
    let (stride, add) = (out.stride, out.add);
    for_each(parts.collect(), size * right.depth * right.width / MULTIPLY_ADDS, |index, values| {
        let first = index * size;
        let rows = size.min(count - first);
        let out = Out { values, stride, add };
        with_scratch(|scratch| {
            let packed = &mut scratch.rows;
            packed.resize(rows.next_multiple_of(8) * DEPTH.min(right.depth));
            dispatch(Part { left, right, first, rows, packed, out });
        });
    });
}

struct Part<'a> {
    left: Left<'a>,
    right: &'a Right,
    first: usize,
    rows: usize,
    /// Memory for the rows in tiles.
    packed: &'a mut [f32],
    out: Out<'a>,
}

impl Kernel for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        // Sums fill the registers: 32 of them where vectors have 16 lanes, 16 elsewhere.
        if L == 16 { self.tiles::<S, L, 8>() } else { self.tiles::<S, L, 4>() }
    }
}

impl Part<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const L: usize, const R: usize>(self) {
        let Self { left, right, first, rows, packed, mut out } = self;
        let (whole, packed) = (right.width.next_multiple_of(L), packed.as_chunks_mut::<R>().0);
        let mut panels = &right.values[..];
        for (start, depth) in blocks(right.depth) {
            let packed = &mut packed[..rows.div_ceil(R) * depth];
            left.pack(first, start, packed, depth);
            out.add |= start > 0;
            for (column, columns) in columns(whole, L) {
                let (panel, rest) = panels.split_at(depth * columns);
                panels = rest;
                let width = columns.min(right.width - column);
                match columns / L {
                    3 => panel_product::<S, L, 3, R>(packed, panel, &mut out, column, width, rows),
                    2 => panel_product::<S, L, 2, R>(packed, panel, &mut out, column, width, rows),
                    _ => panel_product::<S, L, 1, R>(packed, panel, &mut out, column, width, rows),
                }
            }
        }
    }
}

#[inline(always)]
fn panel_product<S: Simd, const L: usize, const V: usize, const R: usize>(
    packed: &[[f32; R]],
    panel: &[f32],
    out: &mut Out,
    column: usize,
    width: usize,
    rows: usize,
) {
    let panel = panel.as_chunks::<L>().0.as_chunks::<V>().0;
    for (index, tile) in packed.chunks_exact(panel.len()).enumerate() {
        let mut values = [[[0.0; L]; V]; R];
        sums::<S, L, V, R>(tile, panel, &mut values);
        for (r, values) in values.iter().enumerate().take(rows - index * R) {
            let row = &mut out.values[(index * R + r) * out.stride + column..][..width];
            put::<S, L, V>(values, row, out.add);
        }
    }
}

/// The heart: `values` = a tile of rows · a panel of columns.
#[inline(always)]
fn sums<S: Simd, const L: usize, const V: usize, const R: usize>(
    tile: &[[f32; R]],
    panel: &[[[f32; L]; V]],
    values: &mut [[[f32; L]; V]; R],
) {
    let mut sums: [[Vector<S, f32>; V]; R] = [[zero(); V]; R];
    for (rows, vectors) in tile.iter().zip(panel) {
        for (sums, x) in sums.iter_mut().zip(rows) {
            let x: Vector<S, f32> = x.splat();
            for (sum, vector) in sums.iter_mut().zip(vectors) {
                *sum = x.mul_add(load(vector), *sum);
            }
        }
    }
    for (values, sums) in values.iter_mut().zip(&sums) {
        for (value, sum) in values.iter_mut().zip(sums) {
            *value = store(*sum);
        }
    }
}

#[inline(always)]
fn put<S: Simd, const L: usize, const V: usize>(
    values: &[[f32; L]; V],
    row: &mut [f32],
    add: bool,
) {
    if row.len() < V * L {
        let put = |(out, value): (&mut f32, &f32)| *out = if add { *out + value } else { *value };
        return row.iter_mut().zip(values.as_flattened()).for_each(put);
    }
    for (out, values) in row.as_chunks_mut::<L>().0.iter_mut().zip(values) {
        let value: Vector<S, f32> = load(values);
        *out = store(if add { load::<S, L>(out) + value } else { value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small whole numbers, so that every sum is exact.
    fn numbers(count: usize, step: usize) -> Vec<f32> {
        (0..count).map(|index| (index * step % 7) as f32 - 3.0).collect()
    }

    #[test]
    fn products_are_exact_for_sizes_that_fill_tiles_and_that_do_not() {
        for [m, k, n] in [[1, 1, 1], [8, 16, 48], [33, 257, 50], [70, 300, 97], [5, 600, 31]] {
            let (a, b) = (numbers(m * k, 3), numbers(k * n, 5));
            let flip = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
            };
            let mask = numbers(2 * k, 2);
            let exact = |masked: bool| -> Vec<f32> {
                let at = |i: usize, j: usize| -> f32 {
                    let factor = |x: usize| if masked { mask[i % 2 * k + x] } else { 1.0 };
                    (0..k).map(|x| a[i * k + x] * factor(x) * b[x * n + j]).sum()
                };
                (0..m * n).map(|index| at(index / n, index % n)).collect()
            };
            let (at, bt) = (flip(&a, m, k), flip(&b, k, n));
            let rows = Left::rows(Matrix::new(&a, [m, k]));
            let masked = rows.masked(Some(Matrix::new(&mask, [2, k])));
            let columns = Left::columns(Matrix::new(&at, [k, m]));
            let lefts = [(rows, false), (columns, false), (masked, true)];
            let rights =
                [Right::rows(Matrix::new(&b, [k, n])), Right::columns(Matrix::new(&bt, [n, k]))];
            for (left, masked) in lefts {
                for right in &rights {
                    let mut out = vec![2.0; m * n];
                    product(left, right, Out { values: &mut out, stride: n, add: false });
                    assert_eq!(out, exact(masked), "{m} {k} {n}");
                    product(left, right, Out { values: &mut out, stride: n, add: true });
                    let twice: Vec<f32> = exact(masked).iter().map(|x| 2.0 * x).collect();
                    assert_eq!(out, twice, "{m} {k} {n}, added");
                }
            }
        }
    }

    #[test]
    fn a_mask_on_columns_follows_their_rows() {
        let (x, mask) = (numbers(6 * 3, 4), numbers(2 * 3, 2));
        let left = Left::columns(Matrix::new(&x, [6, 3])).masked(Some(Matrix::new(&mask, [2, 3])));
        let ones = vec![1.0; 6];
        let mut out = vec![0.0; 3];
        let right = Right::rows(Matrix::new(&ones, [6, 1]));
        product(left, &right, Out { values: &mut out, stride: 1, add: false });
        for column in 0..3 {
            let sum: f32 = (0..6).map(|row| x[row * 3 + column] * mask[row % 2 * 3 + column]).sum();
            assert_eq!(out[column], sum);
        }
    }
}
