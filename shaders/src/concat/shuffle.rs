//! Rows of few columns and of the others that are put together shuffled, as the channels of a node of PC-DARTS
//! are: the first part is a group, the other part the other groups. Blocks of columns are shuffled in registers.

use super::ColumnParts;

/// Columns of a group that are moved at once.
const SIDE: usize = 4;

/// Two parts, shuffled in `groups` groups of `each` columns.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    groups: usize,
    each: usize,
}

impl Pair {
    /// Where the columns are such parts, in two or four groups.
    pub(super) fn of(columns: &ColumnParts) -> Option<Self> {
        let groups = columns.groups;
        let each = columns.width() / groups;
        let is_pair = *columns.widths == [each, (groups - 1) * each];
        let fits = matches!(groups, 2 | 4) && each > 0 && each.is_multiple_of(SIDE);
        (is_pair && fits).then_some(Self { groups, each })
    }

    /// Columns of both parts.
    pub(super) fn widths(self) -> [usize; 2] {
        [self.each, (self.groups - 1) * self.each]
    }

    /// Rows of both parts together.
    pub(super) fn join(self, parts: [&[f32]; 2], whole: &mut [f32]) {
        match self.groups {
            2 => self.join_groups::<2>(parts, whole),
            _ => self.join_groups::<4>(parts, whole),
        }
    }

    fn join_groups<const G: usize>(self, [first, others]: [&[f32]; 2], whole: &mut [f32]) {
        let rows = first.chunks_exact(self.each).zip(others.chunks_exact((G - 1) * self.each));
        for ((first, others), whole) in rows.zip(whole.chunks_exact_mut(G * self.each)) {
            let blocks = whole.as_chunks_mut::<G>().0.as_chunks_mut::<SIDE>().0;
            for (block, out) in blocks.iter_mut().enumerate() {
                let mut columns = [[0.0; SIDE]; G];
                for (group, columns) in columns.iter_mut().enumerate() {
                    *columns = match group.checked_sub(1) {
                        None => first.as_chunks::<SIDE>().0[block],
                        Some(group) => others[group * self.each..].as_chunks::<SIDE>().0[block],
                    };
                }
                for (column, out) in out.iter_mut().enumerate() {
                    for (out, columns) in out.iter_mut().zip(&columns) {
                        *out = columns[column];
                    }
                }
            }
        }
    }

    /// The opposite.
    pub(super) fn split(self, whole: &[f32], parts: [&mut [f32]; 2]) {
        match self.groups {
            2 => self.split_groups::<2>(whole, parts),
            _ => self.split_groups::<4>(whole, parts),
        }
    }

    fn split_groups<const G: usize>(self, whole: &[f32], [first, others]: [&mut [f32]; 2]) {
        let firsts = first.chunks_exact_mut(self.each);
        let rows = firsts.zip(others.chunks_exact_mut((G - 1) * self.each));
        for ((first, others), whole) in rows.zip(whole.chunks_exact(G * self.each)) {
            let blocks = whole.as_chunks::<G>().0.as_chunks::<SIDE>().0;
            for (block, x) in blocks.iter().enumerate() {
                let mut columns = [[0.0; SIDE]; G];
                for (column, x) in x.iter().enumerate() {
                    for (columns, x) in columns.iter_mut().zip(x) {
                        columns[column] = *x;
                    }
                }
                for (group, columns) in columns.iter().enumerate() {
                    let out = match group.checked_sub(1) {
                        None => &mut *first,
                        Some(group) => &mut others[group * self.each..],
                    };
                    out.as_chunks_mut::<SIDE>().0[block] = *columns;
                }
            }
        }
    }
}
