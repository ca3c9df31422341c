//! The largest tensor of a network. A GPU binds no buffer beyond its limit (128 MiB in many browsers, 2 GiB on
//! most cards): what is larger has to be refused before the first step, with the setting to change.

use std::collections::{BTreeMap, BTreeSet};

use super::{Build, DerivedShape, NetShape, Stem};
use crate::cell::{Choice, Genotype};
use crate::nn::{Builder, Layout, NormOptions};
use crate::ops::{self, Site};

/// Numbers for each image in the largest tensor of a supernet, as far as settings tell. They may have any size,
/// hence no integer.
pub fn of_supernet(choices: &[Choice], build: &Build, shape: &NetShape, side: usize) -> f64 {
    let cells: Vec<&Choice> = choices.iter().filter(|choice| choice.is_of_cell()).collect();
    let stacks = cells.iter().map(|choice| stack(choice, build.partial_channels));
    // The networks around a single kind of cell, those of the benchmarks, have no wider stem.
    let wide = if cells.len() == 1 { 1.0 } else { shape.stem_multiplier as f64 };
    let activations = stacks.max().unwrap_or(0);
    largest(activations, shape.channels, wide, build.stem, (shape.image_channels, side))
}

/// The same of the network that is trained from a genotype.
pub fn of_derived(genotype: &Genotype, shape: &DerivedShape, side: usize) -> f64 {
    let nodes = genotype.cells.iter().map(|cell| cell.nodes.len()).max().unwrap_or(0);
    largest(nodes, shape.channels, 3.0, shape.stem, (shape.image_channels, side))
}

/// Of a network whose cells have so many activations in one tensor. Later stages have twice the channels on a
/// quarter of the pixels.
fn largest(
    activations: usize,
    channels: usize,
    stem_multiplier: f64,
    stem: Stem,
    (image_channels, side): (usize, usize),
) -> f64 {
    let [activations, channels, image_channels, side] =
        [activations, channels, image_channels, side].map(|number| number as f64);
    let area = side * side;
    // The stem of ImageNet halves images three times; half of the channels come after the first.
    let (stem, of_cells) = match stem {
        Stem::Small => (stem_multiplier * channels * area, area),
        Stem::ImageNet => (channels / 2.0 * area / 4.0, area / 64.0),
    };
    stem.max(image_channels * area).max(activations * channels * of_cells)
}

/// Activations in the largest tensor of a cell: the units that one kernel computes ([`super::plan`]), or the
/// sums of all nodes, which are also its output.
fn stack(choice: &Choice, parts: usize) -> usize {
    let mut units: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for row in &choice.rows {
        for name in &row.options {
            let length = chain(name);
            *units.entry((row.source, length)).or_default() += usize::from(length > 0);
        }
    }
    let nodes: BTreeSet<usize> = choice.rows.iter().map(|row| row.node).collect();
    let stacked = units.into_values().max().unwrap_or(0);
    stacked.div_ceil(parts.max(1)).max(nodes.len())
}

/// Units of an operation, if it is made of nothing else.
fn chain(name: &str) -> usize {
    let site = Site { channels: 2, stride: 1, norm: NormOptions::new(false), pool_norm: true };
    let build = |operation: &'static ops::Operation| {
        operation.build(&mut Builder::new(&mut Layout::default()), site).units().len()
    };
    ops::find(name).map_or(0, build)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{self, SpaceError};

    /// Four edges leave the first state, each with two separable and two dilated convolutions in the space of
    /// DARTS: eight units lie in one tensor.
    #[test]
    fn eight_units_of_a_darts_cell_lie_side_by_side() -> Result<(), SpaceError> {
        let choices = space::find("darts")?.choices();
        let shape =
            NetShape { image_channels: 3, classes: 10, cells: 8, channels: 16, stem_multiplier: 3 };
        let build = Build::default();
        let area = 32.0 * 32.0;
        assert_eq!(of_supernet(&choices, &build, &shape, 32), 8.0 * 16.0 * area);
        let quarter = Build { partial_channels: 4, ..build };
        assert_eq!(of_supernet(&choices, &quarter, &shape, 32), 4.0 * 16.0 * area);
        let wide = NetShape { stem_multiplier: 20, ..shape };
        assert_eq!(of_supernet(&choices, &build, &wide, 32), 20.0 * 16.0 * area);
        let alone = space::find("nasbench201")?.choices();
        assert_eq!(of_supernet(&alone, &build, &wide, 32), 3.0 * 16.0 * area);
        Ok(())
    }
}
