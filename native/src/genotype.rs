//! A genotype, however a user names it.

use std::path::Path;

use anyhow::Context as _;
use smoothdarts::cell::codec::{darts, nb201};
use smoothdarts::cell::{Genotype, published};

use crate::exit::Exit;

/// The genotype of a run directory, of a file, of the text itself (JSON, the Python tuple, the string of
/// NAS-Bench-201), or of a published name.
///
/// # Errors
/// Exit code 2 where it is none of these, or no sound genotype.
pub fn read(source: &str) -> anyhow::Result<Genotype> {
    let path = Path::new(source);
    let path = if path.is_dir() { path.join("genotype.json") } else { path.to_owned() };
    if let Some(row) = published::ALL.iter().find(|row| row.name == source) {
        return Ok(row.genotype());
    }
    let text = if path.is_file() {
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?
    } else {
        source.to_owned()
    };
    parse(text.trim(), source).context(Exit::Usage)
}

fn parse(text: &str, source: &str) -> anyhow::Result<Genotype> {
    if text.contains("Genotype(") {
        return Ok(darts::from_python(text)?);
    }
    if text.starts_with('{') {
        return Ok(darts::from_json(text)?);
    }
    let bare = text.trim_matches('"');
    if bare.starts_with('|') {
        return Ok(nb201::decode(bare)?);
    }
    anyhow::bail!(
        "{source:?} is no run directory with a genotype, no file, no genotype and no published name; \
         `sdarts list genotypes` shows the names"
    )
}
