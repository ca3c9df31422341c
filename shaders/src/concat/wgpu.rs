//! The WGSL kernels: one thread for each number that is moved.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{ColumnParts, ConcatGradients, ConcatOps, Parts};
use crate::wgpu::{ACCESS, Program, built, contiguous, empty};

impl ConcatOps for CubeBackend {
    fn concat(parts: Parts<Self>, columns: ColumnParts) -> CubeTensor {
        let parts = parts.into_list().map(contiguous);
        let whole = empty(&parts[0], columns.whole());
        let mut buffers = vec![&whole];
        buffers.extend(parts.iter().take(columns.widths.len()));
        built(columns, |it| program(Way::Concat, it, it.width())).launch(&buffers);
        whole
    }
}

impl ConcatGradients for CubeBackend {
    fn split_with_sizes(x: CubeTensor, columns: ColumnParts) -> Parts<Self> {
        let x = contiguous(x);
        let all = x.meta.shape().num_elements() / columns.rows().max(1);
        let count = columns.widths.len();
        let parts: Vec<CubeTensor> =
            (0..count).map(|index| empty(&x, columns.part(index))).collect();
        let mut buffers = vec![&x];
        buffers.extend(&parts);
        built((columns, all), |(columns, all)| program(Way::Split, columns, *all)).launch(&buffers);
        Parts::new(|index| parts[index.min(count - 1)].clone())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Concat,
    Split,
}

/// Moves numbers between parts and a whole of `all` columns.
fn program(way: Way, columns: &ColumnParts, all: usize) -> Program {
    let (name, whole_access, part_access) = match way {
        Way::Concat => ("concat", "read_write", ACCESS),
        Way::Split => ("split_with_sizes", ACCESS, "read_write"),
    };
    let (mut bindings, mut cases, mut start) = (String::new(), String::new(), 0);
    for (index, width) in columns.widths.iter().enumerate() {
        let binding = index + 1;
        bindings += &format!(
            "@group(0) @binding({binding}) var<storage, {part_access}> part{index}: array<f32>;\n"
        );
        let (end, part) =
            (start + width, format!("part{index}[row * {width}u + column - {start}u]"));
        let moves = match way {
            Way::Concat => format!("whole[place] = {part};"),
            Way::Split => format!("{part} = whole[place];"),
        };
        cases += &format!("    if column >= {start}u && column < {end}u {{ {moves} }}\n");
        start = end;
    }
    Program::new(name, include_str!("concat.wgsl"), columns.rows() * columns.width())
        .constant("whole_access", whole_access)
        .constant("bindings", bindings)
        .constant("cases", cases)
        .sizes([
            ("width", columns.width()),
            ("all", all),
            ("first", columns.first),
            ("groups", columns.groups),
        ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        let shuffled = ColumnParts { groups: 4, ..ColumnParts::new([2, 5, 1], &[2, 6]) };
        let parts = [&[4][..], &[1, 2, 3], &[16, 1, 3, 9, 25, 2, 7]];
        let parts = parts.map(|it| ColumnParts { first: 3, ..ColumnParts::new([2, 5, 1], it) });
        for columns in parts.into_iter().chain([shuffled]) {
            for way in [Way::Concat, Way::Split] {
                let program = program(way, &columns, 70);
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
