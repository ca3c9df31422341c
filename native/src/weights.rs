//! A file of weights, whoever wrote it, and what it tells of its network.

use std::path::Path;

use anyhow::Context as _;
use smoothdarts::arrays::state_dict::unwrapped;
use smoothdarts::arrays::{self, Arrays};
use smoothdarts::net::{DerivedShape, Stem};

use crate::{pytorch, run_dir};

/// The arrays of a safetensors file or of a file that PyTorch wrote, whatever its name ends in.
///
/// # Errors
/// If it cannot be read, is neither, or is a file of a run and damaged.
pub fn read(path: &Path) -> anyhow::Result<Arrays> {
    let shown = path.display();
    let bytes = run_dir::read(path)?
        .with_context(|| format!("cannot read {shown}: there is no such file"))?;
    let arrays = match pytorch::is_file(&bytes) {
        true => pytorch::state_dict(&bytes).with_context(|| format!("{shown} of PyTorch"))?,
        false => arrays::from_bytes(&bytes)
            .with_context(|| format!("{shown} is neither a safetensors file nor one of PyTorch"))?,
    };
    Ok(unwrapped(arrays))
}

/// What weights tell of their network.
pub struct Found {
    /// What it starts with.
    pub stem: Stem,
    /// Channels of the images.
    pub image_channels: usize,
    /// Channels of the stem.
    pub stem_channels: usize,
    /// Channels of the first cell.
    pub channels: usize,
    /// Cells.
    pub cells: usize,
    /// Classes.
    pub classes: usize,
}

const STEM_OF_101: &str = "stem.op.0.weight";

impl Found {
    /// Reads it off the names and the shapes.
    ///
    /// # Errors
    /// If these are not the weights of a network of ours.
    pub fn new(arrays: &Arrays) -> anyhow::Result<Self> {
        let shape = |name: &str| arrays.get(name).map(|array| array.shape.as_slice());
        let stem = if shape("stem0.0.weight").is_some() { Stem::ImageNet } else { Stem::Small };
        let (first, last) = match stem {
            // Of cells of NAS-Bench-101 it is a module of its own.
            Stem::Small if shape(STEM_OF_101).is_some() => (STEM_OF_101, STEM_OF_101),
            Stem::Small => ("stem.0.weight", "stem.0.weight"),
            Stem::ImageNet => ("stem0.0.weight", "stem0.3.weight"),
        };
        let index = |name: &String| -> Option<usize> {
            name.strip_prefix("cells.")?.split('.').next()?.parse().ok()
        };
        let (Some([_, image_channels, ..]), Some([stem_channels, ..])) =
            (shape(first), shape(last))
        else {
            anyhow::bail!(
                "there is no tensor {first}: these are not the weights of such a network"
            );
        };
        let (Some([classes, _]), Some(cells)) =
            (shape("classifier.weight"), arrays.keys().filter_map(index).max())
        else {
            anyhow::bail!("there are no cells or no classifier: these are not such weights");
        };
        // Cells of NAS-Bench-201 may be without weights, the residual block after N of them never is.
        let residual = arrays.keys().filter(|name| name.contains(".conv_a.")).filter_map(index);
        let cells = residual.min().map_or(cells + 1, |stage| 3 * stage + 2);
        let channels = shape("cells.0.preprocess1.op.1.weight").and_then(<[usize]>::first);
        Ok(Self {
            stem,
            image_channels: *image_channels,
            stem_channels: *stem_channels,
            channels: *channels.unwrap_or(stem_channels),
            cells,
            classes: *classes,
        })
    }

    /// The shape of the network that is trained from a genotype.
    pub fn shape(&self, auxiliary: bool) -> DerivedShape {
        let Self { stem, image_channels, channels, cells, classes, .. } = *self;
        DerivedShape { image_channels, classes, cells, channels, stem, auxiliary }
    }
}
