//! A file of weights, whoever wrote it.

use std::path::Path;

use anyhow::Context as _;
use smoothdarts::arrays::state_dict::unwrapped;
use smoothdarts::arrays::{self, Arrays};

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
