//! Matrices of a product, and the left one in tiles of rows.

/// A matrix in row-major order.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    /// Floats from one row to the next.
    stride: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Rows of a group, and floats from one group to the next.
    group: usize,
    jump: usize,
}

impl<'a> Matrix<'a> {
    /// Rows without gaps.
    pub(crate) fn new(values: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        let group = rows.max(1);
        Self { values, stride: columns, rows, columns, group, jump: 0 }
    }

    /// The first columns of its rows.
    pub(crate) fn of_width(self, columns: usize) -> Self {
        Self { columns, ..self }
    }

    /// The same rows, of which so many lie together, and the next group so many floats further.
    pub(crate) fn grouped(self, group: usize, jump: usize) -> Self {
        Self { group: group.max(1), jump, ..self }
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &'a [f32] {
        // Most matrices are one group, and a division takes as long as the copy of a row of a tile.
        let start = match row < self.group {
            true => row * self.stride,
            false => row / self.group * self.jump + row % self.group * self.stride,
        };
        &self.values[start..][..self.columns]
    }
}

/// The left factor of a product.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    matrix: Matrix<'a>,
    transposed: bool,
    /// What row `r` of the matrix is multiplied by, number by number: row `r` mod the rows of this one.
    mask: Option<Matrix<'a>>,
}

impl<'a> Left<'a> {
    pub(crate) fn rows(matrix: Matrix<'a>) -> Self {
        Self { matrix, transposed: false, mask: None }
    }

    /// The matrix transposed.
    pub(crate) fn columns(matrix: Matrix<'a>) -> Self {
        Self { matrix, transposed: true, mask: None }
    }

    pub(crate) fn masked(self, mask: Option<Matrix<'a>>) -> Self {
        Self { mask, ..self }
    }

    pub(super) fn count(&self) -> usize {
        if self.transposed { self.matrix.columns } else { self.matrix.rows }
    }

    /// Rows `first..` as tiles of `R`, depth after depth, of a block of the depth from `start` on.
    #[inline(always)]
    pub(super) fn pack<const R: usize>(
        &self,
        first: usize,
        start: usize,
        tiles: &mut [[f32; R]],
        depth: usize,
    ) {
        if self.transposed {
            return self.pack_columns(first, start, tiles, depth);
        }
        for (index, tile) in tiles.chunks_exact_mut(depth).enumerate() {
            let first = first + index * R;
            let count = R.min(self.count().saturating_sub(first));
            self.pack_rows(first, start, count, tile);
        }
    }

    /// Not inlined where vectors are wide: its loops would become scatters there, which AMD processors do in
    /// microcode. With scatters `sdarts bench --preset ptb-sdarts-rs --method sdarts-rs --threads 1` took 5.19 s, so
    /// and with four rows at once 5.03 s (means of three turns).
    #[inline(never)]
    fn pack_rows<const R: usize>(
        &self,
        first: usize,
        start: usize,
        count: usize,
        tile: &mut [[f32; R]],
    ) {
        let depth = tile.len();
        let row = |r: usize| &self.matrix.row(first + r)[start..][..depth];
        for at in (0..R).step_by(FOUR) {
            if self.mask.is_none() && at + FOUR <= count {
                four_rows(std::array::from_fn(|r| row(at + r)), at, tile);
                continue;
            }
            for r in at..R.min(at + FOUR) {
                self.pack_row(first, start, r, count, tile);
            }
        }
    }

    fn pack_row<const R: usize>(
        &self,
        first: usize,
        start: usize,
        r: usize,
        count: usize,
        tile: &mut [[f32; R]],
    ) {
        if r >= count {
            tile.iter_mut().for_each(|values| values[r] = 0.0);
            return;
        }
        let row = &self.matrix.row(first + r)[start..];
        match self.mask {
            None => tile.iter_mut().zip(row).for_each(|(values, x)| values[r] = *x),
            Some(mask) => {
                let mask = &mask.row((first + r) % mask.rows)[start..];
                for ((values, x), mask) in tile.iter_mut().zip(row).zip(mask) {
                    values[r] = x * mask;
                }
            }
        }
    }

    /// A row of the matrix is a part of all tiles: it is found once.
    #[inline(always)]
    fn pack_columns<const R: usize>(
        &self,
        first: usize,
        start: usize,
        tiles: &mut [[f32; R]],
        depth: usize,
    ) {
        let count = (tiles.len() / depth * R).min(self.count() - first);
        for k in 0..depth {
            let row = &self.matrix.row(start + k)[first..][..count];
            let mask = self.mask.map(|mask| &mask.row((start + k) % mask.rows)[first..][..count]);
            for (index, part) in row.chunks(R).enumerate() {
                let values = &mut tiles[index * depth + k];
                match part.first_chunk::<R>() {
                    Some(part) => *values = *part,
                    None => {
                        *values = [0.0; R];
                        values[..part.len()].copy_from_slice(part);
                    }
                }
                if let Some(mask) = mask {
                    let mask = &mask[index * R..][..part.len()];
                    values.iter_mut().zip(mask).for_each(|(value, mask)| *value *= mask);
                }
            }
        }
    }
}

/// Rows that are packed at once.
const FOUR: usize = 4;

/// Four rows as four columns of a tile, from column `at` on: in blocks of four by four, which are shuffled between
/// registers.
fn four_rows<const R: usize>(rows: [&[f32]; FOUR], at: usize, tile: &mut [[f32; R]]) {
    let (blocks, rest) = tile.as_chunks_mut::<FOUR>();
    let parts = rows.map(|row| row.as_chunks::<FOUR>());
    for (index, block) in blocks.iter_mut().enumerate() {
        let [a, b, c, d] = parts.map(|(whole, _)| whole[index]);
        for (k, values) in block.iter_mut().enumerate() {
            if let Some(values) = values[at..].first_chunk_mut() {
                *values = [a[k], b[k], c[k], d[k]];
            }
        }
    }
    for (k, values) in rest.iter_mut().enumerate() {
        for (value, (_, rest)) in values[at..].iter_mut().zip(&parts) {
            *value = rest[k];
        }
    }
}
