//! The CPU twin: copies, row by row.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::{ColumnGradients, ColumnOps, Columns, Parts};
use crate::cpu::{self, contiguous, values, zeros};
use crate::meter;

impl ColumnOps for Flex {
    fn beside(parts: Parts<Self>, columns: Columns) -> FlexTensor {
        let _span = meter::span("beside");
        let width = columns.width();
        let mut whole = zeros(columns.rows() * width);
        let mut start = 0;
        for (part, count) in parts.into_list().into_iter().zip(&*columns.widths) {
            let part = contiguous(part);
            let rows = whole.chunks_exact_mut(width).zip(values(&part).chunks_exact(*count));
            rows.for_each(|(whole, part)| whole[start..start + count].copy_from_slice(part));
            start += count;
        }
        cpu::tensor(whole, columns.whole())
    }
}

impl ColumnGradients for Flex {
    fn apart(x: FlexTensor, columns: Columns) -> Parts<Self> {
        let _span = meter::span("apart");
        let x = contiguous(x);
        let all = values(&x).len() / columns.rows().max(1);
        let mut start = columns.first;
        let part = |(index, count): (usize, &usize)| {
            let mut part = zeros(columns.rows() * count);
            let rows = part.chunks_exact_mut(*count).zip(values(&x).chunks_exact(all));
            rows.for_each(|(part, x)| part.copy_from_slice(&x[start..start + count]));
            start += count;
            cpu::tensor(part, columns.part(index))
        };
        let parts: Vec<FlexTensor> = columns.widths.iter().enumerate().map(part).collect();
        Parts::new(|index| parts[index.min(parts.len() - 1)].clone())
    }
}
