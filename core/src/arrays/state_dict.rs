//! Weights and running statistics by the names of the reference code: how they leave a network, and how
//! those of another program come into one.

use super::{Array, Arrays};
use crate::nn::Layout;

/// The end of the names under which PyTorch counts batches.
pub const BATCHES: &str = ".num_batches_tracked";

/// What a network that was wrapped for several GPUs has before all names.
const WRAPPED: &str = "module.";

/// The head that is trained along and left out afterwards.
const AUXILIARY: &str = "auxiliary_head.";

/// Weights that do not belong to a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "these are the weights of another network: of the {expected} tensors that this one needs \
     {missing} are missing or have another shape{first}, and {foreign} are there that it does not \
     have{extra}; check the genotype, the cells, the channels and the classes"
)]
pub struct ForeignWeights {
    expected: usize,
    missing: usize,
    first: String,
    foreign: usize,
    extra: String,
}

/// The flat vectors of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Flat {
    /// As [`Layout::weights`] places them.
    pub weights: Vec<f32>,
    /// As [`Layout::norms`] places them: means, then variances.
    pub statistics: Vec<f32>,
}

/// Whether an auxiliary head is among them.
pub fn has_auxiliary_head(arrays: &Arrays) -> bool {
    arrays.keys().any(|name| name.starts_with(AUXILIARY))
}

/// Names without what a wrapped network has before them, and without the counts of batches.
pub fn unwrapped(arrays: Arrays) -> Arrays {
    let named = |(name, array): (String, Array)| {
        (name.strip_prefix(WRAPPED).unwrap_or(&name).to_owned(), array)
    };
    arrays.into_iter().map(named).filter(|(name, _)| !name.ends_with(BATCHES)).collect()
}

/// The arrays of a network of this layout, by their names. A head that the network lacks is passed over.
///
/// # Errors
/// [`ForeignWeights`] where one is missing, has another shape or has no place.
pub fn read(layout: &Layout, arrays: &Arrays) -> Result<Flat, ForeignWeights> {
    let mut wanted: Vec<(String, Vec<usize>)> =
        layout.weights().iter().map(|slot| (slot.name.clone(), slot.shape.clone())).collect();
    for kind in ["running_mean", "running_var"] {
        let of = layout
            .norms()
            .iter()
            .map(|slot| (format!("{}.{kind}", slot.name), vec![slot.range.len()]));
        wanted.extend(of);
    }
    let found: Vec<Option<&Array>> = wanted
        .iter()
        .map(|(name, shape)| arrays.get(name).filter(|array| array.shape == *shape))
        .collect();
    let missing = found.iter().filter(|array| array.is_none()).count();
    let known: std::collections::BTreeSet<&str> =
        wanted.iter().map(|(name, _)| name.as_str()).collect();
    let has_head = known.iter().any(|name| name.starts_with(AUXILIARY));
    let foreign: Vec<&String> = arrays
        .keys()
        .filter(|name| !known.contains(name.as_str()))
        .filter(|name| has_head || !name.starts_with(AUXILIARY))
        .collect();
    if missing > 0 || !foreign.is_empty() {
        let first = found.iter().zip(&wanted).find(|(array, _)| array.is_none());
        let first = first.map_or(String::new(), |(_, (name, shape))| match arrays.get(name) {
            Some(array) => format!(" (first: {name} is {:?} instead of {shape:?})", array.shape),
            None => format!(" (first: {name} {shape:?})"),
        });
        let extra = foreign.first().map_or(String::new(), |name| format!(" (first: {name})"));
        let (expected, foreign) = (wanted.len(), foreign.len());
        return Err(ForeignWeights { expected, missing, first, foreign, extra });
    }
    let ordered: Vec<f32> =
        found.into_iter().flatten().flat_map(|array| array.values.iter().copied()).collect();
    let (weights, statistics) = ordered.split_at(layout.weight_count());
    Ok(Flat { weights: layout.placed(weights), statistics: layout.placed_statistics(statistics) })
}
