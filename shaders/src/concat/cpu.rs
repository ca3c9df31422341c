//! The CPU twin: copies, row by row, some rows at a time for each thread.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::shuffle::Pair;
use super::{ColumnParts, ConcatGradients, ConcatOps, Parts};
use crate::cpu::block::Block;
use crate::cpu::{contiguous, for_chunks, for_each, for_parts, values};
use crate::meter;

/// Numbers that are worth a thread.
const CHUNK: usize = 1 << 14;

impl ConcatOps for Flex {
    fn concat(parts: Parts<Self>, columns: ColumnParts) -> FlexTensor {
        let _span = meter::span("concat");
        let width = columns.width();
        let parts = parts.into_list().map(contiguous);
        let mut whole = Block::new(columns.rows() * width);
        let rows = rows_at_once(width);
        let pair = Pair::of(&columns);
        for_chunks(&mut whole, rows * width, 2 * rows * width, |index, whole| {
            if let Some(pair) = pair {
                let [a, b] = pair.widths().map(|width| index * rows * width);
                return pair.join([&values(&parts[0])[a..], &values(&parts[1])[b..]], whole);
            }
            let mut start = 0;
            for (part, count) in parts.iter().zip(&*columns.widths) {
                let part = &values(part)[index * rows * count..];
                let both = whole.chunks_exact_mut(width).zip(part.chunks_exact(*count));
                match columns.groups {
                    1 => both.for_each(|(whole, part)| {
                        whole[start..start + count].copy_from_slice(part);
                    }),
                    _ => {
                        let places = columns.places(start, *count);
                        both.for_each(|(whole, part)| {
                            let moved = places.iter().zip(part);
                            moved.for_each(|(place, part)| whole[*place] = *part);
                        });
                    }
                }
                start += count;
            }
        });
        whole.into_tensor(columns.whole())
    }
}

impl ConcatGradients for Flex {
    fn split_with_sizes(x: FlexTensor, columns: ColumnParts) -> Parts<Self> {
        let _span = meter::span("split_with_sizes");
        let x = contiguous(x);
        let all = values(&x).len() / columns.rows().max(1);
        let rows = rows_at_once(columns.width());
        let empty = |count: &usize| Block::new(columns.rows() * count);
        if let Some(pair) = Pair::of(&columns).filter(|_| columns.width() == all) {
            let [mut first, mut others] = pair.widths().map(|width| empty(&width));
            let [one, other] = pair.widths().map(|width| rows * width);
            for_parts(
                [(&mut first, one), (&mut others, other)],
                2 * (one + other),
                |index, parts| {
                    pair.split(&values(&x)[index * rows * all..], parts);
                },
            );
            let both = [first.into_tensor(columns.part(0)), others.into_tensor(columns.part(1))];
            return Parts::new(|index| both[index.min(1)].clone());
        }
        let mut parts: Vec<Block> = columns.widths.iter().map(empty).collect();
        let (mut tasks, mut start) = (Vec::new(), 0);
        for (part, count) in parts.iter_mut().zip(&*columns.widths) {
            let chunks = part.chunks_mut((rows * count).max(1)).enumerate();
            tasks.extend(chunks.map(|(index, part)| (index * rows, start, *count, part)));
            start += count;
        }
        let cost = 2 * rows * columns.width() / columns.widths.len().max(1);
        for_each(tasks, cost, |_, (first, start, count, part)| {
            let both =
                part.chunks_exact_mut(count).zip(values(&x)[first * all..].chunks_exact(all));
            match columns.groups {
                1 => {
                    let start = columns.first + start;
                    both.for_each(|(part, x)| part.copy_from_slice(&x[start..start + count]));
                }
                _ => {
                    let places = columns.places(start, count);
                    both.for_each(|(part, x)| {
                        let moved = part.iter_mut().zip(&places);
                        moved.for_each(|(part, place)| *part = x[*place]);
                    });
                }
            }
        });
        let tensor = |(index, part): (usize, Block)| part.into_tensor(columns.part(index));
        let parts: Vec<FlexTensor> = parts.into_iter().enumerate().map(tensor).collect();
        Parts::new(|index| parts[index.min(parts.len() - 1)].clone())
    }
}

impl ColumnParts {
    /// Where some columns of the parts lie in the whole.
    fn places(&self, start: usize, count: usize) -> Vec<usize> {
        (start..start + count).map(|column| self.place(column)).collect()
    }
}

/// Rows of so many numbers that a thread takes at once.
fn rows_at_once(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}
