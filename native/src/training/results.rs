//! What every training leaves in its run directory.

use smoothdarts::run::train::{Kind, Trainable};
use smoothdarts::run::{Run, Train};

use crate::commands::derive;
use crate::run_dir::RunDir;

/// Writes what was trained, and its weights.
///
/// # Errors
/// If the device failed, or what the file system says.
pub(super) fn write<T: Trainable>(run: &Run<Train<T>>, directory: &RunDir) -> anyhow::Result<()> {
    let genotype = pollster::block_on(run.genotype())?;
    let json = serde_json::to_string_pretty(&genotype)? + "\n";
    directory.write("genotype.json", json.as_bytes())?;
    directory.write("genotype.py.txt", (derive::text(&genotype) + "\n").as_bytes())?;
    for kind in Kind::ALL {
        if let Some(weights) = pollster::block_on(run.job().weights(kind))? {
            directory.write(T::file(kind), &weights)?;
        }
    }
    Ok(())
}
